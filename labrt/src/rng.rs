//! Random numbers: one stream of the seed in a simulation, the system's entropy on threads.

use std::convert::Infallible;

use rand::distr::uniform::{SampleRange, SampleUniform};
use rand::{RngExt, TryRng};

use crate::sim::{self, Context};
use crate::threads;

/// A handle on the stream of random numbers; all handles of a simulation draw from the same one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rng(());

/// The generator to use wherever randomness is needed. It is a [`rand::Rng`].
pub fn rng() -> Rng {
    Rng(())
}

impl TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((random_u64() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(random_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let word = random_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

/// A number, all 64 bits of it equally likely.
#[inline]
pub fn random_u64() -> u64 {
    match sim::context() {
        Context::Threads => threads::draw(),
        _ => sim::with(|world| world.draw()),
    }
}

/// A number from `range`, all equally likely.
///
/// # Panics
/// If the range is empty.
#[inline]
pub fn random_range<T: SampleUniform>(range: impl SampleRange<T>) -> T {
    rng().random_range(range)
}

/// `true` with probability `p`, which is clamped to 0..=1.
#[inline]
pub fn random_bool(p: f64) -> bool {
    // 53 bits fit a float exactly.
    ((random_u64() >> 11) as f64) < p * (1_u64 << 53) as f64
}
