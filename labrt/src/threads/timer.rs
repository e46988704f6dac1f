//! The thread that runs timer callbacks.

use std::sync::Once;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::sink::Inherited;
use crate::timers::Timers;

type Callback = Box<dyn FnOnce() + Send>;

/// Each timer with the watched run that set it and the event sinks of that run.
static TIMERS: Mutex<Timers<Duration, (u64, Inherited, Callback)>> = Mutex::new(Timers::new());
static CHANGED: Condvar = Condvar::new();

/// Calls `callback` after `delay`, on the timer thread; at once, on the calling thread, if there is
/// no delay.
pub(crate) fn after(delay: Duration, callback: Callback) {
    if delay.is_zero() {
        return callback();
    }
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        super::start_os_thread("labrt-timer".into(), run).expect("a thread for the timers");
    });
    let at = super::now().saturating_add(delay);
    let mut timers = TIMERS.lock();
    let first = timers.first().is_none_or(|timer| at < timer.at);
    timers.add(at, (super::current_run(), Inherited::capture(), callback));
    drop(timers);
    if first {
        CHANGED.notify_one();
    }
}

fn run() {
    let mut timers = TIMERS.lock();
    loop {
        let Some(next) = timers.first().map(|timer| timer.at) else {
            CHANGED.wait(&mut timers);
            continue;
        };
        if next > super::now() {
            CHANGED.wait_until(&mut timers, super::instant_at(next));
            continue;
        }
        let timer = timers.take_first().expect("the timer just seen");
        parking_lot::MutexGuard::unlocked(&mut timers, || {
            let (run, inherited, callback) = timer.target;
            let _enter = super::Enter::run(run);
            let _listening = inherited.enter();
            // A panic in a callback must not end the thread that all timers share; the hook has
            // printed it.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(callback));
        });
    }
}
