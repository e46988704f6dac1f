//! Runs the body of a test under one seed or many, and reports failures. Knows no clusters.
//!
//! ```text
//!   #[test] fn name()          settings.rs   LAB_SEED, LAB_SEEDS, LAB_BACKEND, ...: a Mode
//!     lab_test!(|| ..) ──▶ judge.rs ──┬─ Once ───▶ run.rs ──▶ Outcome
//!                                     ├─ Replay ─▶ run.rs, twice
//!                                     ├─ Sweep ──▶ sweep.rs ──▶ run.rs, one a core
//!                                     └─ Worker ─▶ worker.rs ─▶ run.rs, a record a run
//!                              │
//!                 passed: its lines, in one piece
//!                 failed: report.rs repeats the run traced, writes everything about it to
//!                         target/lab/, and ends with the command that repeats it
//! ```
//!
//! A body reaches its run through [`current`] ([`Run`]): it prints lines, counts RPCs, registers
//! files to be left behind ([`Run::artifact`]), clean-ups ([`on_clean_up`]), and actions after a
//! failure ([`Run::on_failure`]). That is how clusters, histories and schedules of faults take part
//! without being known here.
//!
//! # Rules
//! - A verdict is pass, fail or inconclusive; inconclusive is never a pass.
//! - What is recorded about a run neither waits nor draws random numbers: the run takes the same
//!   path with and without it.
#![forbid(unsafe_code)]

mod cause;
mod clock;
mod judge;
mod logging;
pub mod protocol;
mod report;
mod run;
mod settings;
mod state;
mod sweep;
mod target;
mod worker;

pub use cause::Cause;
pub use clock::Stopwatch;
pub use judge::{InputHead, Judgement, TestId, judge, run_lab_test};
pub use report::FailedRun;
pub use run::{Outcome, TIME_LIMIT, TestOptions, Verdict, run};
pub use settings::{Backend, Mode, Settings, SettingsError};
#[doc(hidden)]
pub use state::fail_test;
pub use state::{
    CleanUp, Highlight, Run, cancel_clean_up, current, inconclusive, on_clean_up, spawn,
    spawn_named,
};
pub use target::{folder_of, runs_folder};
