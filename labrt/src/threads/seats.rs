//! What the tasks of the threads back end wait for, so that a run that hangs can be explained.
//!
//! Every OS thread has a seat. It notes there which task it runs and, around each wait that is not over at once, what it waits for: some
//! tens of nanoseconds beside the microseconds that blocking costs. What does not wait notes nothing.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::Node;
use crate::sim::Place;

/// What a thread waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    /// The lock created there, held by the task with this number when somebody last looked.
    Lock {
        created: Place,
        holder: u64,
    },
    Condvar,
    Receive,
    Send,
    Select,
    Answer,
    Join,
    Sleep,
}

/// A task that runs on a thread.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// Counts from 1 over the whole process.
    pub(super) number: u64,
    pub(super) name: &'static str,
    pub(super) node: Node,
    pub(super) spawned: Place,
    /// The watched run it belongs to: that of the task that spawned it.
    pub(super) run: u64,
}

/// A wait that is going on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) wait: Wait,
    pub(super) at: Place,
    pub(super) since: Duration,
    /// When it ends at the latest.
    pub(super) deadline: Option<Duration>,
}

/// Of one OS thread.
#[derive(Debug, Default)]
pub(super) struct Seat {
    pub(super) now: Mutex<Now>,
    /// Tasks begun and waits begun and ended.
    steps: AtomicU64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Now {
    pub(super) task: Option<Task>,
    pub(super) waiting: Option<Waiting>,
}

/// The seats of all threads that have one.
static SEATS: Mutex<Vec<Arc<Seat>>> = Mutex::new(Vec::new());

static TASKS: AtomicU64 = AtomicU64::new(0);

/// The seat of this thread, taken at the first need and given back at its end.
struct Taken(Arc<Seat>);

impl Drop for Taken {
    fn drop(&mut self) {
        SEATS.lock().retain(|seat| !Arc::ptr_eq(seat, &self.0));
    }
}

thread_local! {
    static SEAT: RefCell<Option<Taken>> = const { RefCell::new(None) };
    static NUMBER: Cell<u64> = const { Cell::new(0) };
    static RUN: Cell<u64> = const { Cell::new(0) };
}

/// The watched run that the calling thread works for; 0 for none.
#[inline]
pub(crate) fn current_run() -> u64 {
    RUN.try_with(Cell::get).unwrap_or(0)
}

/// Works for a watched run until dropped.
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

/// This thread's seat. `None` while the thread ends.
fn seat() -> Option<Arc<Seat>> {
    let seat = SEAT.try_with(|cell| {
        let mut cell = cell.borrow_mut();
        let taken = cell.get_or_insert_with(|| {
            let seat = Arc::new(Seat::default());
            SEATS.lock().push(Arc::clone(&seat));
            Taken(seat)
        });
        Arc::clone(&taken.0)
    });
    seat.ok()
}

/// Number of the task that this thread runs; 0 for a thread that is no task.
#[inline]
pub(crate) fn task_number() -> u64 {
    NUMBER.try_with(Cell::get).unwrap_or(0)
}

/// Notes that this thread runs a task, until dropped.
pub(crate) struct Running {
    seat: Option<Arc<Seat>>,
    _run: Enter,
}

impl Running {
    pub(crate) fn task(name: &'static str, node: &Node, spawned: Place, run: u64) -> Running {
        let number = TASKS.fetch_add(1, Ordering::Relaxed) + 1;
        let seat = seat();
        if let Some(seat) = &seat {
            seat.step();
            seat.now.lock().task = Some(Task { number, name, node: node.clone(), spawned, run });
        }
        let _ = NUMBER.try_with(|cell| cell.set(number));
        Running { seat, _run: Enter::run(run) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = NUMBER.try_with(|cell| cell.set(0));
        if let Some(seat) = &self.seat {
            let task = seat.now.lock().task.take();
            drop(task);
        }
    }
}

/// Notes that this thread waits, until dropped.
pub(crate) struct Blocked(Option<Arc<Seat>>);

impl Blocked {
    pub(crate) fn on(wait: Wait, at: Place, deadline: Option<Duration>) -> Blocked {
        super::brief::about_to_wait();
        let seat = seat();
        if let Some(seat) = &seat {
            seat.step();
            let since = super::now();
            seat.now.lock().waiting = Some(Waiting { wait, at, since, deadline });
        }
        Blocked(seat)
    }

    /// The wait goes on, but what it is for has changed.
    pub(crate) fn still_on(&self, wait: Wait) {
        if let Some(seat) = &self.0
            && let Some(waiting) = &mut seat.now.lock().waiting
        {
            waiting.wait = wait;
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        if let Some(seat) = &self.0 {
            seat.step();
            seat.now.lock().waiting = None;
        }
    }
}

impl Seat {
    fn step(&self) {
        // Only this thread writes.
        self.steps.store(self.steps.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// What every task of a watched run is at, by number of the task; and a number that changes whenever one of them begins or ends a wait.
pub(super) fn survey(run: u64) -> (Vec<(Task, Option<Waiting>)>, u64) {
    let seats: Vec<Arc<Seat>> = SEATS.lock().clone();
    let mut steps = 0_u64;
    let mut tasks = Vec::new();
    for seat in seats {
        let Now { task, waiting } = seat.now.lock().clone();
        if let Some(task) = task
            && task.run == run
        {
            steps =
                steps.wrapping_add(seat.steps.load(Ordering::Relaxed)).wrapping_add(task.number);
            tasks.push((task, waiting));
        }
    }
    tasks.sort_by_key(|(task, _)| task.number);
    (tasks, steps)
}
