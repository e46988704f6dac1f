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
//! | `run.html` | a page of the run: see [`view::page`] |
//! | `run.json` | test, seed, verdict and failure: what the page shows besides the other files |
//! | `trace.jsonl` | the events of `log.txt` as objects, for programs |
//!
//! Event lists are large, so hashes are compared first, and only a run that does not repeat is run again with its events kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use view::trace::{TEXT_FILE, TRACE_FILE, Writer};
use view::{Failure, HistoryFile, Run};

use super::entry::TestId;
use super::place;
use super::runs::{Backend, Keep, Outcome, TestOptions, run_keeping};
use crate::kv;

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
    let name = outcome.seed.map_or_else(|| Backend::Threads.to_string(), |seed| seed.to_string());
    let folder = place::folder_of(&format!("{}-{name}", test.name()));
    if let Err(error) = std::fs::create_dir_all(&folder) {
        files.lines.push(format!("cannot create {}: {error}", folder.display()));
        return files;
    }
    let histories = files.note("history", outcome.write_histories(&folder.join("history.jsonl")));
    let annotations = outcome.write_annotations(&folder.join("annotations.jsonl"));
    let annotations = files.note("annotations", annotations);
    let run = describe(test, outcome, &histories, &annotations);
    if let Err(error) = run.write(&folder) {
        files.lines.push(format!("{}: not written: {error}", view::RUN_FILE));
    }
    if let Some(seed) = outcome.seed {
        files.divergence = trace(&mut files.lines, &folder, seed, options, outcome, body);
    }
    files
}

impl Files {
    /// Adds a line for each file. Returns those that were written.
    fn note(&mut self, what: &str, written: std::io::Result<Vec<PathBuf>>) -> Vec<PathBuf> {
        note(&mut self.lines, what, written)
    }
}

fn note(
    lines: &mut Vec<String>,
    what: &str,
    written: std::io::Result<Vec<PathBuf>>,
) -> Vec<PathBuf> {
    match written {
        Ok(paths) => {
            lines.extend(paths.iter().map(|path| format!("{what}: {}", path.display())));
            paths
        }
        Err(error) => {
            lines.push(format!("{what}: not written: {error}"));
            Vec::new()
        }
    }
}

/// What the page shows besides events, annotations and operations.
fn describe(
    test: &TestId,
    outcome: &Outcome,
    histories: &[PathBuf],
    annotations: &[PathBuf],
) -> Run {
    let name = |path: &PathBuf| {
        path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let seed = outcome.seed.map_or_else(String::new, |seed| format!(", seed {seed}"));
    let mut run = Run::default();
    run.title = format!("{}{seed}", test.name());
    run.verdict = outcome.verdict.word().to_owned();
    run.report = outcome.verdict.report().to_owned();
    run.annotation_files = annotations.iter().map(name).collect();
    run.failure = outcome.failure.as_ref().map(|failure| Failure {
        t: u64::try_from(failure.at.as_nanos()).unwrap_or(u64::MAX),
        node: failure.node.clone().unwrap_or_default(),
        what: format!("{}: {}", failure.kind, failure.message),
    });
    let recorded = outcome.state.books(|books| books.histories.clone());
    let recorded = recorded.iter().filter(|history| !history.is_empty());
    for (path, history) in histories.iter().zip(recorded) {
        let mut file = HistoryFile { file: name(path), marked: Vec::new() };
        if !outcome.verdict.is_pass()
            && run.histories.iter().all(|history| history.marked.is_empty())
            && let Some(found) = kv::contradiction(&history.ops())
        {
            run.report = format!("{}\n\n{}", run.report, found.text);
            let stuck = history.ops()[found.stuck].returned.as_ref().map(|(at, _)| at.as_nanos());
            run.focus = stuck;
            file.marked = found.ops;
        }
        run.histories.push(file);
    }
    run
}

/// Makes the run again with tracing on and writes what only that gives. Returns how it parted from the first, if it did.
fn trace(
    lines: &mut Vec<String>,
    folder: &Path,
    seed: u64,
    options: &TestOptions,
    first: &Outcome,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> Option<String> {
    let log = match Writer::create(folder) {
        Ok(log) => Arc::new(log),
        Err(error) => {
            lines.push(format!("log: not written: {error}"));
            return None;
        }
    };
    let keep = Keep { log: Some(Arc::clone(&log) as _), ..Keep::default() };
    let second = run_keeping(Backend::Sim, seed, options, keep, body.clone());
    let [text, trace] = [TEXT_FILE, TRACE_FILE].map(|name| folder.join(name));
    note(lines, "log", log.finish().map(|()| vec![text]));
    note(lines, "trace", Ok(vec![trace]));
    note(lines, "page", view::draw(folder).map(|path| vec![path]));
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
