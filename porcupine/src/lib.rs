//! Is this history linearizable?
//!
//! Clients call an object that lives on many machines: a store, a queue, a lock. Calls overlap, messages
//! get lost, machines crash. You write down what each client saw: when it asked, when it was answered,
//! and what. This crate says whether one correct object, asked by one client after the other, could have
//! given the same answers.
//!
//! # What linearizable means
//!
//! An operation is an interval, from its call to its return. A history is *linearizable* if each
//! operation can be given one instant inside its interval, such that the object, carrying out the
//! operations in the order of these instants, would have answered as it did (Herlihy and Wing 1990).
//!
//! ```text
//!   client 1   ├─── put x ───*┤
//!   client 2        ├───────────*── get → x ──┤          linearizable: put at its *, then get at its *
//!   client 3   ├─ get → "" *─┤                            (and before both the get of the empty value)
//! ```
//!
//! Operations that overlap may come in either order. Those that do not may not:
//!
//! ```text
//!   client 1   ├─ put x ─┤
//!   client 2               ├─ get → "" ─┤                not linearizable: the put had returned
//! ```
//!
//! And all clients must agree on one order. Each of the gets below is fine without the other:
//!
//! ```text
//!   client 1   ├────────────── put x ──────────────┤
//!   client 2      ├─ get → x ─┤                          the put came before this
//!   client 3                     ├─ get → "" ─┤          and after this, which began later: no
//! ```
//!
//! A call that **never returned** may have taken effect at any time after it was made, or not at all:
//!
//! ```text
//!   client 1   ├─ put x ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─      (client 1 crashed)
//!   client 2      ├─ get → "" ─┤   ├─ get → x ─┤         linearizable
//! ```
//!
//! # How to ask
//!
//! A [`Model`] says what the correct object does; there are [ready-made ones](models). A slice of
//! [`Operation`]s says what the clients saw. [`check_operations`] gives a [`Report`] with a [`Verdict`].
//!
//! ```
//! use porcupine::models::versioned_kv::{Input, Output, VersionedKv};
//! use porcupine::{Operation, Options, Verdict, check_operations};
//!
//! // client, called, asked, returned, answered
//! let mut history = vec![
//!     Operation::new(1, 0, Input::put("k", "x", 0), 10, Output::Done),
//!     Operation::new(2, 5, Input::put("k", "y", 0), 30, Output::Maybe),
//!     Operation::new(1, 40, Input::get("k"), 50, Output::value("x", 1)),
//!     Operation::pending(2, 60, Input::put("k", "z", 1)),
//!     Operation::new(1, 70, Input::get("k"), 80, Output::value("z", 2)),
//! ];
//! let report = check_operations(&VersionedKv, &history, &Options::default())?;
//! assert_eq!(report.verdict(), Verdict::Ok);
//!
//! history.push(Operation::new(3, 90, Input::get("k"), 95, Output::value("x", 1)));
//! let report = check_operations(&VersionedKv, &history, &Options::default())?;
//! assert_eq!(report.verdict(), Verdict::Illegal);
//! # Ok::<(), porcupine::HistoryError>(())
//! ```
//!
//! Why is it illegal? [`explain`] finds a smallest set of operations that contradict each other and tells
//! it in words; [`picture()`] draws the history as one HTML file:
//!
//! ```
//! # use porcupine::models::versioned_kv::{Input, Output, VersionedKv};
//! # use porcupine::{Operation, Options};
//! use porcupine::{PictureOptions, check_operations_verbose, explain, picture};
//! # let history = [
//! #     Operation::new(1, 0, Input::put("k", "x", 0), 10, Output::Done),
//! #     Operation::new(2, 20, Input::put("k", "y", 1), 30, Output::Done),
//! #     Operation::new(1, 40, Input::get("k"), 50, Output::value("x", 1)),
//! # ];
//! let report = check_operations_verbose(&VersionedKv, &history, &Options::default())?;
//! let found = explain(&VersionedKv, &history, &Options::default())?.expect("it is illegal");
//! assert_eq!(found.operations, [1, 2]); // y had replaced x before the get was called
//! let page: String = picture(
//!     &VersionedKv,
//!     &history,
//!     &report,
//!     &PictureOptions { marked: &found.operations, text: &found.text, ..Default::default() },
//! );
//! # assert!(page.contains("<html"));
//! # Ok::<(), porcupine::HistoryError>(())
//! ```
//!
//! # What it costs
//!
//! The question is NP-complete (Gibbons and Korach 1997), histories from real systems mostly are not
//! hard: time and memory grow with the number of operations that are *open at once*, and linearly with
//! the length of the history. A million operations of 20 clients on one versioned key take a fraction of
//! a second. The module comment of the search (`src/search.rs`) says how, and why each shortcut is allowed.
//!
//! For queues, registers and growing sets whose values all differ there are
//! [decision procedures](Model::decide), which need no search. Else two searches take turns, one that
//! keeps all orders side by side and one that follows one order to its end ([`Method`]).
//!
//! What stays hard: many overlapping operations whose order matters and which no answer tells apart,
//! such as writes that never returned of values that others write, too. Set a [`Budget`] when you
//! cannot be sure: [`Verdict::Unknown`] then says that it ended, and [`Report::limit`] which part of
//! it. It is not a yes.
//!
//! # What a verdict depends on
//!
//! On the model, the history and the budget, and on nothing else: not on time (this crate never looks at
//! a clock), not on the number of threads, not on the order of a hash map. With [`Options::threads`] at
//! 1, no thread is started.
//!
//! # What else there is
//!
//! [`Recorder`] writes a history down while threads call an object. [`Online`] checks one while it is
//! being made. [`check_sequential`], [`check_read_your_writes`] and [`check_monotonic_reads`] say which
//! weaker condition a history still meets. With the feature `formats`, the module `formats` reads the
//! files of Jepsen, Maelstrom and others.
#![forbid(unsafe_code)]

mod bits;
mod budget;
mod check;
mod configurations;
mod decide;
mod depth;
mod explain;
#[cfg(feature = "formats")]
pub mod formats;
mod hash;
mod history;
mod model;
pub mod models;
mod nondeterministic;
mod online;
mod picture;
mod recorder;
mod search;
mod sequential;
mod solve;
mod states;
mod timeline;

pub use budget::{Budget, Limit};
pub use check::{
    Method, Options, PartitionReport, Report, Stuck, Verdict, check_events, check_events_verbose,
    check_operations, check_operations_verbose,
};
pub use decide::{Interval, Partition};
pub use explain::{Explanation, explain, is_smallest};
pub use history::{Event, EventKind, HistoryError, Operation, Returned, operations_from_events};
pub use model::{Model, Outlook, Step};
pub use nondeterministic::{NondeterministicModel, PowerSet};
pub use online::{Online, Violation};
pub use picture::{Annotation, PictureOptions, picture};
pub use recorder::{Call, Client, Heard, Recorder};
pub use sequential::{check_monotonic_reads, check_read_your_writes, check_sequential};

/// The example in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
