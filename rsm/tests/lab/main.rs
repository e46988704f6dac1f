//! The course's tests of the replicated state machine (parts 4A and 4C), on both back ends (see docs/TESTING.md).

mod counter;
mod exactly_once;
mod fail_stop;
mod freed;
mod harness;
mod patience;
mod reads;
mod restart_4a;
mod snapshot_4c;
mod submit_4a;

/// A simulation makes many small allocations and drops them soon; this allocator takes less time for them than libc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
