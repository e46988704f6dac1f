//! Runs for the `lab` command ([`Mode::Worker`](crate::Mode::Worker)): a line when a run begins, a
//! record when it has ended, and at the end all marks that this process knows.
//!
//! No reports and no files: a sweep may meet a thousand failures, and each can be replayed.

use labrt::sim::{Divergence, FailureKind};

use crate::judge::{Judgement, TestId};
use crate::protocol::Line;
use crate::run::{Body, Keep, TestOptions, run_keeping};
use crate::settings::{Backend, Settings};

/// Makes the runs, one after the other. Failures are in the records: the worker itself passes.
pub(crate) fn work(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
    first: u64,
    seeds: u64,
    twice: bool,
    body: &Body,
) -> Judgement {
    let key = settings.report.as_deref().unwrap_or_default();
    let mut judgement = Judgement { passed: true, ..Judgement::default() };
    for seed in first..first + seeds {
        // When standard output is closed, the driver is gone.
        if Line::RunBegan(seed).send(key).is_err() {
            break;
        }
        let run = || {
            let keep = Keep { events: twice, ..Keep::default() };
            run_keeping(settings.backend, seed, options, keep, body)
        };
        let outcome = run();
        judgement.count(&outcome);
        let mut record = outcome.record(test);
        // A run that never yields is still there: a second one would not end either.
        if twice && outcome.kind != Some(FailureKind::Runaway) {
            let divergence = Divergence::between(seed, &outcome.events, &run().events);
            record.twice = true;
            record.divergence = divergence.map(|divergence| divergence.to_string());
        }
        // A task that never yields takes a core from the runs that would follow; so do threads
        // that hang.
        let left_behind = match outcome.backend {
            Backend::Sim => outcome.kind == Some(FailureKind::Runaway),
            Backend::Threads => outcome.kind.is_some(),
        };
        if Line::RunEnded(Box::new(record)).send(key).is_err() || left_behind {
            break;
        }
    }
    let marks = labrt::mark::counts().into_keys().map(str::to_owned).collect();
    let _ = Line::Marks(marks).send(key);
    judgement
}
