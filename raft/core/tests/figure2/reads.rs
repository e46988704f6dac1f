//! Section 8, last paragraph: reads without log entries, and how they could be stale.

use raft_core::consensus::{Event, ReadRefused, RoleKind};
use raft_core::types::Index;

use crate::stage::*;

fn confirmed(up_to: u64, index: u64) -> Option<(u64, Index)> {
    Some((up_to, ix(index)))
}

/// Server 0 of so many, leader of term 2, with entry 3 of its own term committed.
fn reader(servers: u32) -> Actor {
    let mut actor = Actor::leader_of_equals(servers, &[1, 1]);
    let proposed = actor.propose("x");
    for peer in 1..=servers / 2 {
        actor.matched(to(&proposed, peer));
    }
    assert_eq!(actor.node.commit(), ix(3));
    // Whatever it has to say besides is said.
    let beat = actor.tick_after(HEARTBEAT);
    for call in &beat.messages {
        actor.matched(call);
    }
    actor
}

#[test]
fn only_a_leader_takes_reads() {
    let mut follower = Actor::follower(&[1, 1]);
    assert_eq!(follower.step(Event::Read).read, Some(Err(ReadRefused::NotLeader)));
    let (mut candidate, _) = Actor::candidate(3, &[1]);
    assert_eq!(candidate.step(Event::Read).read, Some(Err(ReadRefused::NotLeader)));
}

/// The first trap: its predecessor may have committed what it has in its log, but does not know to
/// be committed.
#[test]
fn a_new_leader_refuses_reads_until_it_has_committed_in_its_term() {
    let mut actor = Actor::leader_of_equals(3, &[1, 1]);
    assert_eq!(actor.node.commit(), ix(0), "both entries may be committed long since");
    let read = actor.step(Event::Read);
    assert_eq!(read.read, Some(Err(ReadRefused::NothingCommitted)));
    assert!(read.messages.is_empty());
    let proposed = actor.propose("x");
    assert_eq!(actor.step(Event::Read).read, Some(Err(ReadRefused::NothingCommitted)));
    actor.matched(to(&proposed, 1));
    assert_eq!(actor.step(Event::Read).read, Some(Ok(1)));
}

/// The second trap: it may have been deposed without knowing it.
#[test]
fn a_read_waits_for_a_majority_that_was_asked_after_it() {
    let mut actor = reader(5);
    let read = actor.step(Event::Read);
    assert_eq!((read.read, read.confirmed), (Some(Ok(1)), None));
    assert_eq!(read.messages.len(), 2, "as many as a majority needs, besides itself");
    assert_eq!(actor.matched(to(&read, 3)).confirmed, None, "two of five");
    assert_eq!(actor.matched(to(&read, 3)).confirmed, None, "the same one again");
    assert_eq!(actor.matched(to(&read, 4)).confirmed, confirmed(1, 3));
    assert_eq!(actor.matched(to(&read, 4)).confirmed, None, "once is enough");
}

/// Those that a majority needs do not all answer: soon the others are asked, too.
#[test]
fn all_are_asked_if_the_first_do_not_answer() {
    let mut actor = reader(5);
    let read = actor.step(Event::Read);
    assert!(is_silent_to(&read, 1) && is_silent_to(&read, 2));
    assert_eq!(actor.matched(to(&read, 4)).confirmed, None, "two of five");
    assert!(actor.tick_after(1).messages.is_empty(), "not yet");
    let others = actor.tick_after(1);
    assert_eq!(others.messages.len(), 2, "those that were not asked");
    assert!(actor.tick_after(1).messages.is_empty(), "but once");
    assert_eq!(actor.matched(to(&others, 1)).confirmed, confirmed(1, 3));
    // Whoever has answered last is asked first.
    let next = actor.step(Event::Read);
    assert_eq!(actor.matched(to(&next, 1)).confirmed, None);
    assert_eq!(actor.matched(to(&next, 4)).confirmed, confirmed(2, 3));
}

/// After a round of many reads, the next one waits a moment for half as many.
#[test]
fn reads_gather_after_a_round_of_many() {
    let mut actor = reader(3);
    let alone = actor.step(Event::Read);
    for number in 2..=9 {
        assert_eq!(actor.step(Event::Read).read, Some(Ok(number)));
    }
    let eight = actor.matched(to(&alone, 2));
    assert!(actor.matched(to(&eight, 2)).messages.is_empty(), "nobody reads");
    for _ in 10..=12 {
        assert!(actor.step(Event::Read).messages.is_empty(), "fewer than half of eight");
    }
    let four = actor.step(Event::Read);
    assert_eq!(actor.matched(to(&four, 2)).confirmed, confirmed(13, 3));
    // There is a limit to waiting.
    let waiting = actor.step(Event::Read);
    assert_eq!((waiting.read, waiting.messages.len()), (Some(Ok(14)), 0));
    assert!(actor.tick_after(1).messages.is_empty());
    let late = actor.tick_after(1);
    assert_eq!(actor.matched(to(&late, 2)).confirmed, confirmed(14, 3));
    // One client alone never waits.
    let next = actor.step(Event::Read);
    assert_eq!(actor.matched(to(&next, 2)).confirmed, confirmed(15, 3));
}

/// What was sent before the read says nothing about the time after it.
#[test]
fn answers_to_older_requests_do_not_count() {
    let mut actor = reader(3);
    let before = actor.tick_after(HEARTBEAT);
    let read = actor.step(Event::Read);
    assert_eq!(actor.matched(to(&before, 1)).confirmed, None);
    assert_eq!(actor.matched(to(&before, 2)).confirmed, None);
    assert_eq!(actor.matched(to(&read, 2)).confirmed, confirmed(1, 3));
}

/// A refusal is a word of the same term, too.
#[test]
fn a_refusal_confirms_as_well() {
    let mut actor = reader(3);
    let read = actor.step(Event::Read);
    let refusal = raft_core::messages::AppendOutcome::TooShort { last: ix(1) };
    assert_eq!(actor.refused(to(&read, 2), refusal).confirmed, confirmed(1, 3));
}

#[test]
fn a_heartbeat_confirms_as_well() {
    let mut actor = reader(3);
    let read = actor.step(Event::Read);
    actor.failed(to(&read, 2));
    let others = actor.tick_after(2);
    actor.failed(to(&others, 1));
    let beat = actor.tick_after(HEARTBEAT);
    assert_eq!(actor.matched(to(&beat, 1)).confirmed, confirmed(1, 3));
}

#[test]
fn reads_that_come_during_a_round_share_the_next() {
    let mut actor = reader(3);
    let one = actor.step(Event::Read);
    for number in 2..=50 {
        let more = actor.step(Event::Read);
        assert_eq!((more.read, more.confirmed), (Some(Ok(number)), None));
        assert!(more.messages.is_empty(), "nothing is sent for the others yet");
    }
    let next = actor.matched(to(&one, 2));
    assert_eq!(next.confirmed, confirmed(1, 3));
    assert!(!next.messages.is_empty(), "one round for the forty-nine others");
    assert_eq!(actor.matched(to(&one, 2)).confirmed, None, "the answer to the first question");
    assert_eq!(actor.matched(to(&next, 2)).confirmed, confirmed(50, 3));
}

#[test]
fn a_deposed_leader_confirms_nothing() {
    let mut actor = reader(5);
    let read = actor.step(Event::Read);
    actor.matched(to(&read, 3));
    let late =
        actor.reply(to(&read, 4), append_reply(3, raft_core::messages::AppendOutcome::StaleTerm));
    assert_eq!((late.new_role, late.confirmed), (Some(RoleKind::Follower), None));
    assert_eq!(actor.matched(to(&read, 4)).confirmed, None, "it does not lead any more");
    // Elected again, it knows nothing of reads of its last time.
    let asked = actor.time_out();
    actor.reply(to(&asked, 1), vote_reply(4, true));
    actor.reply(to(&asked, 2), vote_reply(4, true));
    assert!(actor.node.is_leader());
    assert_eq!(actor.matched(to(&read, 4)).confirmed, None);
}

/// A group of one needs nobody's word.
#[test]
fn a_single_server_confirms_at_once() {
    let mut actor = Actor::start(0, 1, saved(&[1]));
    actor.time_out();
    actor.propose("x");
    let read = actor.step(Event::Read);
    assert_eq!((read.read, read.confirmed), (Some(Ok(1)), confirmed(1, 2)));
}

/// What is sent for a command counts, and a read that comes after a commit sees it.
#[test]
fn entries_confirm_as_well() {
    let mut actor = reader(3);
    let first = actor.step(Event::Read);
    let after = actor.matched(to(&first, 2));
    assert_eq!(after.confirmed, confirmed(1, 3));
    let proposed = actor.propose("y");
    actor.matched(to(&proposed, 2));
    assert_eq!(actor.node.commit(), ix(4));
    let second = actor.step(Event::Read);
    assert_eq!(actor.matched(to(&second, 2)).confirmed, confirmed(2, 4));
}
