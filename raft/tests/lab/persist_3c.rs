//! Part 3C: what was promised survives a crash.

use crate::harness::{ELECTION_TIMEOUT, Fixture, ms};
use crate::servers::Cmd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tester::lab_test;

/// All restart, then one after the other. Catches: term, vote or log not stored or not restored.
#[test]
fn persist1_3c() {
    lab_test!(|| {
        let f = Fixture::new("Test (3C): basic persistence", 3, true);
        f.one(&Cmd::Int(11), f.n, true);
        f.restart_all();
        f.one(&Cmd::Int(12), f.n, true);
        let first = f.leader();
        f.down(first);
        f.restart(first);
        f.one(&Cmd::Int(13), f.n, true);
        let second = f.leader();
        f.down(second);
        f.one(&Cmd::Int(14), f.n - 1, true);
        f.restart(second);
        f.wait(4, f.n, None);
        let third = (f.leader() + 1) % f.n;
        f.down(third);
        f.one(&Cmd::Int(15), f.n - 1, true);
        f.restart(third);
        f.one(&Cmd::Int(16), f.n, true);
        f.finish();
    });
}

/// Overlapping crashes of five, five times. Catches: electing a server that lacks committed
/// entries.
#[test]
fn persist2_3c() {
    lab_test!(|| {
        let f = Fixture::new("Test (3C): more persistence", 5, true);
        let mut index = 1;
        for _ in 0..5 {
            f.one(&Cmd::Int(10 + index), f.n, true);
            index += 1;
            let leader = f.leader();
            f.down(leader + 1);
            f.down(leader + 2);
            f.one(&Cmd::Int(10 + index), f.n - 2, true);
            index += 1;
            f.down(leader);
            f.down(leader + 3);
            f.down(leader + 4);
            f.restart(leader + 1);
            f.restart(leader + 2);
            labrt::sleep(ELECTION_TIMEOUT);
            f.restart(leader + 3);
            f.one(&Cmd::Int(10 + index), f.n - 2, true);
            index += 1;
            f.restart(leader + 4);
            f.restart(leader);
        }
        f.one(&Cmd::Int(1000), f.n, true);
        f.finish();
    });
}

/// A leader and its follower crash, the third comes back. Catches: the one without the committed
/// entry winning.
#[test]
fn persist3_3c() {
    lab_test!(|| {
        let f = Fixture::new(
            "Test (3C): partitioned leader and one follower crash, leader restarts",
            3,
            true,
        );
        f.one(&Cmd::Int(101), 3, true);
        let leader = f.leader();
        f.cut(leader + 2);
        f.one(&Cmd::Int(102), 2, true);
        f.down(leader);
        f.down(leader + 1);
        f.join(leader + 2);
        f.restart(leader);
        f.one(&Cmd::Int(103), 2, true);
        f.restart(leader + 1);
        f.one(&Cmd::Int(104), f.n, true);
        f.finish();
    });
}

/// Many agreements at once over a lossy network. Catches: nothing sent again after a loss, stale
/// replies taken as new.
#[test]
fn unreliable_agree_3c() {
    lab_test!(|| {
        let f = Fixture::new("Test (3C): unreliable agreement", 5, false);
        let mut tasks = Vec::new();
        for iters in 1..50 {
            for j in 0..4 {
                let f = f.clone();
                tasks.push(labrt::spawn(move || f.one(&Cmd::Int(100 * iters + j), 1, true)));
            }
            f.one(&Cmd::Int(iters), 1, true);
        }
        f.cluster.set_reliable(true);
        for task in tasks {
            task.join().unwrap();
        }
        f.one(&Cmd::Int(100), f.n, true);
        f.finish();
    });
}

/// A flag that tells tasks to stop.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The pause between two tries of a client that found no leader.
pub fn client_pause(me: u64) -> std::time::Duration {
    ms(79 + 17 * me)
}
