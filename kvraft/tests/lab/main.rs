//! The course's tests of the key/value services (parts 4B and 4C; 3A and 3B of the editions until 2021), on both back ends (see docs/TESTING.md).
//!
//! Most are one scenario with other parameters ([`tester::kv::GenericTest`]): clients compete for keys while the network loses
//! messages, partitions come and go, and servers restart. Every history is judged for linearizability, to a verdict.

mod append;
mod basic_4b;
mod harness;
mod nemesis;
mod partition_4b;
mod persist_4b;
mod slow_disk;
mod snapshot_4c;
mod traced;
mod waits;

/// A simulation makes many small allocations and drops them soon; this allocator takes less time for them than libc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
