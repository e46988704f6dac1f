//! The rules beyond the paper that keep a group serving while some of its servers are cut off,
//! slow or deaf: pre-vote and check-quorum. One small scene for every rule.

#![forbid(unsafe_code)]
#![allow(unreachable_pub, reason = "the parts of one test binary")]
#![allow(dead_code, reason = "the scenes of Figure 2 share their stage")]
#![allow(unused_must_use, reason = "the stage carries out all but the messages, which may be lost")]

mod check_quorum;
#[path = "../figure2/disk.rs"]
mod disk;
mod pre_vote;
mod replication;
#[path = "../figure2/stage.rs"]
mod stage;

use raft_core::consensus::{Config, RoleKind};
use raft_core::messages::{Reply, Request, RequestVoteArgs, VoteKind};
use raft_core::types::LogPosition;
use stage::{Actor, id, saved, term, to, vote_reply};

/// Server 0 of a group with the default rules, in the term of its last entry.
fn server(servers: u32, terms: &[u64]) -> Actor {
    Actor::start_with(Config::new(id(0), servers), saved(terms))
}

/// The same, elected by a majority; the followers have answered that their logs equal its own.
fn leader(servers: u32, terms: &[u64]) -> Actor {
    let mut actor = server(servers, terms);
    let mut effects = actor.time_out();
    let own = term(terms.last().copied().unwrap_or(0)).get();
    for granted_in in [own, own + 1] {
        for peer in 1..=servers / 2 {
            let call = to(&effects, peer).clone();
            let next = actor.reply(&call, vote_reply(granted_in, true));
            if !next.messages.is_empty() {
                effects = next;
                break;
            }
        }
    }
    assert_eq!(actor.role(), RoleKind::Leader);
    for call in &effects.messages {
        actor.matched(call);
    }
    actor
}

fn pre_vote(of_term: u64, candidate: u32, last: LogPosition) -> Request {
    request(of_term, candidate, last, VoteKind::PreVote)
}

fn request(of_term: u64, candidate: u32, last: LogPosition, kind: VoteKind) -> Request {
    Request::Vote(RequestVoteArgs { term: term(of_term), candidate: id(candidate), last, kind })
}

fn granted(reply: &Reply) -> bool {
    matches!(reply, Reply::Vote(reply) if reply.granted)
}
