//! What a correct object does, one operation at a time.

use std::borrow::Cow;
use std::fmt::Debug;
use std::hash::Hash;

use crate::decide::Partition;
use crate::history::Operation;

/// A sequential specification: what the object answers when nobody else is using it.
///
/// Only [`init`](Model::init) and [`step`](Model::step) are required. The rest tells the search what
/// it may skip, and people what they see. A model that gives no hints is checked correctly, only
/// slower. A hint that [`step`](Model::step) contradicts is an error
/// ([`HistoryError::WrongHint`](crate::HistoryError::WrongHint)) where the search notices it, and
/// with debug assertions wherever the search relies on it.
///
/// # Example
///
/// A counter whose `add` answers nothing and whose `read` answers the sum.
///
/// ```
/// use porcupine::{Model, Operation, Options, Step, Verdict, check_operations};
///
/// #[derive(Debug, PartialEq)]
/// enum Call {
///     Add(i64),
///     Read,
/// }
///
/// struct Counter;
///
/// impl Model for Counter {
///     type State = i64;
///     type Input = Call;
///     type Output = i64; // what a read gave; ignored for an add
///
///     fn init(&self) -> i64 {
///         0
///     }
///
///     fn step(&self, sum: &i64, input: &Call, output: Option<&i64>) -> Step<i64> {
///         match (input, output) {
///             (Call::Add(n), _) => Step::To(sum + n),
///             (Call::Read, Some(seen)) if seen != sum => Step::Illegal,
///             (Call::Read, _) => Step::Unchanged,
///         }
///     }
///
///     fn read_only(&self, input: &Call, _output: Option<&i64>) -> bool {
///         matches!(input, Call::Read)
///     }
/// }
///
/// let history = [
///     Operation::new(1, 0, Call::Add(5), 10, 0),
///     Operation::new(2, 5, Call::Read, 15, 0), // may come before the add: they overlap
///     Operation::new(2, 20, Call::Read, 25, 5), // must come after it
/// ];
/// let report = check_operations(&Counter, &history, &Options::default())?;
/// assert_eq!(report.verdict(), Verdict::Ok);
/// # Ok::<(), porcupine::HistoryError>(())
/// ```
pub trait Model: Sync {
    /// Everything that later answers depend on. Equal states must answer alike.
    type State: Clone + Eq + Hash + Debug + Send;
    /// What a caller asks for. Two operations with equal input and equal output are treated as
    /// interchangeable.
    type Input: PartialEq + Debug + Sync;
    /// What the caller was told.
    type Output: PartialEq + Debug + Sync;

    /// The state before the first operation.
    fn init(&self) -> Self::State;

    /// Carries out one operation in `state`.
    ///
    /// Says [`Step::Illegal`] when the object would not have given this `output`. An `output` of
    /// `None` belongs to a call that never returned: every answer is fine, only the effect counts.
    ///
    /// Must be a function of its arguments alone.
    fn step(
        &self,
        state: &Self::State,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Step<Self::State>;

    /// Whether this operation, with this answer, leaves *every* state unchanged in which it is legal.
    ///
    /// Such an operation is linearized as soon as it is legal, without trying later places. No
    /// solution is lost: take one that has it later, and move it to where it is legal now. It was
    /// called already, so real time allows it; it changes nothing, so the operations it jumps over
    /// see the states they saw before.
    ///
    /// A put whose effect is unknown (`ErrMaybe`) does **not** qualify, even where it would change
    /// nothing now: in a later state it may be the one that took effect. For such operations there is
    /// [`outlook`](Model::outlook).
    fn read_only(&self, input: &Self::Input, output: Option<&Self::Output>) -> bool {
        let _ = (input, output);
        false
    }

    /// What the search can know about an open operation from `state` on, without carrying it out.
    ///
    /// The default knows nothing ([`Outlook::Unsure`]), which is always correct. Each other answer is
    /// a promise; the search relies on it.
    fn outlook(
        &self,
        state: &Self::State,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Outlook {
        let _ = (state, input, output);
        Outlook::Unsure
    }

    /// Whether two operations never care which of them comes first: in every state either order is
    /// legal or neither, with these or any other answers, and both lead to the same state.
    ///
    /// Before an operation returns, only those need be ordered that it depends on, directly or through
    /// others; the rest can wait. Worth saying where [`partition`](Model::partition) cannot be used
    /// because some operations look at everything. The default says that all depend on each other.
    fn independent(&self, one: &Self::Input, other: &Self::Input) -> bool {
        let _ = (one, other);
        false
    }

    /// This model, knowing what the answers in a history give away.
    ///
    /// Called once before a history is split and searched. The result may call steps illegal that [`step`](Model::step) allows,
    /// if no linearization *of this history* can contain them, or none needs them (an operation that never
    /// returned may be left out). So it may find a contradiction earlier
    /// than the plain model would ([`Stuck`](crate::Stuck)), and must never find one where there is none.
    /// `None`, the default, says that the history tells nothing.
    ///
    /// [`AppendKv`](crate::models::AppendKv) is an example: where all values differ, a get that shows two
    /// of them side by side gives away in which order they were appended.
    fn informed(&self, history: &[Operation<Self::Input, Self::Output>]) -> Option<Self>
    where
        Self: Sized,
    {
        let _ = history;
        None
    }

    /// Decides a partition without a search, where a procedure for it is known: whether an order of
    /// its operations exists. `None`, the default, leaves it to the search.
    ///
    /// Worth having where a search would try all orders of operations that nothing tells apart. It is
    /// asked before each search of a partition, so it should see fast when it does not apply.
    /// [`Queue`](crate::models::Queue), [`Register`](crate::models::Register) and
    /// [`Set`](crate::models::Set) are examples.
    fn decide(&self, partition: &Partition<'_, Self::Input, Self::Output>) -> Option<bool> {
        let _ = partition;
        None
    }

    /// The name of the independent part of the object that an operation works on, such as its key.
    ///
    /// A history is linearizable when its restriction to each part is (Herlihy and Wing's locality;
    /// Horn and Kroening's P-compositionality), so each part is checked on its own, from
    /// [`init`](Model::init). The default is one part for all.
    fn partition<'a>(&self, input: &'a Self::Input) -> Cow<'a, str> {
        let _ = input;
        Cow::Borrowed("")
    }

    /// About how many bytes a state owns on the heap, for [`Budget::memory`](crate::Budget::memory).
    /// Called once for each new state. The default says none.
    fn state_bytes(&self, state: &Self::State) -> usize {
        let _ = state;
        0
    }

    /// An operation in one short line, for explanations and pictures.
    fn describe_operation(&self, input: &Self::Input, output: Option<&Self::Output>) -> String {
        match output {
            Some(output) => format!("{input:?} -> {output:?}"),
            None => format!("{input:?} -> no answer"),
        }
    }

    /// A state in one short line, for explanations and pictures.
    fn describe_state(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }
}

/// What carrying out one operation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<S> {
    /// The object would not have answered like this.
    Illegal,
    /// The answer is right and the state stays as it is.
    Unchanged,
    /// The answer is right and this is the state afterwards.
    To(S),
    /// The model was asked to stop (see [`Budget::stop`](crate::Budget::stop)): the verdict becomes
    /// unknown. For models whose steps are long.
    Interrupted,
}

/// What can be known about an operation from a state on. See [`Model::outlook`].
///
/// "From here on" means: in this state and in every state that any operations can lead to from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Nothing is known: ask [`Model::step`].
    Unsure,
    /// It is legal and changes nothing here, and from here on it changes nothing wherever it is legal.
    ///
    /// It is linearized at once, like a [read-only](Model::read_only) one and for the same reason. An
    /// `ErrMaybe` put is spent once the version it names has passed.
    Spent,
    /// It is illegal here and from here on. A configuration in which it must still come is given up at
    /// once.
    Never,
    /// It is illegal here; later it may be legal.
    NotYet,
    /// It is legal here and changes nothing; later it may change something.
    ///
    /// The search notes that it *may* count as done, and keeps it as one that may still take effect.
    Idle,
    /// It is legal here and changes the state. The search asks [`Model::step`] for the new state only
    /// when it needs it.
    Moves,
}
