//! Messages from Raft to the service above it.

use std::sync::Arc;

use crate::types::{Command, Index, Snapshot, Term};

/// One message on the apply channel. Commands come once each and in index order; a snapshot
/// replaces everything up to its index, and the next command is the one after it (§7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyMsg {
    /// A committed entry.
    Command {
        /// Its place in the log.
        index: Index,
        term: Term,
        command: Command,
    },
    /// A snapshot from the leader, sent because this server lagged behind. The service continues
    /// from it.
    Snapshot {
        /// The last index it includes.
        index: Index,
        /// The term of the entry there.
        term: Term,
        /// The service's own bytes, as some server's service handed them to Raft.
        data: Arc<Vec<u8>>,
    },
}

impl ApplyMsg {
    /// The last index that the service's state includes after this message.
    pub fn index(&self) -> Index {
        match self {
            ApplyMsg::Command { index, .. } | ApplyMsg::Snapshot { index, .. } => *index,
        }
    }
}

impl From<Snapshot> for ApplyMsg {
    fn from(snapshot: Snapshot) -> ApplyMsg {
        ApplyMsg::Snapshot {
            index: snapshot.last.index,
            term: snapshot.last.term,
            data: snapshot.data,
        }
    }
}
