//! Events of a server: roles and terms, votes, log and commit index, what is saved, sent and answered.
//!
//! Nothing here is computed unless somebody listens. The caller of [`Raft::propose`](super::Raft::propose) may be a task of
//! another node, so every event says which node it is about.

use labrt::events::raft::{Message, Outcome, Position, Role, State, What};
use labrt::events::{self, Parts, Raft};

use super::Shared;
use crate::consensus::{Node, RoleKind};
use crate::messages::{AppendOutcome, Reply, Request};
use crate::types::{Index, LogPosition, ServerId, Snapshot};

/// The state of a server, as events describe it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts(State);

impl Facts {
    /// The present state; `None` if nobody listens.
    pub(super) fn of(node: &Node) -> Option<Facts> {
        events::listening(Parts::RAFT).then(|| Facts(state_of(node)))
    }
}

fn state_of(node: &Node) -> State {
    State {
        term: node.term().get(),
        role: match node.role() {
            RoleKind::Follower => Role::Follower,
            RoleKind::PreCandidate => Role::PreCandidate,
            RoleKind::Candidate => Role::Candidate,
            RoleKind::Leader => Role::Leader,
        },
        vote: node.voted_for().map(number),
        last: position(node.last()),
        commit: node.commit().get(),
        base: position(node.base()),
    }
}

fn position(position: LogPosition) -> Position {
    Position { index: position.index.get(), term: position.term.get() }
}

/// Servers are counted in 32 bits.
fn number(server: ServerId) -> u32 {
    server.get() as u32
}

fn emit(shared: &Shared, what: impl FnOnce() -> What) {
    events::emit_about(&shared.home, || Raft { server: number(shared.me), what: what() });
}

/// The server begins, with what its disk had.
pub(super) fn started(home: &labrt::Node, node: &Node) {
    events::emit_about(home, || {
        let what = What::State { state: state_of(node), change: events::raft::Change::Started };
        Raft { server: number(node.id()), what }
    });
}

/// A step was taken; `before` is the state before it.
pub(super) fn stepped(
    shared: &Shared,
    node: &Node,
    _new_role: Option<RoleKind>,
    before: Option<Facts>,
) {
    let Some(Facts(before)) = before else { return };
    let state = state_of(node);
    let Some(change) = state.change_since(&before) else { return };
    emit(shared, || What::State { state, change });
}

/// A leader's snapshot takes the place of the log.
pub(super) fn installs(shared: &Shared, snapshot: &Snapshot) {
    emit(shared, || What::InstalledSnapshot {
        last: position(snapshot.last),
        bytes: snapshot.data.len() as u64,
    });
}

/// A snapshot goes to the disk.
pub(super) fn saves_snapshot(shared: &Shared, snapshot: &Snapshot) {
    emit(shared, || What::SavedSnapshot {
        last: position(snapshot.last),
        bytes: snapshot.data.len() as u64,
    });
}

/// Header and records go to the disk.
pub(super) fn saves(shared: &Shared, write: &labrt::Write) {
    emit(shared, || {
        let header = write.header.as_ref().map_or(0, |header| header.len());
        let records = write.append.iter().map(|record| record.len()).sum::<usize>();
        What::Saved {
            term_and_vote: write.header.is_some(),
            entries: write.append.len() as u64,
            bytes: (header + records) as u64,
        }
    });
}

/// A call leaves.
pub(super) fn sends(shared: &Shared, to: ServerId, request: &Request) {
    emit(shared, || What::Sent { to: number(to), message: message(request) });
}

/// Its answer is there.
pub(super) fn hears(shared: &Shared, from: ServerId, _request: &Request, reply: &Reply) {
    emit(shared, || What::Received { from: number(from), reply: content(reply) });
}

/// The service has been handed everything up to `index`.
pub(super) fn applied(shared: &Shared, index: Index) {
    emit(shared, || What::Applied { index: index.get() });
}

/// The server was told to stop.
pub(super) fn killed(shared: &Shared) {
    emit(shared, || What::Killed);
}

fn message(request: &Request) -> Message {
    match request {
        Request::Vote(args) => {
            Message::RequestVote { term: args.term.get(), last: position(args.last) }
        }
        Request::Append(args) => Message::AppendEntries {
            term: args.term.get(),
            prev: position(args.prev),
            entries: args.entries.len() as u64,
            terms: args
                .entries
                .first()
                .zip(args.entries.last())
                .map(|(first, last)| (first.term.get(), last.term.get())),
            commit: args.leader_commit.get(),
        },
        Request::Snapshot(args) => Message::InstallSnapshot {
            term: args.term.get(),
            last: position(args.snapshot.last),
            bytes: args.snapshot.data.len() as u64,
        },
    }
}

fn content(reply: &Reply) -> events::raft::Reply {
    use events::raft::Reply as Content;
    match reply {
        Reply::Vote(reply) => Content::Vote { term: reply.term.get(), granted: reply.granted },
        Reply::Append(reply) => Content::Append {
            term: reply.term.get(),
            outcome: match reply.outcome {
                AppendOutcome::Matched => Outcome::Matched,
                AppendOutcome::TooShort { last } => Outcome::TooShort { last: last.get() },
                AppendOutcome::Conflict { term, first } => {
                    Outcome::Conflict { term: term.get(), first: first.get() }
                }
                AppendOutcome::StaleTerm => Outcome::StaleTerm,
            },
        },
        Reply::Snapshot(reply) => Content::Snapshot { term: reply.term.get() },
    }
}
