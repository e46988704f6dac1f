//! What a failing run leaves behind: files in `target/lab/`, a report, and the one command that repeats it.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::entry::TestId;
use super::logging::LogFile;
use super::place;
use super::runs::{Backend, Outcome, TestOptions, run_logged};
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
    let under = match outcome.seed {
        Some(seed) => format!("seed {seed}"),
        None => "on threads".to_owned(),
    };
    let word = outcome.verdict.word().to_uppercase();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{word} {} ({under}): {}", test.name(), outcome.verdict.report());
    let name = match outcome.seed {
        Some(seed) => format!("{}-{seed}", test.name()),
        None => format!("{}-threads", test.name()),
    };
    let folder = place::folder_of(&name);
    if let Err(error) = std::fs::create_dir_all(&folder) {
        let _ = writeln!(text, "  cannot create {}: {error}", folder.display());
    } else {
        for line in write_files(&folder, options, outcome, body) {
            let _ = writeln!(text, "  {line}");
        }
    }
    let _ = writeln!(text, "{}", repeat_command(test, settings, outcome));
    text
}

fn write_files(
    folder: &std::path::Path,
    options: &TestOptions,
    outcome: &Outcome,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> Vec<String> {
    let mut lines = Vec::new();
    let mut note = |what: &str, written: std::io::Result<Vec<PathBuf>>| match written {
        Ok(paths) => {
            lines.extend(paths.iter().map(|path| format!("{what}: {}", path.display())));
        }
        Err(error) => lines.push(format!("{what}: not written: {error}")),
    };
    note("history", outcome.write_histories(&folder.join("history.jsonl")));
    note("annotations", outcome.write_annotations(&folder.join("annotations.jsonl")));
    if let Some(seed) = outcome.seed {
        let path = folder.join("log.txt");
        match LogFile::create(&path) {
            Ok(log) => {
                let replay = run_logged(Backend::Sim, seed, options, Some(&log), body);
                note("log", log.flush().map(|()| vec![path]));
                lines.extend(compare(outcome, &replay));
            }
            Err(error) => lines.push(format!("log: not written: {error}")),
        }
    }
    lines
}

/// What to say when the replay was not the run that failed.
fn compare(first: &Outcome, replay: &Outcome) -> Option<String> {
    let (Some(expected), Some(got)) = (first.trace_hash, replay.trace_hash) else { return None };
    if expected == got {
        return None;
    }
    Some(format!(
        "NOT REPEATABLE: the same seed took another path the second time (trace {expected:016x}, then {got:016x}, which came to: \
         {}). The code under test is not deterministic: see docs/DETERMINISM.md",
        replay.verdict.word()
    ))
}

/// `repeat with: LAB_SEED=17 cargo test -p kvraft snapshot_rpc_4c`, or the same through make.
pub(crate) fn repeat_command(test: &TestId, settings: &Settings, outcome: &Outcome) -> String {
    let (package, name) = (test.package(), test.name());
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
