//! Part 3D: snapshots (§7).

use crate::harness::{Fixture, random_command};
use tester::lab_test;

/// Bytes that the saved Raft state must stay below.
const MAX_LOG_SIZE: usize = 2000;

/// Half a snapshot interval, and up to one more.
fn burst() -> u64 {
    5 + labrt::random_range(0..10)
}

/// What happens to the victim of a round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Nothing,
    Disconnect,
    Crash,
}

/// Thirty rounds with a server left behind in each.
fn common(title: &str, fate: Fate, reliable: bool) {
    let f = Fixture::with_snapshots(title, 3, reliable, true);
    f.one(&random_command(), f.n, true);
    let mut leader = f.leader();
    for round in 0..30 {
        let (mut victim, mut sender) = ((leader + 1) % f.n, leader);
        if round % 3 == 1 {
            (victim, sender) = (sender, victim);
        }
        match fate {
            Fate::Nothing => {}
            Fate::Disconnect => f.cut(victim),
            Fate::Crash => f.down(victim),
        }
        if fate != Fate::Nothing {
            f.one(&random_command(), f.n - 1, true);
        }
        for _ in 0..burst() {
            let _ = f.start(sender, &random_command());
        }
        // Without a victim all must follow, so that no snapshot needs to be sent.
        let all = if fate == Fate::Nothing { f.n } else { f.n - 1 };
        f.one(&random_command(), all, true);
        let size = f.log_size();
        assert!(size < MAX_LOG_SIZE, "log size too large: {size} bytes, limit {MAX_LOG_SIZE}");
        match fate {
            Fate::Nothing => continue,
            Fate::Disconnect => f.join(victim),
            Fate::Crash => f.restart(victim),
        }
        f.one(&random_command(), f.n, true);
        leader = f.leader();
    }
    f.finish();
}

/// Catches: a log that is not trimmed, index arithmetic after trimming, a deadlock between applying
/// and snapshots.
#[test]
fn snapshot_basic_3d() {
    lab_test!(|| common("Test (3D): snapshots basic", Fate::Nothing, true));
}

/// Catches: no snapshot for a follower that lags, entries delivered again after it.
#[test]
fn snapshot_install_3d() {
    lab_test!(|| common("Test (3D): install snapshots (disconnect)", Fate::Disconnect, true));
}

/// Catches: an old or repeated snapshot that rolls the service back.
#[test]
fn snapshot_install_unreliable_3d() {
    lab_test!(|| common("Test (3D): install snapshots (disconnect)", Fate::Disconnect, false));
}

/// Catches: a snapshot not saved together with the trimmed log, a wrong point to go on from.
#[test]
fn snapshot_install_crash_3d() {
    lab_test!(|| common("Test (3D): install snapshots (crash)", Fate::Crash, true));
}

/// Both.
#[test]
fn snapshot_install_un_crash_3d() {
    lab_test!(|| common("Test (3D): install snapshots (crash)", Fate::Crash, false));
}

/// All crash, five times. Catches: a restart without the snapshot, or with a wrong base index.
#[test]
fn snapshot_all_crash_3d() {
    lab_test!(|| {
        let f = Fixture::with_snapshots("Test (3D): crash and restart all servers", 3, false, true);
        f.one(&random_command(), f.n, true);
        for _ in 0..5 {
            for _ in 0..burst() {
                f.one(&random_command(), f.n, true);
            }
            let before = f.one(&random_command(), f.n, true);
            f.restart_all();
            let after = f.one(&random_command(), f.n, true);
            assert!(after > before, "index decreased from {before} to {after}");
        }
        f.finish();
    });
}

/// Catches: a restarted server that does not load its snapshot and erases it with its next save.
#[test]
fn snapshot_init_3d() {
    lab_test!(|| {
        let f = Fixture::with_snapshots(
            "Test (3D): snapshot initialization after crash",
            3,
            false,
            true,
        );
        f.one(&random_command(), f.n, true);
        for _ in 0..=10 {
            f.one(&random_command(), f.n, true);
        }
        f.restart_all();
        // A single operation, to make Raft save its state.
        f.one(&random_command(), f.n, true);
        f.restart_all();
        f.one(&random_command(), f.n, true);
        f.finish();
    });
}
