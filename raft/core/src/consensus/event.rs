//! What can happen to a server.

use std::sync::Arc;

use crate::messages::{Reply, Request};
use crate::types::{Command, Index, LogPosition, ServerId, Term};

/// One thing that happened. Any event may come at any time, late, twice or never; what no longer
/// matters is ignored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Time passed. Due at [`Node::wake_at`](super::Node::wake_at); harmless at any other time.
    Tick,
    /// A client wants a command replicated (§5.3). `Effects::proposed` says where it went.
    Propose(Command),
    /// A client wants to read without a log entry (§8). `Effects::read` says whether that can be,
    /// `Effects::confirmed`, in this step or a later one, that it may.
    Read,
    /// Another server asks. `Effects::reply` is the answer.
    Request(Request),
    /// Another server answered.
    Reply {
        from: ServerId,
        /// What came with the request in `Outgoing::sent`.
        sent: Sent,
        /// Its answer.
        reply: Reply,
    },
    /// A call came to nothing; the other server may or may not have seen it.
    Failed {
        /// Whom we called.
        from: ServerId,
        /// What came with the request in `Outgoing::sent`.
        sent: Sent,
    },
    /// The save with this number (`Effects::save_number`) and all before it are on the disk. Only
    /// with [`Config::delayed_saves`](super::Config::delayed_saves).
    Saved {
        /// Number of the save.
        number: u64,
    },
    /// The service's state after the entry at `index` was captured (§7). Ignored unless that entry
    /// was handed out and no snapshot includes it yet.
    SnapshotTaken {
        /// The last entry the snapshot includes.
        index: Index,
        /// The service's bytes.
        data: Arc<Vec<u8>>,
    },
}

/// What the sender must remember of a request to judge the answer, however late it comes.
///
/// Only the core makes these; the driver hands them back as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sent {
    /// The term it was sent in. In a later term the answer means nothing beyond its own term.
    pub(super) term: Term,
    /// Counts this server's requests since it started.
    pub(super) number: u64,
    pub(super) what: SentWhat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum SentWhat {
    PreVote,
    Vote,
    Append {
        prev: Index,
        /// `prev` plus the number of entries: where the logs are equal if the answer is yes.
        last: Index,
    },
    Snapshot {
        last: LogPosition,
    },
}

impl Sent {
    /// The term it was sent in.
    pub fn term(&self) -> Term {
        self.term
    }
}
