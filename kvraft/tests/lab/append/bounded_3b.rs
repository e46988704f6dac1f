//! Part 3B of the editions 2018 to 2021: Put, Append and Get with a bound on the saved Raft state.

use tester::kv::append::AppendHarness;
use tester::kv::{ELECTION_TIMEOUT, GenericTest};
use tester::lab_test;

use crate::harness::{MAX_RAFT_STATE, Servers, generic_append as generic, speed_append as speed};

/// One client, five servers, snapshots.
fn with_snapshots() -> GenericTest {
    GenericTest { max_raft_state: Some(MAX_RAFT_STATE), ..GenericTest::new("3B") }
}

fn check_log_size(h: &AppendHarness) {
    let size = h.cluster().group(0).log_size();
    let bound = 8 * MAX_RAFT_STATE;
    assert!(size <= bound, "logs were not trimmed ({size} > 8*{MAX_RAFT_STATE})");
}

/// A server that was away gets the state by a snapshot, and serves from it.
#[test]
fn snapshot_rpc_kv3b() {
    lab_test!(|| {
        let (h, _) = Servers::of(&GenericTest { servers: 3, ..with_snapshots() }).set_up();
        let group = h.cluster().group(0);
        let ck = h.make_clerk();
        h.cluster().begin("Test: InstallSnapshot RPC (3B)");
        h.put(&ck, "a", "A");
        h.check(&ck, "a", "A");

        // A number of Puts in the majority, which the minority does not see.
        group.partition(&[0, 1], &[2]);
        let ck1 = h.make_clerk_to(&[0, 1]);
        for i in 0..50 {
            h.put(&ck1, &i.to_string(), &i.to_string());
        }
        labrt::sleep(ELECTION_TIMEOUT);
        h.put(&ck1, "b", "B");
        check_log_size(&h);

        // Now a majority that needs the server which lags behind: only a snapshot can bring it up.
        group.partition(&[0, 2], &[1]);
        let ck1 = h.make_clerk_to(&[0, 2]);
        h.put(&ck1, "c", "C");
        h.put(&ck1, "d", "D");
        for (key, value) in [("a", "A"), ("b", "B"), ("1", "1"), ("49", "49")] {
            h.check(&ck1, key, value);
        }

        // Now everybody.
        group.partition(&[0, 1, 2], &[]);
        h.put(&ck, "e", "E");
        for (key, value) in [("c", "C"), ("e", "E"), ("1", "1")] {
            h.check(&ck, key, value);
        }
        h.cleanup();
    });
}

/// Neither the log nor the snapshots grow with the number of operations.
#[test]
fn snapshot_size_kv3b() {
    lab_test!(|| {
        let (h, _) = Servers::of(&GenericTest { servers: 3, ..with_snapshots() }).set_up();
        let ck = h.make_clerk();
        h.cluster().begin("Test: snapshot size is reasonable (3B)");
        for _ in 0..200 {
            for value in ["0", "1"] {
                h.put(&ck, "x", value);
                h.check(&ck, "x", value);
            }
        }
        check_log_size(&h);
        let size = h.cluster().group(0).snapshot_size();
        assert!(size <= 500, "snapshot too large ({size} > 500)");
        h.cleanup();
    });
}

/// A thousand appends, as fast as without snapshots.
#[test]
fn speed_kv3b() {
    lab_test!(|| speed(&GenericTest { servers: 3, ..with_snapshots() }));
}

/// One client, all servers restarted three times.
#[test]
fn snapshot_recover_kv3b() {
    lab_test!(|| generic(&GenericTest { crash: true, ..with_snapshots() }));
}

/// Twenty clients.
#[test]
fn snapshot_recover_many_clients_kv3b() {
    lab_test!(|| generic(&GenericTest { clients: 20, crash: true, ..with_snapshots() }));
}

/// Five clients over a lossy network.
#[test]
fn snapshot_unreliable_kv3b() {
    lab_test!(|| generic(&GenericTest { clients: 5, reliable: false, ..with_snapshots() }));
}

/// And restarts.
#[test]
fn snapshot_unreliable_recover_kv3b() {
    lab_test!(|| generic(&GenericTest {
        clients: 5,
        reliable: false,
        crash: true,
        ..with_snapshots()
    }));
}

/// And partitions.
#[test]
fn snapshot_unreliable_recover_concurrent_partition_kv3b() {
    lab_test!(|| generic(&GenericTest {
        clients: 5,
        reliable: false,
        crash: true,
        partitions: true,
        ..with_snapshots()
    }));
}

/// And fifteen clients on fifteen keys of seven servers.
#[test]
fn snapshot_unreliable_recover_concurrent_partition_linearizable_kv3b() {
    lab_test!(|| generic(&GenericTest {
        clients: 15,
        servers: 7,
        reliable: false,
        crash: true,
        partitions: true,
        random_keys: true,
        ..with_snapshots()
    }));
}
