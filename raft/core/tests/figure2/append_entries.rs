//! Figure 2, "AppendEntries RPC: Receiver implementation" (§5.3), with requests late, twice and out
//! of order.

use raft_core::consensus::Event;
use raft_core::messages::AppendOutcome::{Conflict, Matched, StaleTerm, TooShort};

use crate::stage::*;

/// Rule 1: "Reply false if term < currentTerm", even if everything else fits.
#[test]
fn entries_of_an_old_leader_are_refused() {
    let mut actor = Actor::follower(&[1, 3]);
    assert_eq!(actor.ask_append(append(2, at(2, 3), &[3], 3)), StaleTerm);
    assert_eq!(actor.terms(), [1, 3]);
    assert_eq!(actor.node.commit(), ix(0));
}

/// Rule 2: "Reply false if log doesn't contain an entry at prevLogIndex": too short. Says where
/// the log ends, and changes nothing.
#[test]
fn a_log_that_is_too_short_says_where_it_ends() {
    let mut actor = Actor::follower(&[1, 1]);
    assert_eq!(actor.ask_append(append(2, at(5, 2), &[2], 6)), TooShort { last: ix(2) });
    assert_eq!(actor.terms(), [1, 1]);
    assert_eq!(actor.node.commit(), ix(0));
}

/// Rule 2, "whose term matches prevLogTerm": says which term it has there, and since where (end of
/// §5.3). The wrong entries stay until a leader sends others for their place.
#[test]
fn a_log_with_another_term_says_which_and_since_where() {
    let mut actor = Actor::follower(&[1, 2, 2, 2, 3]);
    assert_eq!(
        actor.ask_append(append(5, at(4, 4), &[5], 5)),
        Conflict { term: term(2), first: ix(2) }
    );
    assert_eq!(actor.terms(), [1, 2, 2, 2, 3]);
}

/// The place to go back to is never below the commit index: what is committed is in every leader's
/// log.
#[test]
fn a_conflict_never_points_into_what_is_committed() {
    let mut actor = Actor::follower(&[1, 1, 1, 1]);
    actor.ask(append(1, at(2, 1), &[], 2));
    assert_eq!(
        actor.ask_append(append(5, at(4, 4), &[], 0)),
        Conflict { term: term(1), first: ix(3) }
    );
}

/// Rule 4: "Append any new entries not already in the log".
#[test]
fn new_entries_are_appended() {
    let mut actor = Actor::follower(&[1]);
    assert_eq!(actor.ask_append(append(3, at(1, 1), &[2, 3], 0)), Matched);
    assert_eq!(actor.terms(), [1, 2, 3]);
    assert_eq!(actor.node.entry(ix(2)), Some(&entry(2, 2)), "with their commands");
    assert_eq!(actor.node.last(), at(3, 3));
}

/// Rule 4, from the first entry on: the place before it is in every log.
#[test]
fn an_empty_log_takes_the_first_entry() {
    let mut actor = Actor::follower(&[]);
    assert_eq!(actor.ask_append(append(1, at(0, 0), &[1], 1)), Matched);
    assert_eq!(actor.applied, [Given::Entry(1, 1)]);
}

/// Rule 3: "If an existing entry conflicts with a new one (same index but different terms), delete
/// the existing entry and all that follow it". What is saved says the same.
#[test]
fn a_conflict_removes_the_entry_and_all_after_it() {
    let mut actor = Actor::follower(&[1, 2, 2, 2]);
    let effects = actor.step(Event::Request(append(3, at(1, 1), &[3, 3], 0)));
    assert_eq!(actor.terms(), [1, 3, 3]);
    let write = effects.save.log.expect("a log to save");
    assert_eq!((write.keep, write.first, write.last), (1, ix(2), ix(3)));
}

/// Rule 3, only from the conflict on: entries before it, though sent, stay untouched.
#[test]
fn only_what_conflicts_is_removed() {
    let mut actor = Actor::follower(&[1, 1, 2, 2]);
    let effects = actor.step(Event::Request(append(3, at(0, 0), &[1, 1, 2, 3], 0)));
    assert_eq!(actor.terms(), [1, 1, 2, 3]);
    let write = effects.save.log.expect("a log to save");
    assert_eq!((write.keep, write.first, write.last), (3, ix(4), ix(4)));
}

/// Rule 3, only at a conflict: the same request twice changes nothing.
#[test]
fn a_repeated_request_changes_nothing() {
    let mut actor = Actor::follower(&[1]);
    actor.ask(append(2, at(1, 1), &[2, 2], 2));
    let before = actor.node.view();
    let effects = actor.step(Event::Request(append(2, at(1, 1), &[2, 2], 2)));
    assert_eq!(actor.node.view(), before);
    assert!(effects.save.is_empty());
    assert_eq!(effects.reply, Some(append_reply(2, Matched)));
}

/// Rule 3, only at a conflict: an older request that arrives after a newer one must not cut off
/// what the newer one brought. It may be committed.
#[test]
fn a_request_overtaken_by_a_longer_one_cuts_nothing() {
    let mut actor = Actor::follower(&[1]);
    actor.ask(append(2, at(1, 1), &[2, 2, 2], 4));
    assert_eq!(actor.ask_append(append(2, at(1, 1), &[2], 1)), Matched);
    assert_eq!(actor.ask_append(append(2, at(1, 1), &[], 0)), Matched);
    assert_eq!(actor.terms(), [1, 2, 2, 2]);
    assert_eq!(actor.node.commit(), ix(4), "nor does the commit index fall");
}

/// Entries that overtake those before them are refused until they come again.
#[test]
fn a_request_that_overtakes_another_waits_for_it() {
    let mut actor = Actor::follower(&[1]);
    assert_eq!(actor.ask_append(append(2, at(2, 2), &[2], 0)), TooShort { last: ix(1) });
    assert_eq!(actor.ask_append(append(2, at(1, 1), &[2], 0)), Matched);
    assert_eq!(actor.ask_append(append(2, at(2, 2), &[2], 0)), Matched);
    assert_eq!(actor.terms(), [1, 2, 2]);
}

/// A request of the leader before, arriving after the new leader's: refused by its term, so that
/// it brings nothing back.
#[test]
fn entries_of_a_deposed_leader_come_too_late() {
    let mut actor = Actor::follower(&[1]);
    actor.ask(append(3, at(1, 1), &[3], 2));
    assert_eq!(actor.ask_append(append(2, at(1, 1), &[2, 2], 3)), StaleTerm);
    assert_eq!(actor.terms(), [1, 3]);
}

/// Rule 5: "If leaderCommit > commitIndex, set commitIndex = min(leaderCommit, …)": as the leader.
#[test]
fn the_commit_index_follows_the_leader() {
    let mut actor = Actor::follower(&[1, 1, 1]);
    actor.ask(append(2, at(3, 1), &[], 2));
    assert_eq!(actor.node.commit(), ix(2));
    assert_eq!(actor.applied, [Given::Entry(1, 1), Given::Entry(2, 1)]);
}

/// Rule 5, "index of last new entry": not the end of the log, whose rest this leader may not have.
#[test]
fn the_commit_index_stops_at_the_last_entry_checked() {
    // Entries 3 and 4 are of a leader that was deposed; this one has others there.
    let mut actor = Actor::follower(&[1, 1, 2, 2]);
    actor.ask(append(3, at(1, 1), &[1], 4));
    assert_eq!(actor.node.commit(), ix(2));
    // A heartbeat checks the entry before, and no further.
    let mut actor = Actor::follower(&[1, 1, 2, 2]);
    actor.ask(append(3, at(2, 1), &[], 4));
    assert_eq!(actor.node.commit(), ix(2));
}

/// Rule 5, "if leaderCommit > commitIndex": a new leader that knows less takes nothing back.
#[test]
fn the_commit_index_never_falls() {
    let mut actor = Actor::follower(&[1, 1, 1]);
    actor.ask(append(2, at(3, 1), &[], 3));
    actor.ask(append(4, at(3, 1), &[], 1));
    actor.ask(append(4, at(1, 1), &[], 0));
    assert_eq!(actor.node.commit(), ix(3));
    assert_eq!(actor.applied.len(), 3);
}

/// A refused request says nothing about what is committed here.
#[test]
fn a_refused_request_commits_nothing() {
    let mut actor = Actor::follower(&[1, 1, 2]);
    actor.ask(append(4, at(3, 3), &[], 3));
    actor.ask(append(4, at(9, 3), &[], 3));
    assert_eq!(actor.node.commit(), ix(0));
}

/// §7: entries from before the snapshot are committed, so they are passed over; the rest is taken.
#[test]
fn entries_in_the_snapshot_are_passed_over() {
    let mut actor = Actor::follower(&[1, 1, 1, 1]);
    actor.ask(append(1, at(4, 1), &[], 3));
    actor.step(taken(3));
    assert_eq!(actor.node.base(), at(3, 1));
    assert_eq!(actor.ask_append(append(2, at(1, 1), &[1, 1, 1, 2], 4)), Matched);
    assert_eq!(actor.terms(), [1, 2]);
    assert_eq!(actor.node.commit(), ix(4));
}

/// §7: a late request that lies wholly in the snapshot changes nothing, and is no conflict.
#[test]
fn a_request_from_before_the_snapshot_changes_nothing() {
    let mut actor = Actor::follower(&[1, 1, 1, 1]);
    actor.ask(append(1, at(4, 1), &[], 3));
    actor.step(taken(3));
    let before = actor.node.view();
    assert_eq!(actor.ask_append(append(1, at(0, 0), &[1, 1], 2)), Matched);
    assert_eq!(actor.ask_append(append(1, at(1, 1), &[], 2)), Matched);
    assert_eq!(actor.ask_append(append(1, at(0, 0), &[1, 1, 1], 3)), Matched);
    assert_eq!(actor.node.view(), before);
}

/// §7: the end of the snapshot is a place like any other for the check of rule 2.
#[test]
fn entries_follow_on_the_snapshot() {
    let mut actor = Actor::follower(&[1, 2]);
    actor.ask(append(2, at(2, 2), &[], 2));
    actor.step(taken(2));
    assert!(actor.terms().is_empty());
    assert_eq!(actor.ask_append(append(3, at(2, 2), &[3], 3)), Matched);
    assert_eq!(actor.node.entry(ix(3)), Some(&entry(3, 3)));
    assert_eq!(actor.ask_append(append(3, at(9, 3), &[], 3)), TooShort { last: ix(3) });
}

/// Figure 3, Leader Completeness: a leader that wants a committed entry removed is no leader that
/// this protocol elects. The server stops rather than lose it.
#[test]
#[should_panic(expected = "leader completeness")]
fn a_committed_entry_is_never_removed() {
    let mut actor = Actor::follower(&[1, 1]);
    actor.ask(append(1, at(2, 1), &[], 2));
    actor.ask(append(3, at(1, 1), &[3], 2));
}

/// A second leader in the term that this server leads cannot be; it is refused.
#[test]
fn a_leader_takes_no_entries_in_its_own_term() {
    let (mut actor, _) = Actor::leader(3, &[1]);
    assert_eq!(actor.ask_append(append(2, at(1, 1), &[2], 2)), StaleTerm);
    actor.ask(install(2, 9, 1));
    assert!(actor.node.is_leader());
    assert_eq!((actor.terms(), actor.node.commit()), (vec![1], ix(0)));
}
