//! A run on purpose once more: the same run twice, the second time with everything written down.

use std::fmt::Write as _;

use super::entry::{Judgement, TestId};
use super::failure;
use super::files::write_everything;
use super::runs::{Backend, Outcome, TestOptions, run};
use super::settings::Settings;

/// Runs `body` under its seed, writes everything of that run, passed or failed, and says whether it repeats. Not repeating fails the test.
pub(crate) fn replay(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> (Judgement, Outcome) {
    let seed = settings.seed.unwrap_or(options.seed);
    let outcome = run(settings.backend, seed, options, body.clone());
    let mut text = outcome.output.clone();
    if !outcome.verdict.is_pass() {
        text.push_str(&failure::headline(test, &outcome));
    }
    let files = write_everything(test, options, &outcome, body);
    // Writing to a string cannot fail.
    for line in &files.lines {
        let _ = writeln!(text, "  {line}");
    }
    let other_run = settings.expect.filter(|_| settings.backend == Backend::Sim).and_then(|hash| {
        let got = outcome.trace_hash.filter(|got| *got != hash)?;
        Some(format!("trace {hash:016x} was expected, not {got:016x}"))
    });
    let repeats = match (&files.divergence, &other_run) {
        (Some(divergence), _) => {
            let _ = writeln!(text, "NOT REPEATABLE: {divergence}");
            false
        }
        (None, Some(other)) => {
            let _ = writeln!(
                text,
                "NOT THE SAME RUN: {other}, twice. Either the code or the options are not those of the sweep, or the code \
                 under test takes something from its process: hasher keys, addresses, the environment, a static (docs/DETERMINISM.md)"
            );
            false
        }
        (None, None) => {
            if let Some(hash) = outcome.trace_hash {
                let _ = writeln!(
                    text,
                    "{} seed {seed}: {}, twice the same run, to the last of {} switches (trace {hash:016x})",
                    test.name(),
                    outcome.verdict.word(),
                    outcome.switches
                );
            }
            true
        }
    };
    (Judgement { text, passed: repeats && outcome.verdict.is_pass() }, outcome)
}
