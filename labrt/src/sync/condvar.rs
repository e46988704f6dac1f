//! Condition variables.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::mutex::MutexGuard;
use crate::line::Line;
use crate::sim::{self, Context, Waiter};
use crate::threads::{self, Blocked};
use crate::time::Instant;
use crate::wait::Wait;
use std::panic::Location;

/// Lets tasks wait, with a lock released, until another task notifies them.
///
/// A wait may end without a notification, so wait in a loop that checks the condition. A
/// notification without a waiter is lost, so change the condition under the lock.
#[derive(Debug, Default)]
pub struct Condvar {
    threads: parking_lot::Condvar,
    /// Simulated tasks that wait.
    waiters: parking_lot::Mutex<Vec<Waiter>>,
    /// The simulation whose task waited last; 0 on threads.
    run: AtomicU64,
}

impl Condvar {
    /// A condition variable without waiters.
    pub const fn new() -> Condvar {
        Condvar {
            threads: parking_lot::Condvar::new(),
            waiters: parking_lot::Mutex::new(Vec::new()),
            run: AtomicU64::new(0),
        }
    }

    /// Releases the lock, waits for a notification, takes the lock again.
    #[track_caller]
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) {
        match sim::context() {
            Context::Threads => {
                let at = Location::caller();
                let blocked = Blocked::on(Wait::Condvar, at, None);
                self.threads.wait(guard.thread_guard());
                drop(blocked);
                guard.reacquired(at);
            }
            _ => {
                self.wait_simulated(guard, None, Location::caller());
            }
        }
    }

    /// The same, at most until `deadline`. Returns `true` if it was reached.
    #[track_caller]
    pub fn wait_until<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> bool {
        match sim::context() {
            Context::Threads => {
                let deadline = Duration::from_nanos(deadline.as_nanos());
                let until = threads::instant_at(deadline);
                let at = Location::caller();
                let blocked = Blocked::on(Wait::Condvar, at, Some(deadline));
                let timed_out = self.threads.wait_until(guard.thread_guard(), until).timed_out();
                drop(blocked);
                guard.reacquired(at);
                timed_out
            }
            _ => self.wait_simulated(guard, Some(deadline.as_nanos()), Location::caller()),
        }
    }

    fn wait_simulated<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        deadline: Option<u64>,
        at: Line,
    ) -> bool {
        if !sim::may_block() {
            return deadline.is_some();
        }
        let waiter = sim::with(|world| world.prepare());
        self.waiters.lock().push(waiter);
        self.run.store(sim::current_run(), Ordering::Relaxed);
        guard.release();
        let timed_out = sim::block(waiter, Wait::Condvar, at, deadline);
        if timed_out {
            self.waiters.lock().retain(|other| *other != waiter);
        }
        guard.reacquire(at);
        timed_out
    }

    /// Fails the run whose tasks wait here if the calling thread does not belong to it.
    #[inline]
    fn check_thread(&self, at: Line) {
        let run = self.run.load(Ordering::Relaxed);
        if run != 0 && run != sim::current_run() {
            sim::foreign_use(run, "condition variable", at);
        }
    }

    /// Wakes one waiting task: any one of them.
    #[track_caller]
    pub fn notify_one(&self) {
        self.check_thread(Location::caller());
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
    #[track_caller]
    pub fn notify_all(&self) {
        self.check_thread(Location::caller());
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
