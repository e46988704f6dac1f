//! Part 3B: log replication.

use crate::harness::{ELECTION_TIMEOUT, Fixture, random_command};
use crate::servers::Cmd;
use std::time::Duration;
use tester::lab_test;

/// Three commands, in order, on all servers. Catches: a first index other than 1, gaps, committing
/// before anything was proposed.
#[test]
fn basic_agree_3b() {
    lab_test!(|| {
        let f = Fixture::new("Test (3B): basic agreement", 3, true);
        for index in 1..=3 {
            f.no_agreement(index);
            let got = f.one(&Cmd::Int(index * 100), f.n, false);
            assert_eq!(got, index, "got index {got}, expected {index}");
        }
        f.finish();
    });
}

/// Each command goes to each peer just once. Catches: sending entries again before the reply is in,
/// sending the whole log.
#[test]
fn rpc_bytes_3b() {
    lab_test!(|| {
        let f = Fixture::new("Test (3B): RPC byte count", 3, true);
        f.one(&Cmd::Int(99), f.n, false);
        let before = f.cluster.bytes_total();
        let mut sent = 0;
        for index in 2..12 {
            let command = Cmd::Text(tester::randstring(5000));
            let got = f.one(&command, f.n, false);
            assert_eq!(got, index, "got index {got}, expected {index}");
            sent += 5000;
        }
        let got = f.cluster.bytes_total() - before;
        let bound = f.n as u64 * sent + 50_000;
        assert!(got <= bound, "too many RPC bytes; got {got}, expected at most {bound}");
        f.finish();
    });
}

/// One follower fails, then the other. Catches: commit without a majority, stopping when one
/// follower is missing.
#[test]
fn follower_failure_3b() {
    lab_test!(|| {
        let f = Fixture::new("Test (3B): test progressive failure of followers", 3, true);
        f.one(&Cmd::Int(101), f.n, false);
        let first = f.leader();
        f.cut(first + 1);
        f.one(&Cmd::Int(102), f.n - 1, false);
        labrt::sleep(ELECTION_TIMEOUT);
        f.one(&Cmd::Int(103), f.n - 1, false);
        let second = f.leader();
        f.cut(second + 1);
        f.cut(second + 2);
        let (index, _) = f.start(second, &Cmd::Int(104)).expect("the leader rejected Start()");
        assert_eq!(index, 4, "expected index 4, got {index}");
        labrt::sleep(2 * ELECTION_TIMEOUT);
        f.no_agreement(index);
        f.finish();
    });
}

/// One leader fails, then the next. Catches: no take-over, isolated leaders that commit alone.
#[test]
fn leader_failure_3b() {
    lab_test!(|| {
        let f = Fixture::new("Test (3B): test failure of leaders", 3, true);
        f.one(&Cmd::Int(101), f.n, false);
        let first = f.leader();
        f.cut(first);
        f.one(&Cmd::Int(102), f.n - 1, false);
        labrt::sleep(ELECTION_TIMEOUT);
        f.one(&Cmd::Int(103), f.n - 1, false);
        let second = f.leader();
        f.cut(second);
        for i in 0..f.n {
            let _ = f.start(i, &Cmd::Int(104));
        }
        labrt::sleep(2 * ELECTION_TIMEOUT);
        f.no_agreement(4);
        f.finish();
    });
}

/// A follower that was away catches up. Catches: a returning follower, with a higher term, that
/// blocks agreement.
#[test]
fn fail_agree_3b() {
    lab_test!(|| {
        let f = Fixture::new("Test (3B): agreement after follower reconnects", 3, true);
        f.one(&Cmd::Int(101), f.n, false);
        let leader = f.leader();
        f.cut(leader + 1);
        f.one(&Cmd::Int(102), f.n - 1, false);
        f.one(&Cmd::Int(103), f.n - 1, false);
        labrt::sleep(ELECTION_TIMEOUT);
        f.one(&Cmd::Int(104), f.n - 1, false);
        f.one(&Cmd::Int(105), f.n - 1, false);
        f.join(leader + 1);
        f.one(&Cmd::Int(106), f.n, true);
        labrt::sleep(ELECTION_TIMEOUT);
        f.one(&Cmd::Int(107), f.n, true);
        f.finish();
    });
}

/// Three of five followers away: no agreement. Catches: commits by a minority, an uncommitted entry
/// that survives wrongly.
#[test]
fn fail_no_agree_3b() {
    lab_test!(|| {
        let f = Fixture::new("Test (3B): no agreement if too many followers disconnect", 5, true);
        f.one(&Cmd::Int(10), f.n, false);
        let leader = f.leader();
        (1..=3).for_each(|i| f.cut(leader + i));
        let (index, _) = f.start(leader, &Cmd::Int(20)).expect("the leader rejected Start()");
        assert_eq!(index, 2, "expected index 2, got {index}");
        labrt::sleep(2 * ELECTION_TIMEOUT);
        f.no_agreement(index);
        (1..=3).for_each(|i| f.join(leader + i));
        // The disconnected majority may have chosen a leader of its own, who forgot index 2.
        let second = f.leader();
        let (index, _) = f.start(second, &Cmd::Int(30)).expect("the leader rejected Start()");
        assert!((2..=3).contains(&index), "unexpected index {index}");
        f.one(&Cmd::Int(1000), f.n, true);
        f.finish();
    });
}

/// Five proposals at once. Catches: races between proposals, entries lost or overwritten.
#[test]
fn concurrent_starts_3b() {
    lab_test!(|| {
        let f = Fixture::new("Test (3B): concurrent Start()s", 3, true);
        let done = (0..5).any(|attempt| {
            if attempt > 0 {
                labrt::sleep(Duration::from_secs(3));
            }
            concurrent_starts(&f)
        });
        assert!(done, "term changed too often");
        f.finish();
    });
}

/// One attempt; `false` if the leader changed on the way.
fn concurrent_starts(f: &Fixture) -> bool {
    let leader = f.leader();
    let Some((_, term)) = f.start(leader, &Cmd::Int(1)) else { return false };
    let starters: Vec<_> = (0..5)
        .map(|i| {
            let f = f.clone();
            labrt::spawn(move || f.start(leader, &Cmd::Int(100 + i)))
        })
        .collect();
    let mut indexes = Vec::new();
    for starter in starters {
        match starter.join().unwrap() {
            Some((index, in_term)) if in_term == term => indexes.push(index),
            _ => {}
        }
    }
    if !f.all_in_term(term) {
        return false;
    }
    let mut commands = Vec::new();
    for index in indexes {
        match f.wait(index, f.n, Some(term)) {
            Some(command) => commands.push(command),
            None => return false,
        }
    }
    for i in 100..105 {
        assert!(commands.contains(&Cmd::Int(i)), "command {i} is missing in {commands:?}");
    }
    true
}

/// A leader comes back with entries that never committed. Catches: logs compared by length or value
/// instead of term.
#[test]
fn rejoin_3b() {
    lab_test!(|| {
        let f = Fixture::new("Test (3B): rejoin of partitioned leader", 3, true);
        f.one(&Cmd::Int(101), f.n, true);
        let first = f.leader();
        f.cut(first);
        for i in 102..=104 {
            let _ = f.start(first, &Cmd::Int(i));
        }
        f.one(&Cmd::Int(103), 2, true);
        let second = f.leader();
        f.cut(second);
        f.join(first);
        f.one(&Cmd::Int(104), 2, true);
        f.join(second);
        f.one(&Cmd::Int(105), f.n, true);
        f.finish();
    });
}

/// Long wrong tails are overwritten quickly. Catches: backing up one index a round trip, votes
/// without the freshness rule.
#[test]
fn backup_3b() {
    lab_test!(|| {
        let f = Fixture::new(
            "Test (3B): leader backs up quickly over incorrect follower logs",
            5,
            true,
        );
        f.one(&random_command(), f.n, true);
        let first = f.leader();
        (2..=4).for_each(|i| f.cut(first + i));
        for _ in 0..50 {
            let _ = f.start(first, &random_command());
        }
        labrt::sleep(ELECTION_TIMEOUT / 2);
        (0..=1).for_each(|i| f.cut(first + i));
        (2..=4).for_each(|i| f.join(first + i));
        for _ in 0..50 {
            f.one(&random_command(), 3, true);
        }
        let second = f.leader();
        let mut other = (first + 2) % f.n;
        if other == second {
            other = (second + 1) % f.n;
        }
        f.cut(other);
        for _ in 0..50 {
            let _ = f.start(second, &random_command());
        }
        labrt::sleep(ELECTION_TIMEOUT / 2);
        (0..f.n).for_each(|i| f.cut(i));
        f.join(first);
        f.join(first + 1);
        f.join(other);
        for _ in 0..50 {
            f.one(&random_command(), 3, true);
        }
        (0..f.n).for_each(|i| f.join(i));
        f.one(&random_command(), f.n, true);
        f.finish();
    });
}

/// Not too many RPCs: for an election, for ten agreements, for an idle second. Catches: one RPC a
/// proposal, busy heartbeats.
#[test]
fn count_3b() {
    lab_test!(|| {
        let f = Fixture::new("Test (3B): RPC counts aren't too high", 3, true);
        f.leader();
        let initial = f.rpcs();
        assert!(
            (1..=30).contains(&initial),
            "too many or few RPCs ({initial}) to elect initial leader"
        );
        let after = (0..5).find_map(|attempt| {
            if attempt > 0 {
                labrt::sleep(Duration::from_secs(3));
            }
            count_agreements(&f)
        });
        let after = after.expect("term changed too often");
        labrt::sleep(ELECTION_TIMEOUT);
        let idle = f.rpcs() - after;
        assert!(idle <= 3 * 20, "too many RPCs ({idle}) for 1 second of idleness");
        f.finish();
    });
}

/// One attempt at ten agreements; the count of RPCs after it, or `None` if the leader changed on
/// the way.
fn count_agreements(f: &Fixture) -> Option<u64> {
    const ITERS: u64 = 10;
    let leader = f.leader();
    let before = f.rpcs();
    let (start, term) = f.start(leader, &Cmd::Int(1))?;
    let mut commands = Vec::new();
    for i in 1..ITERS + 2 {
        let command = Cmd::Int(labrt::random_range(0..1 << 31));
        let (index, in_term) = f.start(leader, &command)?;
        if in_term != term {
            return None;
        }
        assert_eq!(index, start + i, "Start() failed");
        commands.push(command);
    }
    for i in 1..=ITERS {
        let applied = f.wait(start + i, f.n, Some(term))?;
        let expected = &commands[i as usize - 1];
        assert_eq!(applied, *expected, "wrong value committed for index {}", start + i);
    }
    let after = f.rpcs();
    if !f.all_in_term(term) {
        return None;
    }
    let bound = (ITERS + 1 + 3) * 3;
    let used = after - before;
    assert!(used <= bound, "too many RPCs ({used}) for {ITERS} entries, at most {bound}");
    Some(after)
}
