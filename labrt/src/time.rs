//! The clock of the back end: virtual in a simulation, the system's on threads.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use crate::sim::{self, Context};
use crate::threads;
use crate::wait::Wait;
use std::panic::Location;

/// A moment, in nanoseconds since the start of the simulation (or, on threads, of the process's use
/// of the clock).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The moment this many nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Instant {
        Instant(nanos)
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time since then; zero if it lies ahead.
    pub fn elapsed(self) -> Duration {
        now().duration_since(self)
    }

    /// Time from `earlier` to this moment; zero if `earlier` is the later one.
    pub const fn duration_since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}s", self.0 as f64 / 1e9)
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    /// Saturates after 584 years.
    fn add(self, duration: Duration) -> Instant {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Instant(self.0.saturating_add(nanos))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.duration_since(earlier)
    }
}

/// The present moment.
#[inline]
pub fn now() -> Instant {
    match sim::context() {
        Context::Threads => Instant(u64::try_from(threads::now().as_nanos()).unwrap_or(u64::MAX)),
        _ => Instant(sim::with(|world| world.local_now())),
    }
}

/// Lets at least `duration` pass.
#[track_caller]
pub fn sleep(duration: Duration) {
    match sim::context() {
        Context::Threads => threads::sleep(duration, Location::caller()),
        _ => sleep_until(now() + duration),
    }
}

/// Waits until `deadline`; returns at once if it has passed.
#[track_caller]
pub fn sleep_until(deadline: Instant) {
    if sim::context() == Context::Threads {
        return threads::sleep(deadline - now(), Location::caller());
    }
    let at = Location::caller();
    // A clock that is made slower meanwhile makes it wait again.
    loop {
        if !sim::may_block() {
            return;
        }
        let waiter = sim::with(|world| world.prepare());
        sim::block(waiter, Wait::Sleep, at, Some(deadline.0));
        if now() >= deadline {
            return;
        }
    }
}

/// Calls `callback` after `delay`, outside of any task.
///
/// The callback belongs to no node. It is called even if the node that set it has crashed, as a
/// message in flight arrives after its sender's crash. Use a task for work that must end with its
/// node.
///
/// The callback must not block. It may send on a [`oneshot`](crate::oneshot), notify, spawn, and
/// take locks that are held briefly. Networks and timers are built from callbacks; elsewhere a task
/// that waits is clearer. On threads, a callback without delay is called before this function
/// returns.
pub fn after(delay: Duration, callback: impl FnOnce() + Send + 'static) {
    match sim::context() {
        Context::Threads => threads::after(delay, Box::new(callback)),
        _ => {
            // True virtual time, independent of the clock of the calling node.
            let callback = Box::new(callback);
            sim::with(|world| {
                let at = Instant(world.now()) + delay;
                world.add_callback(at.0, callback);
            });
        }
    }
}
