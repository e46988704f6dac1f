//! Locks and condition variables.

mod condvar;
mod mutex;

pub use condvar::Condvar;
pub use mutex::{Mutex, MutexGuard};
