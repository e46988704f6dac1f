//! What can go wrong, and what to do then.

use crate::state_machine::RestoreError;

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Raft refused what it found on the disk.
    #[error("the saved Raft state cannot be used: {0}")]
    Raft(#[from] raft::Error),
    /// The machine refused the snapshot on the disk.
    #[error("the saved snapshot cannot be used: {0}")]
    Snapshot(#[from] RestoreError),
}

/// Why a request has no reply.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// This server does not lead, or has stopped leading: ask another one. If the request had been
    /// accepted, it may still take effect.
    #[error("this server is not the leader: ask another one")]
    WrongLeader,
    /// The patience of [`Rsm::submit_within`](crate::Rsm::submit_within) ran out: the request may
    /// still take effect. This server may lead without reaching a majority, so ask another one.
    #[error("the request was not executed in time: ask another server")]
    TimedOut,
    /// This server leads, but a majority does not keep up with what was submitted to it. Nothing
    /// happened: submit it again later, or ask another server.
    #[error("the leader has too many uncommitted requests: submit it again later")]
    Overloaded,
    /// This server was killed. If the request had been accepted, it may still take effect.
    #[error("this server was shut down: ask another one")]
    ShutDown,
    /// The request has more than [`MAX_REQUEST_BYTES`](crate::MAX_REQUEST_BYTES). Nothing happened;
    /// asking again will not help.
    #[error("a request of {bytes} bytes is too large: at most {limit} are accepted")]
    TooLarge {
        /// Its encoded length.
        bytes: usize,
        /// The most that is accepted.
        limit: usize,
    },
    /// The request cannot be encoded; asking again will not help.
    #[error("the request cannot be encoded: {0}")]
    Encode(String),
}

/// Why a read without a log entry has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// This server does not lead, or stopped leading before the read was confirmed: ask another
    /// one.
    #[error("this server is not the leader: ask another one")]
    NotLeader,
    /// This server leads, but has committed nothing in its term, and cannot know yet what the read
    /// must see (§8): submit the read.
    #[error("nothing is committed in this term yet: submit the read")]
    NothingCommitted,
    /// The read was not confirmed in time, or what it must see was not executed in time: ask
    /// another server.
    #[error("the read was not confirmed in time: ask another server")]
    TimedOut,
    /// This server was killed: ask another one.
    #[error("this server was shut down: ask another one")]
    ShutDown,
}

impl From<raft::ReadError> for ReadError {
    fn from(error: raft::ReadError) -> ReadError {
        match error {
            raft::ReadError::NothingCommitted => ReadError::NothingCommitted,
            raft::ReadError::TimedOut => ReadError::TimedOut,
            _ => ReadError::NotLeader,
        }
    }
}

impl From<labgob::Error> for SubmitError {
    fn from(error: labgob::Error) -> SubmitError {
        SubmitError::Encode(error.to_string())
    }
}
