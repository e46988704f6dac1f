//! What is to happen when: a heap that both back ends use, each with its own measure of time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// What is due at a time.
pub(crate) struct Timer<A, T> {
    pub(crate) at: A,
    /// Which one it was, counted from the first: of two that are due at once the older goes first.
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
    /// Reversed: the heap's greatest is due first.
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

    /// Adds one; returns how many there were before it, gone ones included.
    #[inline]
    pub(crate) fn add(&mut self, at: A, target: T) -> u64 {
        let order = self.added;
        self.added += 1;
        self.add_as(order, at, target);
        order
    }

    /// Adds one whose number was given by somebody else, who has several lists of timers.
    #[inline]
    pub(crate) fn add_as(&mut self, order: u64, at: A, target: T) {
        self.heap.push(Timer { at, order, target });
    }

    /// The one that is due first.
    #[inline]
    pub(crate) fn first(&self) -> Option<&Timer<A, T>> {
        self.heap.peek()
    }

    /// Takes the one that is due first.
    #[inline]
    pub(crate) fn take_first(&mut self) -> Option<Timer<A, T>> {
        self.heap.pop()
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Throws out those that `keep` does not want.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.heap.retain(|timer| keep(&timer.target));
    }

    pub(crate) fn clear(&mut self) {
        self.heap.clear();
    }
}
