//! Part 4C: the same service with snapshots.

use std::time::Duration;

use kvapi::Version;
use tester::kv::GenericTest;
use tester::lab_test;

use crate::harness::{MAX_RAFT_STATE, generic, set_up, speed};

/// One client, five servers, snapshots.
fn with_snapshots(part: &'static str) -> GenericTest {
    GenericTest { max_raft_state: Some(MAX_RAFT_STATE), ..GenericTest::new(part) }
}

/// The saved Raft state may be this many times its limit at the checks.
const SLACK: usize = 8;

fn check_log_size(h: &tester::kv::KvHarness) {
    let size = h.cluster().group(0).log_size();
    assert!(
        size <= SLACK * MAX_RAFT_STATE,
        "logs were not trimmed ({size} > {SLACK}*{MAX_RAFT_STATE})"
    );
}

/// A server that was away gets the state by a snapshot, and serves from it.
#[test]
fn snapshot_rpc_4c() {
    lab_test!(|| {
        let (h, _) =
            set_up(&GenericTest { clients: 0, servers: 3, ..with_snapshots("4C SnapshotsRPC") });
        let group = h.cluster().group(0);
        h.cluster().begin("Test: InstallSnapshot RPC (4C)");
        let ck = h.make_clerk();
        let vera = h.put_at_least_once(&ck, "a", "A", Version::ZERO);
        h.check_get(&ck, "a", "A", vera);

        // A number of Puts in the majority, which the minority does not see.
        group.partition(&[0, 1], &[2]);
        let verb = {
            let ck1 = h.make_clerk_to(&[0, 1]);
            for i in 0..50 {
                h.put_at_least_once(&ck1, &i.to_string(), &i.to_string(), Version::ZERO);
            }
            labrt::sleep(Duration::from_secs(1));
            h.put_at_least_once(&ck1, "b", "B", Version::ZERO)
        };
        check_log_size(&h);

        // Now a majority that needs the server which lags behind: only a snapshot can bring it up.
        group.partition(&[0, 2], &[1]);
        let verc = {
            let ck1 = h.make_clerk_to(&[0, 2]);
            let verc = h.put_at_least_once(&ck1, "c", "C", Version::ZERO);
            h.put_at_least_once(&ck1, "d", "D", Version::ZERO);
            h.check_get(&ck1, "a", "A", vera);
            h.check_get(&ck1, "b", "B", verb);
            h.check_get(&ck1, "1", "1", Version::new(1));
            h.check_get(&ck1, "49", "49", Version::new(1));
            verc
        };

        // Now everybody.
        group.partition(&[0, 1, 2], &[]);
        let vere = h.put_at_least_once(&ck, "e", "E", Version::ZERO);
        h.check_get(&ck, "c", "C", verc);
        h.check_get(&ck, "e", "E", vere);
        h.check_get(&ck, "1", "1", Version::new(1));
        h.check_porcupine();
        h.cleanup();
    });
}

/// Neither the log nor the snapshots grow with the number of operations.
#[test]
fn snapshot_size_4c() {
    lab_test!(|| {
        let (h, _) = set_up(&GenericTest {
            clients: 0,
            servers: 3,
            ..with_snapshots("4C snapshot size is reasonable")
        });
        let ck = h.make_clerk();
        let mut version = Version::ZERO;
        for _ in 0..200 {
            for value in ["0", "1"] {
                version = h.put_at_least_once(&ck, "x", value, version);
                h.check_get(&ck, "x", value, version);
            }
        }
        check_log_size(&h);
        let size = h.cluster().group(0).snapshot_size();
        assert!(size <= 500, "snapshot too large ({size} > 500)");
        h.check_porcupine();
        h.cleanup();
    });
}

/// A thousand Puts, as fast as without snapshots.
#[test]
fn speed_4c() {
    lab_test!(|| speed(&GenericTest { servers: 3, ..with_snapshots("4C speed") }));
}

/// One client, all servers restarted three times.
#[test]
fn snapshot_recover_4c() {
    lab_test!(|| generic(&GenericTest {
        crash: true,
        ..with_snapshots("4C restarts, snapshots, one client")
    }));
}

/// Twenty clients.
#[test]
fn snapshot_recover_many_clients_4c() {
    lab_test!(|| generic(&GenericTest {
        clients: 20,
        crash: true,
        ..with_snapshots("4C restarts, snapshots, many clients ")
    }));
}

/// Five clients over a lossy network.
#[test]
fn snapshot_unreliable_4c() {
    lab_test!(|| generic(&GenericTest {
        clients: 5,
        reliable: false,
        ..with_snapshots("4C unreliable net, snapshots, many clients")
    }));
}

/// And restarts.
#[test]
fn snapshot_unreliable_recover_4c() {
    lab_test!(|| generic(&GenericTest {
        clients: 5,
        reliable: false,
        crash: true,
        ..with_snapshots("4C unreliable net, restarts, snapshots, many clients")
    }));
}

/// And partitions.
#[test]
fn snapshot_unreliable_recover_concurrent_partition_4c() {
    lab_test!(|| generic(&GenericTest {
        clients: 5,
        reliable: false,
        crash: true,
        partitions: true,
        ..with_snapshots("4C unreliable net, restarts, partitions, snapshots, many clients")
    }));
}

/// And fifteen clients on a hundred keys of seven servers.
#[test]
fn snapshot_unreliable_recover_concurrent_partition_linearizable_4c() {
    lab_test!(|| generic(&GenericTest {
        clients: 15,
        servers: 7,
        reliable: false,
        crash: true,
        partitions: true,
        random_keys: true,
        ..with_snapshots(
            "4C unreliable net, restarts, partitions, snapshots, random keys, many clients"
        )
    }));
}
