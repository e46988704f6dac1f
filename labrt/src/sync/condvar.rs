//! Condition variables.

use std::panic::Location;
use std::time::Duration;

use super::mutex::MutexGuard;
use crate::sim::{self, Context, Wait, Waiter};
use crate::threads::{self, Blocked};
use crate::time::{Instant, now};

/// Lets tasks wait, with a lock released, until another task notifies them.
///
/// As everywhere: a wait may end without a notification, so wait in a loop that looks at the condition; and a notification that
/// nobody waits for is lost, so change the condition under the lock.
#[derive(Debug, Default)]
pub struct Condvar {
    threads: parking_lot::Condvar,
    /// Simulated tasks that wait.
    waiters: parking_lot::Mutex<Vec<Waiter>>,
}

impl Condvar {
    /// A condition variable nobody waits for.
    pub const fn new() -> Condvar {
        Condvar {
            threads: parking_lot::Condvar::new(),
            waiters: parking_lot::Mutex::new(Vec::new()),
        }
    }

    /// Releases the lock, waits for a notification, takes the lock again.
    #[track_caller]
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) {
        match sim::context() {
            Context::Threads => {
                let blocked = Blocked::on(threads::Wait::Condvar, Location::caller(), None);
                self.threads.wait(guard.thread_guard());
                drop(blocked);
                guard.reacquired();
            }
            _ => {
                self.wait_simulated(guard, None, Location::caller());
            }
        }
    }

    /// The same, for at most `timeout`. Returns `true` if the time was up.
    #[track_caller]
    pub fn wait_timeout<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        timeout: Duration,
    ) -> bool {
        self.wait_until(guard, now() + timeout)
    }

    /// The same, until `deadline`. Returns `true` if it was reached.
    #[track_caller]
    pub fn wait_until<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> bool {
        match sim::context() {
            Context::Threads => {
                let deadline = Duration::from_nanos(deadline.as_nanos());
                let until = threads::instant_at(deadline);
                let at = Location::caller();
                let blocked = Blocked::on(threads::Wait::Condvar, at, Some(deadline));
                let timed_out = self.threads.wait_until(guard.thread_guard(), until).timed_out();
                drop(blocked);
                guard.reacquired();
                timed_out
            }
            _ => self.wait_simulated(guard, Some(deadline.as_nanos()), Location::caller()),
        }
    }

    fn wait_simulated<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        deadline: Option<u64>,
        at: sim::Place,
    ) -> bool {
        if !sim::may_block() {
            return deadline.is_some();
        }
        let waiter = sim::with(|world| world.prepare());
        self.waiters.lock().push(waiter);
        guard.release();
        let timed_out = sim::block(waiter, Wait::Condvar, at, deadline);
        if timed_out {
            self.waiters.lock().retain(|other| *other != waiter);
        }
        guard.reacquire(at);
        timed_out
    }

    /// Wakes one waiting task: any one of them.
    pub fn notify_one(&self) {
        if sim::context() == Context::Threads {
            self.threads.notify_one();
        } else {
            let mut waiters = self.waiters.lock();
            if !waiters.is_empty() {
                sim::with(|world| world.wake_one(&mut waiters));
            }
        }
    }

    /// Wakes all waiting tasks.
    pub fn notify_all(&self) {
        if sim::context() == Context::Threads {
            self.threads.notify_all();
        } else {
            let mut waiters = self.waiters.lock();
            if !waiters.is_empty() {
                sim::with(|world| world.wake_all(&mut waiters));
            }
        }
    }
}
