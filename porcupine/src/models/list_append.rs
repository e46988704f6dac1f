//! Lists, and transactions that extend and read some of them at one instant.
//!
//! The object of Jepsen's list-append workload. Checked for linearizability its transactions must
//! be strictly serializable.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::model::{Model, Step};

/// The model. All lists are empty at first.
#[derive(Clone, Copy, Debug)]
pub struct ListAppend<K = i64, V = i64> {
    by_key: bool,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Default for ListAppend<K, V> {
    fn default() -> Self {
        ListAppend { by_key: false, types: PhantomData }
    }
}

impl<K, V> ListAppend<K, V> {
    /// The model.
    pub fn new() -> Self {
        ListAppend::default()
    }

    /// The model for histories in which every transaction works on one list only: these are checked
    /// list by list. A transaction on several lists belongs to the partition of its first.
    ///
    /// Use it only where that holds: with a transaction on two lists the verdict would be wrong.
    pub fn one_list_each() -> Self {
        ListAppend { by_key: true, types: PhantomData }
    }
}

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access<K = i64, V = i64> {
    /// Answers a list.
    Read(K),
    /// Adds a value at the end of a list.
    Append(K, V),
}

impl<K, V> Access<K, V> {
    /// The list.
    pub fn key(&self) -> &K {
        match self {
            Access::Read(key) | Access::Append(key, _) => key,
        }
    }
}

/// What a client asks for: all of these, one after the other, at one instant.
pub type Input<K = i64, V = i64> = Vec<Access<K, V>>;

/// What a client was told: for each read of the transaction, the list it found.
pub type Output<V = i64> = Vec<Vec<V>>;

/// The lists that are not empty.
pub type State<K = i64, V = i64> = BTreeMap<K, Arc<Vec<V>>>;

impl<K, V> Model for ListAppend<K, V>
where
    K: Clone + Ord + Hash + Debug + Send + Sync,
    V: Clone + Eq + Hash + Debug + Send + Sync,
{
    type State = State<K, V>;
    type Input = Input<K, V>;
    type Output = Output<V>;

    fn init(&self) -> State<K, V> {
        BTreeMap::new()
    }

    fn step(
        &self,
        state: &State<K, V>,
        input: &Input<K, V>,
        output: Option<&Output<V>>,
    ) -> Step<State<K, V>> {
        // A transaction sees its own appends. Nothing is copied before the answers are known to be
        // right.
        let mut added: BTreeMap<&K, Vec<&V>> = BTreeMap::new();
        let mut answers = output.map(|output| output.iter());
        for access in input {
            match access {
                Access::Append(key, value) => added.entry(key).or_default().push(value),
                Access::Read(key) => {
                    let Some(answers) = &mut answers else { continue };
                    let Some(seen) = answers.next() else { return Step::Illegal };
                    let before = state.get(key).map_or(&[][..], |list| list);
                    let own = added.get(key).map_or(&[][..], |list| list);
                    let right = seen.len() == before.len() + own.len()
                        && seen.starts_with(before)
                        && seen[before.len()..].iter().eq(own.iter().copied());
                    if !right {
                        return Step::Illegal;
                    }
                }
            }
        }
        if answers.is_some_and(|mut answers| answers.next().is_some()) {
            return Step::Illegal;
        }
        if added.is_empty() {
            return Step::Unchanged;
        }
        let mut after = state.clone();
        for (key, values) in added {
            let list = after.entry(key.clone()).or_default();
            Arc::make_mut(list).extend(values.into_iter().cloned());
        }
        Step::To(after)
    }

    fn read_only(&self, input: &Input<K, V>, _output: Option<&Output<V>>) -> bool {
        input.iter().all(|access| matches!(access, Access::Read(_)))
    }

    fn independent(&self, one: &Input<K, V>, other: &Input<K, V>) -> bool {
        let clash = |a: &Access<K, V>, b: &Access<K, V>| {
            let reads = matches!((a, b), (Access::Read(_), Access::Read(_)));
            a.key() == b.key() && !reads
        };
        !one.iter().any(|a| other.iter().any(|b| clash(a, b)))
    }

    fn partition<'a>(&self, input: &'a Input<K, V>) -> Cow<'a, str> {
        match input.first() {
            Some(access) if self.by_key => Cow::Owned(format!("{:?}", access.key())),
            _ => Cow::Borrowed(""),
        }
    }

    fn describe_operation(&self, input: &Input<K, V>, output: Option<&Output<V>>) -> String {
        let mut answers = output.map(|output| output.iter());
        let steps: Vec<String> = input
            .iter()
            .map(|access| match (access, &mut answers) {
                (Access::Append(key, value), _) => format!("append {value:?} to {key:?}"),
                (Access::Read(key), None) => format!("read {key:?}"),
                (Access::Read(key), Some(answers)) => match answers.next() {
                    Some(list) => format!("read {key:?}: {list:?}"),
                    None => format!("read {key:?}: nothing"),
                },
            })
            .collect();
        let end = if output.is_none() { ": no answer" } else { "" };
        format!("{}{end}", steps.join(", "))
    }
}
