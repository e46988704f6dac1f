//! A pool of OS threads: a task starts on an idle thread if there is one, otherwise on a new
//! thread.
//!
//! The pool has no upper bound: a task may block for any time, so another task must never wait for
//! its thread. Without the pool, every RPC would start a thread.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

pub(super) type Job = Box<dyn FnOnce() + Send>;

/// The wake-up slot of an idle thread: the pool puts its next job here.
#[derive(Default)]
struct Slot {
    job: Mutex<Option<Job>>,
    given: Condvar,
}

/// The thread that became idle last is used first: its stack is still in the cache.
static IDLE: Mutex<Vec<Arc<Slot>>> = Mutex::new(Vec::new());

/// An idle thread ends after this long.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs `job` on a thread of the pool.
///
/// # Errors
/// When no further thread can be started; `job` has then been dropped.
pub(crate) fn start(job: Job) -> std::io::Result<()> {
    if let Some(slot) = IDLE.lock().pop() {
        *slot.job.lock() = Some(job);
        slot.given.notify_one();
        return Ok(());
    }
    super::start_os_thread("labrt".into(), move || work(job))
}

fn work(first: Job) {
    first();
    let slot = Arc::new(Slot::default());
    loop {
        IDLE.lock().push(Arc::clone(&slot));
        let Some(job) = wait(&slot) else { return };
        job();
    }
}

/// The next job, or `None` when none came for long.
fn wait(slot: &Arc<Slot>) -> Option<Job> {
    let mut job = slot.job.lock();
    loop {
        if let Some(job) = job.take() {
            return Some(job);
        }
        if slot.given.wait_for(&mut job, PATIENCE).timed_out() && job.is_none() {
            // If the slot is no longer listed, another thread is about to put a job into it: wait
            // for it.
            drop(job);
            let mut idle = IDLE.lock();
            if let Some(at) = idle.iter().position(|other| Arc::ptr_eq(other, slot)) {
                idle.swap_remove(at);
                return None;
            }
            drop(idle);
            job = slot.job.lock();
        }
    }
}
