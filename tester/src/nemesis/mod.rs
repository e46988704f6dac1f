//! Faults by schedule: generated from a seed, executed, and ended before a phase in which the
//! cluster must serve again.
//!
//! ```text
//!   seed ─▶ Schedule::generate ─┐
//!   LAB_SCHEDULE=file ──────────┼─▶ nemesis::schedule ─▶ Nemesis::start    faults and clients
//!   nemesis::replay(text) ──────┘                        Nemesis::finish   all faults have ended
//!                                                        nemesis::within   liveness
//! ```
//!
//! A test gets [its schedule](schedule), creates a cluster of that size, starts clients and [the
//! nemesis](Nemesis), and waits for both. Then the cluster must [agree and serve](within) within
//! [`LIVENESS`].
//!
//! # Rules
//! - A schedule fixes the faults and the number of operations; the seed of the run decides the
//!   rest.
//! - Faults overlap freely. Safety must hold under any mix; progress is required only after the
//!   last fault.
//! - A fault that a back end cannot inject is weakened: on threads a crash is a clean shutdown.

mod conditions;
mod generate;
mod report;
mod run;
mod schedule;
mod shrink;

use std::time::Duration;

pub use generate::Limits;
pub use run::Nemesis;
pub use schedule::{Fault, FaultKind, Messages, Schedule, ScheduleError, Target};

use runner::{TestOptions, current, fatal};

/// Time after the last fault within which the cluster must agree and serve. A call may take 7 s to
/// fail, and some elections may split the vote.
pub const LIVENESS: Duration = Duration::from_secs(15);

/// The schedule of the calling test: that of its options or of `LAB_SCHEDULE`, else the one that
/// its seed generates from `limits`.
///
/// If the run fails, the schedule is shown, shrunk and written beside the log. A text that is not a
/// schedule fails the test.
#[track_caller]
pub fn schedule(limits: &Limits) -> Schedule {
    let run = current();
    let schedule = match run.input().map(|text| Schedule::from_json(&text)) {
        Some(Ok(given)) => given,
        Some(Err(error)) => fatal!("{error}"),
        None => Schedule::generate(run.seed().unwrap_or_else(labrt::random_u64), limits),
    };
    let failing = schedule.clone();
    run.on_failure(move |failed| report::report(failing, failed));
    schedule
}

/// Options under which a test follows the schedule in this text: a shrunk failure, kept as a test.
///
/// ```no_run
/// # fn scenario() {}
/// # const TEXT: &str = "";
/// // in a `#[test] fn`, with TEXT = include_str!("schedules/votes_lost.json")
/// runner::lab_test!(tester::nemesis::replay(TEXT), scenario);
/// ```
///
/// # Panics
/// When the text is not a schedule.
#[track_caller]
pub fn replay(text: &str) -> TestOptions {
    match Schedule::from_json(text) {
        Ok(schedule) => TestOptions::default().input(schedule.seed, text),
        Err(error) => panic!("{error}"),
    }
}

/// The liveness phase: waits until `done` returns true, and fails the test after `limit`.
#[track_caller]
pub fn within(limit: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let deadline = labrt::now() + limit;
    while !done() {
        if labrt::now() >= deadline {
            let limit = limit.as_secs_f64();
            fatal!("liveness: {limit} s after the last fault, {what}");
        }
        labrt::sleep(Duration::from_millis(10));
    }
}
