//! Shows a recorded run: as a page ([`page`]) and as text in columns ([`columns`]).
//!
//! Everything is read from the files of the run's folder, `target/lab/<test>-<seed>/`. Clusters,
//! labs and Raft are not needed for it; a Raft that emits the same events is shown in the same way.
//!
//! | file | what | here |
//! |---|---|---|
//! | `trace.jsonl` | the events, one a line | [`trace`] |
//! | `log.txt` | the same events as text | [`trace`] writes it |
//! | `history.jsonl` | operations of clerks | [`history`] |
//! | `annotations.jsonl` | faults and checks | [`annotation`] |
//! | `run.json` | test, seed, verdict, failure | [`Run`] |
//! | `run.html` | the page | [`draw`] |
//!
//! Rules:
//! - Readers look at the fields of events only, never into their text.
//! - No reader fails because a run is long: the page takes a bounded number of bytes, and shows the
//!   part around the failure; the files keep the end of the run.
#![forbid(unsafe_code)]

pub mod annotation;
pub mod columns;
mod files;
pub mod history;
mod members;
pub mod page;
mod tail_file;
pub mod trace;

pub use files::{Failure, HistoryFile, PAGE_FILE, RUN_FILE, Run, draw};
