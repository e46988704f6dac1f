//! Starting tasks and waiting for them.

use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::events::Inherited;
use crate::node::Node;
use crate::sim::{self, Context, Place, Wait};
use crate::threads;

/// Starts a task on the caller's node.
///
/// On threads a task is an OS thread (taken from a pool); simulated, a coroutine.
#[track_caller]
pub fn spawn<F, T>(body: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn_here("task", Location::caller(), body)
}

/// Starts a task on the caller's node, under a name for reports.
#[track_caller]
pub fn spawn_named<F, T>(name: &'static str, body: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn_here(name, Location::caller(), body)
}

/// Lets other tasks run.
pub fn yield_now() {
    match sim::context() {
        Context::Threads => threads::yield_now(),
        _ => sim::yield_now(),
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
}

/// A task that was started. Dropping the handle leaves the task alone.
#[derive(Debug)]
pub struct JoinHandle<T> {
    shared: Arc<Shared<T>>,
    /// Slot and number of a simulated task; `None` on threads, and for a task that was never started.
    simulated: Option<(u32, u64)>,
}

#[derive(Debug)]
struct Shared<T> {
    result: Mutex<Option<Result<T, JoinError>>>,
    /// Used on threads only.
    ended: Condvar,
}

impl<T> JoinHandle<T> {
    /// Waits for the task to end and gives what it returned.
    ///
    /// # Errors
    /// [`JoinError::Panicked`] or [`JoinError::Killed`] when it did not return.
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        let at = Location::caller();
        if sim::context() == Context::Threads {
            let mut result = self.shared.result.lock();
            if self.simulated.is_some() {
                // Carried out of its simulation, where nothing runs any more.
                return result.take().unwrap_or(Err(JoinError::Killed));
            }
            if let Some(result) = result.take() {
                return result;
            }
            let _blocked = threads::Blocked::on(threads::Wait::Join, at, None);
            loop {
                if let Some(result) = result.take() {
                    return result;
                }
                self.shared.ended.wait(&mut result);
            }
        }
        if let Some((slot, number)) = self.simulated
            && sim::with(|world| world.is_live(slot, number))
        {
            if !sim::may_block() {
                return Err(JoinError::Killed);
            }
            let waiter = sim::with(|world| {
                let waiter = world.prepare();
                world.add_joiner(slot, waiter);
                waiter
            });
            sim::block(waiter, Wait::Join { task: number }, at, None);
        }
        let result = self.shared.result.lock().take();
        result.unwrap_or(Err(JoinError::Killed))
    }

    /// Whether the task has ended, one way or the other.
    pub fn is_finished(&self) -> bool {
        if sim::context() == Context::Threads {
            return self.simulated.is_some() || self.shared.result.lock().is_some();
        }
        match self.simulated {
            Some((slot, number)) => !sim::with(|world| world.is_live(slot, number)),
            None => true,
        }
    }
}

fn spawn_here<F, T>(name: &'static str, at: Place, body: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    match sim::context() {
        Context::Threads => spawn_thread(&Node::current(), name, at, body),
        _ => spawn_simulated(sim::with(|world| world.node_of_running()), name, at, body),
    }
}

pub(crate) fn spawn_on<F, T>(node: &Node, name: &'static str, at: Place, body: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    match sim::context() {
        Context::Threads => spawn_thread(node, name, at, body),
        _ => spawn_simulated(node.number(), name, at, body),
    }
}

fn new_shared<T>() -> Arc<Shared<T>> {
    Arc::new(Shared { result: Mutex::new(None), ended: Condvar::new() })
}

fn spawn_simulated<F, T>(node: u32, name: &'static str, at: Place, body: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let shared = new_shared();
    let to = Arc::clone(&shared);
    let body = move || {
        let value = body();
        *to.result.lock() = Some(Ok(value));
    };
    let simulated = sim::spawn_task(node, name, at, body);
    JoinHandle { shared, simulated }
}

fn spawn_thread<F, T>(node: &Node, name: &'static str, at: Place, body: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let shared = new_shared();
    let to = Arc::clone(&shared);
    node.count_thread_task();
    let node = node.clone();
    let run = threads::current_run();
    let inherited = Inherited::capture();
    let job = move || {
        let _listening = inherited.enter();
        let _running = threads::Running::task(name, &node, at, run);
        let mut result = Err(JoinError::Killed);
        node.run_thread_task(|| {
            result = panic::catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
                let said = panic_text(&*payload);
                JoinError::Panicked(said.unwrap_or_else(|| "a panic without a message".to_owned()))
            });
        });
        *to.result.lock() = Some(result);
        to.ended.notify_all();
    };
    if threads::start(Box::new(job)).is_err() {
        log::error!(target: "labrt", "no thread for task {name}: too many tasks");
        *shared.result.lock() = Some(Err(JoinError::Killed));
    }
    JoinHandle { shared, simulated: None }
}

pub(crate) fn spawn_detached_on(
    node: &Node,
    name: &'static str,
    at: Place,
    body: impl FnOnce() + Send + 'static,
) {
    spawn_unwatched(node, name, at, threads::start, body);
}

pub(crate) fn spawn_brief_on(
    node: &Node,
    name: &'static str,
    at: Place,
    body: impl FnOnce() + Send + 'static,
) {
    spawn_unwatched(node, name, at, threads::start_brief, body);
}

/// A task that nobody waits for; on threads, begun by `start`.
fn spawn_unwatched(
    node: &Node,
    name: &'static str,
    at: Place,
    start: fn(Box<dyn FnOnce() + Send>) -> std::io::Result<()>,
    body: impl FnOnce() + Send + 'static,
) {
    if sim::context() != Context::Threads {
        sim::spawn_task(node.number(), name, at, body);
        return;
    }
    node.count_thread_task();
    let node = node.clone();
    let run = threads::current_run();
    let inherited = Inherited::capture();
    let job = move || {
        let _listening = inherited.enter();
        let _running = threads::Running::task(name, &node, at, run);
        node.run_thread_task(|| {
            // The panic hook has printed it; the thread goes back to the pool.
            let _ = panic::catch_unwind(AssertUnwindSafe(body));
        });
    };
    if start(Box::new(job)).is_err() {
        log::error!(target: "labrt", "no thread for task {name}: too many tasks");
    }
}

/// What a panic said, if it said it in words.
pub(crate) fn panic_text(payload: &(dyn std::any::Any + Send)) -> Option<String> {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => Some((*text).to_owned()),
        (_, Some(text)) => Some(text.clone()),
        _ => None,
    }
}
