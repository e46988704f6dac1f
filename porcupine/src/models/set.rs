//! A set that says whether it changed.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use crate::model::{Model, Step};

/// The model. An empty set at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set<V = i64>(PhantomData<fn() -> V>);

impl<V> Set<V> {
    /// The model of an empty set.
    pub fn new() -> Self {
        Set(PhantomData)
    }
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<V = i64> {
    /// Be in the set.
    Add(V),
    /// Be in it no more.
    Remove(V),
    /// Is it in?
    Contains(V),
    /// Everything that is in.
    Members,
}

impl<V> Input<V> {
    /// The value it is about; `None` if it is about all.
    fn value(&self) -> Option<&V> {
        match self {
            Input::Add(value) | Input::Remove(value) | Input::Contains(value) => Some(value),
            Input::Members => None,
        }
    }
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<V = i64> {
    /// An add or a remove was carried out; the object does not say whether it changed anything.
    Done,
    /// An add or a remove did (`true`) or did not change the set.
    Changed(bool),
    /// Whether the value is in.
    Is(bool),
    /// All values.
    Members(BTreeSet<V>),
}

impl<V: Clone + Ord + Hash + Debug + Send + Sync> Model for Set<V> {
    type State = BTreeSet<V>;
    type Input = Input<V>;
    type Output = Output<V>;

    fn init(&self) -> BTreeSet<V> {
        BTreeSet::new()
    }

    fn step(
        &self,
        state: &BTreeSet<V>,
        input: &Input<V>,
        output: Option<&Output<V>>,
    ) -> Step<BTreeSet<V>> {
        let legal_when = |legal| if legal { Step::Unchanged } else { Step::Illegal };
        let (value, adds) = match (input, output) {
            (Input::Contains(_) | Input::Members, None) => return Step::Unchanged,
            (Input::Contains(value), Some(Output::Is(is))) => {
                return legal_when(state.contains(value) == *is);
            }
            (Input::Members, Some(Output::Members(seen))) => return legal_when(seen == state),
            (Input::Add(value), None | Some(Output::Done | Output::Changed(_))) => (value, true),
            (Input::Remove(value), None | Some(Output::Done | Output::Changed(_))) => {
                (value, false)
            }
            _ => return Step::Illegal,
        };
        let changes = state.contains(value) != adds;
        match output {
            Some(Output::Changed(changed)) if *changed != changes => Step::Illegal,
            _ if !changes => Step::Unchanged,
            _ => {
                let mut after = state.clone();
                if adds {
                    after.insert(value.clone());
                } else {
                    after.remove(value);
                }
                Step::To(after)
            }
        }
    }

    fn independent(&self, one: &Input<V>, other: &Input<V>) -> bool {
        match (one.value(), other.value()) {
            (Some(one), Some(other)) => one != other,
            _ => false,
        }
    }

    fn read_only(&self, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        matches!(input, Input::Contains(_) | Input::Members)
            || matches!(output, Some(Output::Changed(false)))
    }
}
