//! Objects that may answer or change in more than one way.
//!
//! The search wants one state after each step. So the state becomes a *set*: everything the object may
//! be in, given what it answered so far (a power set construction). A step takes each member to all
//! states it may lead to; an answer that no member can give is illegal.

use std::borrow::Cow;
use std::fmt::Debug;
use std::hash::Hash;

use crate::model::{Model, Step};

/// A specification with choice. Wrap it in [`PowerSet`] to check histories.
///
/// ```
/// use porcupine::{NondeterministicModel, Operation, Options, PowerSet, Verdict, check_operations};
///
/// /// A register that may lose a write.
/// struct Lossy;
///
/// impl NondeterministicModel for Lossy {
///     type State = i64;
///     type Input = Option<i64>; // write this, or read
///     type Output = i64;
///
///     fn init(&self) -> Vec<i64> {
///         vec![0]
///     }
///
///     fn step(&self, state: &i64, input: &Option<i64>, output: Option<&i64>) -> Vec<i64> {
///         match (input, output) {
///             (Some(new), _) => vec![*state, *new],
///             (None, Some(seen)) if seen != state => vec![],
///             (None, _) => vec![*state],
///         }
///     }
/// }
///
/// let mut history = vec![
///     Operation::new(1, 0, Some(7), 1, 0),
///     Operation::new(1, 2, None, 3, 0), // lost
/// ];
/// let verdict = |history: &[_]| {
///     check_operations(&PowerSet(Lossy), history, &Options::default()).map(|report| report.verdict())
/// };
/// assert_eq!(verdict(&history)?, Verdict::Ok);
/// history.push(Operation::new(1, 4, None, 5, 7)); // not lost after all
/// assert_eq!(verdict(&history)?, Verdict::Illegal);
/// # Ok::<(), porcupine::HistoryError>(())
/// ```
pub trait NondeterministicModel: Sync {
    /// One state the object may be in.
    type State: Clone + Ord + Hash + Debug + Send;
    /// As [`Model::Input`].
    type Input: PartialEq + Debug + Sync;
    /// As [`Model::Output`].
    type Output: PartialEq + Debug + Sync;

    /// The states it may be in at first.
    fn init(&self) -> Vec<Self::State>;

    /// The states it may be in after giving this output in `state`; none if it would not give it.
    /// Order and repetition do not matter. An `output` of `None` stands for any.
    fn step(
        &self,
        state: &Self::State,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Vec<Self::State>;

    /// As [`Model::partition`].
    fn partition<'a>(&self, input: &'a Self::Input) -> Cow<'a, str> {
        let _ = input;
        Cow::Borrowed("")
    }

    /// As [`Model::describe_operation`].
    fn describe_operation(&self, input: &Self::Input, output: Option<&Self::Output>) -> String {
        match output {
            Some(output) => format!("{input:?} -> {output:?}"),
            None => format!("{input:?} -> no answer"),
        }
    }
}

/// The deterministic [`Model`] of a [`NondeterministicModel`]: its states are sorted sets.
///
/// It gives no hints. Even an operation that never changes the object narrows the set down, so when it
/// comes does matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct PowerSet<M>(pub M);

impl<M: NondeterministicModel> Model for PowerSet<M> {
    type State = Vec<M::State>;
    type Input = M::Input;
    type Output = M::Output;

    fn init(&self) -> Vec<M::State> {
        sorted(self.0.init())
    }

    fn step(
        &self,
        states: &Vec<M::State>,
        input: &M::Input,
        output: Option<&M::Output>,
    ) -> Step<Vec<M::State>> {
        let after =
            sorted(states.iter().flat_map(|state| self.0.step(state, input, output)).collect());
        if after.is_empty() {
            Step::Illegal
        } else if after == *states {
            Step::Unchanged
        } else {
            Step::To(after)
        }
    }

    fn partition<'a>(&self, input: &'a M::Input) -> Cow<'a, str> {
        self.0.partition(input)
    }

    fn state_bytes(&self, states: &Vec<M::State>) -> usize {
        states.capacity() * size_of::<M::State>()
    }

    fn describe_operation(&self, input: &M::Input, output: Option<&M::Output>) -> String {
        self.0.describe_operation(input, output)
    }

    fn describe_state(&self, states: &Vec<M::State>) -> String {
        match &**states {
            [only] => format!("{only:?}"),
            states => format!("one of {states:?}"),
        }
    }
}

fn sorted<S: Ord>(mut states: Vec<S>) -> Vec<S> {
    states.sort_unstable();
    states.dedup();
    states
}
