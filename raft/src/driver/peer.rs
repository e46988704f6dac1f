//! One call to another server, and its reply as an event.

use std::sync::Arc;

use labrpc::{CallError, ClientEnd};
use log::error;

use super::Shared;
use super::handlers::{AppendEntries, InstallSnapshot, RequestVote};
use crate::consensus::{Event, Sent};
use crate::events;
use crate::messages::{Reply, Request};
use crate::types::ServerId;

/// Makes the call in a task of its own: it may take seconds to fail.
pub(super) fn start(shared: Arc<Shared>, to: ServerId, request: Request, sent: Sent) {
    let home = shared.home.clone();
    home.spawn_detached("raft-call", move || {
        let Some(end) = shared.end_of(to) else { return };
        // In the task that makes the call, just before it: readers of the trace join them.
        events::sent(&shared.home, shared.me, to, &request);
        let event = match call(end, &request) {
            Ok(reply) => {
                events::received(&shared.home, shared.me, to, &reply);
                Event::Reply { from: to, sent, reply }
            }
            Err(problem) => {
                if problem != CallError::NoReply {
                    error!(target: "rpc", "{} -> {to}: {problem}", shared.me);
                }
                Event::Failed { from: to, sent }
            }
        };
        let is_snapshot = matches!(request, Request::Snapshot(_));
        drop(request);
        let mut state = shared.state.lock();
        if let Some(calls) = state.calls.get_mut(to.get()) {
            let count = if is_snapshot { &mut calls.snapshots } else { &mut calls.others };
            *count = count.saturating_sub(1);
        }
        if !state.killed {
            let _ = shared.step(state, event);
        }
    });
}

fn call(end: &ClientEnd, request: &Request) -> Result<Reply, CallError> {
    match request {
        Request::Vote(args) => end.call::<RequestVote>(args).map(Reply::Vote),
        Request::Append(args) => end.call::<AppendEntries>(args).map(Reply::Append),
        Request::Snapshot(args) => end.call::<InstallSnapshot>(args).map(Reply::Snapshot),
    }
}
