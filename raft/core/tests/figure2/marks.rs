//! What the core calls by name when it happens: a sweep counts it, so a wrong name would hide a gap
//! in the tests.

use raft_core::consensus::{Effects, Event};
use raft_core::marks::Mark;
use raft_core::messages::AppendOutcome::{Conflict, TooShort};

use crate::stage::*;

fn marks(effects: &Effects) -> Vec<Mark> {
    effects.marks.iter().collect()
}

/// The marks of one request that server 0, with this log, receives as a follower.
fn asked(terms: &[u64], commit: u64, request: raft_core::messages::Request) -> Vec<Mark> {
    let mut actor = Actor::follower(terms);
    let last = terms.len() as u64;
    let of_term = *terms.last().expect("an entry");
    actor.ask(append(of_term, at(last, of_term), &[], commit));
    marks(&actor.step(Event::Request(request)))
}

#[test]
fn requests() {
    for (mark, terms, commit, request) in [
        (Mark::VoteRefusedOldLog, &[1, 2][..], 0, vote(3, 1, at(9, 1))),
        (Mark::StaleRequest, &[1, 2], 0, append(1, at(1, 1), &[1], 0)),
        (Mark::DuplicateAppend, &[1, 2], 0, append(2, at(1, 1), &[2], 0)),
        (Mark::SuffixCut, &[1, 2, 2], 1, append(3, at(1, 1), &[3], 0)),
        (Mark::SnapshotOverConflict, &[1, 2, 2], 1, install(3, 2, 3)),
        (Mark::SnapshotKeepsSuffix, &[1, 2, 2], 1, install(3, 2, 2)),
        (Mark::SnapshotBeyondLog, &[1, 2, 2], 1, install(3, 4, 2)),
        (Mark::StaleSnapshot, &[1, 2, 2], 2, install(3, 2, 2)),
    ] {
        assert_eq!(asked(terms, commit, request), [mark]);
    }
    // What is ordinary has no mark.
    assert_eq!(asked(&[1, 2], 0, append(2, at(2, 2), &[2], 0)), []);
    assert_eq!(asked(&[1, 2], 0, vote(3, 1, at(2, 2))), []);
}

#[test]
fn votes_once_given() {
    let mut actor = Actor::follower(&[1]);
    assert_eq!(marks(&actor.step(Event::Request(vote(2, 1, at(1, 1))))), []);
    let again = actor.step(Event::Request(vote(2, 1, at(1, 1))));
    assert_eq!(marks(&again), [Mark::VoteRepeated]);
    let other = actor.step(Event::Request(vote(2, 2, at(1, 1))));
    assert_eq!(marks(&other), [Mark::VoteRefusedGiven]);
}

#[test]
fn candidates_and_leaders() {
    let (mut candidate, asked) = Actor::candidate(3, &[1]);
    assert_eq!(marks(&asked), []);
    assert_eq!(marks(&candidate.time_out()), [Mark::ElectionStartsOver]);
    let late = candidate.reply(to(&asked, 1), vote_reply(2, true));
    assert_eq!(marks(&late), [Mark::StaleReply]);
    let heard = candidate.step(Event::Request(append(3, at(1, 1), &[], 0)));
    assert_eq!(marks(&heard), [Mark::CandidateHearsLeader]);

    let (mut leader, elected) = Actor::leader(3, &[1]);
    let deposed = leader.reply(to(&elected, 1), append_reply(9, TooShort { last: ix(0) }));
    assert_eq!(marks(&deposed), [Mark::LeaderDeposedByReply]);
    let (mut leader, _) = Actor::leader(3, &[1]);
    let deposed = leader.step(Event::Request(append(9, at(1, 1), &[], 0)));
    assert_eq!(marks(&deposed), [Mark::LeaderDeposedByRequest]);
}

#[test]
fn backing_up_and_commit() {
    for (mark, outcome) in [
        (Mark::BackingUpTooShort, TooShort { last: ix(2) }),
        (Mark::BackingUpUnknownTerm, Conflict { term: term(5), first: ix(2) }),
        (Mark::BackingUpKnownTerm, Conflict { term: term(4), first: ix(1) }),
    ] {
        let (mut leader, elected) = Actor::leader(3, &[4, 4, 6, 6, 6]);
        assert_eq!(marks(&leader.refused(to(&elected, 1), outcome)), [mark]);
        let again = marks(&leader.refused(to(&elected, 1), outcome));
        assert_eq!(again, [mark, Mark::StaleRefusal], "the first refusal has led back already");
    }
    let (mut leader, elected) = Actor::leader(3, &[1, 2]);
    assert_eq!(marks(&leader.matched(to(&elected, 1))), [Mark::CommitWaits]);
    let proposed = leader.propose("x");
    assert_eq!(marks(&leader.matched(to(&proposed, 1))), [Mark::CommitsEarlierTerms]);
}
