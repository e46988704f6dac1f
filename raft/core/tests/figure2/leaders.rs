//! Figure 2, "Rules for Servers: Leaders" (§5.3, §5.4.2), and what goes to a follower when.

use raft_core::consensus::{Config, RoleKind};
use raft_core::messages::AppendOutcome::{Conflict, TooShort};

use crate::stage::*;

/// "Upon election: send initial empty AppendEntries RPCs (heartbeat) to each server".
#[test]
fn a_new_leader_is_heard_at_once() {
    let (actor, elected) = Actor::leader(5, &[1, 1]);
    assert_eq!(elected.new_role, Some(RoleKind::Leader));
    assert_eq!(elected.messages.len(), 4);
    for peer in 1..5 {
        let args = append_in(to(&elected, peer));
        assert_eq!((args.term, args.leader), (term(2), id(0)));
        assert_eq!(args.prev, at(2, 1));
        assert!(args.entries.is_empty());
    }
    assert_eq!(actor.node.leader(), Some(id(0)));
    assert_eq!(actor.terms(), [1, 1], "no entry of its own: the labs count indexes");
}

/// Volatile state on leaders: nextIndex "initialized to leader last log index + 1", matchIndex to
/// 0.
#[test]
fn a_new_leader_knows_nothing_of_the_others() {
    let (actor, _) = Actor::leader(3, &[1, 1]);
    for peer in 1..3 {
        assert_eq!((actor.next_of(peer), actor.matched_of(peer)), (3, 0));
    }
}

/// "Reinitialized after election": what an earlier leadership knew does not count.
#[test]
fn progress_starts_anew_with_every_election() {
    let mut actor = Actor::leader_of_equals(3, &[1, 1]);
    assert_eq!(actor.matched_of(1), 2);
    actor.ask(vote(3, 2, at(0, 0)));
    let asked = actor.time_out();
    actor.reply(to(&asked, 1), vote_reply(4, true));
    assert!(actor.node.is_leader());
    assert_eq!((actor.next_of(1), actor.matched_of(1)), (3, 0));
}

/// "Repeat during idle periods to prevent election timeouts": every heartbeat interval, and not
/// more often.
#[test]
fn an_idle_leader_sends_heartbeats() {
    let mut actor = Actor::leader_of_equals(3, &[1]);
    for _ in 0..3 {
        assert_eq!(actor.node.wake_at(), actor.now + HEARTBEAT);
        assert!(actor.tick_after(HEARTBEAT - 1).messages.is_empty());
        let beat = actor.tick_after(1);
        for peer in 1..3 {
            assert!(append_in(to(&beat, peer)).entries.is_empty());
            actor.matched(to(&beat, peer));
        }
    }
}

/// "If command received from client: append entry to local log", and start replicating at once.
#[test]
fn a_command_is_appended_saved_and_sent_at_once() {
    let mut actor = Actor::leader_of_equals(3, &[1, 1]);
    let effects = actor.propose("x");
    assert_eq!(effects.proposed, Some(at(3, 2)), "in the leader's term");
    let write = effects.save.log.expect("saved before it is sent");
    assert_eq!((write.keep, write.first, write.last), (2, ix(3), ix(3)));
    for peer in 1..3 {
        let args = append_in(to(&effects, peer));
        assert_eq!((args.prev, args.entries.len()), (at(2, 1), 1));
        assert_eq!(&args.entries[0].command[..], b"x");
    }
    assert_eq!(effects.committed, None, "on one server of three");
}

/// Candidates take no commands either.
#[test]
fn only_leaders_take_commands() {
    let (mut actor, _) = Actor::candidate(3, &[1]);
    assert_eq!(actor.propose("x").proposed, None);
    assert_eq!(actor.terms(), [1]);
}

/// "If successful: update nextIndex and matchIndex for follower".
#[test]
fn an_accepted_request_moves_the_followers_progress() {
    let mut actor = Actor::leader_of_equals(3, &[1]);
    let sent = actor.propose("x");
    actor.matched(to(&sent, 1));
    assert_eq!((actor.matched_of(1), actor.next_of(1)), (2, 3));
    assert_eq!(actor.matched_of(2), 1);
}

/// "If there exists an N such that N > commitIndex, a majority of matchIndex[i] ≥ N, and
/// log[N].term == currentTerm: set commitIndex = N". The leader counts itself.
#[test]
fn entries_commit_on_a_majority_and_not_before() {
    let mut actor = Actor::leader_of_equals(5, &[]);
    let sent = actor.propose("x");
    assert_eq!(actor.matched(to(&sent, 1)).committed, None, "two of five");
    let effects = actor.matched(to(&sent, 4));
    assert_eq!(effects.committed, Some((ix(1), ix(1))), "three of five");
    assert_eq!(actor.matched(to(&sent, 2)).committed, None, "and only once");
    assert_eq!(actor.applied, [Given::Entry(1, 1)]);
}

/// A majority of each entry's own: the index that most followers have, not the highest one.
#[test]
fn the_majority_has_the_smaller_index() {
    let mut actor = Actor::leader_of_equals(5, &[]);
    let first = actor.propose("x");
    let second = actor.matched(to(&first, 1));
    assert!(second.messages.is_empty());
    actor.propose("y");
    actor.propose("z");
    // Follower 1 gets y, follower 2 only x.
    let beat = actor.tick_after(HEARTBEAT);
    let _ = beat;
    let effects = actor.matched(to(&first, 2));
    assert_eq!(effects.committed, Some((ix(1), ix(1))));
    assert_eq!(actor.node.last(), at(3, 1));
}

/// §5.4.2: "Raft never commits log entries from previous terms by counting replicas".
#[test]
fn entries_of_earlier_terms_are_not_committed_by_counting() {
    let (mut actor, elected) = Actor::leader(3, &[1, 2]);
    for peer in 1..3 {
        assert_eq!(actor.matched(to(&elected, peer)).committed, None);
    }
    assert_eq!((actor.matched_of(1), actor.matched_of(2)), (2, 2), "it is everywhere, and yet");
    assert_eq!(actor.node.commit(), ix(0));
    actor.tick_after(HEARTBEAT);
    assert_eq!(actor.node.commit(), ix(0));
}

/// §5.4.2: "once an entry from the current term has been committed in this way, then all prior
/// entries are committed indirectly".
#[test]
fn an_entry_of_this_term_commits_those_before_it() {
    let mut actor = Actor::leader_of_equals(3, &[1, 2]);
    let sent = actor.propose("x");
    let effects = actor.matched(to(&sent, 1));
    assert_eq!(effects.committed, Some((ix(1), ix(3))));
    assert_eq!(actor.applied, [Given::Entry(1, 1), Given::Entry(2, 2), Given::Entry(3, 3)]);
}

/// Figure 3, Leader Append-Only: nothing that happens to a leader removes an entry of its log.
#[test]
fn a_leader_only_appends() {
    let (mut actor, elected) = Actor::leader(3, &[1, 2, 2]);
    actor.refused(to(&elected, 1), TooShort { last: ix(0) });
    actor.refused(to(&elected, 2), Conflict { term: term(1), first: ix(1) });
    actor.propose("x");
    actor.ask(append(3, at(0, 0), &[3, 3], 3));
    actor.ask(append(2, at(0, 0), &[2, 2], 3));
    assert_eq!(actor.terms(), [1, 2, 2, 3]);
}

// --- Refusals: backing up by terms (§5.3) ------------------------------------------------------

/// "If AppendEntries fails because of log inconsistency: decrement nextIndex and retry". Case one:
/// the follower's log is too short. Its end is where to go on.
#[test]
fn backing_up_to_the_end_of_a_short_log() {
    let (mut actor, elected) = Actor::leader(3, &[4, 4, 5, 5, 6, 6]);
    let again = actor.refused(to(&elected, 1), TooShort { last: ix(2) });
    assert_eq!(append_in(to(&again, 1)).prev, at(2, 4));
    assert_eq!(terms_in(to(&again, 1)), [5, 5, 6, 6]);
    assert!(is_silent_to(&again, 2));
}

/// Case two: the follower has a term that the leader's log lacks. All of its entries of that term
/// are passed over at once.
#[test]
fn backing_up_over_a_term_the_leader_lacks() {
    // leader 4 4 6 6 6, follower 4 5 5 5 5
    let (mut actor, elected) = Actor::leader(3, &[4, 4, 6, 6, 6]);
    let again = actor.refused(to(&elected, 1), Conflict { term: term(5), first: ix(2) });
    assert_eq!(append_in(to(&again, 1)).prev, at(1, 4));
    assert_eq!(terms_in(to(&again, 1)), [4, 6, 6, 6]);
}

/// Case three: the leader has that term too. Its last entry of it is where the logs may part.
#[test]
fn backing_up_to_the_leaders_end_of_a_common_term() {
    // leader 4 4 4 6 6, follower 4 4 4 4 4: without the leader's own log it would be index 1.
    let (mut actor, elected) = Actor::leader(3, &[4, 4, 4, 6, 6]);
    let again = actor.refused(to(&elected, 1), Conflict { term: term(4), first: ix(1) });
    assert_eq!(append_in(to(&again, 1)).prev, at(3, 4));
    assert_eq!(terms_in(to(&again, 1)), [6, 6]);
}

/// Each refusal leads back by one place at least, whatever it says, and never into what is known
/// to be equal: so backing up ends.
#[test]
fn every_refusal_leads_back_but_never_below_what_matched() {
    let mut actor = Actor::leader_of_equals(3, &[1, 1]);
    let sent = actor.propose("x");
    // A follower that says it is further than the place it refused.
    let (mut other, elected) = Actor::leader(3, &[1, 1, 1]);
    let again = other.refused(to(&elected, 1), TooShort { last: ix(9) });
    assert_eq!(append_in(to(&again, 1)).prev, at(2, 1));
    let again = other.refused(to(&again, 1), Conflict { term: term(1), first: ix(3) });
    assert_eq!(append_in(to(&again, 1)).prev, at(1, 1));
    let again = other.refused(to(&again, 1), Conflict { term: term(1), first: ix(1) });
    assert_eq!(append_in(to(&again, 1)).prev, at(0, 0));
    // One that refuses what it had taken: a disk was lost. Nothing is unlearned.
    assert!(actor.refused(to(&sent, 1), TooShort { last: ix(0) }).messages.is_empty());
    assert_eq!((actor.matched_of(1), actor.next_of(1)), (2, 4));
}

/// Whole logs made equal, message by message: long wrong tails of several terms take a few rounds,
/// not one for each entry.
#[test]
fn long_wrong_tails_are_mended_in_a_few_rounds() {
    let tail = |of_term: u64, n: usize| std::iter::repeat_n(of_term, n);
    let leaders: Vec<u64> = [1].into_iter().chain(tail(2, 50)).chain(tail(7, 50)).collect();
    let wrong: Vec<u64> =
        [1].into_iter().chain(tail(3, 50)).chain(tail(4, 50)).chain(tail(5, 50)).collect();
    let (mut leader, elected) = Actor::leader(3, &leaders);
    let mut follower = Actor::start(1, 3, saved(&wrong));
    let mut call = to(&elected, 1).clone();
    let mut rounds = 0;
    while leader.matched_of(1) < leaders.len() as u64 {
        rounds += 1;
        let answer = follower.ask(call.request.clone());
        let next = leader.reply(&call, answer);
        if let Some(sent) = next.messages.first() {
            call = sent.clone();
        }
    }
    assert_eq!(follower.terms(), leaders);
    assert!(rounds <= 4, "{rounds} rounds");
}

// --- What is sent when --------------------------------------------------------------------------

/// While entries are on their way, commands gather, and go together when the answer is in.
#[test]
fn commands_gather_while_an_answer_is_awaited() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let first = actor.propose("a");
    for text in ["b", "c", "d"] {
        assert!(actor.propose(text).messages.is_empty());
    }
    let then = actor.matched(to(&first, 1));
    assert_eq!(append_in(to(&then, 1)).prev, at(1, 1));
    assert_eq!(append_in(to(&then, 1)).entries.len(), 3);
    assert!(is_silent_to(&then, 2), "the other's answer is still out");
}

/// The bound of the course's count test: twelve commands in a row to two followers, the heartbeats
/// of half a second included, are far below 42 calls.
#[test]
fn a_dozen_commands_take_a_few_calls() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let mut waiting: Vec<_> = actor.propose("0").messages;
    let mut calls = waiting.len();
    for text in ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"] {
        let more = actor.propose(text).messages;
        calls += more.len();
        waiting.extend(more);
    }
    for tick in 0..500 {
        for call in std::mem::take(&mut waiting) {
            waiting.extend(actor.matched(&call).messages);
        }
        waiting.extend(actor.tick_after(1).messages);
        calls += waiting.len();
        assert!(tick < 2 || actor.node.commit() == ix(12));
    }
    assert!(calls <= 16, "{calls} calls");
}

/// The bound on bytes: on a net that loses nothing each entry goes to each follower once.
#[test]
fn each_entry_is_sent_once_to_each_follower() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let mut entries = 0;
    let mut waiting = Vec::new();
    for round in 0..50 {
        waiting.extend(actor.propose("x").messages);
        if round % 3 == 0 {
            waiting.extend(actor.tick_after(30).messages);
        }
        for call in std::mem::take(&mut waiting) {
            entries += append_in(&call).entries.len();
            waiting.extend(actor.matched(&call).messages);
        }
    }
    for call in waiting {
        entries += append_in(&call).entries.len();
    }
    assert_eq!(entries, 2 * 50);
}

/// A lost request is repeated at once, the first time.
#[test]
fn a_lost_request_is_repeated_at_once() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let first = actor.propose("a");
    actor.propose("b");
    let second = actor.failed(to(&first, 1));
    assert_eq!(terms_in(to(&second, 1)), [1, 1], "with what has come since");
}

/// From the second failure on only empty heartbeats go out, not even new commands: no storm of
/// calls to a server that is gone, and no copy of the log with every heartbeat. Its first answer
/// ends that.
#[test]
fn a_server_that_is_gone_is_sent_empty_heartbeats() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let first = actor.propose("a");
    let second = actor.failed(to(&first, 1));
    assert!(actor.failed(to(&second, 1)).messages.is_empty());
    assert!(is_silent_to(&actor.propose("b"), 1));
    for _ in 0..3 {
        let beat = actor.tick_after(HEARTBEAT);
        assert!(terms_in(to(&beat, 1)).is_empty());
        assert!(actor.failed(to(&beat, 1)).messages.is_empty());
    }
    let beat = actor.tick_after(HEARTBEAT);
    let back = actor.matched(to(&beat, 1));
    assert_eq!(terms_in(to(&back, 1)), [1, 1]);
    actor.matched(to(&back, 1));
    assert_eq!(terms_in(to(&actor.propose("c"), 1)), [1]);
}

/// Without an answer, the first heartbeat is empty and asks whether the entries are there; the
/// second asks where to go on, and its answer brings them again. A call that hangs for seconds
/// holds nothing up.
#[test]
fn entries_without_an_answer_are_sent_again_after_the_next_answer() {
    let mut actor = Actor::leader_of_equals(3, &[1]);
    let sent = actor.propose("a");
    let beat = actor.tick_after(HEARTBEAT);
    let args = append_in(to(&beat, 1));
    assert_eq!((args.prev, args.entries.len()), (at(2, 2), 0));
    let probe = actor.tick_after(HEARTBEAT);
    assert_eq!(append_in(to(&probe, 1)).prev, at(1, 1));
    assert!(terms_in(to(&probe, 1)).is_empty());
    let again = actor.matched(to(&probe, 1));
    assert_eq!(append_in(to(&again, 1)), append_in(to(&sent, 1)), "the same again");
    // Seconds later the first call fails. It is not the one that is waited for any more.
    assert!(actor.failed(to(&sent, 1)).messages.is_empty());
}

/// The heartbeat's answer stands in for the lost one.
#[test]
fn a_heartbeats_answer_replaces_that_of_the_entries() {
    let mut actor = Actor::leader_of_equals(3, &[1]);
    actor.propose("a");
    let beat = actor.tick_after(HEARTBEAT);
    let effects = actor.matched(to(&beat, 1));
    assert_eq!(effects.committed, Some((ix(1), ix(2))));
    assert!(actor.propose("b").messages.iter().any(|call| call.to == id(1)), "nothing awaited");
}

/// And its refusal says that the entries were lost: they go out again without more waiting.
#[test]
fn a_heartbeats_refusal_brings_the_entries_back() {
    let mut actor = Actor::leader_of_equals(3, &[1]);
    let sent = actor.propose("a");
    let beat = actor.tick_after(HEARTBEAT);
    let again = actor.refused(to(&beat, 1), TooShort { last: ix(1) });
    assert_eq!(append_in(to(&again, 1)), append_in(to(&sent, 1)));
}

/// A lost heartbeat is not repeated: the next one is soon due.
#[test]
fn a_lost_heartbeat_is_let_go() {
    let mut actor = Actor::leader_of_equals(3, &[1]);
    let beat = actor.tick_after(HEARTBEAT);
    assert!(actor.failed(to(&beat, 1)).messages.is_empty());
    assert!(!is_silent_to(&actor.propose("a"), 1), "and is held against nobody");
}

/// Followers that have nothing to do learn of a commit soon, not only with the heartbeat.
#[test]
fn a_commit_is_spread_soon_when_nothing_else_is_said() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let sent = actor.propose("a");
    for peer in 1..3 {
        actor.matched(to(&sent, peer));
    }
    let soon = actor.now + 10;
    assert_eq!(actor.node.wake_at(), soon);
    let told = actor.tick_after(10);
    for peer in 1..3 {
        let args = append_in(to(&told, peer));
        assert_eq!((args.leader_commit, args.entries.len()), (ix(1), 0));
    }
    assert_eq!(actor.node.wake_at(), actor.now + HEARTBEAT, "said once");
}

/// With more commands on the way, those carry it.
#[test]
fn a_commit_rides_with_the_next_entries() {
    let mut actor = Actor::leader_of_equals(3, &[]);
    let first = actor.propose("a");
    actor.matched(to(&first, 1));
    actor.matched(to(&first, 2));
    let second = actor.propose("b");
    assert_eq!(append_in(to(&second, 1)).leader_commit, ix(1));
    actor.wait(10);
    let told = actor.tick_after(0);
    assert!(told.messages.is_empty(), "{told:?}");
}

/// Long logs travel in portions, by number and by size; one command is never too large to go.
#[test]
fn a_message_is_bounded() {
    let config = Config { batch_entries: 10, batch_bytes: 100, ..Config::paper(id(0), 1) };
    // Made in a group of one, then led in a group of two.
    let mut alone = Actor::start_with(config, saved(&[]));
    alone.time_out();
    for _ in 0..25 {
        alone.propose("");
    }
    for _ in 0..4 {
        alone.propose(&"y".repeat(40));
    }
    alone.propose(&"z".repeat(1000));
    let mut log = alone.disk.read();
    log.voted_for = None;
    let mut actor = Actor::start_with(Config { servers: 2, ..config }, log);
    let asked = actor.time_out();
    let elected = actor.reply(to(&asked, 1), vote_reply(2, true));
    let mut portions = Vec::new();
    let mut sent = actor.refused(to(&elected, 1), TooShort { last: ix(0) });
    while let Some(call) = sent.messages.first() {
        portions.push(append_in(call).entries.len());
        let call = call.clone();
        sent = actor.matched(&call);
    }
    assert_eq!(portions, [10, 10, 7, 2, 1]);
    assert_eq!(actor.matched_of(1), 30);
}

/// A leader that is cut off keeps leading: it cannot tell, and steps down when it hears again.
#[test]
fn a_leader_does_not_resign_without_cause() {
    let (mut actor, _) = Actor::leader(3, &[1]);
    for _ in 0..50 {
        actor.tick_after(HEARTBEAT);
    }
    assert!(actor.node.is_leader());
    assert_eq!(actor.node.term(), term(2));
}
