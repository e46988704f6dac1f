//! Persistent state (Figure 2) and coming back with it; crashes between a snapshot and the log that
//! is trimmed for it; saved states that cannot be (§7, §5.1).

use raft_core::consensus::{Config, Event, Node, RestoreError, RoleKind, Saved};
use raft_core::messages::AppendOutcome::Matched;
use raft_core::timing::Time;

use crate::disk::Disk;
use crate::stage::*;

fn restore(saved: Saved) -> Result<Node, RestoreError> {
    Node::restore(Config::paper(id(0), 3), saved, Time::ZERO, &mut low_dice())
}

/// Term, vote and log come back; roles and commit index do not: a leader that crashes is a follower
/// that knows of no commitment.
#[test]
fn a_restarted_server_is_a_follower_with_its_log() {
    let mut actor = Actor::leader_of_equals(3, &[1]);
    let sent = actor.propose("a");
    actor.matched(to(&sent, 1));
    assert_eq!(actor.node.commit(), ix(2));
    actor.restart();
    let view = actor.node.view();
    assert_eq!(view.role, RoleKind::Follower);
    assert_eq!((view.term, view.voted_for), (term(2), Some(id(0))));
    assert_eq!(actor.terms(), [1, 2]);
    assert_eq!((view.commit, view.applied), (ix(0), ix(0)));
}

/// Without a snapshot the service starts empty and is given everything from index 1 again.
#[test]
fn entries_are_handed_out_from_the_first_after_a_restart() {
    let mut actor = Actor::follower(&[1, 1]);
    actor.ask(append(1, at(2, 1), &[], 2));
    actor.restart();
    actor.ask(append(1, at(2, 1), &[], 2));
    assert_eq!(actor.applied, [Given::Entry(1, 1), Given::Entry(2, 1)]);
}

/// With one it goes on after it.
#[test]
fn entries_are_handed_out_from_the_snapshot_after_a_restart() {
    let mut actor = Actor::follower(&[1, 1, 1]);
    actor.ask(append(1, at(3, 1), &[], 3));
    actor.step(taken(2));
    actor.restart();
    assert_eq!((actor.node.commit(), actor.node.applied()), (ix(2), ix(2)));
    actor.ask(append(1, at(3, 1), &[], 3));
    assert_eq!(actor.applied, [Given::Entry(3, 1)]);
}

/// A follower's promise holds after a crash: the leader counted these entries.
#[test]
fn entries_survive_a_restart() {
    let mut actor = Actor::follower(&[1]);
    assert_eq!(actor.ask_append(append(2, at(1, 1), &[2, 2], 0)), Matched);
    actor.restart();
    assert_eq!(actor.terms(), [1, 2, 2]);
    assert!(!actor.ask_vote(vote(9, 2, at(9, 1))));
}

/// A crash after the snapshot of the service was written and before the log was trimmed: the log
/// is trimmed on the way back, and the next save says so.
#[test]
fn a_crash_between_own_snapshot_and_trimmed_log_loses_nothing() {
    let mut actor = Actor::follower(&[1, 1, 2]);
    actor.ask(append(2, at(3, 2), &[], 2));
    let mut disk = actor.disk.clone();
    let effects = actor.node.step(actor.now, taken(2), &mut low_dice());
    disk.write_snapshot(&actor.node, &effects.save);

    let mut node = restore(disk.read()).unwrap();
    assert_eq!((node.base(), node.last()), (at(2, 1), at(3, 2)));
    assert_eq!((node.commit(), node.applied()), (ix(2), ix(2)));
    let effects = node.step(Time::ZERO, Event::Tick, &mut low_dice());
    disk.write_state(&node, &effects.save);
    disk.check_holds(&node);
}

/// The same with the leader's snapshot, in all relations to the log on the disk.
#[test]
fn a_crash_between_a_leaders_snapshot_and_trimmed_log_loses_nothing() {
    // (log on the disk, snapshot, log after coming back)
    let cases = [
        (vec![1, 2, 2, 2], (3, 2), vec![2]), // fits: the rest is kept
        (vec![1, 2, 2, 2], (3, 3), vec![]),  // contradicts: the rest goes
        (vec![1, 2], (5, 3), vec![]),        // beyond
        (vec![1, 2], (2, 2), vec![]),        // equal
        (vec![], (5, 3), vec![]),
    ];
    for (log, (index, of_term), rest) in cases {
        let mut actor = Actor::start(0, 3, saved(&log));
        let mut disk = actor.disk.clone();
        let request = Event::Request(install(4, index, of_term));
        let effects = actor.node.step(actor.now, request, &mut low_dice());
        disk.write_snapshot(&actor.node, &effects.save);

        let mut node = restore(disk.read()).unwrap();
        assert_eq!(node.base(), at(index, of_term));
        let terms: Vec<u64> = node.entries().map(|(_, entry)| entry.term.get()).collect();
        assert_eq!(terms, rest, "{log:?} with a snapshot at {index} of {of_term}");
        assert!(node.term() >= term(of_term), "the term of the snapshot is known");
        let effects = node.step(Time::ZERO, Event::Tick, &mut low_dice());
        disk.write_state(&node, &effects.save);
        disk.check_holds(&node);
    }
}

/// A crash before the first of the two writes: nothing happened.
#[test]
fn a_crash_before_the_snapshot_leaves_the_old_state() {
    let mut actor = Actor::follower(&[1, 1, 2]);
    actor.ask(append(2, at(3, 2), &[], 2));
    let disk: Disk = actor.disk.clone();
    let _lost = actor.node.step(actor.now, taken(2), &mut low_dice());
    let node = restore(disk.read()).unwrap();
    assert_eq!((node.base(), node.last()), (at(0, 0), at(3, 2)));
}

/// Any prefix of a history of saves can be restored and equals what the server had.
#[test]
fn what_is_saved_equals_what_the_server_has_after_every_step() {
    // `Actor::step` compares after each; here is a history with every kind of save.
    let mut actor = Actor::follower(&[1, 1, 1]);
    actor.ask(append(2, at(1, 1), &[2, 2, 2], 2)); // cut and append
    actor.restart();
    actor.ask(append(2, at(4, 2), &[2], 4)); // append, commit
    actor.step(taken(3)); // trim
    actor.restart();
    actor.ask(append(3, at(4, 2), &[3, 3], 4)); // cut and append after a trim
    actor.ask(install(3, 9, 3)); // replace
    actor.restart();
    actor.ask(append(3, at(9, 3), &[3], 10));
    actor.ask(install(4, 10, 3)); // equal to what is committed
    assert_eq!((actor.node.base(), actor.node.last()), (at(9, 3), at(10, 3)));
}

/// A saved state that no run can leave is an error that says what is wrong, never a fresh start.
#[test]
fn corrupt_states_are_errors() {
    let good = saved(&[1, 2, 2]);
    assert!(restore(good.clone()).is_ok());

    let falls = Saved { term: term(2), ..saved(&[1, 2, 1]) };
    let error = restore(falls).unwrap_err();
    assert_eq!(error, RestoreError::TermsFall { index: ix(3), term: term(1), before: term(2) });

    let behind = Saved { term: term(1), ..good.clone() };
    let error = restore(behind).unwrap_err();
    assert_eq!(error, RestoreError::TermBehindLog { term: term(1), log: term(2) });

    // The log begins after 3, but the snapshot ends at 2, or there is none.
    let gap = Saved { base: at(3, 1), snapshot: Some(snapshot(2, 1)), ..good.clone() };
    let error = restore(gap.clone()).unwrap_err();
    assert_eq!(error, RestoreError::Gap { snapshot: ix(2), base: ix(3) });
    let error = restore(Saved { snapshot: None, ..gap }).unwrap_err();
    assert_eq!(error, RestoreError::Gap { snapshot: ix(0), base: ix(3) });

    let mismatch = Saved { base: at(3, 1), snapshot: Some(snapshot(3, 2)), ..good.clone() };
    let error = restore(mismatch).unwrap_err();
    assert_eq!(error, RestoreError::BaseMismatch { snapshot: at(3, 2), base: at(3, 1) });

    let unknown = Saved { voted_for: Some(id(3)), ..good };
    let error = restore(unknown).unwrap_err();
    assert_eq!(error, RestoreError::UnknownVote { voted_for: id(3), servers: 3 });
    assert!(error.to_string().starts_with("saved state is corrupt"), "{error}");
}

/// A server that is not one of the group cannot start.
#[test]
fn a_server_outside_the_group_is_an_error() {
    let error = Node::new(Config::paper(id(3), 3), Time::ZERO, &mut low_dice()).unwrap_err();
    assert_eq!(error, RestoreError::NotAMember { id: id(3), servers: 3 });
}
