//! Tasks, time, locks, channels, randomness and disk: one blocking API on two back ends.
//!
//! Code written against this crate looks like ordinary threaded code and runs in two ways:
//!
//! ```text
//!          spawn · sleep · now · Mutex · Condvar · channel · oneshot · rng · Node · Persister
//!                                        │
//!                  outside sim::run      │      inside sim::run
//!             ┌──────────────────────────┴───────────────────────────┐
//!             ▼                                                      ▼
//!   threads: OS threads, wall clock,               sim: one OS thread, a coroutine per task,
//!   the system's entropy, crossbeam                virtual clock, one seed; every run repeatable
//! ```
//!
//! Where the code runs decides which back end a call uses: there is no feature, no type parameter,
//! and only one build. Objects must not be carried from one back end to the other while in use.
//!
//! # Rules for tasks
//! Everything that waits, reads the clock or uses random numbers must come from this crate. A real
//! lock held over a wait, a real clock or the order of a `HashMap` makes a seed worthless.
//! `docs/DETERMINISM.md` has the whole list, and the workspace's `clippy.toml` enforces it.
//!
//! # Switch points
//! In a simulation another task may continue at a switch point: when a lock is taken (always if it
//! is held, sometimes if it is free), at channel operations that wait, [`sleep`], [`yield_now`],
//! [`JoinHandle::join`], and [`Persister`] writes. A [crash](Node::crash) of a node can end its
//! tasks at any of them.
//!
//! # Failures are reports
//! A simulated run that cannot continue is stopped and [explained](sim::Failure): deadlock,
//! livelock, a task that never yields, a panicking task, too much virtual time, a broken invariant.
//!
//! # Example
//! ```
//! use std::time::Duration;
//!
//! fn ping_pong() -> u64 {
//!     let (to_pong, pings) = labrt::channel::bounded(0);
//!     let (to_ping, pongs) = labrt::channel::bounded(0);
//!     let pong = labrt::spawn(move || {
//!         for number in pings.iter() {
//!             labrt::sleep(Duration::from_millis(10));
//!             to_ping.send(number + 1).unwrap();
//!         }
//!     });
//!     let mut number = 0_u64;
//!     for _ in 0..3 {
//!         to_pong.send(number).unwrap();
//!         number = pongs.recv().unwrap();
//!     }
//!     drop(to_pong);
//!     pong.join().unwrap();
//!     number
//! }
//!
//! assert_eq!(ping_pong(), 3); // on threads
//! let run = labrt::sim::run(labrt::sim::Config::new(7), ping_pong); // simulated
//! assert_eq!(run.result.unwrap(), 3);
//! assert_eq!(run.report.virtual_time, Duration::from_millis(30));
//! ```
//!
//! # Left out on purpose
//! Async, thread-locals per task, scoped tasks, read-write locks, priorities.
#![deny(unsafe_code)] // allowed in sim/coroutine.rs only

pub mod channel;
mod disk;
pub mod events;
pub mod hang;
mod line;
pub mod mark;
mod node;
pub mod oneshot;
mod rng;
pub mod sim;
mod sink;
mod sync;
mod task;
mod threads;
mod time;
mod timers;
mod wait;

pub use disk::{Persister, StoredSnapshot, TornWrite, Write, WriteError};
pub use node::{CrashError, Node};
pub use rng::{Rng, random_bool, random_range, random_u64, rng};
pub use sync::{Condvar, Mutex, MutexGuard};
pub use task::{JoinError, JoinHandle, spawn, spawn_named, yield_now};
pub use time::{Instant, after, now, sleep, sleep_until};

/// Whether the calling code runs in a simulation.
pub fn is_simulated() -> bool {
    sim::context() != sim::Context::Threads
}
