//! A heap of timers, used by both back ends, each with its own type of time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A timer: a target that is due at a time.
pub(crate) struct Timer<A, T> {
    pub(crate) at: A,
    /// Number of the timer, from 0. Of two timers that are due at the same time the older one fires
    /// first.
    pub(crate) order: u64,
    pub(crate) target: T,
}

impl<A: Ord, T> PartialEq for Timer<A, T> {
    fn eq(&self, other: &Timer<A, T>) -> bool {
        self.cmp(other).is_eq()
    }
}
impl<A: Ord, T> Eq for Timer<A, T> {}
impl<A: Ord, T> PartialOrd for Timer<A, T> {
    fn partial_cmp(&self, other: &Timer<A, T>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<A: Ord, T> Ord for Timer<A, T> {
    /// Reversed, because the heap returns the greatest timer first.
    fn cmp(&self, other: &Timer<A, T>) -> Ordering {
        other.at.cmp(&self.at).then(other.order.cmp(&self.order))
    }
}

/// All timers of a back end.
pub(crate) struct Timers<A, T> {
    heap: BinaryHeap<Timer<A, T>>,
    added: u64,
}

impl<A: Ord, T> Timers<A, T> {
    pub(crate) const fn new() -> Timers<A, T> {
        Timers { heap: BinaryHeap::new(), added: 0 }
    }

    /// Adds a timer and returns its number.
    #[inline]
    pub(crate) fn add(&mut self, at: A, target: T) -> u64 {
        let order = self.added;
        self.added += 1;
        self.add_as(order, at, target);
        order
    }

    /// Adds a timer with a number that the caller assigned: it has several heaps of timers.
    #[inline]
    pub(crate) fn add_as(&mut self, order: u64, at: A, target: T) {
        self.heap.push(Timer { at, order, target });
    }

    /// The timer that is due first.
    #[inline]
    pub(crate) fn first(&self) -> Option<&Timer<A, T>> {
        self.heap.peek()
    }

    /// Removes and returns the timer that is due first.
    #[inline]
    pub(crate) fn take_first(&mut self) -> Option<Timer<A, T>> {
        self.heap.pop()
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Removes the timers for which `keep` returns false.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.heap.retain(|timer| keep(&timer.target));
    }

    pub(crate) fn clear(&mut self) {
        self.heap.clear();
    }
}
