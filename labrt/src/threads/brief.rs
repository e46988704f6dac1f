//! A queue of short tasks, run by a few threads in the order in which they were started.
//!
//! Waking a thread costs more than a short task itself. With a shared queue, most tasks find a
//! thread that is already awake.
//!
//! A task that blocks in labrt (lock, channel, sleep) first lets another thread take from the
//! queue, so it never delays the tasks behind it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::OnceLock;

use parking_lot::Mutex;

use super::pool::{self, Job};

struct Queue {
    jobs: VecDeque<Job>,
    /// Threads that take from the queue. Blocked threads do not count.
    working: usize,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { jobs: VecDeque::new(), working: 0 });

thread_local! {
    /// Whether this thread counts as one that takes from the queue.
    static WORKING: Cell<bool> = const { Cell::new(false) };
}

/// The maximum number of threads that take from the queue: one for each processor.
fn limit() -> usize {
    static LIMIT: OnceLock<usize> = OnceLock::new();
    *LIMIT.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Runs `job` soon.
///
/// # Errors
/// When no thread can be started and none is working. The tasks in the queue have then been
/// dropped.
pub(crate) fn start_brief(job: Job) -> std::io::Result<()> {
    let mut queue = QUEUE.lock();
    queue.jobs.push_back(job);
    if queue.working >= limit() {
        return Ok(());
    }
    queue.working += 1;
    drop(queue);
    start_worker()
}

/// Starts a thread that was counted already.
fn start_worker() -> std::io::Result<()> {
    let started = pool::start(Box::new(work));
    if started.is_err() {
        let mut queue = QUEUE.lock();
        queue.working -= 1;
        if queue.working > 0 {
            return Ok(());
        }
        let dropped = std::mem::take(&mut queue.jobs);
        drop(queue);
        drop(dropped);
    }
    started
}

fn work() {
    WORKING.set(true);
    loop {
        let mut queue = QUEUE.lock();
        if !WORKING.get() {
            // The last job has blocked, so enough other threads may be working by now.
            if queue.working >= limit() {
                return;
            }
            queue.working += 1;
            WORKING.set(true);
        }
        let Some(job) = queue.jobs.pop_front() else {
            queue.working -= 1;
            WORKING.set(false);
            return;
        };
        drop(queue);
        job();
    }
}

/// The calling thread is about to block. If it takes from the queue, another thread replaces it.
pub(super) fn about_to_wait() {
    if !WORKING.try_with(|working| working.replace(false)).unwrap_or(false) {
        return;
    }
    let mut queue = QUEUE.lock();
    queue.working -= 1;
    if queue.jobs.is_empty() {
        return;
    }
    queue.working += 1;
    drop(queue);
    if start_worker().is_err() {
        log::error!(target: "labrt", "no thread for brief tasks: too many tasks");
    }
}
