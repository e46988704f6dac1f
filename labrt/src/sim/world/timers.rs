//! What is due when: the deadlines of waits, and callbacks.

use slab::Slab;

use super::tasks::Waiter;
use crate::timers::Timers as Heap;

pub(crate) type Callback = Box<dyn FnOnce() + Send>;

/// What is due next.
pub(super) enum Due {
    Deadline(Waiter),
    /// A callback and its number.
    Callback(u64, Callback),
}

pub(super) struct Timers {
    /// How many timers there were.
    count: u64,
    /// When waits end at the latest. Most end sooner, so nearly all of these are stale: they are
    /// kept apart, because callbacks would have to find their way among them.
    deadlines: Heap<u64, Waiter>,
    /// When which of `callbacks` is due.
    calls: Heap<u64, usize>,
    callbacks: Slab<Callback>,
}

impl Timers {
    pub(super) fn new() -> Timers {
        Timers { count: 0, deadlines: Heap::new(), calls: Heap::new(), callbacks: Slab::new() }
    }

    /// The number of a new timer: of two that are due at once the older goes first.
    #[inline]
    fn number(&mut self) -> u64 {
        self.count += 1;
        self.count - 1
    }

    /// Adds a deadline. `is_current` says whether the wait of a waiter is still the present one
    /// of its task.
    #[inline]
    pub(super) fn add_deadline(
        &mut self,
        at: u64,
        waiter: Waiter,
        is_current: impl Fn(&Waiter) -> bool,
    ) {
        let order = self.number();
        self.deadlines.add_as(order, at, waiter);
        // A deadline that was not needed stays in the heap; too many are thrown out together.
        if order % 8192 == 8191 && self.deadlines.len() > 1024 {
            self.deadlines.retain(is_current);
        }
    }

    pub(super) fn add_callback(&mut self, at: u64, callback: Callback) {
        let index = self.callbacks.insert(callback);
        let order = self.number();
        self.calls.add_as(order, at, index);
    }

    /// When the next timer is due, and whether it is a deadline.
    #[inline]
    fn next(&self) -> Option<(u64, bool)> {
        let deadline = self.deadlines.first().map(|timer| (timer.at, timer.order));
        let call = self.calls.first().map(|timer| (timer.at, timer.order));
        match (deadline, call) {
            (Some(deadline), Some(call)) if call < deadline => Some((call.0, false)),
            (Some((at, _)), _) => Some((at, true)),
            (None, call) => call.map(|(at, _)| (at, false)),
        }
    }

    /// Takes the next timer if it is due.
    #[inline]
    pub(super) fn take_due(&mut self, now: u64) -> Option<Due> {
        let (at, is_deadline) = self.next()?;
        if at > now {
            return None;
        }
        if is_deadline {
            return Some(Due::Deadline(self.deadlines.take_first()?.target));
        }
        let call = self.calls.take_first()?;
        Some(Due::Callback(call.order, self.callbacks.remove(call.target)))
    }

    /// When the next timer is due that still matters. Deadlines whose wait is over are forgotten.
    pub(super) fn next_due(&mut self, is_waiting: impl Fn(Waiter) -> bool) -> Option<u64> {
        while let Some((at, is_deadline)) = self.next() {
            let stale = is_deadline
                && self.deadlines.first().is_some_and(|timer| !is_waiting(timer.target));
            if !stale {
                return Some(at);
            }
            self.deadlines.take_first();
        }
        None
    }

    /// Ends all timers. Returns the callbacks, which the caller must drop.
    pub(super) fn take_callbacks(&mut self) -> Vec<Callback> {
        self.deadlines.clear();
        self.calls.clear();
        std::mem::take(&mut self.callbacks).into_iter().map(|(_, callback)| callback).collect()
    }
}
