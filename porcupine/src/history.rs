//! What clients saw: operations with the times of call and return.

use std::fmt;

/// One operation as its client saw it.
///
/// The interval from call to return is closed: if one client's operation returns at 10 and another
/// client's is called at 10, they overlap, and either may come first. The operations of one client
/// come in the order in which it called them, also at equal instants; of two that are called and
/// return at the same instant, the one that is first in the history comes first.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation<I, O> {
    /// Who called. The operations of one client do not overlap.
    pub client: i64,
    /// When the call was made. Any unit, the same for all (the pictures assume nanoseconds).
    pub call: u64,
    /// What was asked.
    pub input: I,
    /// When it returned and with what; `None` when it never did. It may then have taken effect at any
    /// time after the call, or not at all.
    pub returned: Option<Returned<O>>,
    /// Anything worth seeing in a picture. Never judged.
    pub meta: Option<Box<str>>,
}

/// The second half of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Returned<O> {
    /// When. Not before the call.
    pub time: u64,
    /// The answer.
    pub output: O,
}

impl<I, O> Operation<I, O> {
    /// An operation that returned.
    pub fn new(client: i64, call: u64, input: I, time: u64, output: O) -> Self {
        Operation { client, call, input, returned: Some(Returned { time, output }), meta: None }
    }

    /// An operation that was called and never returned.
    pub fn pending(client: i64, call: u64, input: I) -> Self {
        Operation { client, call, input, returned: None, meta: None }
    }

    /// The same with a note for pictures.
    #[must_use]
    pub fn with_meta(mut self, meta: impl Into<Box<str>>) -> Self {
        self.meta = Some(meta.into());
        self
    }

    /// The answer, if there was one.
    pub fn output(&self) -> Option<&O> {
        self.returned.as_ref().map(|returned| &returned.output)
    }

    /// The time of return; `None` when it never returned.
    pub fn return_time(&self) -> Option<u64> {
        self.returned.as_ref().map(|returned| returned.time)
    }
}

/// Half an operation, for recorders that write calls and returns as they happen.
///
/// The order of the events is the order in time; see [`operations_from_events`].
#[derive(Clone, Debug, PartialEq)]
pub struct Event<I, O> {
    /// Who called.
    pub client: i64,
    /// Ties a return to its call. Each call has its own.
    pub id: u64,
    /// Call or return.
    pub kind: EventKind<I, O>,
}

/// What happened at an [`Event`].
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind<I, O> {
    /// The client asked.
    Call(I),
    /// The client was answered.
    Return(O),
}

/// Pairs calls with returns. The position in `events` becomes the time.
///
/// A call without a return becomes a [pending](Operation::pending) operation. The result is in the
/// order of the calls.
///
/// # Errors
///
/// Names the first event that does not fit: a second call with the same id, a return without a call,
/// a second return, a return that another client made. Overlapping operations of one client are found
/// when the history is checked.
pub fn operations_from_events<I, O>(
    events: impl IntoIterator<Item = Event<I, O>>,
) -> Result<Vec<Operation<I, O>>, HistoryError> {
    let mut operations: Vec<Operation<I, O>> = Vec::new();
    let mut calls = std::collections::BTreeMap::new();
    for (entry, event) in events.into_iter().enumerate() {
        let time = entry as u64;
        match event.kind {
            EventKind::Call(input) => {
                if calls.insert(event.id, operations.len()).is_some() {
                    return Err(HistoryError::DuplicateId { entry, id: event.id });
                }
                operations.push(Operation::pending(event.client, time, input));
            }
            EventKind::Return(output) => {
                let Some(&call) = calls.get(&event.id) else {
                    return Err(HistoryError::UnmatchedReturn { entry, id: event.id });
                };
                let operation = &mut operations[call];
                if operation.client != event.client {
                    return Err(HistoryError::OtherClient {
                        entry,
                        client: event.client,
                        caller: operation.client,
                    });
                }
                if operation.returned.is_some() {
                    return Err(HistoryError::SecondReturn { entry, id: event.id });
                }
                operation.returned = Some(Returned { time, output });
            }
        }
    }
    Ok(operations)
}

/// A history that cannot be one. `entry` is the position in what was handed in, from 0.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryError {
    /// An operation returned before it was called.
    ReturnBeforeCall {
        /// Which.
        entry: usize,
        /// Its call.
        call: u64,
        /// Its return.
        returned: u64,
    },
    /// A client called while its last operation was still open.
    Overlap {
        /// The second of the two.
        entry: usize,
        /// The first.
        earlier: usize,
        /// Whose.
        client: i64,
    },
    /// Two calls have the same id.
    DuplicateId {
        /// The second call.
        entry: usize,
        /// The id.
        id: u64,
    },
    /// A return whose call was not seen before it.
    UnmatchedReturn {
        /// Which.
        entry: usize,
        /// The id.
        id: u64,
    },
    /// A second return for one call.
    SecondReturn {
        /// Which.
        entry: usize,
        /// The id.
        id: u64,
    },
    /// A return to a client that did not call.
    OtherClient {
        /// Which.
        entry: usize,
        /// Who was answered.
        client: i64,
        /// Who had called.
        caller: i64,
    },
    /// The history is fine, the model is not: [`step`](crate::Model::step) contradicts what the model
    /// promised elsewhere.
    WrongHint {
        /// An operation for which it does.
        entry: usize,
        /// The same in words.
        operation: String,
        /// The type of the model.
        model: &'static str,
        /// The hint, such as `read_only`.
        hint: &'static str,
    },
    /// More operations than a history can have (2^31 - 1).
    TooLong {
        /// How many were handed in.
        operations: usize,
    },
}

impl HistoryError {
    /// The entry at fault, if it is one entry's fault.
    pub fn entry(&self) -> Option<usize> {
        match *self {
            HistoryError::ReturnBeforeCall { entry, .. }
            | HistoryError::Overlap { entry, .. }
            | HistoryError::DuplicateId { entry, .. }
            | HistoryError::UnmatchedReturn { entry, .. }
            | HistoryError::SecondReturn { entry, .. }
            | HistoryError::OtherClient { entry, .. }
            | HistoryError::WrongHint { entry, .. } => Some(entry),
            HistoryError::TooLong { .. } => None,
        }
    }
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HistoryError::ReturnBeforeCall { entry, call, returned } => {
                write!(f, "entry {entry} returns at {returned}, before its call at {call}")
            }
            HistoryError::Overlap { entry, earlier, client } => write!(
                f,
                "entry {entry} was called by client {client} while its entry {earlier} was open; \
                 give each concurrent caller its own client number"
            ),
            HistoryError::DuplicateId { entry, id } => {
                write!(
                    f,
                    "entry {entry} calls with id {id}, which an earlier call has; ids must differ"
                )
            }
            HistoryError::UnmatchedReturn { entry, id } => {
                write!(f, "entry {entry} returns id {id}, which nobody called before")
            }
            HistoryError::SecondReturn { entry, id } => {
                write!(f, "entry {entry} returns id {id} a second time")
            }
            HistoryError::OtherClient { entry, client, caller } => {
                write!(f, "entry {entry} returns to client {client}, but client {caller} called")
            }
            HistoryError::WrongHint { entry, operation, model, hint } => write!(
                f,
                "the model {model} contradicts itself: its `step` does not do what its `{hint}` \
                 promised of entry {entry}, {operation}"
            ),
            HistoryError::TooLong { operations } => {
                write!(f, "{operations} operations are too many; split the history")
            }
        }
    }
}

impl std::error::Error for HistoryError {}
