//! A queue: first in, first out.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use crate::decide::Partition;
use crate::hash::FoldBuilder;
use crate::model::{Model, Step};
use crate::timeline::NONE;

/// The model. A queue of any length, empty at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue<V = i64>(PhantomData<fn() -> V>);

impl<V> Queue<V> {
    /// The model of an empty queue.
    pub fn new() -> Self {
        Queue(PhantomData)
    }
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<V = i64> {
    /// Put a value at the end.
    Enqueue(V),
    /// Take the first value.
    Dequeue,
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<V = i64> {
    /// The value is in the queue.
    Done,
    /// This was the first value.
    Value(V),
    /// There was none.
    Empty,
}

/// One value: positions of the call and the return of its enqueue and of its dequeue.
struct Value {
    enqueued: (u32, u32),
    dequeued: Option<(u32, u32)>,
}

/// For each position whether, right after it, no value is in the queue for certain. Values that no
/// dequeue gave do not count.
fn free_instants(values: &[Value], positions: u32) -> Vec<bool> {
    let mut changes = vec![0i32; positions as usize + 1];
    for value in values {
        if let Some((call, _)) = value.dequeued
            && value.enqueued.1 < call
        {
            changes[value.enqueued.1 as usize] += 1;
            changes[call as usize] -= 1;
        }
    }
    let mut there = 0;
    let count = |change: &i32| {
        there += change;
        there == 0
    };
    changes.iter().map(count).collect()
}

/// Dequeues that never returned, and the values that are left for them.
///
/// A value may have to be taken by some instant: by its deadline, the first return of a dequeue of a
/// later value, and, if its enqueue had returned, by an instant at which the queue was empty. The
/// dequeues that take the values due by an instant must be called before it, so there must be as
/// many. That is enough: the value that is due first takes the dequeue that was called first, and so
/// on. Of two empty instants the later one asks for more from then on, so each can be looked at alone.
struct Takers {
    /// Deadline ([`NONE`] for none) and return of the enqueue of each value left, in order.
    left: Vec<(u32, u32)>,
    /// The returns of their enqueues, in order.
    enqueued: Vec<u32>,
    /// The calls of the dequeues, in order.
    calls: Vec<u32>,
}

impl Takers {
    fn new(mut left: Vec<(u32, u32)>, mut calls: Vec<u32>) -> Takers {
        left.sort_unstable();
        calls.sort_unstable();
        let mut enqueued: Vec<u32> = left.iter().map(|(_, enqueued)| *enqueued).collect();
        enqueued.sort_unstable();
        Takers { left, enqueued, calls }
    }

    /// Whether there are enough if the queue is empty right after position `empty`.
    fn suffice(&self, empty: Option<u32>) -> bool {
        let called_before = |instant: u32| self.calls.partition_point(|call| *call < instant);
        let mut due = 0;
        if let Some(empty) = empty {
            due = self.enqueued.partition_point(|enqueued| *enqueued <= empty);
            // A deadline before it is that of a value whose enqueue had returned still earlier.
            if due > called_before(empty + 1) {
                return false;
            }
        }
        let deadlines = self.left.iter().take_while(|(deadline, _)| *deadline != NONE);
        // Values that the empty instant asks for are counted already.
        let mut more =
            deadlines.filter(|(_, enqueued)| empty.is_none_or(|empty| *enqueued > empty));
        more.all(|(deadline, _)| {
            due += 1;
            due <= called_before(*deadline)
        })
    }
}

#[expect(clippy::disallowed_types, reason = "its order cannot show: it is never iterated over")]
type ByValue<'a, V> = std::collections::HashMap<&'a V, usize, FoldBuilder>;

impl<V: Clone + Eq + Hash + Debug + Send + Sync> Model for Queue<V> {
    type State = VecDeque<V>;
    type Input = Input<V>;
    type Output = Output<V>;

    fn init(&self) -> VecDeque<V> {
        VecDeque::new()
    }

    fn step(
        &self,
        state: &VecDeque<V>,
        input: &Input<V>,
        output: Option<&Output<V>>,
    ) -> Step<VecDeque<V>> {
        match (input, output) {
            (Input::Enqueue(value), None | Some(Output::Done)) => {
                let mut after = state.clone();
                after.push_back(value.clone());
                Step::To(after)
            }
            (Input::Dequeue, None) if state.is_empty() => Step::Unchanged,
            (Input::Dequeue, Some(Output::Empty)) if state.is_empty() => Step::Unchanged,
            (Input::Dequeue, Some(Output::Value(value))) if state.front() != Some(value) => {
                Step::Illegal
            }
            (Input::Dequeue, None | Some(Output::Value(_))) => {
                let mut after = state.clone();
                after.pop_front();
                Step::To(after)
            }
            _ => Step::Illegal,
        }
    }

    fn read_only(&self, _input: &Input<V>, output: Option<&Output<V>>) -> bool {
        matches!(output, Some(Output::Empty))
    }

    /// Bad patterns (Henzinger, Sezgin and Vafeiadis 2013; Emmi and Enea 2018), for histories in which
    /// all values enqueued differ.
    ///
    /// An order exists if and only if none of these is there:
    ///
    /// 1. a value is dequeued that was not enqueued, or twice, or before its enqueue is called;
    /// 2. value `a` was enqueued before `b`, and `b` dequeued before `a`, or `a` not at all;
    /// 3. a dequeue finds nothing, although at each instant of it some value was in the queue for
    ///    certain: its enqueue had returned and its dequeue was not called.
    ///
    /// An enqueue that never returned is left out unless its value was dequeued. A dequeue that never
    /// returned may have taken any value that no other dequeue gave (`Takers`).
    fn decide(&self, partition: &Partition<'_, Input<V>, Output<V>>) -> Option<bool> {
        let intervals = partition.intervals();
        let mut values: Vec<Value> = Vec::new();
        let mut number = ByValue::default();
        for interval in &intervals {
            let Input::Enqueue(value) = interval.input else { continue };
            if !matches!(interval.output, None | Some(Output::Done))
                || number.insert(value, values.len()).is_some()
            {
                return None;
            }
            values.push(Value { enqueued: (interval.call, interval.end), dequeued: None });
        }
        // Dequeues that found nothing, and the calls of those that never returned.
        let (mut empty, mut unknown) = (Vec::new(), Vec::new());
        for interval in &intervals {
            match (interval.input, interval.output) {
                (Input::Enqueue(_), _) => {}
                (Input::Dequeue, None) => unknown.push(interval.call),
                (Input::Dequeue, Some(Output::Empty)) => empty.push((interval.call, interval.end)),
                (Input::Dequeue, Some(Output::Done)) => return Some(false),
                (Input::Dequeue, Some(Output::Value(value))) => {
                    let Some(number) = number.get(value) else { return Some(false) };
                    let value = &mut values[*number];
                    let dequeued = (interval.call, interval.end);
                    if value.dequeued.replace(dequeued).is_some() || dequeued.1 < value.enqueued.0 {
                        return Some(false);
                    }
                }
            }
        }
        values.retain(|value| value.dequeued.is_some() || value.enqueued.1 != NONE);

        // Rule 2. For each return of an enqueue: the first return of a dequeue among the values whose
        // enqueues were called later.
        let mut calls: Vec<(u32, u32)> = values
            .iter()
            .filter_map(|value| value.dequeued.map(|(_, end)| (value.enqueued.0, end)))
            .collect();
        calls.sort_unstable();
        for at in (1..calls.len()).rev() {
            calls[at - 1].1 = calls[at - 1].1.min(calls[at].1);
        }
        let mut leftover = Vec::new();
        for value in &values {
            let later = calls.partition_point(|(call, _)| *call < value.enqueued.1);
            let deadline = calls.get(later).map_or(NONE, |(_, deadline)| *deadline);
            match value.dequeued {
                Some((call, _)) if call > deadline => return Some(false),
                Some(_) => {}
                None => leftover.push((deadline, value.enqueued.1)),
            }
        }
        let free = free_instants(&values, partition.positions());
        let takers = Takers::new(leftover, unknown);
        if !takers.suffice(None) {
            return Some(false);
        }
        Some(empty.iter().all(|(call, end)| {
            (*call..*end).any(|instant| free[instant as usize] && takers.suffice(Some(instant)))
        }))
    }

    fn state_bytes(&self, state: &VecDeque<V>) -> usize {
        state.capacity() * size_of::<V>()
    }

    fn describe_operation(&self, input: &Input<V>, output: Option<&Output<V>>) -> String {
        match (input, output) {
            (Input::Enqueue(value), Some(_)) => format!("enqueue {value:?}"),
            (Input::Enqueue(value), None) => format!("enqueue {value:?}: no answer"),
            (Input::Dequeue, Some(Output::Value(value))) => format!("dequeue: {value:?}"),
            (Input::Dequeue, Some(Output::Empty | Output::Done)) => "dequeue: empty".into(),
            (Input::Dequeue, None) => "dequeue: no answer".into(),
        }
    }
}
