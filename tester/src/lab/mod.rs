//! One body, many runs: what stands between a `#[test]` and the cluster it sets up.
//!
//! ```text
//!   #[test] fn name()          settings.rs    LAB_SEED, LAB_SEEDS, LAB_BACKEND, ...
//!     lab_test!(|| ..) ──▶ entry.rs ──┬─ one seed ──▶ runs.rs ──▶ Outcome
//!                                     ├─ many ─────▶ sweep.rs ──▶ runs.rs, one a core
//!                                     ├─ for the lab command ─▶ worker.rs ─▶ runs.rs, a line a run
//!                                     └─ a replay ─▶ replay.rs ─▶ runs.rs, then files.rs
//!                              │
//!                 passed: its lines, in one piece
//!                 failed: files.rs repeats the run with tracing on and writes log, history and annotations
//!                         to target/lab/; failure.rs has the report and, as the last line, the command
//!                         that repeats the run
//! ```

mod cpu;
mod entry;
mod failure;
mod files;
mod logging;
mod place;
mod reduce;
mod replay;
mod runs;
mod settings;
mod state;
mod summary;
mod sweep;
mod worker;

pub(crate) use cpu::Stopwatch;
pub use entry::{Judgement, TestId, judge, run_lab_test};
pub use runs::{Backend, Outcome, TestOptions, Verdict, run};
pub use settings::{Settings, SettingsError};
pub(crate) use state::{LiveClusters, RunState, current, spawn_named};
pub use state::{fatal, inconclusive, spawn};
pub use sweep::{SweepReport, sweep};
pub use worker::Work;
