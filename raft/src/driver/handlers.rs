//! Incoming RPCs: a request is an event, its reply one of the effects.

use std::sync::Arc;

use labrpc::{Method, Service};

use super::Shared;
use super::carry_out::Answer;
use crate::consensus::Event;
use crate::messages::{
    AppendEntriesArgs, AppendEntriesReply, AppendOutcome, InstallSnapshotArgs,
    InstallSnapshotReply, Reply, Request, RequestVoteArgs, RequestVoteReply,
};
use crate::types::Term;

const SERVICE: &str = "Raft";

/// The RPC `Raft.RequestVote` (Figure 2).
#[derive(Debug)]
pub struct RequestVote;

impl Method for RequestVote {
    const SERVICE: &'static str = SERVICE;
    const METHOD: &'static str = "RequestVote";
    type Args = RequestVoteArgs;
    type Reply = RequestVoteReply;
}

/// The RPC `Raft.AppendEntries` (Figure 2).
#[derive(Debug)]
pub struct AppendEntries;

impl Method for AppendEntries {
    const SERVICE: &'static str = SERVICE;
    const METHOD: &'static str = "AppendEntries";
    type Args = AppendEntriesArgs;
    type Reply = AppendEntriesReply;
}

/// The RPC `Raft.InstallSnapshot` (Figure 13).
#[derive(Debug)]
pub struct InstallSnapshot;

impl Method for InstallSnapshot {
    const SERVICE: &'static str = SERVICE;
    const METHOD: &'static str = "InstallSnapshot";
    type Args = InstallSnapshotArgs;
    type Reply = InstallSnapshotReply;
}

/// A killed server answers like a server without state: the answer promises nothing, and its
/// callers get no reply anyway.
const DEAD: Term = Term::ZERO;

pub(super) fn service(shared: &Arc<Shared>) -> Service {
    let (votes, appends, snapshots) = (Arc::clone(shared), Arc::clone(shared), Arc::clone(shared));
    Service::new(SERVICE)
        .method::<RequestVote>(move |args| match answer(&votes, Request::Vote(args)) {
            Some(Reply::Vote(reply)) => reply,
            _ => RequestVoteReply { term: DEAD, granted: false },
        })
        .method::<AppendEntries>(move |args| match answer(&appends, Request::Append(args)) {
            Some(Reply::Append(reply)) => reply,
            _ => AppendEntriesReply { term: DEAD, outcome: AppendOutcome::StaleTerm },
        })
        .method::<InstallSnapshot>(move |args| match answer(&snapshots, Request::Snapshot(args)) {
            Some(Reply::Snapshot(reply)) => reply,
            _ => InstallSnapshotReply { term: DEAD },
        })
}

fn answer(shared: &Arc<Shared>, request: Request) -> Option<Reply> {
    let state = shared.state.lock();
    if state.killed || state.saving.is_full() {
        return None;
    }
    match shared.step(state, Event::Request(request)).reply {
        Answer::None => None,
        Answer::Now(reply) => Some(reply),
        Answer::Later(reply) => reply.recv().ok(),
    }
}
