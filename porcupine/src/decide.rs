//! What a decision procedure gets to see: the operations of one partition as intervals.
//!
//! A search tries orders. For some objects whose values are all different, conditions on pairs of
//! intervals say whether an order exists, in time that hardly grows faster than the history. A model
//! offers such a procedure as [`Model::decide`](crate::Model::decide).

use crate::history::Operation;
use crate::timeline::{NONE, Timeline};

/// One operation of a [`Partition`].
#[derive(Debug)]
pub struct Interval<'a, I, O> {
    /// What was asked.
    pub input: &'a I,
    /// The answer; `None` when the operation never returned.
    pub output: Option<&'a O>,
    /// Position of the call among all calls and returns of the partition.
    pub call: u32,
    /// Position of the return; [`Interval::NEVER`] when there is none.
    pub end: u32,
}

impl<I, O> Interval<'_, I, O> {
    /// The `end` of an operation that never returned: greater than every position.
    pub const NEVER: u32 = u32::MAX;
}

/// The operations of one partition of a history.
///
/// Positions count the calls and returns in the order of time, and no two are equal. Operation `a`
/// must come before operation `b` if, and only if, `a.end < b.call`. An operation that never
/// returned may be left out.
#[derive(Debug)]
pub struct Partition<'a, I, O> {
    history: &'a [Operation<I, O>],
    timeline: &'a Timeline,
    /// Events from this one on have not happened.
    events: usize,
}

impl<'a, I, O> Partition<'a, I, O> {
    /// `None` where positions cannot say which operations must come before which.
    pub(crate) fn new(
        history: &'a [Operation<I, O>],
        timeline: &'a Timeline,
        events: usize,
    ) -> Option<Self> {
        timeline.after.is_empty().then_some(Partition { history, timeline, events })
    }

    /// How many calls and returns there are: every position is below.
    pub fn positions(&self) -> u32 {
        self.events as u32
    }

    /// The inputs, in the order of the calls. Cheaper than [`Partition::intervals`]: enough to see
    /// whether a procedure applies.
    pub fn inputs(&self) -> impl Iterator<Item = &'a I> {
        let history = self.history;
        self.timeline.operations.iter().map(move |at| &history[*at as usize].input)
    }

    /// The operations that were called.
    pub fn intervals(&self) -> Vec<Interval<'a, I, O>> {
        let mut intervals: Vec<Option<Interval<'a, I, O>>> = Vec::new();
        intervals.resize_with(self.timeline.operations.len(), || None);
        for (position, event) in (0..).zip(&self.timeline.events[..self.events]) {
            let operation = event.operation();
            let recorded = &self.history[self.timeline.operations[operation] as usize];
            match &mut intervals[operation] {
                Some(interval) => {
                    interval.end = position;
                    interval.output = recorded.output();
                }
                none => {
                    let input = &recorded.input;
                    *none = Some(Interval { input, output: None, call: position, end: NONE });
                }
            }
        }
        intervals.into_iter().flatten().collect()
    }
}
