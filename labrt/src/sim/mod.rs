//! The deterministic simulation: one OS thread, one virtual clock, one seed.
//!
//! ```text
//!   run(config, body) ──▶ an OS thread of its own
//!                           │
//!                           ▼
//!        ┌───────── executor loop (executor.rs) ───────────┐
//!        │ 1. kill the tasks of crashed nodes              │
//!        │ 2. fire the timers that are due                 │      world (world/): tasks, timers,
//!        │ 3. nothing ready: move the clock, or report     │ ◀──▶ clock, random streams, trace
//!        │    a deadlock                                   │
//!        │ 4. pick a ready task (policy.rs), resume it     │
//!        └─────────────────────────────────────────────────┘
//! ```
//!
//! Virtual time moves only when no task is ready, so a run takes as long as its computing takes.
//! Everything that could differ between two runs, the choice among ready tasks above all, is drawn
//! from the seed; the [trace](Report::trace_hash) of a run is therefore a function of the seed and
//! the code.
//!
//! Every run uses a fresh OS thread, so thread-locals of the code under test start clean, and
//! leaves nothing behind: its tasks are unwound, their stacks go back to a pool.

mod config;
mod context;
mod coroutine;
mod executor;
mod failure;
mod panics;
mod policy;
mod run;
mod trace;
mod unwind_check;
mod watchdog;
mod world;

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

pub use config::Config;
pub(crate) use context::{Context, context, current_run};
pub(crate) use executor::{
    block, block_on_lock, crash_node, give_up, is_unwinding, lock_point, may_block, pause_node,
    spawn_task, switch_point, yield_now,
};
pub use failure::{Failure, FailureKind, TaskReport};
pub(crate) use panics::panic_text;
pub use policy::{Policy, ReadyTask, Scheduler};
pub use run::{Report, Run, check_determinism, run};
pub use trace::{Divergence, Event};
pub(crate) use watchdog::foreign_use;
pub(crate) use world::{Waiter, with};

/// Adds a message to the trace of this run: its kind, and its bytes as a hash. Does nothing on
/// threads.
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
        with(|world| world.fail_because(FailureKind::Breach, Some(name.to_owned()), message));
        executor::stop();
    }
    panic!("invariant broken: {name}: {detail}");
}

/// Fails the run: a task is about to wait at `at` for something that is not of this simulation,
/// which would block all its tasks.
#[cold]
pub(crate) fn blocks_the_run(object: &str, at: crate::line::Line) -> ! {
    let message = format!(
        "a task is about to wait at {at} for a {object} of the threads back end, which would block \
         the whole run: make it inside the simulation"
    );
    with(|world| world.fail(FailureKind::ForeignThread, message));
    executor::stop()
}

/// The one value of type `T` that belongs to the running simulation, made at the first call. `None`
/// on threads.
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
