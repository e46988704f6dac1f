//! The course's tests of the sharded service (parts 5A, 5B, 5C), on both back ends (see
//! docs/TESTING.md), and some of our own. Histories are judged to a verdict, also where the course
//! only looks at single values.

mod clerks_5a;
mod controllers_5c;
mod cut_off_5a;
mod faults_5c;
mod freed_5b;
mod harness;
mod join_leave_5a;
mod misuse_5a;
mod operators_5b;
mod progress_5a;
mod recovery_5b;
mod static_5a;

/// A simulation makes many small allocations and drops them soon; this allocator takes less time
/// for them than libc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
