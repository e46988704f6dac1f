//! The deterministic simulation: one OS thread, one virtual clock, one seed.
//!
//! ```text
//!   run(config, body) ──▶ an OS thread of its own
//!                           │
//!                           ▼
//!        ┌───────── scheduler loop (scheduler.rs) ─────────┐
//!        │ 1. bury the tasks of crashed nodes              │
//!        │ 2. fire the timers that are due                 │      the world (world.rs): tasks, timers,
//!        │ 3. nothing ready: move the clock, or report     │ ◀──▶ clock, random streams, trace
//!        │    a deadlock                                   │
//!        │ 4. pick a ready task by the seed, resume it     │
//!        └─────────────────────────────────────────────────┘
//! ```
//!
//! Virtual time moves only when no task is ready, so a run takes as long as its computing takes. Everything that could
//! differ between two runs, the choice among ready tasks above all, is drawn from the seed; the [trace](Report::trace_hash)
//! of a run is therefore a function of the seed and the code.
//!
//! Every run uses a fresh OS thread, so thread-locals of the code under test start clean, and leaves nothing behind: its
//! tasks are unwound, their stacks go back to a pool.

mod coroutine;
mod failure;
mod scheduler;
mod trace;
mod unwind_check;
mod watchdog;
pub(crate) mod world;

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

pub use failure::{Failure, FailureKind, TaskReport};
pub use scheduler::run;
pub(crate) use scheduler::{
    block, block_on_lock, crash_node, give_up, is_unwinding, lock_point, may_block, spawn_task,
    switch_point, yield_now,
};
pub use trace::Event;
pub(crate) use world::{Context, Place, Wait, Waiter, context, with};

/// How a simulation is to be run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The one number that decides everything.
    pub seed: u64,
    /// Virtual time after which the run fails. Default: 120 s, the course's limit for a test.
    pub time_limit: Duration,
    /// Switches without virtual time moving after which the run fails as a livelock. Default: 1,000,000.
    pub switches_at_once: u64,
    /// Wall clock that a task may keep the processor. Default: 10 s.
    pub runaway: Duration,
    /// One in this many uncontended lock operations lets another task run first, chosen by the seed; 0 turns that off.
    /// Default: 8.
    pub lock_yield_one_in: u32,
    /// Bytes of a task's stack; untouched pages cost no memory. Default: 256 KiB.
    pub stack_size: usize,
    /// Keep the list of all events, to compare runs with. Default: off.
    pub record: bool,
}

impl Config {
    /// The defaults, with this seed.
    pub fn new(seed: u64) -> Config {
        Config {
            seed,
            time_limit: Duration::from_secs(120),
            switches_at_once: 1_000_000,
            runaway: Duration::from_secs(10),
            lock_yield_one_in: 8,
            stack_size: 256 * 1024,
            record: false,
        }
    }

    /// The same, with another limit of virtual time.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Config {
        self.time_limit = limit;
        self
    }

    /// The same, with another limit of wall clock without a switch.
    #[must_use]
    pub fn runaway(mut self, limit: Duration) -> Config {
        self.runaway = limit;
        self
    }

    /// The same, with the list of events kept.
    #[must_use]
    pub fn record(mut self, record: bool) -> Config {
        self.record = record;
        self
    }

    /// The same, with another bound of switches at one virtual instant.
    #[must_use]
    pub fn switches_at_once(mut self, bound: u64) -> Config {
        self.switches_at_once = bound;
        self
    }
}

/// What a run came to.
#[derive(Debug)]
#[must_use = "a failed run is a value, not a panic"]
pub struct Run<T> {
    /// What the body returned, or why the run was stopped.
    pub result: Result<T, Failure>,
    /// What can be said of the run either way.
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
    /// How many messages were announced with [`message`].
    pub messages: u64,
    /// Tasks that resisted being killed, by name; their stacks were leaked.
    pub leaked: Vec<String>,
    /// Every event, if [`Config::record`] was set.
    pub events: Vec<Event>,
}

/// Two runs of one seed that took different paths.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Divergence {
    /// The seed of both.
    pub seed: u64,
    /// Number of the first event that differs, from 0.
    pub event: usize,
    /// That event in the first run; `None` if the run ended before it.
    pub expected: Option<Event>,
    /// That event in the second run.
    pub got: Option<Event>,
}

impl Divergence {
    /// The first event in which the recorded events of two runs differ.
    pub fn between(seed: u64, first: &[Event], second: &[Event]) -> Option<Divergence> {
        let same = first.iter().zip(second).take_while(|(a, b)| a == b).count();
        if same == first.len() && same == second.len() {
            return None;
        }
        let (expected, got) = (first.get(same).copied(), second.get(same).copied());
        Some(Divergence { seed, event: same, expected, got })
    }
}

impl std::error::Error for Divergence {}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let show = |event: &Option<Event>| match event {
            Some(event) => event.to_string(),
            None => "the end of the run".to_owned(),
        };
        write!(
            f,
            "seed {} gave two different runs: event {} was {} and then {}. The code under test is not deterministic; \
             usual causes are the order of a HashMap, a clock or random numbers that are not labrt's, addresses, and \
             state that outlives a run",
            self.seed,
            self.event,
            show(&self.expected),
            show(&self.got)
        )
    }
}

/// Runs `body` twice under `config` and compares the two runs event by event.
///
/// # Errors
/// The first event in which they differ. That a run fails is not an error here, as long as it fails the same way twice.
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

/// Adds a message to the trace of this run: its kind, and its bytes as a hash. Does nothing on threads.
#[inline]
pub fn message(kind: &'static str, bytes: &[u8]) {
    if context() != Context::Threads {
        with(|world| world.trace.message(kind, bytes));
    }
}

/// Reports a broken invariant by name and stops the run, in the task that broke it.
///
/// # Panics
/// Always, to unwind the caller: on threads as an ordinary panic; in a simulation the run ends with
/// [`FailureKind::Breach`], and nothing else runs.
pub fn breach(name: &'static str, detail: &str) -> ! {
    if context() != Context::Threads {
        let message = format!("{name}: {detail}");
        with(|world| world.fail(FailureKind::Breach, message));
        std::panic::resume_unwind(Box::new(scheduler::Stopped));
    }
    panic!("invariant broken: {name}: {detail}");
}

/// The one value of type `T` that belongs to the running simulation, made at the first call. `None` on threads.
///
/// For watchers that look at several nodes at once. It is dropped with the run.
pub fn local<T: Default + Send + Sync + 'static>() -> Option<Arc<T>> {
    if context() == Context::Threads {
        return None;
    }
    let key = TypeId::of::<T>();
    if let Some(value) = with(|world| world.local(key)) {
        return value.downcast().ok();
    }
    let value = Arc::new(T::default());
    let stored: Arc<T> = Arc::clone(&value);
    with(|world| world.set_local(key, stored));
    Some(value)
}

/// Where in a simulation the calling code is, for log lines.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskContext {
    /// Virtual time.
    pub time: Duration,
    /// Name of the node.
    pub node: Arc<str>,
    /// Name of the task.
    pub task: &'static str,
    /// Number of the task, in order of spawning.
    pub number: u64,
}

/// The virtual time, node and task of the calling code. `None` on threads.
pub fn task_context() -> Option<TaskContext> {
    if context() == Context::Threads {
        return None;
    }
    let (time, node, task, number) = with(|world| world.log_context());
    Some(TaskContext { time: Duration::from_nanos(time), node, task, number })
}
