//! A hundred thousand random and bit-flipped inputs: no panic, no value of another type, and no
//! memory for elements whose bytes are not there.
//!
//! Memory is measured from outside: the largest size that the process ever had (`VmPeak`) must not
//! grow by more than an input's bytes can ask for, and a little. Address space counts whether it is
//! touched or not, so a vector that only sets room aside is seen too. No test harness: allocations
//! of other threads would disturb, and in the main thread the heap itself grows visibly.

#[path = "../format/samples.rs"]
mod samples;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};
use samples::{Sample, sample, samples};

const INPUTS: usize = 100_000;

/// The decoders' limit, in bytes.
const LIMIT: usize = 64 << 10;

/// The largest element: one byte of input each may stand for it.
type Fat = Option<[[u64; 16]; 16]>;

/// Most bytes of an input, each an element of a vector that has its old and its new store while it
/// grows.
const MOST: u64 = 250 * 3 * size_of::<Fat>() as u64;

/// What the test itself and the allocator may add, in bytes.
const SLACK: u64 = 384 << 10;

fn main() {
    // Fixed: a failure is the same every time.
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(6_5840);
    let mut samples = samples();
    samples.push(sample("Vec<Fat>", vec![Fat::Some([[7u64; 16]; 16]), None]));
    // Undamaged, so that only what is usual is there already.
    for sample in &samples {
        assert_eq!((sample.decode)(&sample.bytes, LIMIT).as_ref(), Ok(&sample.bytes));
    }

    let before = peak();
    let mut decoded = 0;
    for _ in 0..INPUTS {
        decoded += usize::from(try_one(&samples, &mut rng));
    }
    let after = peak();

    // Flips inside strings and numbers are still values; if all inputs were, or none, the inputs
    // would test nothing.
    assert!((INPUTS / 100..INPUTS / 2).contains(&decoded), "{decoded} of {INPUTS} were values");
    if let (Some(before), Some(after)) = (before, after) {
        let grown = after - before;
        let most = MOST + SLACK;
        assert!(grown <= most, "the process grew by {grown} bytes, more than {most}");

        // The measure works: room set aside shows without being touched.
        let room: Vec<u8> = std::hint::black_box(Vec::with_capacity(64 << 20));
        let seen = peak().unwrap() - after;
        assert!(seen >= 32 << 20, "only {seen} bytes seen of {}", room.capacity());
        println!("memory: {INPUTS} inputs, {decoded} values, grew by {} KiB", grown >> 10);
    }
}

/// Damages a sample, decodes it as its own type and as another; whether its own gave a value.
fn try_one(samples: &[Sample], rng: &mut Xoshiro256PlusPlus) -> bool {
    let sample = &samples[rng.random_range(0..samples.len())];
    let bytes = damaged(&sample.bytes, rng);

    let other = &samples[rng.random_range(0..samples.len())];
    if other.name != sample.name {
        let confused = (other.decode)(&bytes, LIMIT);
        assert!(confused.is_err(), "{:02x?} of {} as {}", bytes, sample.name, other.name);
    }
    match (sample.decode)(&bytes, LIMIT) {
        // A value of the type: it has an encoding, and that is read back as itself.
        Ok(again) => {
            assert_eq!((sample.decode)(&again, LIMIT), Ok(again));
            true
        }
        Err(_) => false,
    }
}

fn damaged(original: &[u8], rng: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    let mut bytes = original.to_vec();
    match rng.random_range(0..4) {
        // Anything at all.
        0 => {
            bytes = vec![0; rng.random_range(0..200)];
            rng.fill_bytes(&mut bytes);
        }
        // The right type and length, then anything, with a liking for lengths and their marks.
        1 => {
            let mut body = vec![0; rng.random_range(0..250)];
            // A length and then zeros are elements that take little to write and much to hold.
            let zeros = rng.random_range(0..=body.len());
            for (at, byte) in body.iter_mut().enumerate() {
                if (1..zeros).contains(&at) {
                    continue;
                }
                *byte = match rng.random_range(0..4) {
                    0 => rng.random_range(250..=255),
                    1 => rng.random_range(0..4),
                    _ => rng.random(),
                };
            }
            bytes.truncate(4);
            bytes.push(body.len() as u8);
            bytes.extend(body);
        }
        // One to four flipped bits, behind the fingerprint.
        2 => {
            for _ in 0..rng.random_range(1..=4) {
                let at = rng.random_range(4..bytes.len());
                bytes[at] ^= 1 << rng.random_range(0..8);
            }
        }
        // A huge number somewhere in the body, the frame adjusted to it.
        _ => {
            let mut body = bytes.split_off(5);
            let at = rng.random_range(0..=body.len());
            let huge = rng.random_range(1..=u64::MAX) >> rng.random_range(0..40);
            let huge: Vec<u8> = std::iter::once(253).chain(huge.to_le_bytes()).collect();
            body.splice(at..(at + 1).min(body.len()), huge);
            bytes[4] = body.len().min(250) as u8;
            bytes.extend(&body[..body.len().min(250)]);
        }
    }
    bytes
}

/// The largest size of the process so far, in bytes; `None` where the system does not tell.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
