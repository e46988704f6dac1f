//! Check-quorum (dissertation §6.2) and votes against a live leader (§4.2.3).

use raft_core::consensus::{Config, RoleKind};
use raft_core::messages::{AppendOutcome, VoteKind};
use raft_core::timing::Timing;

use crate::stage::{Actor, ELECTION, HEARTBEAT, append, append_reply, at, id, saved, term, vote};
use crate::{granted, leader, pre_vote, request, server};

fn election_max() -> u64 {
    Timing::default().election_max
}

/// A leader that nobody answers steps down after an election timeout, in its term, with its log.
#[test]
fn a_leader_that_hears_no_majority_steps_down() {
    let mut actor = leader(3, &[1]);
    actor.propose("x");
    let mut waited = 0;
    while actor.node.is_leader() {
        actor.tick_after(HEARTBEAT);
        waited += HEARTBEAT;
        assert!(waited <= election_max(), "still leads after {waited} ticks of silence");
    }
    assert_eq!(waited, election_max());
    assert_eq!((actor.role(), actor.node.term()), (RoleKind::Follower, term(2)));
    assert_eq!(actor.terms(), [1, 2], "the log stays");
    assert!(actor.propose("y").proposed.is_none());
}

/// Answers of a majority keep it in office, whatever they say; those of a minority do not.
#[test]
fn answers_of_a_majority_keep_the_leader() {
    for (servers, answering, keeps) in [(3, 1, true), (5, 2, true), (5, 1, false)] {
        let mut actor = leader(servers, &[1]);
        for _ in 0..20 {
            let beat = actor.tick_after(HEARTBEAT);
            for peer in 1..=answering {
                let Some(call) = beat.messages.iter().find(|call| call.to == id(peer)) else {
                    continue;
                };
                actor.reply(call, append_reply(2, AppendOutcome::Matched));
            }
        }
        assert_eq!(actor.node.is_leader(), keeps, "{answering} of {servers} answer");
    }
}

/// A failed call is no answer.
#[test]
fn failed_calls_do_not_keep_the_leader() {
    let mut actor = leader(3, &[1]);
    for _ in 0..7 {
        let beat = actor.tick_after(HEARTBEAT);
        beat.messages.iter().for_each(|call| drop(actor.failed(call)));
    }
    assert_eq!(actor.role(), RoleKind::Follower);
}

/// A leader that stepped down waits for an election timeout and then asks like everybody else.
#[test]
fn a_leader_that_stepped_down_can_be_elected_again() {
    let mut actor = leader(3, &[1]);
    actor.tick_after(election_max());
    assert_eq!(actor.role(), RoleKind::Follower);
    actor.time_out();
    assert_eq!((actor.role(), actor.node.term()), (RoleKind::PreCandidate, term(2)));
}

/// A server that hears a leader rejects a vote for another one and does not enter its term: a
/// server that does not hear the leader cannot depose it.
#[test]
fn a_vote_against_a_live_leader_changes_no_term() {
    let mut actor = server(3, &[1]);
    actor.ask_append(append(1, at(1, 1), &[], 0));
    actor.wait(ELECTION - 1);
    assert!(!actor.ask_vote(vote(9, 2, at(5, 8))));
    assert_eq!(actor.node.term(), term(1));
    actor.wait(1);
    assert!(actor.ask_vote(vote(9, 2, at(5, 8))), "the leader has been silent for long enough");
    assert_eq!(actor.node.term(), term(9));
}

/// The leader itself rejects it too: it steps down by itself if it has lost its majority.
#[test]
fn a_leader_rejects_votes_and_pre_votes_of_later_terms() {
    let mut actor = leader(3, &[1]);
    assert!(!granted(&actor.ask(pre_vote(9, 2, at(5, 8)))));
    assert!(!granted(&actor.ask(request(9, 2, at(5, 8), VoteKind::Vote))));
    assert_eq!((actor.role(), actor.node.term()), (RoleKind::Leader, term(2)));
}

/// A rejoining server of a later term is not stuck: its answer to a heartbeat carries its term, and
/// the leader steps down and runs again above it (§5.1).
#[test]
fn a_later_term_in_an_answer_still_deposes() {
    let mut actor = leader(3, &[1]);
    let beat = actor.tick_after(HEARTBEAT);
    let call = beat.messages[0].clone();
    actor.reply(&call, append_reply(9, AppendOutcome::StaleTerm));
    assert_eq!((actor.role(), actor.node.term()), (RoleKind::Follower, term(9)));
}

/// With the paper's rules a leader stays until it hears of a later term, and any later term is
/// entered at once.
#[test]
fn the_papers_rules_keep_a_leader_and_enter_later_terms() {
    let mut actor = Actor::start_with(Config::paper(id(0), 3), saved(&[1]));
    let asked = actor.time_out();
    actor.reply(crate::stage::to(&asked, 1), crate::stage::vote_reply(2, true));
    for _ in 0..50 {
        actor.tick_after(HEARTBEAT);
    }
    assert_eq!(actor.role(), RoleKind::Leader);
    assert!(!actor.ask_vote(vote(9, 2, at(0, 0))));
    assert_eq!((actor.role(), actor.node.term()), (RoleKind::Follower, term(9)));
}
