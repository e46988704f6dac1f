//! Figure 2, State, and "Rules for Servers: All Servers".

use raft_core::consensus::{Event, RoleKind, Saved};
use raft_core::messages::{AppendOutcome, Reply};

use crate::stage::*;

/// State: "latest term server has seen (initialized to 0 on first boot)", no vote, an empty log
/// whose first index is 1, nothing committed or applied.
#[test]
fn a_new_server_starts_from_nothing() {
    let actor = Actor::start(0, 3, Saved::default());
    let view = actor.node.view();
    assert_eq!(view.role, RoleKind::Follower);
    assert_eq!((view.term, view.voted_for), (term(0), None));
    assert_eq!((view.commit, view.applied), (ix(0), ix(0)));
    assert_eq!((view.base, view.last), (at(0, 0), at(0, 0)));
}

/// "If commitIndex > lastApplied: increment lastApplied, apply log[lastApplied]": in order, each
/// once.
#[test]
fn what_is_committed_is_handed_out_in_order_and_once() {
    let mut actor = Actor::follower(&[]);
    actor.ask(append(1, at(0, 0), &[1, 1, 1], 2));
    actor.ask(append(1, at(0, 0), &[1, 1, 1], 2));
    actor.ask(append(1, at(3, 1), &[1], 4));
    let expected = [1, 2, 3, 4].map(|index| Given::Entry(index, 1));
    assert_eq!(actor.applied, expected);
    assert_eq!(actor.node.applied(), ix(4));
}

/// "If RPC request contains term T > currentTerm: set currentTerm = T, convert to follower": for
/// every kind of request and every role.
#[test]
fn a_request_of_a_later_term_makes_a_follower() {
    let requests = [vote(9, 2, at(0, 0)), append(9, at(50, 8), &[], 0), install(9, 50, 8)];
    for request in requests {
        let actors = [Actor::follower(&[1]), Actor::candidate(3, &[1]).0, Actor::leader(3, &[1]).0];
        for mut actor in actors {
            let before = actor.role();
            let reply = actor.ask(request.clone());
            assert_eq!(actor.role(), RoleKind::Follower, "{before:?} after {request:?}");
            assert_eq!(actor.node.term(), term(9));
            assert_eq!(reply.term(), term(9), "the answer has the new term");
            assert_eq!(actor.disk.term(), term(9), "saved with the step");
        }
    }
}

/// "If RPC response contains term T > currentTerm: set currentTerm = T, convert to follower": for
/// every kind of answer, and even if the call belongs to an earlier term.
#[test]
fn an_answer_of_a_later_term_makes_a_follower() {
    // A candidate. (The next term is later enough.)
    let (mut actor, asked) = Actor::candidate(3, &[1]);
    actor.reply(to(&asked, 1), vote_reply(3, false));
    assert_eq!((actor.role(), actor.node.term()), (RoleKind::Follower, term(3)));
    assert_eq!(actor.disk.voted_for(), None, "no vote yet in the new term");

    // A leader, by AppendEntries.
    let (mut actor, elected) = Actor::leader(3, &[1]);
    actor.reply(to(&elected, 1), append_reply(3, AppendOutcome::StaleTerm));
    assert_eq!((actor.role(), actor.node.term()), (RoleKind::Follower, term(3)));

    // A leader, by InstallSnapshot; the call kind does not matter.
    let (mut actor, elected) = Actor::leader(3, &[1]);
    actor.reply(to(&elected, 1), snapshot_reply(7));
    assert_eq!((actor.role(), actor.node.term()), (RoleKind::Follower, term(7)));

    // A follower again, by the late answer to what it asked as a candidate.
    let (mut actor, asked) = Actor::candidate(3, &[1]);
    actor.ask(append(2, at(1, 1), &[], 0));
    assert_eq!(actor.role(), RoleKind::Follower);
    actor.reply(to(&asked, 2), vote_reply(7, false));
    assert_eq!(actor.node.term(), term(7));
}

/// §5.1: "If a server receives a request with a stale term number, it rejects the request", and
/// says what the term is. Nothing else happens.
#[test]
fn a_request_of_an_earlier_term_is_refused() {
    let mut actor = Actor::follower(&[1, 3]);
    actor.wait(ELECTION - 1);
    let due = actor.node.wake_at();
    let before = actor.node.view();

    assert_eq!(actor.ask(vote(2, 2, at(9, 2))), vote_reply(3, false));
    assert_eq!(
        actor.ask(append(2, at(1, 1), &[2, 2], 3)),
        append_reply(3, AppendOutcome::StaleTerm)
    );
    assert_eq!(actor.ask(install(2, 9, 2)), snapshot_reply(3));

    assert_eq!(actor.node.view(), before);
    assert_eq!(actor.node.leader(), None);
    assert_eq!(actor.node.wake_at(), due, "a stale leader does not hold up an election");
    assert!(actor.applied.is_empty());
}

/// Persistent state: "Updated on stable storage before responding to RPCs". The save is part of the
/// same effects as the answer, and comes before it.
#[test]
fn what_an_answer_promises_is_in_the_same_effects_to_save() {
    let mut actor = Actor::follower(&[1]);
    let effects = actor.step(Event::Request(vote(2, 2, at(1, 1))));
    assert!(effects.save.header);
    assert_eq!(effects.reply, Some(vote_reply(2, true)));
    assert_eq!(actor.disk.voted_for(), Some(id(2)));

    let effects = actor.step(Event::Request(append(3, at(1, 1), &[2, 3], 0)));
    let write = effects.save.log.expect("entries to save");
    assert_eq!((write.keep, write.drop_front), (1, 0), "what was there stays as it is");
    assert_eq!((write.first, write.last), (ix(2), ix(3)));
    assert!(effects.save.header, "the term as well");
    assert!(matches!(effects.reply, Some(Reply::Append(_))));
}

/// What changes nothing saves nothing: heartbeats and repeated requests cost no disk write.
#[test]
fn nothing_new_is_nothing_to_save() {
    let mut actor = Actor::follower(&[1]);
    actor.ask(append(2, at(1, 1), &[2], 0));
    for request in [append(2, at(1, 1), &[2], 2), append(2, at(2, 2), &[], 2), vote(2, 2, at(0, 0))]
    {
        // The vote is refused, as the log asks for more.
        let effects = actor.step(Event::Request(request));
        assert!(effects.save.is_empty(), "{effects:?}");
    }
}

/// A server that is not in the group has no say in anything, whatever its term.
#[test]
fn strangers_are_refused() {
    let mut actor = Actor::follower(&[1]);
    assert!(!actor.ask_vote(vote(9, 3, at(9, 9))));
    assert!(!actor.ask_vote(vote(9, 0, at(9, 9))), "and so is a message from itself");
    assert_eq!(actor.node.term(), term(1));
}

/// Time may be told late or out of order; it never runs backwards.
#[test]
fn time_never_runs_backwards() {
    let mut actor = Actor::follower(&[]);
    actor.wait(ELECTION - 1);
    actor.ask(append(1, at(0, 0), &[], 0));
    let due = actor.node.wake_at();
    actor.now = raft_core::timing::Time::ZERO;
    actor.ask(append(1, at(0, 0), &[], 0));
    assert_eq!(actor.node.wake_at(), due);
}
