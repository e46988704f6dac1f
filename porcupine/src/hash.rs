//! A small fast hash function with a fixed seed.
//!
//! The standard one resists attackers who choose the keys. Nobody attacks a checker with its own
//! history, and the search hashes one state for each new version of a key: speed counts here.

use std::hash::{BuildHasherDefault, Hash, Hasher};

const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

/// Multiplies each word into the state and folds the 128-bit product.
#[derive(Default, Clone, Copy)]
pub(crate) struct Fold(u64);

impl Fold {
    #[inline]
    pub(crate) fn add(&mut self, word: u64) {
        let product =
            u128::from(self.0 ^ word ^ 0x51_7C_C1_B7).wrapping_mul(u128::from(MULTIPLIER));
        self.0 = (product as u64) ^ ((product >> 64) as u64).rotate_left(23);
    }
}

impl Hasher for Fold {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.add(u64::from_le_bytes(chunk.try_into().expect("chunks of 8 have 8 bytes")));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.add(u64::from_le_bytes(word) ^ ((rest.len() as u64) << 56));
        }
    }

    #[inline]
    fn write_u8(&mut self, value: u8) {
        self.add(u64::from(value));
    }

    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.add(u64::from(value));
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.add(value);
    }

    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.add(value as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// The hash of one value.
#[inline]
pub(crate) fn hash_of<T: Hash>(value: &T) -> u64 {
    let mut hasher = Fold::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// For maps whose order cannot show.
pub(crate) type FoldBuilder = BuildHasherDefault<Fold>;
