//! Which back end the calling OS thread runs, and for which run.

use std::cell::Cell;

/// What code this OS thread is running.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Context {
    /// No simulation: the threads back end.
    Threads,
    /// The scheduler of a simulation, or a timer callback it runs.
    Scheduler,
    /// A simulated task.
    Task,
}

thread_local! {
    static CONTEXT: Cell<Context> = const { Cell::new(Context::Threads) };
    /// The number of the simulation that this OS thread runs; 0 on every other thread.
    static RUN: Cell<u64> = const { Cell::new(0) };
}

/// Which back end the calling code runs on, and as what.
#[inline]
pub(crate) fn context() -> Context {
    CONTEXT.with(Cell::get)
}

pub(super) fn set_context(context: Context) {
    CONTEXT.with(|cell| cell.set(context));
}

/// The number of the simulation that this OS thread runs, counted from 1 in the process. It is 0
/// outside a simulation. It is only ever compared, so it cannot influence a run.
#[inline]
pub(crate) fn current_run() -> u64 {
    RUN.with(Cell::get)
}

pub(super) fn set_run(run: u64) {
    RUN.with(|cell| cell.set(run));
}
