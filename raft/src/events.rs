//! What a server emits as [events](labrt::events): its state, saves, snapshots, messages.
//!
//! Steps are emitted through the [observer hook](crate::observer). Messages are emitted by the task
//! that makes the call: readers of a trace join them with the call by that task.
//!
//! Nothing is computed without a listener. The caller of [`Raft::propose`](crate::Raft::propose)
//! may be a task of another node, so every event says which node it is about.

use labrt::events::raft::{Change, Message, Outcome, Position, Role, State, VoteKind, What};
use labrt::events::{self, Parts, Raft};

use crate::consensus::{Node, RoleKind, View};
use crate::messages::{AppendOutcome, Reply, Request};
use crate::observer::{Observer, Step};
use crate::types::{Index, LogPosition, ServerId};

/// Whether somebody listens to the events of servers.
pub(crate) fn listening() -> bool {
    events::listening(Parts::RAFT)
}

/// Emits the steps of servers.
pub(crate) struct Emitter;

impl Observer for Emitter {
    fn step(&self, step: &Step<'_>) {
        let Step { home, node, before, effects, .. } = step;
        let emit = |what: What| emit(home, node.id(), || what);
        if effects.save.snapshot
            && let Some(snapshot) = node.snapshot()
        {
            let (last, bytes) = (position(snapshot.last), snapshot.data.len() as u64);
            emit(What::SavedSnapshot { last, bytes });
        }
        if effects.save.header || effects.save.log.is_some() {
            let (entries, bytes) = saved_entries(node, step);
            emit(What::Saved { term_and_vote: effects.save.header, entries, bytes });
        }
        let state = state_of(&node.view());
        let change = match before {
            None => Some(Change::Started),
            Some(before) => state.change_since(&state_of(before)),
        };
        if let Some(change) = change {
            emit(What::State { state, change });
        }
        if let Some(snapshot) = &effects.install {
            let (last, bytes) = (position(snapshot.last), snapshot.data.len() as u64);
            emit(What::InstalledSnapshot { last, bytes });
        }
    }
}

/// How many entries the step has saved, and the size of their commands.
fn saved_entries(node: &Node, step: &Step<'_>) -> (u64, u64) {
    let Some(log) = step.effects.save.log else { return (0, 0) };
    let (mut entries, mut bytes, mut index) = (0, 0, log.first);
    while index <= log.last {
        entries += 1;
        bytes += node.entry(index).map_or(0, |entry| entry.command.len() as u64);
        index = index.next();
    }
    (entries, bytes)
}

fn state_of(view: &View) -> State {
    State {
        term: view.term.get(),
        role: match view.role {
            RoleKind::Follower => Role::Follower,
            RoleKind::PreCandidate => Role::PreCandidate,
            RoleKind::Candidate => Role::Candidate,
            RoleKind::Leader => Role::Leader,
        },
        vote: view.voted_for.map(number),
        last: position(view.last),
        commit: view.commit.get(),
        base: position(view.base),
    }
}

fn position(position: LogPosition) -> Position {
    Position { index: position.index.get(), term: position.term.get() }
}

/// Servers are counted in 32 bits.
fn number(server: ServerId) -> u32 {
    server.get() as u32
}

fn emit(home: &labrt::Node, server: ServerId, what: impl FnOnce() -> What) {
    events::emit_about(home, || Raft { server: number(server), what: what() });
}

/// A call leaves.
pub(crate) fn sent(home: &labrt::Node, me: ServerId, to: ServerId, request: &Request) {
    emit(home, me, || What::Sent { to: number(to), message: message(request) });
}

/// The reply of a call has come.
pub(crate) fn received(home: &labrt::Node, me: ServerId, from: ServerId, reply: &Reply) {
    emit(home, me, || What::Received { from: number(from), reply: content(reply) });
}

/// The service was handed everything up to `index`.
pub(crate) fn applied(home: &labrt::Node, me: ServerId, index: Index) {
    emit(home, me, || What::Applied { index: index.get() });
}

/// The last record of the log was torn by a power cut, and is dropped.
pub(crate) fn dropped_torn_record(home: &labrt::Node, me: ServerId) {
    emit(home, me, || What::DroppedTornRecord);
}

/// The server was told to stop.
pub(crate) fn killed(home: &labrt::Node, me: ServerId) {
    emit(home, me, || What::Killed);
}

fn message(request: &Request) -> Message {
    match request {
        Request::Vote(args) => Message::RequestVote {
            term: args.term.get(),
            last: position(args.last),
            kind: match args.kind {
                crate::messages::VoteKind::PreVote => VoteKind::PreVote,
                crate::messages::VoteKind::Vote => VoteKind::Vote,
                crate::messages::VoteKind::Transfer => VoteKind::Transfer,
            },
        },
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
