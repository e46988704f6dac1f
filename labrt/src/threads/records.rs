//! Records of what each task of the threads back end waits for: the report of a hang shows them.
//!
//! Every OS thread has a record with its task and, while the task blocks, what it waits for.
//! Writing the record costs some tens of nanoseconds; blocking costs microseconds. A call that does
//! not block writes nothing.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::line::Line;
use crate::wait::Wait;

/// A task that runs on a thread.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// Number of the task in this process, from 1.
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    /// Name of its node.
    pub(crate) node: Arc<str>,
    pub(crate) spawned: Line,
    /// The watched run it belongs to: that of the task that spawned it.
    pub(crate) run: u64,
}

/// A wait that has not ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) wait: Wait,
    /// For a lock: number of the task that held it at the last look; 0 if it is not known.
    pub(crate) holder: u64,
    pub(crate) at: Line,
    pub(crate) since: Duration,
    /// When it ends at the latest.
    pub(crate) deadline: Option<Duration>,
}

/// The record of one OS thread.
#[derive(Debug, Default)]
pub(super) struct ThreadRecord {
    pub(super) now: Mutex<Now>,
    /// Tasks begun and waits begun and ended.
    steps: AtomicU64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Now {
    pub(super) task: Option<Task>,
    pub(super) waiting: Option<Waiting>,
}

/// The records of all threads that have one.
static RECORDS: Mutex<Vec<Arc<ThreadRecord>>> = Mutex::new(Vec::new());

static TASKS: AtomicU64 = AtomicU64::new(0);

/// The record of this thread, made at the first need and removed at the thread's end.
struct Own(Arc<ThreadRecord>);

impl Drop for Own {
    fn drop(&mut self) {
        RECORDS.lock().retain(|record| !Arc::ptr_eq(record, &self.0));
    }
}

thread_local! {
    static RECORD: RefCell<Option<Own>> = const { RefCell::new(None) };
    static NUMBER: Cell<u64> = const { Cell::new(0) };
    static RUN: Cell<u64> = const { Cell::new(0) };
}

/// The watched run that the calling thread works for; 0 for none.
#[inline]
pub(crate) fn current_run() -> u64 {
    RUN.try_with(Cell::get).unwrap_or(0)
}

/// Assigns the calling thread to a watched run until dropped.
pub(crate) struct Enter(u64);

impl Enter {
    pub(crate) fn run(run: u64) -> Enter {
        Enter(RUN.try_with(|cell| cell.replace(run)).unwrap_or(0))
    }
}

impl Drop for Enter {
    fn drop(&mut self) {
        let _ = RUN.try_with(|cell| cell.set(self.0));
    }
}

/// This thread's record. `None` while the thread ends.
fn record() -> Option<Arc<ThreadRecord>> {
    let record = RECORD.try_with(|cell| {
        let mut cell = cell.borrow_mut();
        let own = cell.get_or_insert_with(|| {
            let record = Arc::new(ThreadRecord::default());
            RECORDS.lock().push(Arc::clone(&record));
            Own(record)
        });
        Arc::clone(&own.0)
    });
    record.ok()
}

/// Number of the task that this thread runs; 0 for a thread that is no task.
#[inline]
pub(crate) fn task_number() -> u64 {
    NUMBER.try_with(Cell::get).unwrap_or(0)
}

/// Notes that this thread runs a task, until dropped.
pub(crate) struct Running {
    record: Option<Arc<ThreadRecord>>,
    _run: Enter,
}

impl Running {
    pub(crate) fn task(name: &'static str, node: Arc<str>, spawned: Line, run: u64) -> Running {
        let number = TASKS.fetch_add(1, Ordering::Relaxed) + 1;
        let record = record();
        if let Some(record) = &record {
            record.step();
            record.now.lock().task = Some(Task { number, name, node, spawned, run });
        }
        let _ = NUMBER.try_with(|cell| cell.set(number));
        Running { record, _run: Enter::run(run) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = NUMBER.try_with(|cell| cell.set(0));
        if let Some(record) = &self.record {
            let task = record.now.lock().task.take();
            drop(task);
        }
    }
}

/// Notes that this thread waits, until dropped.
pub(crate) struct Blocked(Option<Arc<ThreadRecord>>);

impl Blocked {
    pub(crate) fn on(wait: Wait, at: Line, deadline: Option<Duration>) -> Blocked {
        super::brief::about_to_wait();
        let record = record();
        if let Some(record) = &record {
            record.step();
            let since = super::now();
            record.now.lock().waiting = Some(Waiting { wait, holder: 0, at, since, deadline });
        }
        Blocked(record)
    }

    /// Notes the number of the task that holds the lock this thread waits for.
    pub(crate) fn held_by(&self, holder: u64) {
        if let Some(record) = &self.0
            && let Some(waiting) = &mut record.now.lock().waiting
        {
            waiting.holder = holder;
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        if let Some(record) = &self.0 {
            record.step();
            record.now.lock().waiting = None;
        }
    }
}

impl ThreadRecord {
    fn step(&self) {
        // Only this thread writes.
        self.steps.store(self.steps.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// The tasks of a watched run with their waits, by number of the task; and a number that changes
/// whenever one of them begins or ends a wait.
pub(crate) fn survey(run: u64) -> (Vec<(Task, Option<Waiting>)>, u64) {
    let records: Vec<Arc<ThreadRecord>> = RECORDS.lock().clone();
    let mut steps = 0_u64;
    let mut tasks = Vec::new();
    for record in records {
        let Now { task, waiting } = record.now.lock().clone();
        if let Some(task) = task
            && task.run == run
        {
            steps =
                steps.wrapping_add(record.steps.load(Ordering::Relaxed)).wrapping_add(task.number);
            tasks.push((task, waiting));
        }
    }
    tasks.sort_by_key(|(task, _)| task.number);
    (tasks, steps)
}
