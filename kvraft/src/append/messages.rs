//! What travels between a clerk and a server.

use serde::{Deserialize, Serialize};

use rsm::sessions::{RequestId, Stamp};

/// Asks for a key's value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GetArgs {
    pub key: String,
}

/// Answers [`GetArgs`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GetReply {
    /// The value, or `NoKey`, or `WrongLeader`.
    pub outcome: Result<String, kvapi::Error>,
}

/// What a write does to the value of its key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Change {
    /// Replaces it.
    Put(String),
    /// Adds this at its end.
    Append(String),
}

/// Asks for a write.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PutAppendArgs {
    /// Which of the client's writes this is: a repetition has the same.
    pub write: RequestId,
    pub key: String,
    pub change: Change,
}

/// Answers [`PutAppendArgs`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PutAppendReply {
    /// Done, now or before; or not.
    pub outcome: Result<(), PutAppendError>,
}

/// Asks what time it is, in writes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TimeArgs {}

/// Answers [`TimeArgs`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TimeReply {
    /// The time, or `WrongLeader`. It may be past: no more writes than this had been applied
    /// anywhere.
    pub outcome: Result<Stamp, kvapi::Error>,
}

/// Why a write was not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PutAppendError {
    /// This server does not lead its group, or lost the lead, or did not reach a majority in time:
    /// ask another one.
    #[error("ErrWrongLeader")]
    WrongLeader,
    /// The key's value would be longer than [`kvapi::MAX_VALUE_BYTES`]: nothing was done.
    #[error("ErrTooLarge")]
    TooLarge,
    /// The service knows no such session any more: this copy was not executed, and whether another
    /// one was cannot be told.
    #[error("the session has ended")]
    SessionEnded {
        /// Present time, in writes.
        now: Stamp,
    },
}
