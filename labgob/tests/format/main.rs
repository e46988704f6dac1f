//! The format: round trips, known bytes, types that must not be confused, damaged input.

mod fingerprints;
mod known_bytes;
mod limits;
mod malformed;
mod nesting;
mod roundtrip;
mod samples;
mod stream;
