//! Replication over slow links, slow disks and to servers that are gone.

use raft_core::consensus::{Config, Event, RoleKind};
use raft_core::messages::{AppendOutcome, Request};

use crate::leader;
use crate::stage::{
    Actor, HEARTBEAT, append_in, append_reply, at, id, is_silent_to, ix, saved, snapshot_in, taken,
    terms_in, to, vote_reply,
};

/// A leader of three with delayed saves, whose followers' logs equal its own. Its own save of the
/// vote is durable.
fn leader_with_a_slow_disk(terms: &[u64]) -> Actor {
    let config = Config { delayed_saves: true, ..Config::paper(id(0), 3) };
    let mut actor = Actor::start_with(config, saved(terms));
    let asked = actor.time_out();
    actor.step(Event::Saved { number: asked.save_number });
    let of_term = actor.node.term().get();
    let elected = actor.reply(to(&asked, 1), vote_reply(of_term, true));
    assert_eq!(actor.role(), RoleKind::Leader);
    for call in &elected.messages {
        actor.matched(call);
    }
    actor
}

/// The leader's copy counts for a majority once it is durable, and not before (§10.2.1 of the
/// dissertation): until then one follower of three is not enough.
#[test]
fn the_leaders_own_copy_counts_when_it_is_durable() {
    let mut actor = leader_with_a_slow_disk(&[]);
    let proposed = actor.propose("a");
    assert!(proposed.messages.iter().all(|call| call.may_precede_save()));
    assert_eq!(actor.matched(to(&proposed, 1)).committed, None);
    let saved = actor.step(Event::Saved { number: proposed.save_number });
    assert_eq!(saved.committed, Some((ix(1), ix(1))));
}

/// Two followers are a majority without the leader's disk.
#[test]
fn a_majority_of_followers_commits_without_the_leaders_disk() {
    let mut actor = leader_with_a_slow_disk(&[]);
    let proposed = actor.propose("a");
    actor.matched(to(&proposed, 1));
    assert_eq!(actor.matched(to(&proposed, 2)).committed, Some((ix(1), ix(1))));
}

/// A report about an earlier save says nothing of later entries.
#[test]
fn an_earlier_save_does_not_make_later_entries_durable() {
    let mut actor = leader_with_a_slow_disk(&[]);
    let first = actor.propose("a");
    let then = actor.matched(to(&first, 1));
    assert_eq!(then.committed, None);
    let second = actor.propose("b");
    actor.matched(to(&second, 1));
    let saved = actor.step(Event::Saved { number: first.save_number });
    assert_eq!(saved.committed, Some((ix(1), ix(1))));
    let saved = actor.step(Event::Saved { number: second.save_number });
    assert_eq!(saved.committed, Some((ix(2), ix(2))));
}

/// Entries that were cut do not come back as durable when their save is reported.
#[test]
fn a_late_report_does_not_revive_what_was_cut() {
    let config = Config { delayed_saves: true, ..Config::paper(id(0), 3) };
    let mut actor = Actor::start_with(config, saved(&[1]));
    let first = actor.step(Event::Request(crate::stage::append(1, at(1, 1), &[1, 1], 0)));
    let second = actor.step(Event::Request(crate::stage::append(2, at(1, 1), &[2], 0)));
    actor.step(Event::Saved { number: first.save_number });
    assert_eq!(actor.node.durable_last(), ix(1), "entry 2 on the disk is another one");
    actor.step(Event::Saved { number: second.save_number });
    assert_eq!(actor.node.durable_last(), ix(2));
}

/// On a fast link new commands gather while earlier ones are in flight; on a slow one they leave at
/// once, so that each needs one round trip.
#[test]
fn a_slow_link_has_several_requests_in_flight() {
    for (round_trip, pipelined) in [(1, false), (200, true)] {
        let config = Config { batch_entries: 100, ..Config::paper(id(0), 3) };
        let mut actor = Actor::start_with(config, saved(&[]));
        let asked = actor.time_out();
        let elected = actor.reply(to(&asked, 1), vote_reply(1, true));
        for call in &elected.messages {
            actor.matched(call);
        }
        // The first command measures the round trip.
        let first = actor.propose("a");
        actor.wait(round_trip);
        actor.matched(to(&first, 1));
        let second = actor.propose("b");
        assert_eq!(terms_in(to(&second, 1)), [1]);
        actor.wait(round_trip / 2);
        let third = actor.propose("c");
        assert_eq!(!is_silent_to(&third, 1), pipelined, "round trip {round_trip}");
        if pipelined {
            assert_eq!(append_in(to(&third, 1)).prev, at(2, 1), "after what is in flight");
            // Answers out of order are as good.
            actor.matched(to(&third, 1));
            assert_eq!(actor.matched_of(1), 3);
        }
    }
}

/// A rejected request takes back everything in flight behind it.
#[test]
fn a_rejection_takes_the_pipeline_back() {
    let mut actor = leader(3, &[1]);
    let probe = actor.tick_after(HEARTBEAT);
    actor.reply(to(&probe, 1), append_reply(2, AppendOutcome::Matched));
    let first = actor.propose("a");
    actor.wait(100);
    actor.reply(to(&first, 1), append_reply(2, AppendOutcome::Matched));
    let second = actor.propose("b");
    actor.wait(20);
    let third = actor.propose("c");
    actor.failed(to(&second, 1));
    let again = actor.tick_after(HEARTBEAT);
    let call = again.messages.iter().find(|call| call.to == id(1)).expect("a heartbeat");
    assert!(append_in(call).prev.index >= ix(2), "{call:?}");
    actor.reply(to(&third, 1), append_reply(2, AppendOutcome::TooShort { last: ix(2) }));
    assert_eq!(actor.matched_of(1), 2);
}

/// A follower that is gone costs nothing but empty requests, however large the snapshot is that it
/// would need.
#[test]
fn a_dead_follower_is_sent_empty_requests_only() {
    let mut actor = leader(3, &[1]);
    let proposed = actor.propose("a");
    actor.reply(to(&proposed, 2), append_reply(2, AppendOutcome::Matched));
    actor.step(taken(2));
    let mut large = 0;
    for _ in 0..600 {
        let beat = actor.tick_after(HEARTBEAT);
        for call in &beat.messages {
            if call.to == id(1) {
                large += usize::from(match &call.request {
                    Request::Append(args) => !args.entries.is_empty(),
                    _ => true,
                });
            } else {
                actor.reply(call, append_reply(2, AppendOutcome::Matched));
            }
        }
    }
    assert!(actor.node.is_leader());
    assert_eq!(large, 0);
}

/// A follower whose disk was emptied says that its log is shorter than what it acknowledged. Two
/// such answers in a row have it refilled; one alone may be late.
#[test]
fn a_follower_that_lost_its_entries_is_refilled() {
    let mut actor = leader(3, &[1]);
    let proposed = actor.propose("a");
    for peer in [1, 2] {
        actor.reply(to(&proposed, peer), append_reply(2, AppendOutcome::Matched));
    }
    actor.step(taken(2));
    let lost = AppendOutcome::TooShort { last: ix(0) };
    let first = actor.tick_after(HEARTBEAT);
    actor.reply(to(&first, 1), append_reply(2, lost));
    assert_eq!(actor.matched_of(1), 2, "one answer is no proof");
    let second = actor.tick_after(HEARTBEAT);
    let refill = actor.reply(to(&second, 1), append_reply(2, lost));
    assert_eq!(snapshot_in(to(&refill, 1)).last, at(2, 2));
}

/// A leader without answers takes no more commands than its limits allow, and says so.
#[test]
fn uncommitted_entries_are_bounded() {
    let limits = [(3, usize::MAX, 3), (usize::MAX, 10, 4)];
    for (max_uncommitted_entries, max_uncommitted_bytes, fitting) in limits {
        let config =
            Config { max_uncommitted_entries, max_uncommitted_bytes, ..Config::paper(id(0), 3) };
        let mut actor = Actor::start_with(config, saved(&[]));
        let asked = actor.time_out();
        let elected = actor.reply(to(&asked, 1), vote_reply(1, true));
        elected.messages.iter().for_each(|call| drop(actor.matched(call)));
        let mut calls = Vec::new();
        for accepted in 0..fitting {
            let effects = actor.propose("abc");
            assert!(effects.proposed.is_some(), "{accepted} fit");
            calls.extend(effects.messages.into_iter().filter(|call| call.to == id(1)));
        }
        let refused = actor.propose("abc");
        assert!(refused.overloaded && refused.proposed.is_none());
        // What is committed makes room.
        while let Some(call) = calls.pop() {
            let then = actor.matched(&call);
            calls.extend(then.messages.into_iter().filter(|call| call.to == id(1)));
        }
        assert!(actor.propose("abc").proposed.is_some());
    }
}

/// A leader whose disk hangs steps down, and runs no more while it hangs: it could not save a vote.
#[test]
fn a_leader_whose_disk_is_stuck_steps_down() {
    let mut actor = leader_with_a_slow_disk(&[]);
    let proposed = actor.propose("a");
    let mut waited = 0;
    while actor.node.is_leader() {
        actor.tick_after(HEARTBEAT);
        waited += HEARTBEAT;
        assert!(waited <= 3_000, "still leads after {waited} ticks");
    }
    for _ in 0..20 {
        actor.time_out();
        assert_eq!(actor.role(), RoleKind::Follower);
    }
    actor.step(Event::Saved { number: proposed.save_number });
    actor.time_out();
    assert_eq!(actor.role(), RoleKind::Candidate);
}
