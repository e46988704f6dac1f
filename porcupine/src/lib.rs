//! Is this history linearizable?
//!
//! Clients call an object that lives on many machines, and write down when they asked, when they were
//! answered, and what. The object is *linearizable* when each operation can be given one instant between
//! its call and its return, such that an ordinary object, asked in the order of these instants, would have
//! given the same answers.
//!
//! ```text
//!   c1  ├── put x=1 ──┤                         put 1 takes effect at a
//!   c2          ├──── get → 1 ────┤             get sees it at b
//!   c3                    ├─ get → "" ─┤        not linearizable if it begins after b had to happen
//!              a      b
//! ```
//!
//! A [`Model`] says what the ordinary object does, a slice of [`Operation`]s what the clients saw;
//! [`check_operations`] gives the [`Verdict`].
//!
//! ```
//! use porcupine::models::versioned_kv::{Input, Output, VersionedKv};
//! use porcupine::{Operation, Options, Verdict, check_operations};
//!
//! let history = [
//!     Operation::new(1, 0, Input::put("k", "x", 0), 10, Output::Done),
//!     Operation::new(2, 5, Input::put("k", "y", 0), 30, Output::Maybe),
//!     Operation::new(1, 40, Input::get("k"), 50, Output::value("x", 1)),
//!     Operation::pending(2, 60, Input::put("k", "z", 1)),
//!     Operation::new(1, 70, Input::get("k"), 80, Output::value("z", 2)),
//! ];
//! let report = check_operations(&VersionedKv, &history, &Options::default())?;
//! assert_eq!(report.verdict(), Verdict::Ok);
//! # Ok::<(), porcupine::HistoryError>(())
//! ```
#![forbid(unsafe_code)]

mod bits;
mod budget;
mod check;
mod configurations;
mod explain;
mod hash;
mod history;
mod model;
pub mod models;
mod nondeterministic;
mod picture;
mod search;
mod states;
mod timeline;

pub use budget::{Budget, Limit};
pub use check::{
    Options, PartitionReport, Report, Stuck, Verdict, check_events, check_events_verbose,
    check_operations, check_operations_verbose,
};
pub use explain::{Explanation, explain, is_smallest};
pub use history::{Event, EventKind, HistoryError, Operation, Returned, operations_from_events};
pub use model::{Model, Outlook, Step};
pub use nondeterministic::{NondeterministicModel, PowerSet};
pub use picture::{Annotation, PictureOptions, picture};
