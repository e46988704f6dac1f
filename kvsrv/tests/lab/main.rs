//! The course's tests of the single server and of the lock (2025 lab 2), on both back ends (see
//! docs/TESTING.md). The one that measures memory stands alone in `tests/memory`.

mod harness;
mod lock_2;
mod lock_misuse;
mod reliable_2;
mod unreliable_2;

/// A simulation makes many small allocations and drops them soon; this allocator takes less time
/// for them than libc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
