//! Hangs on threads: what a simulation finds by itself, with a clock.

pub use crate::threads::hang::{Hang, HangKind, Limits, watched};
