//! One run of a test's body, under one seed, to an [`Outcome`].

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use labrt::events::{self, Sink};
use labrt::hang::{HangKind, Limits};
use labrt::sim::FailureKind;

use super::cpu::{Stopwatch, thread_cpu_time};
use super::logging::RaisedLevel;
use super::state::{Enter, LiveClusters, RunState};
use crate::nemesis::Schedule;

/// What a body runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Backend {
    /// Simulated: virtual time, one seed, repeatable.
    #[default]
    Sim,
    /// OS threads and the wall clock.
    Threads,
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Backend::Sim => "sim",
            Backend::Threads => "threads",
        })
    }
}

/// What one test may ask for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TestOptions {
    /// The seed of a plain `cargo test`. Default: 1.
    pub seed: u64,
    /// Time a cluster may live (virtual, when simulated). Default: 120 s, as in the course.
    pub time_limit: Duration,
    /// On threads: a wait for one lock that takes so long, or silence of all tasks for so long, is a hang. Default: 60 s.
    pub hang_after: Duration,
    /// The schedule of a nemesis test, where it is not to be drawn from the seed.
    pub schedule: Option<Arc<Schedule>>,
}

impl Default for TestOptions {
    fn default() -> TestOptions {
        TestOptions {
            seed: 1,
            time_limit: crate::cluster::TIME_LIMIT,
            hang_after: Duration::from_secs(60),
            schedule: None,
        }
    }
}

impl TestOptions {
    /// The same, with another fixed seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> TestOptions {
        self.seed = seed;
        self
    }

    /// The same, with another time limit for the whole run. A cluster's own limit is in its options.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> TestOptions {
        self.time_limit = limit;
        self
    }

    /// The same, with another measure of a hang on threads.
    #[must_use]
    pub fn hang_after(mut self, patience: Duration) -> TestOptions {
        self.hang_after = patience;
        self
    }

    /// The same, with this schedule and its seed.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> TestOptions {
        self.seed = schedule.seed;
        self.schedule = Some(Arc::new(schedule));
        self
    }
}

/// What a run came to.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// Everything held.
    Pass,
    /// Something did not, with a report of it.
    Fail(String),
    /// It could not be decided. Never a pass.
    Inconclusive(String),
}

impl Verdict {
    /// Whether it is a pass.
    pub fn is_pass(&self) -> bool {
        matches!(self, Verdict::Pass)
    }

    /// One word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail(_) => "fail",
            Verdict::Inconclusive(_) => "inconclusive",
        }
    }

    /// The report; empty for a pass.
    pub fn report(&self) -> &str {
        match self {
            Verdict::Pass => "",
            Verdict::Fail(report) | Verdict::Inconclusive(report) => report,
        }
    }
}

/// One run: its verdict, its lines, its figures.
#[derive(Clone)]
#[non_exhaustive]
#[must_use = "a failed run is a value, not a panic"]
pub struct Outcome {
    /// Pass, fail or inconclusive.
    pub verdict: Verdict,
    /// What it ran on.
    pub backend: Backend,
    /// What stopped the run, if something did: a body that returns can still have failed. On threads, only a hang does.
    pub kind: Option<FailureKind>,
    /// Its seed; `None` on threads, which no seed governs.
    pub seed: Option<u64>,
    /// The lines the test has printed.
    pub output: String,
    /// How long it took on its own clock.
    pub time: Duration,
    /// Wall clock it took.
    pub wall: Duration,
    /// Processor time it took, where the system tells. Simulated runs only.
    pub cpu: Option<Duration>,
    /// RPCs of all its clusters. Counted at `end` and `cleanup`, so a failed run may have made more.
    pub rpcs: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Operations its clients finished.
    pub ops: u64,
    /// Hash of every step of a simulated run: equal hashes, equal runs.
    pub trace_hash: Option<u64>,
    /// How often a simulated task got the processor.
    pub switches: u64,
    /// The [marks](labrt::mark) that its code has declared, and how often it reached each. On threads, runs side by side are not told
    /// apart.
    pub marks: BTreeMap<&'static str, u64>,
    pub(crate) state: Arc<RunState>,
    /// What stopped a simulated run, in full.
    pub(crate) failure: Option<Arc<labrt::sim::Failure>>,
    /// Every event, if they were to be kept.
    pub(crate) events: Arc<Vec<labrt::sim::Event>>,
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outcome")
            .field("verdict", &self.verdict)
            .field("seed", &self.seed)
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

impl Outcome {
    /// Writes the histories of the run as JSON lines: the first to `path`, further ones with a number before the extension.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_histories(&self, path: &Path) -> std::io::Result<Vec<PathBuf>> {
        let histories = self.state.books(|books| books.histories.clone());
        let with_ops = histories.iter().filter(|history| !history.is_empty());
        let mut written = Vec::new();
        for (number, history) in with_ops.enumerate() {
            let path = numbered(path, number);
            history.write_json_lines(&path)?;
            written.push(path);
        }
        Ok(written)
    }

    /// Writes what was annotated, as JSON lines, in the same way.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_annotations(&self, path: &Path) -> std::io::Result<Vec<PathBuf>> {
        let annotations = self.state.books(|books| books.annotations.clone());
        let mut written = Vec::new();
        for (number, annotations) in annotations.iter().enumerate() {
            let path = numbered(path, number);
            annotations.write_json_lines(&path)?;
            written.push(path);
        }
        Ok(written)
    }
}

fn numbered(path: &Path, number: usize) -> PathBuf {
    if number == 0 {
        return path.to_path_buf();
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    path.with_extension(format!("{}.{extension}", number + 1))
}

/// A little more than a cluster's limit: its own check comes first, and the leak check after clean-up has its time.
const GRACE: Duration = Duration::from_secs(15);

/// The wall clock of a busy machine needs more of it.
const GRACE_ON_THREADS: Duration = Duration::from_secs(60);

/// Runs `body` once. On threads, `seed` means nothing.
pub fn run(
    backend: Backend,
    seed: u64,
    options: &TestOptions,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> Outcome {
    run_keeping(backend, seed, options, Keep::default(), body)
}

/// What of a run is to be kept besides its figures. A simulated run takes the same path whatever is kept.
#[derive(Clone, Default)]
pub(crate) struct Keep {
    /// Who gets all its events.
    pub(crate) log: Option<Arc<dyn Sink>>,
    /// Whether to keep every event of a simulated run in [`Outcome::events`].
    pub(crate) events: bool,
}

/// The same as [`run`], keeping more.
pub(crate) fn run_keeping(
    backend: Backend,
    seed: u64,
    options: &TestOptions,
    keep: Keep,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> Outcome {
    let state = Arc::new(RunState::default());
    state.books(|books| {
        books.seed = (backend == Backend::Sim).then_some(seed);
        books.planned = options.schedule.clone();
    });
    match backend {
        Backend::Sim => run_simulated(state, seed, options, keep, body),
        Backend::Threads => run_on_threads(state, options, keep, body),
    }
}

fn run_simulated(
    state: Arc<RunState>,
    seed: u64,
    options: &TestOptions,
    keep: Keep,
    body: impl Fn() + Send + 'static,
) -> Outcome {
    let limit = options.time_limit.saturating_add(GRACE);
    let config = labrt::sim::Config::new(seed).time_limit(limit).record(keep.events);
    let watch = Stopwatch::start();
    let log = keep.log;
    let _raised = log.as_ref().map(|_| RaisedLevel::new());
    let inside = Arc::clone(&state);
    let run = labrt::sim::run(config, move || {
        if let Some(log) = log {
            events::listen(log).until_the_thread_ends(); // the last destructors emit events too
        }
        let _enter = Enter::run(Arc::clone(&inside));
        let _measure = Measure(inside);
        body();
        if let Some(clusters) = LiveClusters::of_run() {
            clusters.clean_up();
        }
    });
    let mut report = run.report;
    let kind = run.result.as_ref().err().map(|failure| failure.kind);
    let failure = run.result.as_ref().err().map(|failure| Arc::new(failure.clone()));
    let verdict = match run.result {
        Err(failure) => failed(&state, &failure.to_string()),
        Ok(()) if !report.leaked.is_empty() => failed(&state, &report.leaked.join("\n")),
        Ok(()) => passed(&state),
    };
    let outcome = outcome(verdict, Backend::Sim, state, report.virtual_time, watch.elapsed());
    Outcome {
        seed: Some(seed),
        kind,
        failure,
        trace_hash: Some(report.trace_hash),
        switches: report.switches,
        events: Arc::new(std::mem::take(&mut report.events)),
        ..outcome
    }
}

/// A body that hangs is given up: its threads, and whatever they hold, are left behind.
fn run_on_threads(
    state: Arc<RunState>,
    options: &TestOptions,
    keep: Keep,
    body: impl Fn() + Send + 'static,
) -> Outcome {
    let watch = Stopwatch::start();
    let marks_before = labrt::mark::counts();
    let total = options.time_limit.saturating_add(GRACE_ON_THREADS);
    let limits = Limits::new(total).patience(options.hang_after);
    let inside = Arc::clone(&state);
    let ended = labrt::hang::watched(limits, move || {
        let _listening = keep.log.clone().map(events::listen);
        let enter = Enter::run(inside);
        let clusters = LiveClusters::of_run().unwrap_or_default();
        let mut result = catch_unwind(AssertUnwindSafe(|| {
            body();
            clusters.clean_up();
        }));
        // A body that panicked has left its servers running. Their clean-up may fail in turn; the first failure is the one to report.
        while let Err(error) = catch_unwind(AssertUnwindSafe(|| clusters.clean_up())) {
            result = result.and(Err(error));
        }
        drop(enter);
        result.map_err(|payload| panic_text(&*payload))
    });
    let (verdict, kind) = match ended {
        Ok(Ok(())) => (passed(&state), None),
        Ok(Err(message)) => (failed(&state, &message), None),
        Err(hang) => {
            let kind = match hang.kind {
                HangKind::TimeLimit => FailureKind::TimeLimit,
                _ => FailureKind::Deadlock,
            };
            (failed(&state, &hang.to_string()), Some(kind))
        }
    };
    let mut marks = labrt::mark::counts();
    for (name, count) in &mut marks {
        *count -= marks_before.get(name).copied().unwrap_or(0);
    }
    state.books(|books| books.marks = marks);
    let took = watch.elapsed();
    Outcome { kind, ..outcome(verdict, Backend::Threads, state, took, took) }
}

/// Notes, on whatever way out, how much processor time the thread of this simulation has used, and which marks it has reached.
struct Measure(Arc<RunState>);

impl Drop for Measure {
    fn drop(&mut self) {
        let cpu = thread_cpu_time();
        let marks = labrt::mark::counts();
        self.0.books(|books| {
            books.cpu = cpu;
            books.marks = marks;
        });
    }
}

fn failed(state: &RunState, report: &str) -> Verdict {
    match state.books(|books| books.inconclusive.clone()) {
        Some(message) => Verdict::Inconclusive(message),
        None => Verdict::Fail(report.to_owned()),
    }
}

/// The verdict of a body that returned.
fn passed(state: &RunState) -> Verdict {
    if !state.has_failed() {
        return Verdict::Pass;
    }
    let failures = state.books(|books| books.failures.join("\n"));
    failed(state, &failures)
}

fn outcome(
    verdict: Verdict,
    backend: Backend,
    state: Arc<RunState>,
    time: Duration,
    wall: Duration,
) -> Outcome {
    let (rpcs, bytes, ops) = state.totals();
    let (output, cpu, marks) =
        state.books(|books| (books.output.clone(), books.cpu, books.marks.clone()));
    Outcome {
        verdict,
        backend,
        kind: None,
        failure: None,
        seed: None,
        output,
        time,
        wall,
        cpu,
        rpcs,
        bytes,
        ops,
        trace_hash: None,
        switches: 0,
        marks,
        state,
        events: Arc::default(),
    }
}

/// The message of a panic.
pub(crate) fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a panic without a message".to_owned(),
    }
}
