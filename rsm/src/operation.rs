//! What goes into the log: a request and the id of its submission.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// Identifies one submission: never used twice, on any server, in any life of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct OperationId(u64);

/// A log entry of the replicated state machine.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Operation<R> {
    pub(crate) id: OperationId,
    pub(crate) request: R,
}

/// Where one life of one server gets its ids from: a random start, then counting. Two lives would
/// have to draw starts within each other's count, out of 2^64, to meet.
pub(crate) struct IdSource(AtomicU64);

impl IdSource {
    pub(crate) fn new() -> IdSource {
        IdSource(AtomicU64::new(labrt::random_u64()))
    }

    pub(crate) fn next(&self) -> OperationId {
        OperationId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}
