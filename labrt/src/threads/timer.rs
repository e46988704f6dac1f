//! One thread that calls callbacks when their time has come.

use std::collections::BinaryHeap;
use std::sync::Once;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

type Callback = Box<dyn FnOnce() + Send>;

struct Timer {
    at: Duration,
    order: u64,
    callback: Callback,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Timer) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Timer {}
impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Timer) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Timer {
    /// Reversed: the heap's greatest is due first.
    fn cmp(&self, other: &Timer) -> std::cmp::Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

struct Timers {
    heap: BinaryHeap<Timer>,
    order: u64,
}

static TIMERS: Mutex<Timers> = Mutex::new(Timers { heap: BinaryHeap::new(), order: 0 });
static CHANGED: Condvar = Condvar::new();

/// Calls `callback` after `delay`, on the timer thread; at once, on the calling thread, if there is no delay.
pub(crate) fn after(delay: Duration, callback: Callback) {
    if delay.is_zero() {
        return callback();
    }
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        super::start_os_thread("labrt-timer".into(), run).expect("a thread for the timers");
    });
    let at = super::now() + delay;
    let mut timers = TIMERS.lock();
    let order = timers.order;
    timers.order += 1;
    let first = timers.heap.peek().is_none_or(|timer| at < timer.at);
    timers.heap.push(Timer { at, order, callback });
    drop(timers);
    if first {
        CHANGED.notify_one();
    }
}

fn run() {
    let mut timers = TIMERS.lock();
    loop {
        let Some(next) = timers.heap.peek().map(|timer| timer.at) else {
            CHANGED.wait(&mut timers);
            continue;
        };
        if next > super::now() {
            CHANGED.wait_until(&mut timers, super::instant_at(next));
            continue;
        }
        let timer = timers.heap.pop().expect("the timer just seen");
        parking_lot::MutexGuard::unlocked(&mut timers, || {
            // A panic in a callback must not end the thread that all timers share; the hook has printed it.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(timer.callback));
        });
    }
}
