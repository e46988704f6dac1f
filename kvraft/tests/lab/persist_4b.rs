//! Part 4B: restarts, alone and together with other faults.

use tester::kv::GenericTest;
use tester::lab_test;

use crate::harness::{generic, many_clients};

/// One client, all servers restarted three times.
#[test]
fn persist_one_client_4b() {
    lab_test!(|| generic(&GenericTest {
        crash: true,
        ..GenericTest::new("4B restarts, one client 4B ")
    }));
}

/// Five clients.
#[test]
fn persist_concurrent_4b() {
    lab_test!(|| generic(&GenericTest {
        crash: true,
        ..many_clients("4B restarts, many clients")
    }));
}

/// Five clients over a lossy network.
#[test]
fn persist_concurrent_unreliable_4b() {
    lab_test!(|| generic(&GenericTest {
        crash: true,
        reliable: false,
        ..many_clients("4B restarts, many clients ")
    }));
}

/// Restarts and partitions.
#[test]
fn persist_partition_4b() {
    lab_test!(|| generic(&GenericTest {
        crash: true,
        partitions: true,
        ..many_clients("4B restarts, partitions, many clients")
    }));
}

/// Restarts and partitions over a lossy network.
#[test]
fn persist_partition_unreliable_4b() {
    lab_test!(|| generic(&GenericTest {
        crash: true,
        partitions: true,
        reliable: false,
        ..many_clients("4B restarts, partitions, many clients")
    }));
}

/// Everything at once, fifteen clients on a hundred keys of seven servers.
#[test]
fn persist_partition_unreliable_linearizable_4b() {
    lab_test!(|| generic(&GenericTest {
        clients: 15,
        servers: 7,
        crash: true,
        partitions: true,
        reliable: false,
        random_keys: true,
        ..GenericTest::new("4B restarts, partitions, random keys, many clients")
    }));
}
