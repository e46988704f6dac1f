//! One run, from the call of [`run`] to its report.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use parking_lot::Mutex;

use super::config::Config;
use super::context::{self, Context, context};
use super::coroutine;
use super::executor::{call, drive, reap, spawn_task};
use super::failure::{Failure, FailureKind};
use super::panics::{install_hook, take_panic};
use super::trace::{Divergence, Event};
use super::watchdog::{Live, Progress, Watch};
use super::world::{self, World, with};
use crate::line::Line;
use std::panic::Location;

/// The outcome of a run.
#[derive(Debug)]
#[must_use = "a failed run is a value, not a panic"]
pub struct Run<T> {
    /// What the body returned, or why the run was stopped.
    pub result: Result<T, Failure>,
    /// Figures of the run, failed or not.
    pub report: Report,
}

/// Figures of a run.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The seed it ran under.
    pub seed: u64,
    /// Hash of every switch, clock move, random draw and message with its bytes.
    pub trace_hash: u64,
    /// Virtual time at the end.
    pub virtual_time: Duration,
    /// How often a task got the processor.
    pub switches: u64,
    /// How many messages were announced with [`message`](super::message).
    pub messages: u64,
    /// Tasks that resisted being killed, by name; their stacks were leaked.
    pub leaked: Vec<String>,
    /// Every event, if [`Config::record`] was set.
    pub events: Vec<Event>,
}

/// Runs `body` as the root task of a simulation and returns when it returns or the run fails.
///
/// Tasks that are still there when the root task returns are killed. The calling thread only waits;
/// the simulation has an OS thread of its own, which is left behind if a task never gives the
/// processor back ([`FailureKind::Runaway`]).
///
/// ```
/// use std::time::Duration;
/// use labrt::sim;
///
/// let run = sim::run(sim::Config::new(1), || {
///     labrt::sleep(Duration::from_secs(60));
///     labrt::now().as_nanos()
/// });
/// assert_eq!(run.result.unwrap(), 60_000_000_000);
/// ```
#[track_caller]
pub fn run<T: Send + 'static>(config: Config, body: impl FnOnce() -> T + Send + 'static) -> Run<T> {
    if context() != Context::Threads {
        return not_run(&config, "a simulation cannot be run inside another one");
    }
    let from = Location::caller();
    install_hook();
    coroutine::report_stack_overflows(world::describe_overflow);
    let progress = Arc::new(Progress::new());
    let (done, outcome) = crossbeam_channel::bounded(1);
    let watched = Arc::clone(&progress);
    let thread_config = config.clone();
    let simulation = move || {
        let config = thread_config.clone();
        let whole = AssertUnwindSafe(move || simulate(thread_config, watched, from, body));
        let run = panic::catch_unwind(whole).unwrap_or_else(|payload| {
            not_run(
                &config,
                &format!("the simulator itself panicked: {}", take_panic(&*payload).text),
            )
        });
        let _ = done.send(run);
    };
    if let Err(error) = crate::threads::start_os_thread(format!("sim-{}", config.seed), simulation)
    {
        return not_run(&config, &format!("no thread for the simulation: {error}"));
    }
    let mut watch = Watch::new(&config, &progress);
    loop {
        match outcome.recv_timeout(watch.step()) {
            Ok(run) => return run,
            Err(RecvTimeoutError::Disconnected) => {
                return not_run(&config, "the simulation's thread ended without a result");
            }
            Err(RecvTimeoutError::Timeout) => {
                if watch.look() {
                    return given_up(&config, &progress);
                }
            }
        }
    }
}

/// Runs `body` twice under `config` and compares the two runs event by event.
///
/// # Errors
/// The first event in which they differ. That a run fails is not an error here, as long as it
/// fails the same way twice.
pub fn check_determinism<T: Send + 'static>(
    config: &Config,
    body: impl Fn() -> T + Clone + Send + 'static,
) -> Result<Report, Divergence> {
    let config = config.clone().record(true);
    let first = run(config.clone(), body.clone()).report;
    let second = run(config.clone(), body).report;
    match Divergence::between(config.seed, &first.events, &second.events) {
        None => Ok(first),
        Some(divergence) => Err(divergence),
    }
}

fn setup_failure(config: &Config, message: &str) -> Failure {
    Failure {
        kind: FailureKind::Setup,
        seed: config.seed,
        at: Duration::ZERO,
        task: None,
        node: None,
        message: message.to_owned(),
        cause: None,
        tasks: Vec::new(),
    }
}

fn not_run<T>(config: &Config, message: &str) -> Run<T> {
    let report = Report { seed: config.seed, ..Report::default() };
    Run { result: Err(setup_failure(config, message)), report }
}

/// The outcome of a run that did not stop when it was asked to. It is a runaway, whatever the
/// reason was: its OS thread still runs.
fn given_up<T>(config: &Config, progress: &Progress) -> Run<T> {
    let (_, message) = progress.reason().expect("a run is asked to stop for a reason");
    let message = format!(
        "{message}: an endless loop, or a lock that is not labrt's held by another task; its OS \
         thread is left behind"
    );
    let mut failure = setup_failure(config, &message);
    failure.kind = FailureKind::Runaway;
    (failure.task, failure.node) = progress.running();
    failure.at = Duration::from_nanos(progress.now());
    let report = Report { seed: config.seed, virtual_time: failure.at, ..Report::default() };
    Run { result: Err(failure), report }
}

/// The whole of one simulation, on its own OS thread.
fn simulate<T: Send + 'static>(
    config: Config,
    progress: Arc<Progress>,
    from: Line,
    body: impl FnOnce() -> T + Send + 'static,
) -> Run<T> {
    progress.runs_here();
    let live = Live::new(Arc::clone(&progress));
    context::set_run(live.run());
    world::install(Some(Box::new(World::new(config.clone(), progress))));
    context::set_context(Context::Scheduler);
    let result: Arc<Mutex<Option<T>>> = Arc::default();
    let node = with(|world| world.add_node("test".into()));
    let slot = Arc::clone(&result);
    let root = move || {
        let value = body();
        *slot.lock() = Some(value);
        with(|world| world.root_done = true);
    };
    spawn_task(node, "root", from, root);
    drive();
    with(|world| world.ending = true);
    reap(None);
    // Callbacks and run-local values own what they were given, possibly more of their kind. They
    // are only dropped.
    loop {
        let (callbacks, locals) = with(World::take_rest);
        if callbacks.is_empty() && locals.is_empty() {
            break;
        }
        call(Box::new(move || drop((callbacks, locals))));
    }
    drop(live);
    context::set_run(0);
    context::set_context(Context::Threads);
    let mut world = world::install(None).expect("the world is there until here");
    coroutine::return_stacks();
    let report = Report {
        seed: world.seed(),
        trace_hash: world.trace.hash(),
        virtual_time: Duration::from_nanos(world.now()),
        switches: world.switches,
        messages: world.trace.messages,
        leaked: std::mem::take(&mut world.leaked),
        events: world.trace.take_events(),
    };
    let failure = world.failure.take();
    let value = result.lock().take();
    let result = match (failure, value) {
        (Some(failure), _) => Err(failure),
        (None, Some(value)) => Ok(value),
        (None, None) => Err(setup_failure(&config, "the root task was lost")),
    };
    Run { result, report }
}
