//! OS threads that are used again: a task starts on an idle one if there is any, else on a new one.
//!
//! There is no bound: a task may block for as long as it likes, so another one must never wait for its thread. Without the
//! pool a thread would be started for every RPC.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

pub(super) type Job = Box<dyn FnOnce() + Send>;

/// Where an idle thread waits for its next job.
#[derive(Default)]
struct Desk {
    job: Mutex<Option<Job>>,
    given: Condvar,
}

/// The last to have become idle is the first to be used: its stack is still in the cache.
static IDLE: Mutex<Vec<Arc<Desk>>> = Mutex::new(Vec::new());

/// An idle thread ends after this long.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs `job` on a thread of the pool.
///
/// # Errors
/// When no further thread can be started; `job` has then been dropped.
pub(crate) fn start(job: Job) -> std::io::Result<()> {
    if let Some(desk) = IDLE.lock().pop() {
        *desk.job.lock() = Some(job);
        desk.given.notify_one();
        return Ok(());
    }
    super::start_os_thread("labrt".into(), move || work(job))
}

fn work(first: Job) {
    first();
    let desk = Arc::new(Desk::default());
    loop {
        IDLE.lock().push(Arc::clone(&desk));
        let Some(job) = wait(&desk) else { return };
        job();
    }
}

/// The next job, or `None` when none came for long.
fn wait(desk: &Arc<Desk>) -> Option<Job> {
    let mut job = desk.job.lock();
    loop {
        if let Some(job) = job.take() {
            return Some(job);
        }
        if desk.given.wait_for(&mut job, PATIENCE).timed_out() && job.is_none() {
            // Whoever took our desk from the list is about to put a job on it: leave only if it is still listed.
            drop(job);
            let mut idle = IDLE.lock();
            if let Some(at) = idle.iter().position(|other| Arc::ptr_eq(other, desk)) {
                idle.swap_remove(at);
                return None;
            }
            drop(idle);
            job = desk.job.lock();
        }
    }
}
