//! A queue: first in, first out.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use crate::model::{Model, Step};

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
