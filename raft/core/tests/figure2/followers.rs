//! Figure 2, "Rules for Servers: Followers", and §5.2 on the election timer.

use raft_core::consensus::{Config, Event, Node, RoleKind};
use raft_core::timing::{Time, Timing, TimingError};

use crate::stage::*;

/// "If election timeout elapses without receiving AppendEntries RPC from current leader or granting
/// vote to candidate: convert to candidate". Not a tick before.
#[test]
fn silence_makes_a_candidate() {
    let mut actor = Actor::follower(&[1]);
    assert_eq!(actor.node.wake_at(), Time::new(ELECTION));
    assert!(actor.tick_after(ELECTION - 1).messages.is_empty());
    assert_eq!(actor.role(), RoleKind::Follower);
    let effects = actor.tick_after(1);
    assert_eq!(effects.new_role, Some(RoleKind::Candidate));
}

/// Hearing from the current leader restarts the timer, with or without entries, accepted or not,
/// and so does its snapshot.
#[test]
fn the_current_leader_restarts_the_timer() {
    let requests = [
        append(1, at(0, 0), &[1], 0),
        append(1, at(0, 0), &[], 0),
        append(1, at(7, 1), &[], 0),
        install(1, 5, 1),
    ];
    for request in requests {
        let mut actor = Actor::follower(&[1]);
        actor.wait(ELECTION - 1);
        actor.ask(request);
        assert_eq!(actor.node.wake_at(), actor.now + ELECTION);
        actor.tick_after(1);
        assert_eq!(actor.role(), RoleKind::Follower);
    }
}

/// Granting a vote restarts the timer.
#[test]
fn granting_a_vote_restarts_the_timer() {
    let mut actor = Actor::follower(&[1]);
    actor.wait(ELECTION - 1);
    assert!(actor.ask_vote(vote(2, 2, at(1, 1))));
    assert_eq!(actor.node.wake_at(), actor.now + ELECTION);
}

/// Refusing one does not, even if it brings a later term: a server that cannot win must not keep
/// those that can from trying.
#[test]
fn refusing_a_vote_does_not_restart_the_timer() {
    let mut actor = Actor::follower(&[1]);
    actor.wait(ELECTION - 1);
    let due = actor.node.wake_at();
    assert!(!actor.ask_vote(vote(2, 2, at(0, 0))));
    assert_eq!(actor.node.term(), term(2));
    assert_eq!(actor.node.wake_at(), due);
}

/// A deposed leader had no timer; it gets a full one, or nobody might ever run again.
#[test]
fn a_deposed_leader_starts_a_timer() {
    let (mut actor, _) = Actor::leader(3, &[1]);
    actor.wait(1000);
    assert!(!actor.ask_vote(vote(9, 2, at(0, 0))));
    assert_eq!(actor.node.wake_at(), actor.now + ELECTION);
}

/// §5.2: election timeouts are "chosen randomly from a fixed interval", anew for each election; the
/// core asks for them and has none of its own.
#[test]
fn election_timeouts_come_from_the_dice() {
    let asked = std::cell::RefCell::new(Vec::new());
    let mut dice = |low: u64, high: u64| {
        asked.borrow_mut().push((low, high));
        low + 10 * asked.borrow().len() as u64
    };
    let mut node = Node::new(Config::paper(id(0), 3), Time::ZERO, &mut dice).unwrap();
    assert_eq!(node.wake_at(), Time::new(310));
    let _sent = node.step(node.wake_at(), Event::Tick, &mut dice);
    assert_eq!(node.role(), RoleKind::Candidate);
    let _sent = node.step(Time::new(310 + 320 - 1), Event::Tick, &mut dice);
    assert_eq!(node.term(), term(1));
    let _sent = node.step(Time::new(310 + 320), Event::Tick, &mut dice);
    assert_eq!(node.term(), term(2));
    assert_eq!(*asked.borrow(), [(300, 600); 3]);
}

/// Dice that fall outside the range are moved to its nearer end.
#[test]
fn crooked_dice_stay_in_range() {
    for (rolled, used) in [(0, 300), (u64::MAX, 600)] {
        let mut dice = |_: u64, _: u64| rolled;
        let node = Node::new(Config::paper(id(0), 3), Time::ZERO, &mut dice).unwrap();
        assert_eq!(node.wake_at(), Time::new(used));
    }
}

/// §5.6: "broadcastTime << electionTimeout", as far as numbers can be checked.
#[test]
fn intervals_that_cannot_work_are_refused() {
    let good = Timing::default();
    assert_eq!(good.validate(), Ok(()));
    let bad = [
        (Timing { heartbeat: 0, ..good }, TimingError::NoHeartbeat),
        (
            Timing { heartbeat: 151, ..good },
            TimingError::ImpatientElection { election_min: 300, heartbeat: 151 },
        ),
        (
            Timing { election_max: 300, ..good },
            TimingError::NoElectionRange { election_min: 300, election_max: 300 },
        ),
    ];
    for (timing, error) in bad {
        assert_eq!(timing.validate(), Err(error));
        let config = Config { timing, ..Config::paper(id(0), 3) };
        assert!(Node::new(config, Time::ZERO, &mut low_dice()).is_err());
    }
}

/// §5.1: followers "issue no requests on their own", and take no commands; they know whom to ask.
#[test]
fn a_follower_takes_no_commands_and_names_the_leader() {
    let mut actor = Actor::follower(&[1]);
    assert_eq!(actor.node.leader(), None);
    actor.ask(append(2, at(1, 1), &[], 0));
    assert_eq!(actor.node.leader(), Some(id(1)));
    let effects = actor.propose("x");
    assert_eq!(effects.proposed, None);
    assert!(effects.messages.is_empty() && effects.save.is_empty());
    assert_eq!(actor.terms(), [1]);

    // A later term has another leader, who is not known yet.
    actor.ask(vote(3, 2, at(1, 1)));
    assert_eq!(actor.node.leader(), None);
}
