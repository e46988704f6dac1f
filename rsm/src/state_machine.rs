//! What a service brings.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A deterministic machine: the same requests in the same order give the same state and the same replies on every server.
///
/// So `do_op` may not look at a clock, draw random numbers, or depend on the order of a `HashMap`.
pub trait StateMachine: Send + 'static {
    /// What is replicated. It goes through the log as bytes.
    type Request: Serialize + DeserializeOwned + Send + 'static;
    /// What the caller gets. It stays on the server where it was submitted.
    type Reply: Send + 'static;

    /// Executes one committed request. Called on every server, in log order, once for each committed request.
    fn do_op(&mut self, request: Self::Request) -> Self::Reply;

    /// The whole state, as bytes.
    fn snapshot(&self) -> Vec<u8>;

    /// Replaces the whole state by one that [`snapshot`](StateMachine::snapshot) gave, here or on another server.
    ///
    /// # Errors
    /// When the bytes are not such a state. The machine is not used any more then.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError>;

    /// Bytes of state dropped since this was last asked; asked after each request. Enough of them bring about a snapshot, so that
    /// they do not stay on the disk until the log has grown. For a machine that never drops much, 0 is right.
    fn take_freed_bytes(&mut self) -> usize {
        0
    }
}

/// A snapshot that its machine does not understand.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the snapshot is not a state of this machine: {reason}")]
pub struct RestoreError {
    /// What is wrong with it.
    pub reason: String,
}

impl From<labgob::Error> for RestoreError {
    fn from(error: labgob::Error) -> RestoreError {
        RestoreError { reason: error.to_string() }
    }
}
