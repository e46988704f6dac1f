//! The course's Raft tests, parts 3A to 3D, on both back ends (see docs/TESTING.md).
//!
//! Each test stands under the course's name; `harness` has the course's helpers, `servers` the
//! service that the tests put on each Raft peer.

mod agreement_3b;
mod churn_3c;
mod election_3a;
mod figure8_3c;
mod harness;
mod nemesis;
mod persist_3c;
mod servers;
mod snapshot_3d;

/// A simulation makes many small allocations and drops them soon; this allocator takes less time
/// for them than libc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
