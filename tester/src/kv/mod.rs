//! Tests of key/value services: clerks whose operations are recorded, workloads, and a verdict on
//! what they saw.
//!
//! ```text
//!   client tasks ──▶ KvHarness::get / put ──▶ the service's Clerk ──▶ Client ──▶ network
//!                        │  call and return, with times
//!                        ▼
//!                      OpLog ──▶ verdict.rs: porcupine ──▶ legal · illegal (fail) · undecided (inconclusive)
//!                        └─────▶ history.jsonl
//! ```
//!
//! That is the versioned service of the 2025 labs; [`append`] does the same for Put, Append and Get
//! of the editions before.
//!
//! The model that histories are judged by is porcupine's own. It shares no code with kvapi, which
//! the services are built on: a checker with the mistakes of what it checks finds none.

pub mod append;
mod generic;
mod harness;
mod op_log;
mod recorder;
mod text;
mod verdict;
mod workload;

pub use generic::GenericTest;
pub use harness::{Api, Harness, KvHarness, TestClerk, Versioned};
pub use op_log::{Answer, Op, OpLog, ReadError, Request};
pub use text::Text;
pub use verdict::{Legality, judge_append_history, judge_history};
pub use workload::{AppendEntry, ClientResult, Entry, Partitioner, make_keys, rand_value};

use std::time::Duration;

/// How long a cut or restarted cluster is given to elect a leader (the course's).
pub const ELECTION_TIMEOUT: Duration = Duration::from_secs(1);
