//! One run of a test's body to an [`Outcome`].

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use labrt::events::{self, Sink};
use labrt::hang::{HangKind, Limits};
use labrt::sim::FailureKind;

use crate::cause::Cause;
use crate::clock::{Stopwatch, thread_cpu_time};
use crate::judge::TestId;
use crate::logging::RaisedLevel;
use crate::protocol::RunRecord;
use crate::settings::Backend;
use crate::state::{CleanUps, Enter, Run};

/// Time a run may take by default: the course's limit for a test.
pub const TIME_LIMIT: Duration = Duration::from_secs(120);

/// What one test may ask for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TestOptions {
    /// The seed of a plain `cargo test`. Default: 1.
    pub seed: u64,
    /// Time a run may take; virtual, when simulated. Default: [`TIME_LIMIT`].
    pub time_limit: Duration,
    /// On threads: a wait for one lock, or silence of all tasks, that takes so long is a hang.
    /// Default: 60 s.
    pub hang_after: Duration,
    /// Simulated: CPU time that a task may use without a switch. Default: labrt's.
    pub runaway: Option<Duration>,
    /// Simulated: CPU time that a run may use without virtual time moving. Default: labrt's.
    pub standstill: Option<Duration>,
    /// What a run is given besides its seed; see [`Run::input`].
    pub input: Option<Arc<str>>,
}

impl Default for TestOptions {
    fn default() -> TestOptions {
        TestOptions {
            seed: 1,
            time_limit: TIME_LIMIT,
            hang_after: Duration::from_secs(60),
            runaway: None,
            standstill: None,
            input: None,
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

    /// The same, with another time limit for the whole run.
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

    /// The same, with other limits of [CPU time](labrt::sim::Config::runaway) in simulation.
    #[must_use]
    pub fn cpu_limits(mut self, runaway: Duration, standstill: Duration) -> TestOptions {
        self.runaway = Some(runaway);
        self.standstill = Some(standstill);
        self
    }

    /// The same, with this input and its seed.
    #[must_use]
    pub fn input(mut self, seed: u64, input: impl Into<Arc<str>>) -> TestOptions {
        self.seed = seed;
        self.input = Some(input.into());
        self
    }
}

/// The result of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// Everything held.
    Pass,
    /// Something did not hold; with a report.
    Fail(String),
    /// It could not be decided; with the reason. Never a pass.
    Inconclusive(String),
}

impl Verdict {
    /// Whether it is a pass.
    pub fn is_pass(&self) -> bool {
        matches!(self, Verdict::Pass)
    }

    /// `pass`, `fail` or `inconclusive`.
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

    pub(crate) fn first_line(&self) -> Option<&str> {
        self.report().lines().next()
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
    /// What stopped the run, if something did. A body that returns can still have failed. On
    /// threads, only a hang stops a run.
    pub kind: Option<FailureKind>,
    /// Why it did not pass; `None` if it did.
    pub cause: Option<Cause>,
    /// Its seed; `None` on threads, which no seed governs.
    pub seed: Option<u64>,
    /// The lines that the test has printed.
    pub output: String,
    /// Time it took on its own clock.
    pub time: Duration,
    /// Wall-clock time it took.
    pub wall: Duration,
    /// CPU time it took, where the system counts it. Simulated runs only.
    pub cpu: Option<Duration>,
    /// RPCs of all its clusters. Counted when a cluster ends, so a failed run may have made more.
    pub rpcs: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Operations that its clients have finished.
    pub ops: u64,
    /// Hash of every step of a simulated run: equal hashes, equal runs.
    pub trace_hash: Option<u64>,
    /// How often a simulated task got the processor.
    pub switches: u64,
    /// The [marks](labrt::mark) that its code has declared, and how often it reached each. On
    /// threads, runs that go on at the same time are counted together.
    pub marks: BTreeMap<&'static str, u64>,
    pub(crate) run: Arc<Run>,
    /// What stopped a simulated run, in full.
    pub(crate) failure: Option<Arc<labrt::sim::Failure>>,
    /// Every event, if events were to be kept.
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
    /// The name of the run among those of its test: its seed, or `threads`.
    pub(crate) fn name(&self) -> String {
        self.seed.map_or_else(|| Backend::Threads.to_string(), |seed| seed.to_string())
    }

    /// The folder in which it leaves its files.
    pub(crate) fn folder(&self, test: &TestId) -> PathBuf {
        crate::target::folder_of(test.name(), &self.name())
    }

    /// The run as a record, without a comparison.
    pub(crate) fn record(&self, test: &TestId) -> RunRecord {
        let reached = self.marks.iter().filter(|(_, count)| **count > 0);
        RunRecord {
            test: test.name().to_owned(),
            package: test.package().to_owned(),
            backend: self.backend,
            seed: self.seed,
            verdict: self.verdict.word().to_owned(),
            kind: self.kind.map(|kind| kind.to_string()),
            at: self.cause.as_ref().and_then(|cause| cause.at.clone()),
            what: self.verdict.first_line().map(str::to_owned),
            twice: false,
            divergence: None,
            virtual_s: self.trace_hash.map(|_| self.time.as_secs_f64()),
            wall_s: self.wall.as_secs_f64(),
            cpu_s: self.cpu.map(|cpu| cpu.as_secs_f64()),
            rpcs: self.rpcs,
            bytes: self.bytes,
            ops: self.ops,
            trace_hash: self.trace_hash.map(|hash| format!("{hash:016x}")),
            switches: self.switches,
            marks: reached.map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        }
    }
}

/// A cluster checks its own limit first, and checks for leaks after its clean-up.
const GRACE: Duration = Duration::from_secs(15);

/// The wall clock of a busy machine needs more.
const GRACE_ON_THREADS: Duration = Duration::from_secs(60);

/// The body of a test. Behind a pointer, the compiler translates the runner once, and not once for
/// each test.
pub(crate) type Body = Arc<dyn Fn() + Send + Sync>;

/// Runs `body` once. On threads, `seed` has no effect.
pub fn run(
    backend: Backend,
    seed: u64,
    options: &TestOptions,
    body: impl Fn() + Send + Sync + 'static,
) -> Outcome {
    let body: Body = Arc::new(body);
    run_keeping(backend, seed, options, Keep::default(), &body)
}

/// What is kept of a run besides its figures. A simulated run takes the same path either way.
#[derive(Clone, Default)]
pub(crate) struct Keep {
    /// The listener to all its events.
    pub(crate) log: Option<Arc<dyn Sink>>,
    /// Whether to keep every event of a simulated run.
    pub(crate) events: bool,
}

/// The same as [`run`], keeping more.
pub(crate) fn run_keeping(
    backend: Backend,
    seed: u64,
    options: &TestOptions,
    keep: Keep,
    body: &Body,
) -> Outcome {
    match backend {
        Backend::Sim => run_simulated(seed, options, keep, body),
        Backend::Threads => run_on_threads(options, keep, body),
    }
}

fn run_simulated(seed: u64, options: &TestOptions, keep: Keep, body: &Body) -> Outcome {
    let state = Arc::new(Run::new(Some(seed), options.input.clone()));
    let limit = options.time_limit.saturating_add(GRACE);
    let mut config = labrt::sim::Config::new(seed).time_limit(limit).record(keep.events);
    config.runaway = options.runaway.unwrap_or(config.runaway);
    config.standstill = options.standstill.unwrap_or(config.standstill);
    let watch = Stopwatch::start();
    let log = keep.log;
    let body = Arc::clone(body);
    let _raised = log.as_ref().map(|_| RaisedLevel::new());
    let inside = Arc::clone(&state);
    let run = labrt::sim::run(config, move || {
        if let Some(log) = log {
            events::listen(log).until_the_thread_ends(); // the last destructors emit events too
        }
        let _enter = Enter::run(Arc::clone(&inside));
        let _measure = Measure(inside);
        body();
        if let Some(clean_ups) = CleanUps::of_run() {
            clean_ups.run();
        }
    });
    let mut report = run.report;
    let leaked = report.leaked.join("\n");
    let failure = run.result.err().map(Arc::new);
    let problem = match &failure {
        Some(failure) => {
            let cause = Cause { kind: failure.kind.to_string(), at: failure.cause.clone() };
            Some((cause, failure.to_string()))
        }
        None if leaked.is_empty() => None,
        None => Some((Cause { kind: "leaked tasks".to_owned(), at: None }, leaked)),
    };
    let outcome = outcome(problem, Backend::Sim, state, report.virtual_time, watch.elapsed());
    Outcome {
        seed: Some(seed),
        kind: failure.as_ref().map(|failure| failure.kind),
        failure,
        trace_hash: Some(report.trace_hash),
        switches: report.switches,
        events: Arc::new(std::mem::take(&mut report.events)),
        ..outcome
    }
}

/// A body that hangs is given up: its threads, and whatever they hold, are left behind.
fn run_on_threads(options: &TestOptions, keep: Keep, body: &Body) -> Outcome {
    let state = Arc::new(Run::new(None, options.input.clone()));
    let watch = Stopwatch::start();
    let marks_before = labrt::mark::counts();
    let total = options.time_limit.saturating_add(GRACE_ON_THREADS);
    let limits = Limits::new(total).patience(options.hang_after);
    let inside = Arc::clone(&state);
    let body = Arc::clone(body);
    let ended = labrt::hang::watched(limits, move || {
        let _listening = keep.log.clone().map(events::listen);
        let enter = Enter::run(inside);
        let clean_ups = CleanUps::of_run().unwrap_or_default();
        let mut result = catch_unwind(AssertUnwindSafe(|| {
            body();
            clean_ups.run();
        }));
        // A body that panicked has left its servers running. Their clean-up may fail in turn: the
        // first failure is the one to report.
        while let Err(error) = catch_unwind(AssertUnwindSafe(|| clean_ups.run())) {
            result = result.and(Err(error));
        }
        drop(enter);
        result.map_err(|payload| panic_text(&*payload))
    });
    let (problem, kind) = match ended {
        Ok(Ok(())) => (None, None),
        Ok(Err(text)) => {
            let at = state.record.lock().failed_at.clone();
            (Some((Cause { kind: "task panic".to_owned(), at }, text)), None)
        }
        Err(hang) => {
            let kind = match hang.kind {
                HangKind::TimeLimit => FailureKind::TimeLimit,
                _ => FailureKind::Deadlock,
            };
            (Some((Cause { kind: kind.to_string(), at: None }, hang.to_string())), Some(kind))
        }
    };
    let mut marks = labrt::mark::counts();
    for (name, count) in &mut marks {
        *count -= marks_before.get(name).copied().unwrap_or(0);
    }
    state.record.lock().marks = marks;
    let took = watch.elapsed();
    Outcome { kind, ..outcome(problem, Backend::Threads, state, took, took) }
}

/// When the run ends, however it ends, records the CPU time of its thread and the marks reached.
struct Measure(Arc<Run>);

impl Drop for Measure {
    fn drop(&mut self) {
        let cpu = thread_cpu_time();
        let marks = labrt::mark::counts();
        let mut record = self.0.record.lock();
        record.cpu = cpu;
        record.marks = marks;
    }
}

/// `problem`: why the body did not return, or what was wrong afterwards.
fn outcome(
    problem: Option<(Cause, String)>,
    backend: Backend,
    run: Arc<Run>,
    time: Duration,
    wall: Duration,
) -> Outcome {
    let problem = problem.or_else(|| {
        let at = run.record.lock().failed_at.clone();
        run.has_failed().then(|| (Cause { kind: "check".to_owned(), at }, run.failures()))
    });
    let (rpcs, bytes, ops) = run.totals();
    let record = run.record.lock();
    let (cause, verdict) = match (problem, &record.inconclusive) {
        (None, _) => (None, Verdict::Pass),
        (Some(_), Some(reason)) => {
            let cause = Cause { kind: "inconclusive".to_owned(), at: record.failed_at.clone() };
            (Some(cause), Verdict::Inconclusive(reason.clone()))
        }
        (Some((cause, problem)), None) => (Some(cause), Verdict::Fail(problem)),
    };
    let (output, cpu, marks) = (record.output.clone(), record.cpu, record.marks.clone());
    drop(record);
    Outcome {
        verdict,
        backend,
        kind: None,
        cause,
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
        run,
        events: Arc::default(),
    }
}

/// The message of a panic.
fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a panic without a message".to_owned(),
    }
}
