//! Runs for a driver in another process (`LAB_WORKER`, set by the `lab` command): one line on standard output when a run begins, one
//! when it has ended, and at the end one with all marks that are known; nothing else. No report and no files: a sweep may meet a thousand failures, and each can be replayed.

use std::io::{self, Write as _};

use labrt::sim::{Divergence, FailureKind};

use super::entry::{Judgement, TestId};
use super::runs::{Backend, Keep, Outcome, TestOptions, run, run_keeping};
use super::settings::Settings;
use super::summary::line;

/// What a worker does with each seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Work {
    /// Run it.
    Once,
    /// Run it twice and compare the two event by event.
    Twice,
}

/// Does the runs, one after the other. What failed is in the lines: to this process, having told is success.
pub(crate) fn work(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
    work: Work,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> Judgement {
    let first = settings.seed.unwrap_or(options.seed);
    for seed in first..first + settings.seeds.unwrap_or(1) {
        // A driver that is gone reads no lines.
        if say(&format!("{{\"test\":{:?},\"begin\":{seed}}}", test.name())).is_err() {
            break;
        }
        let (outcome, second) = match work {
            Work::Once => (run(settings.backend, seed, options, body.clone()), None),
            Work::Twice => twice(settings.backend, seed, options, body.clone()),
        };
        let told = line(test, &outcome, second).map_err(io::Error::from).and_then(|it| say(&it));
        // A task that never yields is still there, and takes a core from the runs that would follow; so are threads that hang.
        let left_behind = match outcome.backend {
            Backend::Sim => outcome.kind == Some(FailureKind::Runaway),
            Backend::Threads => outcome.kind.is_some(),
        };
        if told.is_err() || left_behind {
            break;
        }
    }
    // What a run has declared stays so: the sweep can then name what no run has reached.
    let marks: Vec<&str> = labrt::mark::counts().into_keys().collect();
    // A driver that is gone needs none of it.
    let _ = say(&format!("{{\"test\":{:?},\"marks\":{}}}", test.name(), serde_json::json!(marks)));
    Judgement { text: String::new(), passed: true }
}

/// Not `println!`, which the test runner may keep to itself.
fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    // Whatever stands on this line already.
    writeln!(out, "\n{line}")?;
    out.flush()
}

/// The run, and where a second one parted from it. Without a second one where the first never ended.
fn twice(
    backend: Backend,
    seed: u64,
    options: &TestOptions,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> (Outcome, Option<Option<Divergence>>) {
    let run = || {
        let keep = Keep { events: true, ..Keep::default() };
        run_keeping(backend, seed, options, keep, body.clone())
    };
    let first = run();
    if first.kind == Some(FailureKind::Runaway) {
        return (first, None);
    }
    let second = run();
    let divergence = Divergence::between(seed, &first.events, &second.events);
    (first, Some(divergence))
}
