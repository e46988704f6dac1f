//! Part 3A: leader election.

use crate::harness::{ELECTION_TIMEOUT, Fixture, ms};
use tester::lab_test;

/// One leader in a healthy network, and it stays (§5.2). Catches: never electing, endless split
/// votes, no heartbeats.
#[test]
fn initial_election_3a() {
    lab_test!(|| {
        let f = Fixture::new("Test (3A): initial election", 3, true);
        f.leader();
        labrt::sleep(ms(50));
        let first = f.term();
        assert!(first >= 1, "the term is {first}, but should be at least 1");
        labrt::sleep(2 * ELECTION_TIMEOUT);
        let second = f.term();
        if first != second {
            f.cluster
                .annotations()
                .info("warning", "warning: term changed even though there were no failures");
        }
        f.leader();
        f.finish();
    });
}

/// A new leader when the old one is cut off, none without a majority. Catches: leading without a
/// majority, an old leader that does not step down, requests sent one after another.
#[test]
fn re_election_3a() {
    lab_test!(|| {
        let f = Fixture::new("Test (3A): election after network failure", 3, true);
        let first = f.leader();
        f.cut(first);
        f.leader();
        // The old leader comes back: that should not disturb the new one.
        f.join(first);
        let second = f.leader();
        // No majority, no leader.
        f.cut(second);
        f.cut(second + 1);
        labrt::sleep(2 * ELECTION_TIMEOUT);
        f.no_leader();
        f.join(second + 1);
        f.leader();
        f.join(second);
        f.leader();
        f.finish();
    });
}

/// Nine times up to three of seven are cut off. Catches: timeouts that are not random, wrong
/// majorities, stale votes.
#[test]
fn many_elections_3a() {
    lab_test!(|| {
        let f = Fixture::new("Test (3A): multiple elections", 7, true);
        f.leader();
        for _ in 1..10 {
            let cut: [usize; 3] = std::array::from_fn(|_| labrt::random_range(0..f.n));
            cut.iter().for_each(|&i| f.cut(i));
            // Either the present leader is still there, or the remaining four elect one.
            f.leader();
            cut.iter().for_each(|&i| f.join(i));
        }
        f.leader();
        f.finish();
    });
}
