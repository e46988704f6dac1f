//! What a service brings.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A deterministic machine: the same requests in the same order give the same state and the same
/// replies on every server.
///
/// So `do_op` must not read a clock, draw random numbers, or depend on the order of a `HashMap`.
///
/// A machine that serde can write and read has its [`Snapshot`] for nothing:
///
/// ```
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Counter(u64);
///
/// impl rsm::StateMachine for Counter {
///     type Request = u64;
///     type Reply = u64;
///
///     fn do_op(&mut self, more: u64) -> u64 {
///         self.0 = self.0.saturating_add(more);
///         self.0
///     }
/// }
/// ```
pub trait StateMachine: Snapshot + Send + 'static {
    /// What is replicated. It goes through the log as bytes.
    type Request: Serialize + DeserializeOwned + Send + 'static;
    /// The answer to the caller. It stays on the server where the request was submitted.
    type Reply: Send + 'static;

    /// Executes one committed request. Called on every server, in log order, once for each
    /// committed request.
    ///
    /// A panic stops this server, and every other server that executes the request: the state
    /// after a panic is unknown.
    fn do_op(&mut self, request: Self::Request) -> Self::Reply;
}

/// A state that can be written to bytes and read back. Every type that serde can write and read
/// has it; other types implement it by hand.
pub trait Snapshot {
    /// The whole state, as bytes.
    fn snapshot(&self) -> Vec<u8>;

    /// Replaces the whole state by one that [`snapshot`](Snapshot::snapshot) returned, here or on
    /// another server.
    ///
    /// # Errors
    /// When the bytes are not such a state. The state is not used any more then.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError>;

    /// Bytes of state dropped since the last call; called after each request. When enough bytes
    /// were dropped, a snapshot is taken, so that they do not stay on the disk until the log has
    /// grown. A state that never drops much returns 0.
    fn take_freed_bytes(&mut self) -> usize {
        0
    }
}

impl<S: Serialize + DeserializeOwned + 'static> Snapshot for S {
    fn snapshot(&self) -> Vec<u8> {
        labgob::encode_with_limit(self, labgob::NO_LIMIT)
            .expect("a state that serde cannot write has its own Snapshot")
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        // As long as the snapshot itself, which is in memory already: a state may have gigabytes.
        let mut decoder = labgob::Decoder::with_limit(snapshot, labgob::NO_LIMIT);
        *self = decoder.decode()?;
        match snapshot.len() - decoder.position() {
            0 => Ok(()),
            left => Err(RestoreError { reason: format!("{left} bytes are left over") }),
        }
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
