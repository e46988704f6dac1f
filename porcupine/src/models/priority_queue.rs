//! A queue that gives out its smallest value first.
//!
//! For the largest first, use [`std::cmp::Reverse`] values.

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use crate::model::{Model, Step};

/// The model. Empty at first. Equal values count as often as they were inserted.
#[derive(Clone, Copy, Debug, Default)]
pub struct PriorityQueue<V = i64>(PhantomData<fn() -> V>);

impl<V> PriorityQueue<V> {
    /// The model of an empty queue.
    pub fn new() -> Self {
        PriorityQueue(PhantomData)
    }
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<V = i64> {
    /// Puts a value in.
    Insert(V),
    /// Takes the smallest value out.
    RemoveMin,
    /// Answers the smallest value.
    Min,
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<V = i64> {
    /// The value is in.
    Done,
    /// The smallest value.
    Value(V),
    /// There was none.
    Empty,
}

impl<V: Clone + Ord + Hash + Debug + Send + Sync> Model for PriorityQueue<V> {
    /// Sorted.
    type State = Vec<V>;
    type Input = Input<V>;
    type Output = Output<V>;

    fn init(&self) -> Vec<V> {
        Vec::new()
    }

    fn step(&self, state: &Vec<V>, input: &Input<V>, output: Option<&Output<V>>) -> Step<Vec<V>> {
        match (input, output) {
            (Input::Insert(value), None | Some(Output::Done)) => {
                let at = state.partition_point(|other| other <= value);
                let mut after = Vec::with_capacity(state.len() + 1);
                after.extend_from_slice(&state[..at]);
                after.push(value.clone());
                after.extend_from_slice(&state[at..]);
                return Step::To(after);
            }
            (Input::RemoveMin | Input::Min, None) => {}
            (Input::RemoveMin | Input::Min, Some(Output::Empty)) if state.is_empty() => {}
            (Input::RemoveMin | Input::Min, Some(Output::Value(value)))
                if state.first() == Some(value) => {}
            _ => return Step::Illegal,
        }
        if *input == Input::RemoveMin && !state.is_empty() {
            Step::To(state[1..].to_vec())
        } else {
            Step::Unchanged
        }
    }

    fn read_only(&self, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        matches!(input, Input::Min) || matches!(output, Some(Output::Empty))
    }

    fn independent(&self, one: &Input<V>, other: &Input<V>) -> bool {
        matches!((one, other), (Input::Insert(_), Input::Insert(_)) | (Input::Min, Input::Min))
    }

    fn describe_operation(&self, input: &Input<V>, output: Option<&Output<V>>) -> String {
        let call = match input {
            Input::Insert(value) => format!("insert {value:?}"),
            Input::RemoveMin => "remove smallest".into(),
            Input::Min => "smallest".into(),
        };
        match output {
            None => format!("{call}: no answer"),
            Some(Output::Done) => format!("{call}: ok"),
            Some(Output::Value(value)) => format!("{call}: {value:?}"),
            Some(Output::Empty) => format!("{call}: empty"),
        }
    }
}
