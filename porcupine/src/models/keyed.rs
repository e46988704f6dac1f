//! Many objects of one kind, each under a key: what Jepsen calls independent keys.

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::{Model, Outlook, Step};

/// A model for each key, all equal at first. Histories are checked key by key.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keyed<M>(pub M);

/// An operation of one of the objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input<I> {
    pub key: Arc<str>,
    /// What is asked of it.
    pub input: I,
}

impl<M: Model> Model for Keyed<M> {
    type State = M::State;
    type Input = Input<M::Input>;
    type Output = M::Output;

    fn init(&self) -> M::State {
        self.0.init()
    }

    fn step(
        &self,
        state: &M::State,
        input: &Input<M::Input>,
        output: Option<&M::Output>,
    ) -> Step<M::State> {
        self.0.step(state, &input.input, output)
    }

    fn read_only(&self, input: &Input<M::Input>, output: Option<&M::Output>) -> bool {
        self.0.read_only(&input.input, output)
    }

    fn outlook(
        &self,
        state: &M::State,
        input: &Input<M::Input>,
        output: Option<&M::Output>,
    ) -> Outlook {
        self.0.outlook(state, &input.input, output)
    }

    fn independent(&self, one: &Input<M::Input>, other: &Input<M::Input>) -> bool {
        one.key != other.key || self.0.independent(&one.input, &other.input)
    }

    /// The key, and what the model itself splits by.
    fn partition<'a>(&self, input: &'a Input<M::Input>) -> Cow<'a, str> {
        match self.0.partition(&input.input) {
            inner if inner.is_empty() => Cow::Borrowed(&input.key),
            inner if input.key.is_empty() => inner,
            inner => Cow::Owned(format!("{} {inner}", input.key)),
        }
    }

    fn describe_operation(&self, input: &Input<M::Input>, output: Option<&M::Output>) -> String {
        let inner = self.0.describe_operation(&input.input, output);
        if input.key.is_empty() { inner } else { format!("{}: {inner}", input.key) }
    }

    fn describe_state(&self, state: &M::State) -> String {
        self.0.describe_state(state)
    }
}
