//! The report of a run and the files it leaves in `target/lab/<test>-<seed>/`.
//!
//! A failed run and a replay are written in the same way. The run is made once more under its
//! seed, this time traced, and has to take the same path: tracing waits for nothing and draws no
//! random number. Then the files are written:
//!
//! | file | content |
//! |---|---|
//! | `log.txt` | one event a line, of the second run |
//! | `trace.jsonl` | the same events as objects, for programs |
//! | artifacts | what is [registered](crate::Run::artifact): histories, annotations |
//! | `run.json` | test, seed, verdict, report, and where the run was stopped |
//! | `run.html` | the page of the run, drawn by [`view`] from the other files |
//!
//! Lists of events are large. So hashes are compared first, and only a run that does not repeat is
//! made again with its events kept.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use labrt::sim::Divergence;
use view::HistoryFile;
use view::trace::{TEXT_FILE, TRACE_FILE, Writer};

use crate::judge::TestId;
use crate::run::{Body, Keep, Outcome, TestOptions, run_keeping};
use crate::settings::{Backend, Settings};
use crate::state::{Highlight, Written};

/// Repeats the failed run traced, if it can be repeated, writes its files, and describes it. The
/// last line is the command that repeats it.
pub(crate) fn describe(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
    outcome: &Outcome,
    body: &Body,
) -> String {
    let mut text = outcome.output.clone();
    text.push_str(&headline(test, outcome));
    let (mut lines, divergence) = write_files(test, options, outcome, body);
    let rerun = |seed: u64, input: &str| {
        let options = options.clone().input(seed, input);
        run_keeping(Backend::Sim, seed, &options, Keep::default(), body)
    };
    let folder = outcome.folder(test);
    let input_given = options.input.is_some();
    let failed = FailedRun {
        test,
        outcome,
        folder: &folder,
        input_given,
        shrink: settings.shrink,
        rerun: &rerun,
    };
    let actions = std::mem::take(&mut outcome.run.record.lock().on_failure);
    lines.extend(actions.into_iter().flat_map(|action| action(&failed)));
    // Writing to a string cannot fail.
    for line in &lines {
        let _ = writeln!(text, "  {line}");
    }
    if let Some(divergence) = &divergence {
        let _ = writeln!(text, "  NOT REPEATABLE: {divergence}");
    }
    let _ = writeln!(text, "{}", repeat_command(test, settings, outcome));
    text
}

/// A failed run, for what is [to be done about it](crate::Run::on_failure).
#[non_exhaustive]
pub struct FailedRun<'a> {
    /// Its test.
    pub test: &'a TestId,
    /// Its verdict and figures.
    pub outcome: &'a Outcome,
    /// The folder of its files.
    pub folder: &'a Path,
    /// Whether its input was given to it, in its options or a file.
    pub input_given: bool,
    /// [`Settings::shrink`].
    pub shrink: Option<Duration>,
    rerun: &'a dyn Fn(u64, &str) -> Outcome,
}

impl FailedRun<'_> {
    /// Runs the same body in simulation under another seed, with another input.
    pub fn rerun(&self, seed: u64, input: &str) -> Outcome {
        (self.rerun)(seed, input)
    }
}

/// Verdict, test, seed, and the report.
fn headline(test: &TestId, outcome: &Outcome) -> String {
    let under = match outcome.seed {
        Some(seed) => format!("seed {seed}"),
        None => "on threads".to_owned(),
    };
    let word = outcome.verdict.word().to_uppercase();
    format!("{word} {} ({under}): {}\n", test.name(), outcome.verdict.report())
}

/// `repeat with: LAB_SEED=17 cargo test -p kvraft snapshot_rpc_4c`, or as the `lab` command wants.
fn repeat_command(test: &TestId, settings: &Settings, outcome: &Outcome) -> String {
    let (package, name) = (test.package(), test.name());
    let command = match (&settings.input, &settings.repeat, outcome.seed) {
        (Some(path), _, _) => format!("make replay SCHEDULE={}", path.display()),
        (_, Some(pattern), _) => pattern.replace("{test}", name).replace("{seed}", &outcome.name()),
        (_, _, Some(seed)) => format!("LAB_SEED={seed} cargo test -p {package} {name}"),
        (_, _, None) => format!("LAB_BACKEND=threads cargo test -p {package} {name}"),
    };
    format!("repeat with: {command}")
}

/// Writes everything about a run. Returns a line for each file, and in what a second run differed.
fn write_files(
    test: &TestId,
    options: &TestOptions,
    outcome: &Outcome,
    body: &Body,
) -> (Vec<String>, Option<String>) {
    let folder = outcome.folder(test);
    if let Err(error) = empty_folder(&folder) {
        return (vec![format!("cannot write {}: {error}", folder.display())], None);
    }
    let mut lines = Vec::new();
    let mut note = |name: &str, path: &Path, written: io::Result<()>| {
        lines.push(match written {
            Ok(()) => format!("{name}: {}", path.display()),
            Err(error) => format!("{name}: not written: {error}"),
        });
    };
    let mut shown = shown(test, outcome);
    let failed = !outcome.verdict.is_pass();
    for written in outcome.run.write_artifacts(failed, |_, file| Some(folder.join(file))) {
        let Written { name, path, result } = written;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let result = result.map(|highlight| match name {
            "history" => {
                let Highlight { marked, focus, text } = highlight;
                shown.histories.push(HistoryFile { file, marked });
                shown.focus = shown.focus.or(focus);
                if !text.is_empty() {
                    shown.report = format!("{}\n\n{text}", shown.report);
                }
            }
            "annotations" => shown.annotation_files.push(file),
            _ => {}
        });
        note(name, &path, result);
    }
    if let Err(error) = shown.write(&folder) {
        note(view::RUN_FILE, &folder, Err(error));
    }
    let mut divergence = None;
    if let Some(seed) = outcome.seed {
        let path = folder.join(TEXT_FILE);
        match Writer::create(&folder).map(Arc::new) {
            Err(error) => note("log", &path, Err(error)),
            Ok(log) => {
                let keep = Keep { log: Some(Arc::clone(&log) as _), ..Keep::default() };
                let second = run_keeping(Backend::Sim, seed, options, keep, body);
                note("log", &path, log.finish());
                note("trace", &folder.join(TRACE_FILE), Ok(()));
                let page = folder.join(view::PAGE_FILE);
                note("page", &page, view::draw(&folder).map(drop));
                divergence = compare(outcome, &second, options, body);
            }
        }
    }
    (lines, divergence)
}

/// Makes the folder, or removes from it what an earlier run has left. A schedule stays.
fn empty_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().unwrap_or_default();
        if extension == "jsonl" || extension == "html" || extension == "txt" {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// What the page shows besides events and artifacts.
fn shown(test: &TestId, outcome: &Outcome) -> view::Run {
    let seed = outcome.seed.map_or_else(String::new, |seed| format!(", seed {seed}"));
    let mut shown = view::Run::default();
    shown.title = format!("{}{seed}", test.name());
    shown.verdict = outcome.verdict.word().to_owned();
    shown.report = outcome.verdict.report().to_owned();
    shown.failure = outcome.failure.as_ref().map(|failure| view::Failure {
        t: u64::try_from(failure.at.as_nanos()).unwrap_or(u64::MAX),
        node: failure.node.clone().unwrap_or_default(),
        what: format!("{}: {}", failure.kind, failure.message),
    });
    shown
}

/// How the traced run differed from the first.
fn compare(
    first: &Outcome,
    second: &Outcome,
    options: &TestOptions,
    body: &Body,
) -> Option<String> {
    let (expected, got, seed) = (first.trace_hash?, second.trace_hash?, first.seed?);
    (expected != got).then(|| {
        format!(
            "the same seed took another path the second time \
             (trace {expected:016x}, then {got:016x}, which came to: {}). {}",
            second.verdict.word(),
            first_difference(seed, options, body)
        )
    })
}

/// Pairs of runs to compare before giving up on seeing a difference again.
const PAIRS: usize = 3;

/// The first event in which two runs of `seed` differ.
fn first_difference(seed: u64, options: &TestOptions, body: &Body) -> String {
    let run = || {
        let keep = Keep { events: true, ..Keep::default() };
        run_keeping(Backend::Sim, seed, options, keep, body)
    };
    let mut first = run();
    for _ in 0..PAIRS {
        let second = run();
        if let Some(divergence) = Divergence::between(seed, &first.events, &second.events) {
            return divergence.to_string();
        }
        first = second;
    }
    format!(
        "{} further runs were equal, so it happens only now and then. \
         The code under test is not deterministic: see docs/DETERMINISM.md",
        PAIRS + 1
    )
}

/// Writes everything about the run, passed or failed. Returns the report and whether it repeats.
pub(crate) fn replay(
    test: &TestId,
    options: &TestOptions,
    outcome: &Outcome,
    expect: Option<u64>,
    body: &Body,
) -> (String, bool) {
    let mut text = outcome.output.clone();
    if !outcome.verdict.is_pass() {
        text.push_str(&headline(test, outcome));
    }
    let (lines, divergence) = write_files(test, options, outcome, body);
    // Writing to a string cannot fail.
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
    let (Some(got), Some(seed)) = (outcome.trace_hash, outcome.seed) else {
        return (text, true); // on threads
    };
    let other = expect.filter(|expected| *expected != got);
    let _ = match (&divergence, other) {
        (Some(divergence), _) => writeln!(text, "NOT REPEATABLE: {divergence}"),
        (None, Some(expected)) => writeln!(
            text,
            "NOT THE SAME RUN: trace {expected:016x} was expected, not {got:016x}, twice. \
             Either the code or the options are not those of the sweep, or the code under test \
             takes something from its process: hasher keys, addresses, the environment, a static \
             (docs/DETERMINISM.md)"
        ),
        (None, None) => writeln!(
            text,
            "{} seed {seed}: {}, twice the same run, to the last of {} switches (trace {got:016x})",
            test.name(),
            outcome.verdict.word(),
            outcome.switches
        ),
    };
    (text, divergence.is_none() && other.is_none())
}

/// Appends to `LAB_SUMMARY` and fills `LAB_HISTORY`.
///
/// # Errors
/// A line with the output that could not be written.
pub(crate) fn write_outputs(
    test: &TestId,
    settings: &Settings,
    outcome: &Outcome,
) -> Result<(), String> {
    if let Some(path) = &settings.summary {
        let append = || {
            let text = serde_json::to_string(&outcome.record(test))? + "\n";
            // One write a line: tests of several processes append to the same file.
            let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
            file.write_all(text.as_bytes())
        };
        append().map_err(|error| format!("LAB_SUMMARY={}: {error}", path.display()))?;
    }
    if let Some(folder) = &settings.history
        && outcome.verdict.is_pass()
    {
        let problem = |error: io::Error| format!("LAB_HISTORY={}: {error}", folder.display());
        fs::create_dir_all(folder).map_err(problem)?;
        let path = folder.join(format!("{}-{}.jsonl", test.name(), outcome.name()));
        let histories = |name, _| (name == "history").then(|| path.clone());
        for written in outcome.run.write_artifacts(false, histories) {
            written.result.map_err(problem)?;
        }
    }
    Ok(())
}
