//! Part 4B: partitions.

use std::time::Duration;

use kvapi::Version;
use tester::kv::{ELECTION_TIMEOUT, GenericTest};
use tester::lab_test;

use crate::harness::{generic, many_clients, set_up};

/// Progress in the majority, none in the minority, completion after the partition heals.
#[test]
fn one_partition_4b() {
    lab_test!(|| {
        let (h, running) = set_up(&GenericTest {
            clients: 0,
            reliable: false,
            ..GenericTest::new("4B progress in majority")
        });
        let group = h.cluster().group(0);
        let ck = h.make_clerk();
        let ver0 = h.put_at_least_once(&ck, "1", "13", Version::ZERO);
        let (majority, minority) = group.make_partition(running.leader());
        group.partition(&majority, &minority);
        let ck_majority = h.make_clerk_to(&majority);
        let ck_put = h.make_clerk_to(&minority);
        let ck_get = h.make_clerk_to(&minority);
        let ver1 = h.put_at_least_once(&ck_majority, "1", "14", ver0);
        h.check_get(&ck_majority, "1", "14", ver1);
        h.cluster().end();

        h.cluster().begin("Test: no progress in minority (4B)");
        let (put_done, put_waits) = labrt::oneshot::channel();
        let (get_done, get_waits) = labrt::oneshot::channel();
        let (in_put, in_get) = ((h.clone(), ck_put.clone()), (h.clone(), ck_get.clone()));
        tester::spawn(move || {
            let (h, ck) = in_put;
            let _ = put_done.send(h.put_at_least_once(&ck, "1", "15", ver1));
        });
        tester::spawn(move || {
            let (h, ck) = in_get;
            let _ = get_done.send(h.get(&ck, "1"));
        });
        let early = put_waits.recv_timeout(Duration::from_secs(1));
        assert!(early.is_err(), "a Put in the minority completed");
        assert!(get_waits.try_recv().is_err(), "a Get in the minority completed");
        h.check_get(&ck_majority, "1", "14", ver1);
        let ver2 = h.put_at_least_once(&ck_majority, "1", "16", ver1);
        h.check_get(&ck_majority, "1", "16", ver2);
        h.cluster().end();

        h.cluster().begin("Test: completion after heal (4B)");
        group.connect_all();
        ck_put.client().connect_all();
        ck_get.client().connect_all();
        labrt::sleep(ELECTION_TIMEOUT);
        let Ok(ver15) = put_waits.recv_timeout(Duration::from_secs(3)) else {
            panic!("the Put did not complete within 3 s after the partition healed");
        };
        // The course looks at the Get once and goes on; it has the same 3 s here.
        let got = get_waits.recv_timeout(Duration::from_secs(3));
        assert!(got.is_ok(), "the Get did not complete within 3 s after the partition healed");
        h.check_get(&ck, "1", "15", ver15);
        h.check_porcupine();
        h.cleanup();
    });
}

/// One client while partitions come and go.
#[test]
fn many_partitions_one_client_4b() {
    lab_test!(|| generic(&GenericTest {
        partitions: true,
        ..GenericTest::new("4B partitions, one client")
    }));
}

/// Five clients while partitions come and go.
#[test]
fn many_partitions_many_clients_4b() {
    lab_test!(|| generic(&GenericTest {
        partitions: true,
        ..many_clients("4B partitions, many clients (4B)")
    }));
}
