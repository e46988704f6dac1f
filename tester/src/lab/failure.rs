//! What is said of a failing run: a report, the files it left in `target/lab/`, and the one command that repeats it.

use std::fmt::Write as _;

use super::entry::TestId;
use super::files::write_everything;
use super::reduce::report_schedule;
use super::runs::{Outcome, TestOptions};
use super::settings::Settings;

/// Repeats the failed run with logging, if it can be repeated, writes its files, and describes it. The last line is the command.
pub(crate) fn describe(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
    outcome: &Outcome,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> String {
    let mut text = outcome.output.clone();
    text.push_str(&headline(test, outcome));
    let files = write_everything(test, options, outcome, body.clone());
    let about_schedule = report_schedule(test, options, settings, outcome, body);
    // Writing to a string cannot fail.
    for line in files.lines.iter().chain(&about_schedule) {
        let _ = writeln!(text, "  {line}");
    }
    if let Some(divergence) = &files.divergence {
        let _ = writeln!(text, "  NOT REPEATABLE: {divergence}");
    }
    let _ = writeln!(text, "{}", repeat_command(test, settings, outcome));
    text
}

/// Verdict, test and seed, and what went wrong.
pub(crate) fn headline(test: &TestId, outcome: &Outcome) -> String {
    let under = match outcome.seed {
        Some(seed) => format!("seed {seed}"),
        None => "on threads".to_owned(),
    };
    let word = outcome.verdict.word().to_uppercase();
    format!("{word} {} ({under}): {}\n", test.name(), outcome.verdict.report())
}

/// `repeat with: LAB_SEED=17 cargo test -p kvraft snapshot_rpc_4c`, or the same through make.
pub(crate) fn repeat_command(test: &TestId, settings: &Settings, outcome: &Outcome) -> String {
    let (package, name) = (test.package(), test.name());
    if let Some(schedule) = &settings.schedule {
        return format!("repeat with: make replay SCHEDULE={}", schedule.display());
    }
    match (&settings.make_target, outcome.seed) {
        (Some(target), Some(seed)) => format!("repeat with: make {target} TEST={name} SEED={seed}"),
        (Some(target), None) => format!("repeat with: make {target} TEST={name} BACKEND=threads"),
        (None, Some(seed)) => {
            format!("repeat with: LAB_SEED={seed} cargo test -p {package} {name}")
        }
        (None, None) => {
            format!("repeat with: LAB_BACKEND=threads cargo test -p {package} {name}")
        }
    }
}
