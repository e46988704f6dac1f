//! Faults by schedule: drawn from a seed, carried out, and healed before a phase in which the cluster must serve again.
//!
//! ```text
//!   seed ──▶ Schedule::draw ─┐
//!   LAB_SCHEDULE=file ───────┼─▶ nemesis::schedule ──▶ Nemesis::start ── faults ──▶ Nemesis::finish ──▶ nemesis::within
//!   nemesis::replay(text) ───┘                            clients                     all heals          liveness
//! ```
//!
//! A test asks for [its schedule](schedule), sets a cluster up with that many servers, starts clients and [the nemesis](Nemesis), waits
//! for both and then demands that the cluster [agrees and serves](within) within [`LIVENESS`].
//!
//! # Rules
//! - A schedule says what is done to a cluster and how much its clients do; what then happens is the seed's.
//! - Faults overlap freely. Safety must hold whatever the mix; progress is demanded only after the last of them.
//! - What a back end cannot do is left out there: on threads a crash is a polite shutdown.

mod draw;
mod reduce;
mod run;
mod schedule;
mod shrink;
mod weather;

use std::time::Duration;

pub use draw::Limits;
pub use run::Nemesis;
pub use schedule::{Fault, FaultKind, Messages, Schedule, ScheduleError, Who};

use runner::{TestOptions, current, fatal};

/// Time after the last fault within which the cluster must agree and serve. The longest a call may take to fail is 7 s, then some
/// elections may be lost to chance.
pub const LIVENESS: Duration = Duration::from_secs(15);

/// The schedule of the calling test: that of its options or of `LAB_SCHEDULE`, else the one that
/// its seed generates from `limits`.
///
/// Should the run fail, the schedule is shown, shrunk and written beside its log. A text that is
/// no schedule fails the test.
#[track_caller]
pub fn schedule(limits: &Limits) -> Schedule {
    let run = current();
    let schedule = match run.input().map(|text| Schedule::from_json(&text)) {
        Some(Ok(given)) => given,
        Some(Err(error)) => fatal!("{error}"),
        None => Schedule::draw(run.seed().unwrap_or_else(labrt::random_u64), limits),
    };
    let failing = schedule.clone();
    run.on_failure(move |failed| reduce::report(failing, failed));
    schedule
}

/// Options under which a test follows the schedule in this text: a failure that was reduced, kept as a test.
///
/// ```no_run
/// # fn scenario() {}
/// # const TEXT: &str = "";
/// // in a `#[test] fn`, with TEXT = include_str!("schedules/votes_lost.json")
/// runner::lab_test!(tester::nemesis::replay(TEXT), scenario);
/// ```
///
/// # Panics
/// When the text is no schedule.
#[track_caller]
pub fn replay(text: &str) -> TestOptions {
    match Schedule::from_json(text) {
        Ok(schedule) => TestOptions::default().input(schedule.seed, text),
        Err(error) => panic!("{error}"),
    }
}

/// The liveness phase: waits until `done`, and fails the test if that is not so within `limit`.
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
