//! Figure 2, "Rules for Servers: Candidates" (§5.2), and answers to votes late, twice and mixed up.

use raft_core::consensus::RoleKind;
use raft_core::messages::{AppendOutcome, Request, RequestVoteArgs, VoteKind};

use crate::stage::*;

/// "On conversion to candidate, start election: increment currentTerm, vote for self, reset
/// election timer, send RequestVote RPCs to all other servers"; term and vote are saved before they
/// leave.
#[test]
fn an_election_starts_with_a_new_term_and_the_own_vote() {
    let mut actor = Actor::start(0, 5, saved(&[1, 3]));
    let effects = actor.time_out();
    assert_eq!(actor.node.term(), term(4));
    assert_eq!(actor.node.voted_for(), Some(id(0)));
    assert_eq!(effects.new_role, Some(RoleKind::Candidate));
    assert!(effects.save.header);
    assert_eq!((actor.disk.term(), actor.disk.voted_for()), (term(4), Some(id(0))));
    assert_eq!(effects.messages.len(), 4);
    for peer in 1..5 {
        let asked = RequestVoteArgs {
            term: term(4),
            candidate: id(0),
            last: at(2, 3),
            kind: VoteKind::Vote,
        };
        assert_eq!(to(&effects, peer).request, Request::Vote(asked));
    }
    // The timer runs anew: silence until then changes nothing.
    actor.tick_after(ELECTION - 1);
    assert_eq!(actor.node.term(), term(4));
}

/// "If votes received from majority of servers: become leader": two of three, three of five.
#[test]
fn a_majority_makes_a_leader() {
    for (servers, needed) in [(2, 1), (3, 1), (4, 2), (5, 2), (7, 3)] {
        let (mut actor, asked) = Actor::candidate(servers, &[1]);
        for peer in 1..=needed {
            assert_eq!(actor.role(), RoleKind::Candidate, "{servers} servers, before {peer}");
            actor.reply(to(&asked, peer), vote_reply(2, true));
        }
        assert_eq!(actor.role(), RoleKind::Leader, "{servers} servers");
        assert_eq!(actor.node.term(), term(2), "in the term of the election");
    }
}

/// A group of one elects itself.
#[test]
fn a_group_of_one_elects_itself() {
    let mut actor = Actor::start(0, 1, saved(&[1]));
    let effects = actor.time_out();
    assert_eq!(effects.new_role, Some(RoleKind::Leader));
    assert!(effects.messages.is_empty());
    let effects = actor.propose("x");
    assert_eq!(effects.committed, Some((ix(1), ix(2))));
}

/// Refusals are no votes, however many.
#[test]
fn refusals_do_not_count() {
    let (mut actor, asked) = Actor::candidate(5, &[1]);
    for peer in 1..5 {
        actor.reply(to(&asked, peer), vote_reply(2, false));
    }
    assert_eq!(actor.role(), RoleKind::Candidate);
}

/// A vote that arrives twice is one vote, also when the question was asked twice.
#[test]
fn a_repeated_vote_counts_once() {
    let (mut actor, asked) = Actor::candidate(5, &[1]);
    actor.reply(to(&asked, 1), vote_reply(2, true));
    actor.reply(to(&asked, 1), vote_reply(2, true));
    assert_eq!(actor.role(), RoleKind::Candidate);
    actor.reply(to(&asked, 2), vote_reply(2, true));
    assert_eq!(actor.role(), RoleKind::Leader);
}

/// A vote of an earlier election does not count in this one (§5.2: "for the same term").
#[test]
fn a_vote_of_an_earlier_election_does_not_count() {
    let (mut actor, first) = Actor::candidate(3, &[1]);
    let second = actor.time_out();
    assert_eq!(actor.node.term(), term(3));
    actor.reply(to(&first, 1), vote_reply(2, true));
    assert_eq!(actor.role(), RoleKind::Candidate);
    // Nor does the answer to the old question from a server that is in the new term by now.
    actor.reply(to(&first, 1), vote_reply(3, true));
    assert_eq!(actor.role(), RoleKind::Candidate);
    // Nor one of the old term to the new question, whoever made that up.
    actor.reply(to(&second, 1), vote_reply(2, true));
    assert_eq!(actor.role(), RoleKind::Candidate);
    actor.reply(to(&second, 1), vote_reply(3, true));
    assert_eq!(actor.role(), RoleKind::Leader);
}

/// "If AppendEntries RPC received from new leader: convert to follower"; a vote that comes later
/// makes no second leader of the term.
#[test]
fn a_candidate_yields_to_the_leader_of_its_term() {
    let (mut actor, asked) = Actor::candidate(3, &[1]);
    assert_eq!(actor.ask_append(append(2, at(1, 1), &[2], 0)), AppendOutcome::Matched);
    assert_eq!(actor.role(), RoleKind::Follower);
    assert_eq!((actor.node.term(), actor.node.voted_for()), (term(2), Some(id(0))));
    actor.reply(to(&asked, 2), vote_reply(2, true));
    assert_eq!(actor.role(), RoleKind::Follower);
}

/// The same with a snapshot (Figure 13 comes from a leader as well).
#[test]
fn a_candidate_yields_to_a_snapshot_of_its_term() {
    let (mut actor, _) = Actor::candidate(3, &[1]);
    actor.ask(install(2, 5, 1));
    assert_eq!(actor.role(), RoleKind::Follower);
    assert_eq!(actor.node.leader(), Some(id(1)));
}

/// A leader of an earlier term does not stop a candidate.
#[test]
fn a_candidate_does_not_yield_to_an_old_leader() {
    let (mut actor, _) = Actor::candidate(3, &[1]);
    assert_eq!(actor.ask_append(append(1, at(1, 1), &[1], 2)), AppendOutcome::StaleTerm);
    assert_eq!(actor.role(), RoleKind::Candidate);
    assert_eq!(actor.terms(), [1]);
}

/// "If election timeout elapses: start new election".
#[test]
fn a_split_vote_ends_in_a_new_election() {
    let (mut actor, _) = Actor::candidate(3, &[1]);
    let effects = actor.time_out();
    assert_eq!(actor.node.term(), term(3));
    assert_eq!(effects.new_role, Some(RoleKind::Candidate), "to be told from the one before");
    assert_eq!(effects.messages.len(), 2);
    assert!(effects.save.header);
}

/// §5.1: "Servers retry RPCs if they do not receive a response in a timely manner": the silent ones
/// are asked again every heartbeat interval, those that answered are not.
#[test]
fn silent_servers_are_asked_again() {
    let (mut actor, asked) = Actor::candidate(5, &[1]);
    actor.reply(to(&asked, 1), vote_reply(2, true));
    actor.reply(to(&asked, 2), vote_reply(2, false));
    assert!(actor.failed(to(&asked, 3)).messages.is_empty(), "not in a hurry");
    assert_eq!(actor.node.wake_at(), actor.now + HEARTBEAT);
    let again = actor.tick_after(HEARTBEAT);
    assert!(is_silent_to(&again, 1) && is_silent_to(&again, 2));
    assert_eq!(to(&again, 3).request, to(&asked, 3).request);
    assert_eq!(to(&again, 4).request, to(&asked, 4).request);
    actor.reply(to(&again, 4), vote_reply(2, true));
    assert_eq!(actor.role(), RoleKind::Leader);
}

/// The vote that comes after the election is won changes nothing; neither does an answer of another
/// kind than the question.
#[test]
fn surplus_and_mistaken_answers_change_nothing() {
    let (mut actor, asked) = Actor::candidate(5, &[1]);
    actor.reply(to(&asked, 1), append_reply(2, AppendOutcome::Matched));
    actor.reply(to(&asked, 2), snapshot_reply(2));
    assert_eq!(actor.role(), RoleKind::Candidate);
    actor.reply(to(&asked, 1), vote_reply(2, true));
    actor.reply(to(&asked, 2), vote_reply(2, true));
    assert_eq!(actor.role(), RoleKind::Leader);
    let before = actor.node.view();
    assert!(actor.reply(to(&asked, 3), vote_reply(2, true)).messages.is_empty());
    assert_eq!(actor.node.view(), before);
    assert_eq!(actor.matched_of(3), 0);
}

/// The vote requests that lost their answer when the term went on are nobody's business any more.
#[test]
fn a_failed_vote_request_changes_nothing() {
    let (mut actor, first) = Actor::candidate(3, &[1]);
    actor.time_out();
    let before = actor.node.view();
    assert!(actor.failed(to(&first, 1)).messages.is_empty());
    assert_eq!(actor.node.view(), before);
}
