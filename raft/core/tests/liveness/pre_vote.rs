//! Pre-vote (dissertation §9.6).

use raft_core::consensus::{Config, RoleKind};
use raft_core::messages::{AppendOutcome, Request, VoteKind};

use crate::stage::{Actor, ELECTION, HEARTBEAT, append, at, id, saved, term, to, vote, vote_reply};
use crate::{granted, pre_vote, request, server};

/// A server that hears nobody asks before it enters a term, so its term stays as it is however long
/// it is cut off.
#[test]
fn a_server_that_is_cut_off_keeps_its_term() {
    let mut actor = server(3, &[1, 2]);
    for _ in 0..100 {
        let effects = actor.time_out();
        assert_eq!(actor.role(), RoleKind::PreCandidate);
        assert!(effects.save.is_empty(), "nothing durable changes: {effects:?}");
        for call in &effects.messages {
            let Request::Vote(args) = &call.request else { panic!("{call:?}") };
            assert_eq!((args.term, args.kind), (term(3), VoteKind::PreVote));
        }
    }
    assert_eq!(actor.node.term(), term(2));
    assert_eq!(actor.node.voted_for(), None);
}

/// A majority that would vote for it makes a pre-candidate a candidate of the next term.
#[test]
fn a_majority_of_pre_votes_starts_the_election() {
    let mut actor = server(5, &[1]);
    let asked = actor.time_out();
    actor.reply(to(&asked, 1), vote_reply(1, true));
    assert_eq!(actor.role(), RoleKind::PreCandidate, "two of five are no majority");
    let election = actor.reply(to(&asked, 2), vote_reply(1, true));
    assert_eq!(actor.role(), RoleKind::Candidate);
    assert_eq!((actor.node.term(), actor.node.voted_for()), (term(2), Some(id(0))));
    let Request::Vote(args) = &to(&election, 3).request else { panic!("{election:?}") };
    assert_eq!((args.term, args.kind), (term(2), VoteKind::Vote));
}

/// A pre-vote is granted without a change of term, vote or timer, and to several servers.
#[test]
fn a_granted_pre_vote_changes_nothing() {
    let mut actor = server(5, &[1, 2]);
    let due = actor.node.wake_at();
    for candidate in [1, 2, 3] {
        assert!(granted(&actor.ask(pre_vote(3, candidate, at(2, 2)))));
    }
    assert_eq!((actor.node.term(), actor.node.voted_for()), (term(2), None));
    assert_eq!(actor.node.wake_at(), due, "the election timer goes on");
}

/// A log that is behind gets no pre-vote, and neither does a term that is behind.
#[test]
fn a_pre_vote_is_refused_to_a_server_that_cannot_win() {
    let mut actor = server(3, &[1, 2]);
    assert!(!granted(&actor.ask(pre_vote(3, 1, at(5, 1)))), "the last entry is of an older term");
    assert!(!granted(&actor.ask(pre_vote(3, 1, at(1, 2)))), "the log is shorter");
    assert!(!granted(&actor.ask(pre_vote(2, 1, at(2, 2)))), "its own term is already 1 behind");
}

/// While a leader is heard nobody gets a pre-vote; one election timeout after it fell silent
/// everybody does.
#[test]
fn a_live_leader_is_a_reason_to_refuse() {
    let mut actor = server(3, &[1]);
    assert_eq!(actor.ask_append(append(1, at(1, 1), &[], 0)), AppendOutcome::Matched);
    actor.wait(ELECTION - 1);
    assert!(!granted(&actor.ask(pre_vote(2, 2, at(1, 1)))));
    actor.wait(1);
    assert!(granted(&actor.ask(pre_vote(2, 2, at(1, 1)))));
}

/// A server that refused at first, because it had just heard the leader, is asked again: the first
/// follower whose timeout elapses must not have to wait for another one.
#[test]
fn a_refused_pre_vote_is_asked_for_again() {
    let mut actor = server(3, &[1]);
    let asked = actor.time_out();
    actor.reply(to(&asked, 1), vote_reply(1, false));
    actor.reply(to(&asked, 2), vote_reply(1, false));
    assert_eq!(actor.role(), RoleKind::PreCandidate);
    let again = actor.tick_after(HEARTBEAT);
    actor.reply(to(&again, 2), vote_reply(1, true));
    assert_eq!(actor.role(), RoleKind::Candidate);
}

/// An answer to an earlier attempt does not count: the server may have heard a leader since.
#[test]
fn a_late_pre_vote_does_not_count() {
    let mut actor = server(3, &[1]);
    let first = actor.time_out();
    let second = actor.time_out();
    actor.reply(to(&first, 1), vote_reply(1, true));
    assert_eq!(actor.role(), RoleKind::PreCandidate);
    actor.reply(to(&second, 1), vote_reply(1, true));
    assert_eq!(actor.role(), RoleKind::Candidate);
}

/// A refusal carries the refusing server's term. A later one ends the attempt, so a server that
/// was away learns the present term.
#[test]
fn a_later_term_in_a_refusal_is_entered() {
    let mut actor = server(3, &[1]);
    let asked = actor.time_out();
    actor.reply(to(&asked, 1), vote_reply(7, false));
    assert_eq!((actor.role(), actor.node.term()), (RoleKind::Follower, term(7)));
}

/// A candidate that does not win asks again before it enters a further term.
#[test]
fn a_candidate_without_a_majority_goes_back_to_asking() {
    let mut actor = server(3, &[1]);
    let asked = actor.time_out();
    actor.reply(to(&asked, 1), vote_reply(1, true));
    assert_eq!((actor.role(), actor.node.term()), (RoleKind::Candidate, term(2)));
    actor.time_out();
    assert_eq!((actor.role(), actor.node.term()), (RoleKind::PreCandidate, term(2)));
}

/// A pre-candidate that hears the leader of its term follows it.
#[test]
fn a_pre_candidate_that_hears_the_leader_follows() {
    let mut actor = server(3, &[1]);
    actor.time_out();
    assert_eq!(actor.ask_append(append(1, at(1, 1), &[], 0)), AppendOutcome::Matched);
    assert_eq!((actor.role(), actor.node.leader()), (RoleKind::Follower, Some(id(1))));
}

/// A real vote is another matter than a pre-vote: the one vote of the term is given once.
#[test]
fn a_pre_vote_is_no_promise() {
    let mut actor = server(3, &[1]);
    assert!(granted(&actor.ask(pre_vote(2, 1, at(1, 1)))));
    assert!(actor.ask_vote(vote(2, 2, at(1, 1))));
    assert!(!actor.ask_vote(vote(2, 1, at(1, 1))), "server 2 has the vote of term 2");
}

/// A group of one needs nobody's pre-vote.
#[test]
fn a_group_of_one_elects_itself() {
    let mut actor = server(1, &[1]);
    actor.time_out();
    assert_eq!((actor.role(), actor.node.term()), (RoleKind::Leader, term(2)));
}

/// With the paper's rules an election begins at once.
#[test]
fn the_papers_rules_ask_nobody_first() {
    let mut actor = Actor::start_with(Config::paper(id(0), 3), saved(&[1]));
    actor.time_out();
    assert_eq!((actor.role(), actor.node.term()), (RoleKind::Candidate, term(2)));
    assert!(granted(&actor.ask(request(3, 1, at(1, 1), VoteKind::Vote))));
}
