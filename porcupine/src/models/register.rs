//! One value that can be read, written, and replaced if it is the expected one.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use crate::model::{Model, Step};

/// The model. A register holds a `V`, or nothing before the first write unless
/// [`Register::starting_at`] gives it a value.
#[derive(Clone, Copy, Debug)]
pub struct Register<V = i64> {
    initial: Option<V>,
}

/// A register of strings.
pub type StringRegister = Register<Arc<str>>;

impl<V> Default for Register<V> {
    fn default() -> Self {
        Register { initial: None }
    }
}

impl<V> Register<V> {
    /// The model of a register that holds nothing.
    pub fn new() -> Self {
        Register::default()
    }

    /// The model of a register that holds `initial` before the first write.
    pub fn starting_at(initial: V) -> Self {
        Register { initial: Some(initial) }
    }
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<V = i64> {
    /// What does it hold?
    Read,
    /// Hold this.
    Write(V),
    /// If it holds the first, hold the second (compare-and-set).
    Cas(V, V),
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<V = i64> {
    /// A read found this, or nothing.
    Value(Option<V>),
    /// A write took effect, or a compare-and-set found what it expected.
    Done,
    /// A compare-and-set found something else and changed nothing.
    Differs,
}

impl<V: Clone + Eq + Hash + Debug + Send + Sync> Model for Register<V> {
    type State = Option<V>;
    type Input = Input<V>;
    type Output = Output<V>;

    fn init(&self) -> Option<V> {
        self.initial.clone()
    }

    fn step(
        &self,
        state: &Option<V>,
        input: &Input<V>,
        output: Option<&Output<V>>,
    ) -> Step<Option<V>> {
        match (input, output) {
            (Input::Read, None) => Step::Unchanged,
            (Input::Read, Some(Output::Value(seen))) if seen == state => Step::Unchanged,
            (Input::Write(new), None | Some(Output::Done)) => move_to(state, new),
            (Input::Cas(old, new), _) => match (state.as_ref() == Some(old), output) {
                (true, None | Some(Output::Done)) => move_to(state, new),
                (false, None | Some(Output::Differs)) => Step::Unchanged,
                _ => Step::Illegal,
            },
            _ => Step::Illegal,
        }
    }

    fn read_only(&self, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        matches!((input, output), (Input::Read, _) | (_, Some(Output::Differs)))
    }

    fn describe_operation(&self, input: &Input<V>, output: Option<&Output<V>>) -> String {
        let call = match input {
            Input::Read => "read".into(),
            Input::Write(value) => format!("write {value:?}"),
            Input::Cas(old, new) => format!("cas {old:?} to {new:?}"),
        };
        match output {
            None => format!("{call}: no answer"),
            Some(Output::Value(Some(value))) => format!("{call}: {value:?}"),
            Some(Output::Value(None)) => format!("{call}: nothing"),
            Some(Output::Done) => format!("{call}: ok"),
            Some(Output::Differs) => format!("{call}: differs"),
        }
    }

    fn describe_state(&self, state: &Option<V>) -> String {
        state.as_ref().map_or("nothing".into(), |value| format!("{value:?}"))
    }
}

fn move_to<V: Clone + PartialEq>(state: &Option<V>, new: &V) -> Step<Option<V>> {
    if state.as_ref() == Some(new) { Step::Unchanged } else { Step::To(Some(new.clone())) }
}
