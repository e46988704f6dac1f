//! Answers to a leader late, twice and out of order: each says how things stood when it was sent,
//! and must not be taken for how they stand now (§5.3).

use raft_core::messages::AppendOutcome::{Conflict, Matched, TooShort};

use crate::stage::*;

/// A second success tells nothing new and moves nothing, least of all backwards.
#[test]
fn a_repeated_success_moves_nothing() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let first = actor.propose("a");
    actor.matched(to(&first, 1));
    let second = actor.propose("b");
    actor.matched(to(&second, 1));
    assert_eq!((actor.matched_of(1), actor.next_of(1)), (2, 3));
    assert!(actor.matched(to(&first, 1)).messages.is_empty());
    assert_eq!((actor.matched_of(1), actor.next_of(1)), (2, 3));
}

/// Successes in the wrong order: the later one says all, the earlier one nothing more. What counts
/// is what the request carried, not how long the log is when the answer comes.
#[test]
fn successes_out_of_order_count_for_what_they_carried() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let first = actor.propose("a");
    actor.propose("b");
    let second = actor.failed(to(&first, 1)); // given up, but it did arrive
    actor.propose("c");
    actor.matched(to(&second, 1));
    assert_eq!(actor.matched_of(1), 2, "two entries, though the log has three");
    actor.matched(to(&first, 1));
    assert_eq!(actor.matched_of(1), 2);
    assert_eq!(actor.node.commit(), ix(2));
}

/// The late success of a request that was given up is as good as a prompt one.
#[test]
fn a_late_success_counts() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let first = actor.propose("a");
    actor.tick_after(HEARTBEAT);
    actor.tick_after(HEARTBEAT);
    assert_eq!(actor.matched(to(&first, 1)).committed, Some((ix(1), ix(1))));
}

/// A refusal that was overtaken by a success is of the past.
#[test]
fn a_refusal_overtaken_by_a_success_moves_nothing() {
    let (mut actor, elected) = Actor::leader(3, &[1, 1, 1]);
    // The probe is answered after the heartbeat that followed it.
    let beat = actor.tick_after(HEARTBEAT);
    actor.matched(to(&beat, 1));
    assert_eq!(actor.matched_of(1), 3);
    assert!(actor.refused(to(&elected, 1), TooShort { last: ix(1) }).messages.is_empty());
    assert_eq!((actor.matched_of(1), actor.next_of(1)), (3, 4));
}

/// The same refusal twice leads back once.
#[test]
fn a_repeated_refusal_leads_back_once() {
    let (mut actor, elected) = Actor::leader(3, &[1, 1, 1]);
    let again = actor.refused(to(&elected, 1), TooShort { last: ix(1) });
    assert_eq!(append_in(to(&again, 1)).prev, at(1, 1));
    assert!(actor.refused(to(&elected, 1), TooShort { last: ix(1) }).messages.is_empty());
    actor.matched(to(&again, 1));
    assert_eq!(actor.matched_of(1), 3);
}

/// Refusals out of order: one of a request from before the last falling back says nothing new, even
/// if it points further back.
#[test]
fn a_refusal_from_before_falling_back_is_ignored() {
    let (mut actor, elected) = Actor::leader(3, &[1, 2, 3]);
    let beat = actor.tick_after(HEARTBEAT); // asks about the same place
    let again = actor.refused(to(&beat, 1), TooShort { last: ix(2) });
    assert_eq!(append_in(to(&again, 1)).prev, at(2, 2));
    let late = actor.refused(to(&elected, 1), Conflict { term: term(1), first: ix(1) });
    assert!(late.messages.is_empty());
}

/// A heartbeat that overtakes the entries is refused as the first probe was, with the first hint
/// again. The way back that was made since must not be undone: on a network that delays most
/// answers it would never be made.
#[test]
fn a_refusal_never_undoes_the_way_back() {
    let (mut actor, elected) = Actor::leader(3, &[1, 2, 3, 4]);
    let second = actor.refused(to(&elected, 1), TooShort { last: ix(3) });
    assert_eq!(append_in(to(&second, 1)).prev, at(3, 3));
    let third = actor.refused(to(&second, 1), Conflict { term: term(1), first: ix(1) });
    assert_eq!(append_in(to(&third, 1)).prev, at(1, 1));
    let beat = actor.tick_after(HEARTBEAT);
    let again = actor.refused(to(&beat, 1), TooShort { last: ix(3) });
    assert_eq!(append_in(to(&again, 1)).prev, at(1, 1));
    // A success ends the retreat: what is refused after it is news.
    actor.matched(to(&again, 1));
    assert_eq!((actor.matched_of(1), actor.next_of(1)), (4, 5));
}

/// An answer of the term in which this server led before says nothing about this term: the follower
/// may have lost the entries to another leader in between.
#[test]
fn a_success_of_an_earlier_leadership_does_not_count() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let sent = actor.propose("a"); // index 1 of term 1
    // Deposed; the leader of term 2 has another entry at 1; then elected again.
    actor.ask(append(2, at(0, 0), &[2], 0));
    let asked = actor.time_out();
    actor.reply(to(&asked, 1), vote_reply(3, true));
    assert!(actor.node.is_leader());
    actor.propose("b");
    // The success of term 1, still on its way.
    assert!(actor.matched(to(&sent, 1)).messages.is_empty());
    assert_eq!(actor.matched_of(1), 0);
    // Even if the answering server is in the new term by now.
    actor.reply(to(&sent, 2), append_reply(3, Matched));
    assert_eq!((actor.matched_of(2), actor.node.commit()), (0, ix(0)));
}

/// The same for refusals.
#[test]
fn a_refusal_of_an_earlier_leadership_does_not_count() {
    let (mut actor, elected) = Actor::leader(3, &[1, 1]); // term 2
    actor.ask(vote(3, 2, at(0, 0)));
    let asked = actor.time_out();
    actor.reply(to(&asked, 1), vote_reply(4, true));
    let next = actor.next_of(1);
    actor.reply(to(&elected, 1), append_reply(4, TooShort { last: ix(0) }));
    assert_eq!(actor.next_of(1), next);
}

/// A server that no longer leads has no use for answers.
#[test]
fn answers_to_a_deposed_leader_change_nothing() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let sent = actor.propose("a");
    actor.ask(vote(2, 2, at(9, 1)));
    let before = actor.node.view();
    assert!(actor.matched(to(&sent, 1)).messages.is_empty());
    assert!(actor.refused(to(&sent, 2), TooShort { last: ix(0) }).messages.is_empty());
    assert!(actor.failed(to(&sent, 2)).messages.is_empty());
    assert_eq!(actor.node.view(), before);
}

/// A failure is reported once, but an answer and a failure of the same request, or a failure after
/// it was sent again, do no harm either.
#[test]
fn failures_out_of_order_change_nothing() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let first = actor.propose("a");
    actor.matched(to(&first, 1));
    assert!(actor.failed(to(&first, 1)).messages.is_empty());
    let second = actor.propose("b");
    assert!(actor.failed(to(&first, 1)).messages.is_empty());
    assert_eq!((actor.matched_of(1), actor.next_of(1)), (1, 3));
    actor.matched(to(&second, 1));
    assert_eq!(actor.matched_of(1), 2);
}

/// An answer of another kind than the request is no answer.
#[test]
fn an_answer_of_another_kind_changes_nothing() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let sent = actor.propose("a");
    actor.reply(to(&sent, 1), vote_reply(1, true));
    actor.reply(to(&sent, 1), snapshot_reply(1));
    assert_eq!(actor.matched_of(1), 0);
}

/// Late and repeated answers to a snapshot: it is there, and stays there.
#[test]
fn answers_to_a_snapshot_may_come_late_and_twice() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let sent = actor.propose("a");
    actor.matched(to(&sent, 2));
    actor.step(taken(1));
    actor.failed(to(&sent, 1));
    actor.propose("b");
    actor.propose("c");
    actor.tick_after(HEARTBEAT);
    let beat = actor.tick_after(500);
    // The entry at 1 is gone from the log: follower 1, once it answers, gets the snapshot.
    let again = actor.refused(to(&beat, 1), TooShort { last: ix(0) });
    let call = to(&again, 1);
    assert_eq!(snapshot_in(call).last, at(1, 1));
    let then = actor.reply(call, snapshot_reply(1));
    assert_eq!(actor.matched_of(1), 1);
    assert_eq!(terms_in(to(&then, 1)), [1, 1], "and what follows on it");
    actor.matched(to(&then, 1));
    assert!(actor.reply(call, snapshot_reply(1)).messages.is_empty());
    assert_eq!((actor.matched_of(1), actor.next_of(1)), (3, 4));
}
