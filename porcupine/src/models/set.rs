//! A set that says whether it changed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use crate::decide::{Interval, Partition};
use crate::history::Operation;
use crate::model::{Model, Step};

/// The model. An empty set at first.
///
/// A history in which nobody asks for all members is split by value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set<V = i64> {
    by_value: bool,
    values: PhantomData<fn() -> V>,
}

impl<V> Set<V> {
    /// The model of an empty set.
    pub fn new() -> Self {
        Set { by_value: false, values: PhantomData }
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

/// What is known about the first add of one value. Positions of calls and returns.
#[derive(Clone, Copy)]
struct Adding {
    /// It happens after this position.
    from: u32,
    /// And before this one.
    until: u32,
    /// One of the adds says that it was the first.
    claimed: bool,
    /// The instant that was chosen.
    at: Option<u32>,
}

/// [`Set::decide`] without removes.
fn decide_growing<V: Ord>(intervals: &[Interval<'_, Input<V>, Output<V>>]) -> Option<bool> {
    const NEVER: u32 = u32::MAX;
    let mut adding: BTreeMap<&V, Adding> = BTreeMap::new();
    for interval in intervals {
        let Input::Add(value) = interval.input else { continue };
        let claims = match interval.output {
            None | Some(Output::Done) => false,
            Some(Output::Changed(true)) => true,
            Some(Output::Changed(false)) => continue,
            Some(_) => return Some(false),
        };
        let new = Adding { from: NEVER, until: NEVER, claimed: false, at: None };
        let first = adding.entry(value).or_insert(new);
        if claims && first.claimed {
            return Some(false);
        }
        // The first add returns no later than any other, and is called no earlier than the one that
        // says it was the first.
        first.until = first.until.min(interval.end);
        if claims {
            first.from = interval.call;
        } else if !first.claimed {
            first.from = first.from.min(interval.call);
        }
        first.claimed |= claims;
    }
    // What shows one value, or that it is missing.
    let mut shows: Vec<(&V, u32, u32)> = Vec::new();
    let mut seen: Vec<(&BTreeSet<V>, u32, u32)> = Vec::new();
    for interval in intervals {
        let (call, end) = (interval.call, interval.end);
        match (interval.input, interval.output) {
            (Input::Add(value), Some(Output::Changed(false)))
            | (Input::Contains(value), Some(Output::Is(true))) => shows.push((value, call, end)),
            // Another add than the first one comes after it.
            (Input::Add(value), Some(Output::Done))
                if adding.get(value).is_some_and(|first| first.claimed) =>
            {
                shows.push((value, call, end));
            }
            (Input::Contains(value), Some(Output::Is(false))) => {
                if let Some(first) = adding.get_mut(value) {
                    first.from = first.from.max(call);
                }
            }
            (Input::Members, Some(Output::Members(members))) => seen.push((members, call, end)),
            (Input::Contains(_) | Input::Members, Some(_)) => return Some(false),
            _ => {}
        }
    }
    seen.sort_by_key(|(members, ..)| members.len());
    if seen.windows(2).any(|pair| !pair[0].0.is_subset(pair[1].0)) {
        return Some(false);
    }
    // The latest instants of the reads of smaller sets, and of the adds of what is in this one.
    let (mut reads, mut adds) = (0, 0);
    let empty = BTreeSet::new();
    let mut smaller: &BTreeSet<V> = &empty;
    for same in seen.chunk_by(|a, b| a.0.len() == b.0.len()) {
        for value in same[0].0.difference(smaller) {
            let Some(first) = adding.get_mut(value) else { return Some(false) };
            let at = first.from.max(reads);
            if at >= first.until {
                return Some(false);
            }
            first.at = Some(at);
            adds = adds.max(at);
        }
        let mut latest = reads;
        for (_, call, end) in same {
            let at = (*call).max(adds);
            if at >= *end {
                return Some(false);
            }
            latest = latest.max(at);
        }
        reads = latest;
        smaller = same[0].0;
    }
    for first in adding.values_mut().filter(|first| first.at.is_none()) {
        let at = first.from.max(reads);
        if at < first.until {
            first.at = Some(at);
        } else {
            return Some(false);
        }
    }
    let shown = |(value, call, end): &(&V, u32, u32)| {
        let at = adding.get(*value).and_then(|first| first.at);
        at.is_some_and(|at| at.max(*call) < *end)
    };
    Some(shows.iter().all(shown))
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

    fn informed(&self, history: &[Operation<Input<V>, Output<V>>]) -> Option<Self> {
        let by_value = history.iter().all(|operation| operation.input.value().is_some());
        by_value.then_some(Set { by_value, values: PhantomData })
    }

    fn partition<'a>(&self, input: &'a Input<V>) -> Cow<'a, str> {
        match input.value() {
            Some(value) if self.by_value => Cow::Owned(format!("{value:?}")),
            _ => Cow::Borrowed(""),
        }
    }

    /// Points in time, for histories without removes.
    ///
    /// A value that was added stays in. So an order exists if and only if each operation can have an
    /// instant in its interval such that a value's first add comes before everything that shows the
    /// value, and after everything that shows that it is missing. The sets that were seen must
    /// contain one another; in the order of their sizes, each operation takes the earliest instant
    /// that those before it allow.
    fn decide(&self, partition: &Partition<'_, Input<V>, Output<V>>) -> Option<bool> {
        if !partition.inputs().any(|input| matches!(input, Input::Members))
            || partition.inputs().any(|input| matches!(input, Input::Remove(_)))
        {
            return None;
        }
        decide_growing(&partition.intervals())
    }

    fn independent(&self, one: &Input<V>, other: &Input<V>) -> bool {
        match (one.value(), other.value()) {
            (Some(one), Some(other)) => one != other,
            _ => false,
        }
    }

    fn state_bytes(&self, state: &BTreeSet<V>) -> usize {
        state.len() * (size_of::<V>() + size_of::<usize>())
    }

    fn read_only(&self, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        matches!(input, Input::Contains(_) | Input::Members)
            || matches!(output, Some(Output::Changed(false)))
    }
}
