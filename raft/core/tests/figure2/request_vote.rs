//! Figure 2, "RequestVote RPC: Receiver implementation" (§5.2, §5.4.1).

use raft_core::consensus::{Event, RoleKind};

use crate::stage::*;

/// Rule 2: "If votedFor is null or candidateId […] grant vote": first come, first served.
#[test]
fn one_vote_a_term() {
    let mut actor = Actor::follower(&[1]);
    assert!(actor.ask_vote(vote(2, 1, at(1, 1))));
    assert!(!actor.ask_vote(vote(2, 2, at(9, 1))), "a better log comes too late");
    assert_eq!(actor.node.voted_for(), Some(id(1)));
    assert!(actor.ask_vote(vote(3, 2, at(9, 1))), "another term, another vote");
}

/// Rule 2, "or candidateId": a request that arrives twice gets the same answer twice.
#[test]
fn the_same_candidate_gets_the_vote_again() {
    let mut actor = Actor::follower(&[1]);
    assert!(actor.ask_vote(vote(2, 1, at(1, 1))));
    let effects = actor.step(Event::Request(vote(2, 1, at(1, 1))));
    assert_eq!(effects.reply, Some(vote_reply(2, true)));
    assert!(effects.save.is_empty());
}

/// Candidates and leaders have voted for themselves.
#[test]
fn candidates_and_leaders_keep_their_vote() {
    for mut actor in [Actor::candidate(3, &[1]).0, Actor::leader(3, &[1]).0] {
        let role = actor.role();
        assert!(!actor.ask_vote(vote(2, 2, at(9, 1))));
        assert_eq!(actor.role(), role);
    }
}

/// §5.4.1: "If the logs have last entries with different terms, then the log with the later term is
/// more up-to-date", however long the other is.
#[test]
fn the_later_last_term_wins() {
    let mut actor = Actor::follower(&[1, 1, 1, 1]);
    assert!(actor.ask_vote(vote(5, 1, at(1, 4))));
    let mut actor = Actor::follower(&[1, 3]);
    assert!(!actor.ask_vote(vote(5, 1, at(9, 2))));
}

/// §5.4.1: "If the logs end with the same term, then whichever log is longer is more up-to-date".
#[test]
fn among_equal_terms_the_longer_log_wins() {
    for (last, granted) in [(2, false), (3, true), (4, true)] {
        let mut actor = Actor::follower(&[1, 2, 2]);
        assert_eq!(actor.ask_vote(vote(5, 1, at(last, 2))), granted, "index {last} against 3");
    }
}

/// What is committed does not matter, only how the log ends: an entry on a majority may be
/// committed without the voters knowing (§5.4.1).
#[test]
fn the_commit_index_plays_no_part() {
    let mut actor = Actor::follower(&[1, 1, 1]);
    assert_eq!(actor.node.commit(), ix(0));
    assert!(!actor.ask_vote(vote(5, 1, at(2, 1))), "shorter, though beyond all we know committed");
    actor.ask(append(5, at(3, 1), &[], 3));
    assert_eq!(actor.node.commit(), ix(3));
    assert!(actor.ask_vote(vote(6, 2, at(3, 1))));
}

/// The refused candidate's later term is taken over all the same, and saved without a vote.
#[test]
fn a_refusal_takes_over_the_term() {
    let mut actor = Actor::follower(&[1, 2]);
    assert_eq!(actor.ask(vote(7, 1, at(5, 1))), vote_reply(7, false));
    assert_eq!((actor.disk.term(), actor.disk.voted_for()), (term(7), None));
    assert!(actor.ask_vote(vote(7, 2, at(2, 2))), "the vote of the term is still free");
}

/// A deposed leader votes like anybody else.
#[test]
fn a_leader_that_learns_of_a_later_term_may_vote_in_it() {
    let (mut actor, _) = Actor::leader(3, &[1]);
    assert!(actor.ask_vote(vote(3, 2, at(1, 1))));
    assert_eq!((actor.role(), actor.node.voted_for()), (RoleKind::Follower, Some(id(2))));
}

/// A vote given before a crash is given after it (Figure 2, persistent state): nobody else gets it,
/// the same one does.
#[test]
fn a_vote_survives_a_restart() {
    let mut actor = Actor::follower(&[1]);
    assert!(actor.ask_vote(vote(2, 1, at(1, 1))));
    actor.restart();
    assert!(!actor.ask_vote(vote(2, 2, at(1, 1))));
    assert!(actor.ask_vote(vote(2, 1, at(1, 1))));
}

/// So is a candidate's own.
#[test]
fn the_own_vote_survives_a_restart() {
    let (mut actor, asked) = Actor::candidate(3, &[1]);
    actor.restart();
    assert_eq!((actor.role(), actor.node.term()), (RoleKind::Follower, term(2)));
    assert!(!actor.ask_vote(vote(2, 2, at(1, 1))));
    // The answer to what it asked before the crash makes no leader.
    actor.reply(to(&asked, 1), vote_reply(2, true));
    assert_eq!(actor.role(), RoleKind::Follower);
    // Its next election is in a later term.
    actor.time_out();
    assert_eq!(actor.node.term(), term(3));
}

/// A term without a vote survives as well: the vote in it is still free, an earlier one is not.
#[test]
fn a_term_survives_a_restart() {
    let mut actor = Actor::follower(&[1, 2]);
    actor.ask(vote(7, 1, at(0, 0)));
    actor.restart();
    assert!(!actor.ask_vote(vote(6, 1, at(2, 2))));
    assert!(actor.ask_vote(vote(7, 2, at(2, 2))));
}

/// With the whole log in the snapshot, its end counts as the log's end (§7).
#[test]
fn the_snapshot_counts_as_log() {
    let mut actor = Actor::follower(&[1, 2]);
    actor.ask(append(2, at(2, 2), &[], 2));
    actor.step(taken(2));
    assert!(!actor.ask_vote(vote(5, 2, at(1, 2))));
    assert!(!actor.ask_vote(vote(5, 2, at(9, 1))));
    assert!(actor.ask_vote(vote(5, 2, at(2, 2))));
}
