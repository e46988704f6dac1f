//! Several registers, and transactions that read and write some of them at one instant.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use crate::model::{Model, Step};

/// The model. A register holds a `V`, or nothing before the first write unless
/// [`MultiRegister::starting_at`] gives it a value.
#[derive(Clone, Debug)]
pub struct MultiRegister<K = i64, V = i64> {
    initial: BTreeMap<K, V>,
}

impl<K, V> Default for MultiRegister<K, V> {
    fn default() -> Self {
        MultiRegister { initial: BTreeMap::new() }
    }
}

impl<K, V> MultiRegister<K, V> {
    /// Registers that hold nothing.
    pub fn new() -> Self {
        MultiRegister::default()
    }

    /// Registers with these values at first; all others hold nothing.
    pub fn starting_at(initial: BTreeMap<K, V>) -> Self {
        MultiRegister { initial }
    }
}

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access<K = i64, V = i64> {
    /// Answers what a register holds.
    Read(K),
    /// Replaces what a register holds.
    Write(K, V),
}

impl<K, V> Access<K, V> {
    /// The register.
    pub fn key(&self) -> &K {
        match self {
            Access::Read(key) | Access::Write(key, _) => key,
        }
    }
}

/// What a client asks for: all of these, one after the other, at one instant.
pub type Input<K = i64, V = i64> = Vec<Access<K, V>>;

/// What a client was told: for each read of the transaction, what it found.
pub type Output<V = i64> = Vec<Option<V>>;

impl<K, V> Model for MultiRegister<K, V>
where
    K: Clone + Ord + Hash + Debug + Send + Sync,
    V: Clone + Eq + Hash + Debug + Send + Sync,
{
    type State = BTreeMap<K, V>;
    type Input = Input<K, V>;
    type Output = Output<V>;

    fn init(&self) -> BTreeMap<K, V> {
        self.initial.clone()
    }

    fn step(
        &self,
        state: &BTreeMap<K, V>,
        input: &Input<K, V>,
        output: Option<&Output<V>>,
    ) -> Step<BTreeMap<K, V>> {
        // A transaction sees its own writes. Nothing is copied before the answers are known to be
        // right.
        let mut written: BTreeMap<&K, &V> = BTreeMap::new();
        let mut answers = output.map(|output| output.iter());
        for access in input {
            match access {
                Access::Write(key, value) => {
                    written.insert(key, value);
                }
                Access::Read(key) => {
                    let found = written.get(key).copied().or_else(|| state.get(key));
                    if let Some(answers) = &mut answers
                        && answers.next().map(Option::as_ref) != Some(found)
                    {
                        return Step::Illegal;
                    }
                }
            }
        }
        if answers.is_some_and(|mut answers| answers.next().is_some()) {
            return Step::Illegal;
        }
        if written.iter().all(|(key, value)| state.get(*key) == Some(value)) {
            return Step::Unchanged;
        }
        let mut after = state.clone();
        after.extend(written.into_iter().map(|(key, value)| (key.clone(), value.clone())));
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

    fn describe_operation(&self, input: &Input<K, V>, output: Option<&Output<V>>) -> String {
        let mut answers = output.map(|output| output.iter());
        let steps: Vec<String> = input
            .iter()
            .map(|access| match (access, &mut answers) {
                (Access::Write(key, value), _) => format!("write {key:?} {value:?}"),
                (Access::Read(key), None) => format!("read {key:?}"),
                (Access::Read(key), Some(answers)) => match answers.next() {
                    Some(Some(value)) => format!("read {key:?}: {value:?}"),
                    _ => format!("read {key:?}: nothing"),
                },
            })
            .collect();
        let end = if output.is_none() { ": no answer" } else { "" };
        format!("{}{end}", steps.join(", "))
    }
}
