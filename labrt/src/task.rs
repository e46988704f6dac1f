//! Starting tasks and waiting for them.

use std::panic::{self, AssertUnwindSafe};

use crate::line::Line;
use crate::node::Node;
use crate::oneshot::{self, Receiver};
use crate::sim::{self, Context};
use crate::sink::Inherited;
use crate::threads;
use crate::wait::Wait;
use std::panic::Location;

/// Starts a task on the caller's node.
///
/// On threads a task is an OS thread (taken from a pool); simulated, a coroutine.
#[track_caller]
pub fn spawn<F, T>(body: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn_named("task", body)
}

/// Starts a task on the caller's node, under a name for reports.
#[track_caller]
pub fn spawn_named<F, T>(name: &'static str, body: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let at = Location::caller();
    match sim::context() {
        Context::Threads => spawn_thread(&Node::current(), name, at, threads::start, body),
        _ => spawn_simulated(sim::with(|world| world.node_of_running()), name, at, body),
    }
}

/// Lets other tasks run.
#[track_caller]
pub fn yield_now() {
    match sim::context() {
        Context::Threads => threads::yield_now(),
        _ => sim::yield_now(Location::caller()),
    }
}

impl Node {
    /// Starts a task on this node. On a crashed node, and at the end of a run, it never runs.
    #[track_caller]
    pub fn spawn<F, T>(&self, name: &'static str, body: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let at = Location::caller();
        self.check_thread(at);
        match sim::context() {
            Context::Threads => spawn_thread(self, name, at, threads::start, body),
            _ => spawn_simulated(self.number(), name, at, body),
        }
    }

    /// Like [`spawn`](Node::spawn), for tasks nobody waits for: cheaper by an allocation.
    #[track_caller]
    pub fn spawn_detached(&self, name: &'static str, body: impl FnOnce() + Send + 'static) {
        spawn_unwatched(self, name, Location::caller(), threads::start, body);
    }

    /// Like [`spawn_detached`](Node::spawn_detached), for tasks that seldom wait. On threads they
    /// share a few threads, in the order in which they were started. A task that waits after all
    /// keeps no other from running, but one that computes for long does.
    #[track_caller]
    pub fn spawn_brief(&self, name: &'static str, body: impl FnOnce() + Send + 'static) {
        spawn_unwatched(self, name, Location::caller(), threads::start_brief, body);
    }
}

/// Why a task has no result.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// It panicked, with this message. (In a simulation the whole run stops then.)
    #[error("the task panicked: {0}")]
    Panicked(String),
    /// Its node was crashed, or the run ended, before it returned.
    #[error("the task was killed before it returned")]
    Killed,
    /// It never ran, because the operating system started no thread for it. The text is the
    /// system's error.
    #[error("the task could not be started: {0}")]
    NotStarted(String),
}

/// A task that was started. Dropping the handle leaves the task alone.
#[derive(Debug)]
pub struct JoinHandle<T> {
    result: Receiver<Result<T, JoinError>>,
    /// Slot and number of a simulated task; `None` on threads, and for a task that never started.
    simulated: Option<(u32, u64)>,
}

impl<T> JoinHandle<T> {
    /// Waits for the task to end and gives what it returned.
    ///
    /// # Errors
    /// [`JoinError`] when it did not return.
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        let at = Location::caller();
        match self.simulated {
            None if sim::context() == Context::Threads => {
                let wait = Wait::Join { task: None };
                return self.result.wait(wait, None, at).unwrap_or(Err(JoinError::Killed));
            }
            Some((slot, number)) if self.is_live() => {
                // The end of the task is what counts, not its result: a task whose stack is
                // leaked never drops the sender.
                if !sim::may_block() {
                    return Err(JoinError::Killed);
                }
                let waiter = sim::with(|world| {
                    let waiter = world.prepare();
                    world.add_joiner(slot, waiter);
                    waiter
                });
                sim::block(waiter, Wait::Join { task: Some(number) }, at, None);
            }
            _ => {}
        }
        self.result.try_recv().unwrap_or(Err(JoinError::Killed))
    }

    /// Whether the task has ended, one way or the other.
    pub fn is_finished(&self) -> bool {
        match self.simulated {
            None if sim::context() == Context::Threads => self.result.is_settled(),
            _ => !self.is_live(),
        }
    }

    /// Whether it is a task of the running simulation that has not ended.
    fn is_live(&self) -> bool {
        sim::context() != Context::Threads
            && self
                .simulated
                .is_some_and(|(slot, number)| sim::with(|world| world.is_live(slot, number)))
    }
}

fn spawn_simulated<F, T>(node: u32, name: &'static str, at: Line, body: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let (sender, result) = oneshot::channel();
    let body = move || {
        let value = body();
        let _ = sender.send(Ok(value));
    };
    let simulated = sim::spawn_task(node, name, at, body);
    JoinHandle { result, simulated }
}

type Start = fn(Box<dyn FnOnce() + Send>) -> std::io::Result<()>;

fn spawn_thread<F, T>(
    node: &Node,
    name: &'static str,
    at: Line,
    start: Start,
    body: F,
) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let (sender, result) = oneshot::channel();
    let started = run_on_thread(node, name, at, start, move || {
        let end = panic::catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
            let text = sim::panic_text(&*payload);
            JoinError::Panicked(text.unwrap_or_else(|| "a panic without a message".to_owned()))
        });
        move || drop(sender.send(end))
    });
    let result = match started {
        Ok(()) => result,
        Err(error) => {
            let (sender, result) = oneshot::channel();
            let _ = sender.send(Err(JoinError::NotStarted(error.to_string())));
            result
        }
    };
    JoinHandle { result, simulated: None }
}

/// A task that nobody waits for; on threads, begun by `start`.
fn spawn_unwatched(
    node: &Node,
    name: &'static str,
    at: Line,
    start: Start,
    body: impl FnOnce() + Send + 'static,
) {
    node.check_thread(at);
    if sim::context() != Context::Threads {
        sim::spawn_task(node.number(), name, at, body);
        return;
    }
    // A failed start is in the log.
    let _ = run_on_thread(node, name, at, start, move || {
        // The panic hook has printed it; the thread goes back to the pool.
        let _ = panic::catch_unwind(AssertUnwindSafe(body));
        || ()
    });
}

/// Runs `body` as a task of `node` on a thread, and then, when the task has ended, what `body`
/// returned.
fn run_on_thread<E: FnOnce()>(
    node: &Node,
    name: &'static str,
    at: Line,
    start: Start,
    body: impl FnOnce() -> E + Send + 'static,
) -> std::io::Result<()> {
    let node = node.clone();
    let counted = node.count_thread_task();
    let run = threads::current_run();
    let inherited = Inherited::capture();
    let started = start(Box::new(move || {
        let listening = inherited.enter();
        let running = threads::Running::task(name, node.shared_name(), at, run);
        let at_end = node.run_thread_task(counted, body);
        at_end();
        drop((running, listening));
    }));
    if let Err(error) = &started {
        log::error!(target: "labrt", "no thread for task {name}: {error}");
    }
    started
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_without_a_thread_was_not_started() {
        let node = Node::new("full");
        let handle = spawn_thread(&node, "task", Location::caller(), no_thread, || 1);
        assert!(handle.is_finished());
        let error = handle.join().unwrap_err();
        assert_eq!(error, JoinError::NotStarted("too many threads".into()));
        assert_eq!(node.live_tasks(), 0, "it is not counted");
    }

    fn no_thread(_job: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
        Err(std::io::Error::other("too many threads"))
    }
}
