//! Section 7 and Figure 13: taking snapshots, installing them, sending them.

use raft_core::consensus::Event;
use raft_core::messages::AppendOutcome::{Conflict, Matched, TooShort};
use raft_core::types::{Entry, Snapshot};

use crate::stage::*;

/// A follower whose first entries are committed.
fn with_committed(terms: &[u64], commit: u64) -> Actor {
    let mut actor = Actor::follower(terms);
    let last = terms.len() as u64;
    let of_term = *terms.last().expect("an entry");
    actor.ask(append(of_term, at(last, of_term), &[], commit));
    assert_eq!(actor.node.commit(), ix(commit));
    actor.applied.clear();
    actor
}

// --- Taking -----------------------------------------------------------------------------------

/// §7: "Once a server completes writing a snapshot, it may delete all log entries up through the
/// last included index". The rest stays, with its indexes.
#[test]
fn taking_a_snapshot_drops_what_it_includes() {
    let mut actor = with_committed(&[1, 1, 2, 2], 3);
    let effects = actor.step(taken(2));
    assert_eq!((actor.node.base(), actor.terms()), (at(2, 1), vec![2, 2]));
    assert_eq!(actor.node.entry(ix(2)), None);
    assert_eq!(actor.node.entry(ix(3)), Some(&entry(3, 2)));
    assert_eq!(actor.node.term_at(ix(2)), Some(term(1)), "kept for the consistency check");
    assert_eq!(actor.node.snapshot(), Some(&snapshot(2, 1)));
    assert!(effects.save.snapshot && effects.save.header);
    let write = effects.save.log.expect("a log to trim");
    assert_eq!((write.keep, write.drop_front), (4, 2));
    assert!(write.first > write.last, "no entry is written again");
    assert_eq!(effects.install, None, "the service has it already");
}

/// Only what was applied can be in a snapshot.
#[test]
fn a_snapshot_beyond_what_is_applied_is_ignored() {
    let mut actor = with_committed(&[1, 1, 1], 2);
    assert!(actor.step(taken(3)).save.is_empty());
    assert!(actor.step(taken(9)).save.is_empty());
    assert_eq!((actor.node.base(), actor.terms()), (at(0, 0), vec![1, 1, 1]));
}

/// One that is no newer than the last brings nothing: the service may report late, when the
/// leader's has come already.
#[test]
fn a_snapshot_no_newer_than_the_last_is_ignored() {
    let mut actor = with_committed(&[1, 1, 1], 3);
    actor.step(taken(2));
    for index in [0, 1, 2] {
        assert!(actor.step(taken(index)).save.is_empty(), "at {index}");
    }
    assert_eq!(actor.node.snapshot(), Some(&snapshot(2, 1)));
}

/// Snapshots follow one another, and the log may become empty.
#[test]
fn snapshots_follow_one_another() {
    let mut actor = with_committed(&[1, 1, 1], 3);
    for index in [1, 2, 3] {
        actor.step(taken(index));
        assert_eq!(actor.node.base(), at(index, 1));
    }
    assert_eq!(actor.node.last(), at(3, 1));
    assert!(actor.terms().is_empty());
}

/// Leaders take snapshots like everybody (§7: "each server takes snapshots independently").
#[test]
fn a_leader_goes_on_after_a_snapshot() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let sent = actor.propose("a");
    actor.matched(to(&sent, 1));
    actor.matched(to(&sent, 2));
    actor.step(taken(1));
    let sent = actor.propose("b");
    assert_eq!(append_in(to(&sent, 1)).prev, at(1, 1), "the snapshot's end");
    assert_eq!(actor.matched(to(&sent, 1)).committed, Some((ix(2), ix(2))));
}

// --- Installing ---------------------------------------------------------------------------------

/// Rule 1: "Reply immediately if term < currentTerm".
#[test]
fn a_snapshot_of_an_old_leader_is_refused() {
    let mut actor = Actor::follower(&[1, 3]);
    assert_eq!(actor.ask(install(2, 9, 2)), snapshot_reply(3));
    assert_eq!((actor.node.base(), actor.terms()), (at(0, 0), vec![1, 3]));
    assert!(actor.applied.is_empty());
}

/// Rules 7 and 8: beyond the log: "Discard the entire log. Reset state machine using snapshot
/// contents". The service gets it, then the entries after it.
#[test]
fn a_snapshot_beyond_the_log_replaces_it() {
    let mut actor = Actor::follower(&[1, 1]);
    let effects = actor.step(Event::Request(install(3, 5, 2)));
    assert_eq!(effects.install, Some(snapshot(5, 2)));
    assert_eq!(effects.committed, None);
    assert!(effects.save.snapshot && effects.save.header);
    assert_eq!((actor.node.base(), actor.node.last()), (at(5, 2), at(5, 2)));
    assert_eq!((actor.node.commit(), actor.node.applied()), (ix(5), ix(5)));
    assert_eq!(actor.ask_append(append(3, at(5, 2), &[3], 6)), Matched);
    assert_eq!(actor.applied, [Given::Snapshot(5), Given::Entry(6, 3)]);
}

/// Rule 7, inside the log but of another term there: what follows builds on a wrong entry and
/// goes too.
#[test]
fn a_snapshot_that_contradicts_the_log_replaces_it() {
    let mut actor = Actor::follower(&[1, 2, 2, 2]);
    actor.ask(install(4, 3, 3));
    assert_eq!((actor.node.base(), actor.node.last()), (at(3, 3), at(3, 3)));
    assert_eq!(actor.applied, [Given::Snapshot(3)]);
}

/// Rule 6: "If existing log entry has same index and term as snapshot's last included entry, retain
/// log entries following it".
#[test]
fn entries_after_a_snapshot_that_fits_are_kept() {
    let mut actor = Actor::follower(&[1, 2, 2, 2]);
    let effects = actor.step(Event::Request(install(3, 3, 2)));
    assert_eq!((actor.node.base(), actor.terms()), (at(3, 2), vec![2]));
    let write = effects.save.log.expect("a log to trim");
    assert_eq!((write.keep, write.drop_front), (4, 3));
    assert!(write.first > write.last);
    assert_eq!(actor.node.commit(), ix(3), "the rest waits for its own commit");
    actor.ask(append(3, at(4, 2), &[], 4));
    assert_eq!(actor.applied, [Given::Snapshot(3), Given::Entry(4, 2)]);
}

/// A snapshot that ends exactly with the log: nothing is left after it.
#[test]
fn a_snapshot_of_the_whole_log_leaves_it_empty() {
    let mut actor = Actor::follower(&[1, 2]);
    actor.ask(install(3, 2, 2));
    assert_eq!((actor.node.base(), actor.node.last()), (at(2, 2), at(2, 2)));
    assert_eq!(actor.applied, [Given::Snapshot(2)]);
}

/// One that ends at the commit index brings nothing the service has not been given.
#[test]
fn a_snapshot_equal_to_what_is_committed_is_ignored() {
    let mut actor = with_committed(&[1, 1, 1], 2);
    let effects = actor.step(Event::Request(install(1, 2, 1)));
    assert_eq!(effects.install, None);
    assert!(effects.save.is_empty());
    assert_eq!(effects.reply, Some(snapshot_reply(1)), "but answered: the leader may go on");
    assert_eq!(actor.terms(), [1, 1, 1]);
}

/// One that ends before it would lead the service back.
#[test]
fn a_snapshot_older_than_what_is_committed_is_ignored() {
    let mut actor = with_committed(&[1, 1, 1], 3);
    actor.ask(install(1, 1, 1));
    assert_eq!(actor.node.base(), at(0, 0));
    assert!(actor.applied.is_empty());
    // The same when an own snapshot is newer.
    actor.step(taken(3));
    actor.ask(install(1, 2, 1));
    assert_eq!(actor.node.snapshot(), Some(&snapshot(3, 1)));
    assert!(actor.applied.is_empty());
}

/// The same snapshot twice is installed once; an older one that comes after a newer one, not at
/// all.
#[test]
fn repeated_and_reordered_snapshots_are_installed_once() {
    let mut actor = Actor::follower(&[1]);
    actor.ask(install(2, 7, 2));
    actor.ask(install(2, 7, 2));
    actor.ask(install(2, 5, 2));
    assert_eq!(actor.applied, [Given::Snapshot(7)]);
    assert_eq!(actor.node.base(), at(7, 2));
}

/// Entries that were sent before the snapshot and come after it are passed over; those that reach
/// beyond it are taken.
#[test]
fn entries_that_come_after_a_snapshot_they_precede_are_passed_over() {
    let mut actor = Actor::follower(&[1]);
    actor.ask(install(2, 4, 2));
    assert_eq!(actor.ask_append(append(2, at(1, 1), &[2, 2], 3)), Matched);
    assert_eq!(actor.node.last(), at(4, 2));
    assert_eq!(actor.ask_append(append(2, at(1, 1), &[2, 2, 2, 2], 5)), Matched);
    assert_eq!(actor.applied, [Given::Snapshot(4), Given::Entry(5, 2)]);
}

/// The service's own snapshot, reported after the leader's newer one was installed.
#[test]
fn a_snapshot_taken_before_one_was_installed_is_ignored() {
    let mut actor = with_committed(&[1, 1, 1], 3);
    actor.ask(install(2, 6, 2));
    assert!(actor.step(taken(3)).save.is_empty());
    assert_eq!(actor.node.snapshot(), Some(&snapshot(6, 2)));
}

/// A snapshot of a later term: the term is taken over and saved with it.
#[test]
fn a_snapshot_brings_its_term() {
    let mut actor = Actor::follower(&[1]);
    assert_eq!(actor.ask(install(5, 4, 4)), snapshot_reply(5));
    assert_eq!((actor.disk.term(), actor.disk.voted_for()), (term(5), None));
}

// --- Sending ------------------------------------------------------------------------------------

/// A leader of term 2 in a group of three whose log begins after a snapshot at 3 of term 1.
fn leader_after_snapshot() -> (Actor, raft_core::consensus::Effects) {
    let mut state = saved(&[1, 1, 1, 1, 1]);
    state.entries.drain(..3);
    state.base = at(3, 1);
    state.snapshot = Some(snapshot(3, 1));
    let mut actor = Actor::start(0, 3, state);
    let asked = actor.time_out();
    let elected = actor.reply(to(&asked, 1), vote_reply(2, true));
    (actor, elected)
}

/// §7: "the leader must occasionally send snapshots to followers that lag behind": when the next
/// entry is gone from the log.
#[test]
fn a_follower_behind_the_log_is_sent_the_snapshot() {
    let (mut actor, elected) = leader_after_snapshot();
    let sent = actor.refused(to(&elected, 1), TooShort { last: ix(2) });
    assert_eq!(snapshot_in(to(&sent, 1)), &snapshot(3, 1));
    assert_eq!(to(&sent, 1).request.term(), term(2));
}

/// Not when the log still reaches: the end of the snapshot is enough for the consistency check.
#[test]
fn a_follower_that_the_log_reaches_is_sent_entries() {
    let (mut actor, elected) = leader_after_snapshot();
    let sent = actor.refused(to(&elected, 1), TooShort { last: ix(3) });
    assert_eq!(append_in(to(&sent, 1)).prev, at(3, 1));
    assert_eq!(terms_in(to(&sent, 1)), [1, 1]);
    // A conflict whose term ends with the snapshot points there, too.
    let (mut actor, elected) = leader_after_snapshot();
    let sent = actor.refused(to(&elected, 1), Conflict { term: term(0), first: ix(4) });
    assert_eq!(append_in(to(&sent, 1)).prev, at(3, 1));
}

/// When the snapshot is there, the entries after it follow at once.
#[test]
fn entries_follow_the_snapshot() {
    let (mut actor, elected) = leader_after_snapshot();
    let sent = actor.refused(to(&elected, 1), TooShort { last: ix(0) });
    let then = actor.reply(to(&sent, 1), snapshot_reply(2));
    assert_eq!(actor.matched_of(1), 3);
    assert_eq!(append_in(to(&then, 1)).prev, at(3, 1));
    assert_eq!(terms_in(to(&then, 1)), [1, 1]);
}

/// While it is on its way, heartbeats keep the follower quiet, and a refusal of one does not bring
/// a second copy.
#[test]
fn heartbeats_go_on_while_a_snapshot_is_on_its_way() {
    let (mut actor, elected) = leader_after_snapshot();
    actor.refused(to(&elected, 1), TooShort { last: ix(0) });
    let beat = actor.tick_after(HEARTBEAT);
    assert_eq!(append_in(to(&beat, 1)).prev, at(3, 1));
    assert!(actor.refused(to(&beat, 1), TooShort { last: ix(0) }).messages.is_empty());
    // A commit index that the leader learns in the meantime brings none either.
    assert!(is_silent_to(&actor.propose("x"), 1));
    // Without an answer only empty requests go out, however long it takes.
    let mut beat = actor.tick_after(HEARTBEAT);
    for _ in 0..50 {
        assert!(append_in(to(&beat, 1)).entries.is_empty());
        beat = actor.tick_after(HEARTBEAT);
    }
    // The first answer brings the snapshot again.
    let again = actor.refused(to(&beat, 1), TooShort { last: ix(0) });
    assert_eq!(snapshot_in(to(&again, 1)).last, at(3, 1));
}

/// A follower that answers, but takes long to receive the snapshot, does not get it faster by
/// getting it more often: the wait doubles with each attempt.
#[test]
fn a_snapshot_that_takes_long_is_sent_less_and_less_often() {
    let (mut actor, elected) = leader_after_snapshot();
    actor.refused(to(&elected, 1), TooShort { last: ix(0) });
    let mut copies = 1;
    for _ in 0..300 {
        let beat = actor.tick_after(HEARTBEAT);
        let Some(call) = beat.messages.iter().find(|call| call.to == id(1)) else { continue };
        let then = actor.refused(call, TooShort { last: ix(0) });
        copies += then
            .messages
            .iter()
            .filter(|call| matches!(call.request, raft_core::messages::Request::Snapshot(_)))
            .count();
    }
    assert_eq!(copies, 7, "in 30 s: after 0.5, 1.5, 3.4, 7.1, 14.4 and 28.9 s once more");
}

/// A lost snapshot is repeated, and if there is a newer one by then, that one is sent.
#[test]
fn a_lost_snapshot_is_repeated_by_the_newest() {
    let (mut actor, elected) = leader_after_snapshot();
    let sent = actor.refused(to(&elected, 1), TooShort { last: ix(0) });
    actor.matched(to(&elected, 2));
    let proposed = actor.propose("x");
    actor.matched(to(&proposed, 2));
    assert_eq!(actor.node.applied(), ix(6));
    actor.step(taken(6));
    let again = actor.failed(to(&sent, 1));
    assert_eq!(snapshot_in(to(&again, 1)).last, at(6, 2));
    // The answer to the first one still counts for what it carried.
    let then = actor.reply(to(&sent, 1), snapshot_reply(2));
    assert_eq!(actor.matched_of(1), 3);
    assert!(then.messages.is_empty(), "the newer one is on its way");
    actor.reply(to(&again, 1), snapshot_reply(2));
    assert_eq!(actor.matched_of(1), 6);
}

/// The entries on their way may be in a snapshot by the time their answer comes.
#[test]
fn an_answer_may_be_about_entries_that_are_in_the_snapshot() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let sent = actor.propose("a");
    actor.matched(to(&sent, 2));
    actor.step(taken(1));
    assert_eq!(actor.node.base(), at(1, 1));
    // A heartbeat about the same place can still be made, then the answer comes.
    let beat = actor.tick_after(HEARTBEAT);
    assert_eq!(append_in(to(&beat, 1)).prev, at(1, 1));
    actor.matched(to(&sent, 1));
    assert_eq!((actor.matched_of(1), actor.next_of(1)), (1, 2));
}

/// Whole transfer between two cores: a follower that has nothing becomes equal.
#[test]
fn a_new_follower_catches_up_by_snapshot_and_entries() {
    let (mut leader, elected) = leader_after_snapshot();
    let mut follower = Actor::start(1, 3, saved(&[]));
    let mut calls = vec![to(&elected, 1).clone()];
    leader.propose("x");
    while let Some(call) = calls.pop() {
        let reply = follower.ask(call.request.clone());
        calls.extend(leader.reply(&call, reply).messages);
    }
    assert_eq!(leader.matched_of(1), 6);
    let theirs: Vec<Entry> = follower.node.entries().map(|(_, entry)| entry.clone()).collect();
    let ours: Vec<Entry> = leader.node.entries().map(|(_, entry)| entry.clone()).collect();
    assert_eq!(theirs, ours);
    assert_eq!(follower.applied[0], Given::Snapshot(3));
    let held: Option<&Snapshot> = follower.node.snapshot();
    assert_eq!(held, leader.node.snapshot());
}
