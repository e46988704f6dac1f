//! A lock that the simulator knows and that is never poisoned.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::line::Line;
use crate::sim::{self, Context, Waiter};
use crate::threads;
use crate::wait::Wait;
use std::panic::Location;

/// A lock around a value.
///
/// A task that is killed or panics releases the lock, without poison. In a simulation, `lock` is a
/// switch point, and a ring of tasks that wait for each other's locks is reported with the lines
/// that created and acquired them.
pub struct Mutex<T: ?Sized> {
    created: Line,
    /// False if `waiters` is empty for certain: the common unlock then needs no second lock.
    contended: AtomicBool,
    /// Simulated tasks that wait.
    waiters: parking_lot::Mutex<Vec<Waiter>>,
    /// Who took it last: twice the number of the simulation; or, on threads, twice the number of
    /// the task and one. 0 if nobody has.
    holder: AtomicU64,
    value: parking_lot::Mutex<T>,
}

/// How often a thread that waits for a lock records who holds it.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

impl<T> Mutex<T> {
    /// An unlocked lock around `value`. The calling line is its name in reports.
    #[track_caller]
    pub const fn new(value: T) -> Mutex<T> {
        Mutex {
            created: Location::caller(),
            contended: AtomicBool::new(false),
            waiters: parking_lot::Mutex::new(Vec::new()),
            holder: AtomicU64::new(0),
            value: parking_lot::Mutex::new(value),
        }
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until the lock is free and takes it.
    ///
    /// Locking again in the same task is a deadlock: reported in a simulation, a hang on threads.
    #[track_caller]
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        match sim::context() {
            Context::Threads => {
                let guard = match self.value.try_lock() {
                    Some(guard) => guard,
                    None => self.lock_on_threads(Location::caller()),
                };
                self.taken(Location::caller());
                MutexGuard { mutex: self, guard: Some(guard) }
            }
            _ => self.lock_simulated(Location::caller()),
        }
    }

    /// Waits for a lock that another thread holds.
    #[cold]
    fn lock_on_threads(&self, at: Line) -> parking_lot::MutexGuard<'_, T> {
        let wait = Wait::Lock { address: self.address(), created: self.created };
        let blocked = threads::Blocked::on(wait, at, None);
        loop {
            let holder = self.holder.load(Ordering::Relaxed);
            match holder % 2 {
                0 => sim::foreign_use(holder / 2, "lock", at),
                _ => blocked.held_by(holder / 2),
            }
            if let Some(guard) = self.value.try_lock_for(LOOK_AGAIN) {
                return guard;
            }
        }
    }

    /// Notes that the calling thread, which runs no simulation, holds the lock: for reports of
    /// hangs. Fails the simulation that the lock belongs to, if there is one.
    #[inline]
    pub(super) fn taken(&self, at: Line) {
        let before = self.holder.load(Ordering::Relaxed);
        self.holder.store(2 * threads::task_number() + 1, Ordering::Relaxed);
        if before != 0 && before & 1 == 0 {
            sim::foreign_use(before / 2, "lock", at);
        }
    }

    /// The same for the simulation of the calling thread.
    #[inline]
    fn taken_simulated(&self, at: Line) {
        let mine = 2 * sim::current_run();
        let before = self.holder.load(Ordering::Relaxed);
        if before != mine {
            self.holder.store(mine, Ordering::Relaxed);
            if before != 0 && before & 1 == 0 {
                sim::foreign_use(before / 2, "lock", at);
            }
        }
        sim::with(|world| world.took_lock(self.address(), self.created, at));
    }

    fn lock_simulated(&self, at: Line) -> MutexGuard<'_, T> {
        sim::lock_point(at);
        MutexGuard { mutex: self, guard: Some(self.acquire(at)) }
    }

    /// Takes the lock in a simulation, waiting as long as it takes.
    pub(super) fn acquire(&self, at: Line) -> parking_lot::MutexGuard<'_, T> {
        loop {
            if let Some(guard) = self.value.try_lock() {
                self.taken_simulated(at);
                return guard;
            }
            if !sim::may_block() {
                // An unwinding task needs a lock that another task holds. It can neither wait nor
                // continue.
                sim::give_up();
            }
            let waiter = sim::with(|world| world.prepare());
            self.waiters.lock().push(waiter);
            self.contended.store(true, Ordering::Relaxed);
            let pass_on = PassOn(self);
            sim::block_on_lock(waiter, self.address(), self.created, at);
            std::mem::forget(pass_on);
        }
    }

    /// Takes the lock if it is free.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let at = Location::caller();
        let simulated = sim::context() != Context::Threads;
        if simulated {
            sim::lock_point(at);
        }
        let guard = self.value.try_lock()?;
        match simulated {
            true => self.taken_simulated(at),
            false => self.taken(at),
        }
        Some(MutexGuard { mutex: self, guard: Some(guard) })
    }

    /// The value. `&mut self` proves that no other task uses the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).cast::<()>() as usize
    }

    /// Records in the simulation that the lock was released, and wakes one task that waits for it.
    #[inline]
    fn released(&self) {
        let contended = self.contended.load(Ordering::Relaxed);
        if !contended {
            sim::with(|world| world.released_lock(self.address()));
            return;
        }
        let mut waiters = self.waiters.lock();
        sim::with(|world| {
            world.released_lock(self.address());
            world.wake_one(&mut waiters);
        });
        self.contended.store(!waiters.is_empty(), Ordering::Relaxed);
    }
}

/// A task that is killed while it waits may just have been woken for the lock. It wakes another
/// task instead.
struct PassOn<'a, T: ?Sized>(&'a Mutex<T>);

impl<T: ?Sized> Drop for PassOn<'_, T> {
    fn drop(&mut self) {
        if !self.0.value.is_locked() {
            sim::with(|world| world.wake_one(&mut self.0.waiters.lock()));
        }
    }
}

impl<T: Default> Default for Mutex<T> {
    #[track_caller]
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value.try_lock() {
            Some(value) => f.debug_tuple("Mutex").field(&&*value).finish(),
            None => f.write_str("Mutex(<locked>)"),
        }
    }
}

/// The right to use the value; dropping it releases the lock.
#[must_use = "the lock is released as soon as the guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    /// `None` only while a condition variable waits with the lock released.
    guard: Option<parking_lot::MutexGuard<'a, T>>,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// Releases the lock for the time of a wait in a simulation.
    pub(super) fn release(&mut self) {
        drop(self.guard.take());
        self.mutex.released();
    }

    /// Acquires the lock again after the wait.
    pub(super) fn reacquire(&mut self, at: Line) {
        self.guard = Some(self.mutex.acquire(at));
    }

    /// Notes that a wait on threads has given the lock back to this task.
    pub(super) fn reacquired(&self, at: Line) {
        self.mutex.taken(at);
    }

    /// The guard that a condition variable of the threads back end waits with.
    pub(super) fn thread_guard(&mut self) -> &mut parking_lot::MutexGuard<'a, T> {
        self.guard.as_mut().expect("a guard outside a wait holds its lock")
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let held = self.guard.take();
        if held.is_some() {
            drop(held);
            if sim::context() != Context::Threads {
                self.mutex.released();
            }
        }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.guard.as_ref().expect("a guard outside a wait holds its lock")
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("a guard outside a wait holds its lock")
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
