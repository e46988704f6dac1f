//! Everything a run leaves behind, in the folder `target/lab/<test>-<seed>/`: the one place that writes it.
//!
//! A failed run and a replay come here alike. The run is made once more under its seed, this time with tracing on, and has to
//! take the same path: tracing waits for nothing and draws no random number.
//!
//! | file | what |
//! |---|---|
//! | `history.jsonl` | operations of clients, as `porcupine` reads them |
//! | `annotations.jsonl` | faults and checks |
//! | `log.txt` | one event a line; of the second run |
//! | `run.html` | a page of the run: see [`page`](crate::page) |
//! | `trace.jsonl` | the same with its facts as fields, for programs |
//!
//! Event lists are large, so hashes are compared first, and only a run that does not repeat is run again with its events kept.

use std::path::{Path, PathBuf};

use super::drawing::draw;
use super::entry::TestId;
use super::logging::{RunLog, TEXT_FILE, TRACE_FILE};
use super::place;
use super::runs::{Backend, Keep, Outcome, TestOptions, run_keeping};

/// What became of the files of a run.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// What was written where, and what could not be, a line each.
    pub(crate) lines: Vec<String>,
    /// How the repeated run parted from the first; `None` if it did not.
    pub(crate) divergence: Option<String>,
}

/// Writes everything of the run that came to `outcome`. Repeats it with tracing on, if a seed governs it.
pub(crate) fn write_everything(
    test: &TestId,
    options: &TestOptions,
    outcome: &Outcome,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> Files {
    let mut files = Files::default();
    let run = outcome.seed.map_or_else(|| Backend::Threads.to_string(), |seed| seed.to_string());
    let folder = place::folder_of(&format!("{}-{run}", test.name()));
    if let Err(error) = std::fs::create_dir_all(&folder) {
        files.lines.push(format!("cannot create {}: {error}", folder.display()));
        return files;
    }
    files.note("history", outcome.write_histories(&folder.join("history.jsonl")));
    files.note("annotations", outcome.write_annotations(&folder.join("annotations.jsonl")));
    if let Some(seed) = outcome.seed {
        files.divergence = trace(&mut files.lines, &folder, test, seed, options, outcome, body);
    }
    files
}

impl Files {
    fn note(&mut self, what: &str, written: std::io::Result<Vec<PathBuf>>) {
        note(&mut self.lines, what, written);
    }
}

fn note(lines: &mut Vec<String>, what: &str, written: std::io::Result<Vec<PathBuf>>) {
    match written {
        Ok(paths) => {
            lines.extend(paths.iter().map(|path| format!("{what}: {}", path.display())));
        }
        Err(error) => lines.push(format!("{what}: not written: {error}")),
    }
}

/// Makes the run again with tracing on and writes what only that gives. Returns how it parted from the first, if it did.
fn trace(
    lines: &mut Vec<String>,
    folder: &Path,
    test: &TestId,
    seed: u64,
    options: &TestOptions,
    first: &Outcome,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> Option<String> {
    let log = match RunLog::create(folder) {
        Ok(log) => log,
        Err(error) => {
            lines.push(format!("log: not written: {error}"));
            return None;
        }
    };
    let keep = Keep { log: Some(log.clone()), ..Keep::default() };
    let second = run_keeping(Backend::Sim, seed, options, keep, body.clone());
    let [text, trace] = [TEXT_FILE, TRACE_FILE].map(|name| folder.join(name));
    note(lines, "log", log.finish().map(|()| vec![text]));
    let drawn = draw(&folder.join("run.html"), test, &trace, &second).map(|path| vec![path]);
    note(lines, "trace", Ok(vec![trace]));
    note(lines, "page", drawn);
    let (Some(expected), Some(got)) = (first.trace_hash, second.trace_hash) else { return None };
    if expected == got {
        return None;
    }
    Some(format!(
        "the same seed took another path the second time (trace {expected:016x}, then {got:016x}, which came to: {}). {}",
        second.verdict.word(),
        first_difference(seed, options, body)
    ))
}

/// Pairs of runs to look at before giving up on seeing a difference a second time.
const PAIRS: usize = 3;

/// Where two runs of `seed` part.
pub(crate) fn first_difference(
    seed: u64,
    options: &TestOptions,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> String {
    let run = || {
        let keep = Keep { events: true, ..Keep::default() };
        run_keeping(Backend::Sim, seed, options, keep, body.clone())
    };
    let mut first = run();
    for _ in 0..PAIRS {
        let second = run();
        if let Some(divergence) =
            labrt::sim::Divergence::between(seed, &first.events, &second.events)
        {
            return divergence.to_string();
        }
        first = second;
    }
    format!(
        "{} further runs were equal, so it happens now and then only. The code under test is not deterministic: see \
         docs/DETERMINISM.md",
        PAIRS + 1
    )
}
