//! The three RPCs of Figures 2 and 13: requests and replies.
//!
//! Two things go beyond the figures. The reply to a rejected `AppendEntries` says how the logs
//! differ, so that a leader backs up by whole terms and not by single entries (end of §5.3); a
//! snapshot travels in one piece, so `InstallSnapshot` needs no offset and no "done".

use serde::{Deserialize, Serialize};

use crate::types::{Entry, Index, LogPosition, ServerId, Snapshot, Term};

/// A candidate gathers votes (§5.2, Figure 2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestVoteArgs {
    /// The candidate's term; of a pre-vote, the term that the candidate would enter.
    pub term: Term,
    /// The sender.
    pub candidate: ServerId,
    /// The last entry of the candidate's log, for the election restriction (§5.4.1).
    pub last: LogPosition,
    /// What the receiver is asked for.
    pub kind: VoteKind,
}

/// What a candidate asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VoteKind {
    /// Whether this server would vote for the sender (pre-vote, Ongaro's dissertation §9.6).
    /// Neither the request nor the answer changes a term or a vote.
    PreVote,
    /// This server's vote (§5.2). Rejected by a server that has a live leader (dissertation
    /// §4.2.3).
    Vote,
    /// This server's vote, on behalf of the present leader, which hands its leadership over
    /// (dissertation §3.10): a live leader is no reason to reject it.
    Transfer,
}

/// The answer to [`RequestVoteArgs`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestVoteReply {
    /// The voter's term, for the candidate to update itself.
    pub term: Term,
    /// Whether the candidate has this vote in `term`.
    pub granted: bool,
}

/// A leader replicates entries; without entries it is a heartbeat (§5.3, §5.2, Figure 2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AppendEntriesArgs {
    /// The leader's term.
    pub term: Term,
    /// Who leads, so that followers can tell clients.
    pub leader: ServerId,
    /// The entry just before the new ones.
    pub prev: LogPosition,
    /// The entries at `prev.index + 1` and on; empty for a heartbeat.
    pub entries: Vec<Entry>,
    /// The leader's commit index.
    pub leader_commit: Index,
}

/// The answer to [`AppendEntriesArgs`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AppendEntriesReply {
    /// The follower's term, for the leader to update itself.
    pub term: Term,
    /// What became of the entries.
    pub outcome: AppendOutcome,
}

/// The outcome of an `AppendEntries` at a follower ("success" in Figure 2, with the reason if
/// false).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AppendOutcome {
    /// The follower's log equals the leader's up to the last entry of the request.
    Matched,
    /// Refused: the follower's log ends before `prev`.
    TooShort {
        /// Where it ends.
        last: Index,
    },
    /// Refused: the follower has another entry at `prev`.
    Conflict {
        /// The term of that entry.
        term: Term,
        /// The first index the follower's log has for that term (not below its commit index).
        first: Index,
    },
    /// Refused: the sender's term is over; the reply's term says which one it is now.
    StaleTerm,
}

/// A leader brings a follower up to a snapshot, as the log before it is gone (§7, Figure 13).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InstallSnapshotArgs {
    /// The leader's term.
    pub term: Term,
    /// Who leads.
    pub leader: ServerId,
    /// The whole snapshot.
    pub snapshot: Snapshot,
}

/// The answer to [`InstallSnapshotArgs`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InstallSnapshotReply {
    /// The follower's term, for the leader to update itself.
    pub term: Term,
}

/// Any request from one server to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Request {
    /// See [`RequestVoteArgs`].
    Vote(RequestVoteArgs),
    /// See [`AppendEntriesArgs`].
    Append(AppendEntriesArgs),
    /// See [`InstallSnapshotArgs`].
    Snapshot(InstallSnapshotArgs),
}

impl Request {
    /// The sender's term.
    pub fn term(&self) -> Term {
        match self {
            Request::Vote(args) => args.term,
            Request::Append(args) => args.term,
            Request::Snapshot(args) => args.term,
        }
    }

    /// Who sent it.
    pub fn from(&self) -> ServerId {
        match self {
            Request::Vote(args) => args.candidate,
            Request::Append(args) => args.leader,
            Request::Snapshot(args) => args.leader,
        }
    }
}

/// Any answer; always of the same kind as the request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reply {
    /// See [`RequestVoteReply`].
    Vote(RequestVoteReply),
    /// See [`AppendEntriesReply`].
    Append(AppendEntriesReply),
    /// See [`InstallSnapshotReply`].
    Snapshot(InstallSnapshotReply),
}

impl Reply {
    /// The answering server's term.
    pub fn term(&self) -> Term {
        match self {
            Reply::Vote(reply) => reply.term,
            Reply::Append(reply) => reply.term,
            Reply::Snapshot(reply) => reply.term,
        }
    }
}
