//! Part 3A of the editions 2018 to 2021: Put, Append and Get without snapshots, and the same tests
//! once more with a limit that makes every command a snapshot.
//!
//! Most are one scenario with other parameters ([`tester::kv::GenericTest`]).

use std::time::Duration;

use tester::kv::append::{AppendHarness, check_concurrent_appends, element};
use tester::kv::{ELECTION_TIMEOUT, GenericTest};
use tester::lab_test;

use crate::harness::{Servers, generic_append as generic, speed_append as speed};

/// Makes the tests of 3A, and the same with `maxraftstate` = 1, from one list of their parameters.
macro_rules! parts_3a {
    ($($(#[$doc:meta])* $name:ident, $with_limit:ident: $run:ident($test:expr);)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            lab_test!(|| $run(&$test));
        }

        $(#[$doc])*
        ///
        /// The Raft state may have one byte: a snapshot after every command, and all of the log
        /// trimmed.
        #[test]
        fn $with_limit() {
            lab_test!(|| $run(&with_limit_1($test)));
        }
    )*};
}

fn with_limit_1(test: GenericTest) -> GenericTest {
    GenericTest { max_raft_state: Some(1), slack: None, ..test }
}

fn one_client() -> GenericTest {
    GenericTest::new("3A")
}

fn many_clients() -> GenericTest {
    GenericTest { clients: 5, ..GenericTest::new("3A") }
}

parts_3a! {
    /// One client, nothing goes wrong.
    basic_kv3a, basic_kvlimit1: generic(one_client());
    /// A thousand appends take less than a third of a heartbeat interval each.
    speed_kv3a, speed_kvlimit1: speed(GenericTest { servers: 3, ..one_client() });
    /// Five clients.
    concurrent_kv3a, concurrent_kvlimit1: generic(many_clients());
    /// Five clients over a network that loses requests and replies.
    unreliable_kv3a, unreliable_kvlimit1: generic(GenericTest { reliable: false, ..many_clients() });
    /// Five clients append to one key over a lossy network.
    unreliable_one_key_kv3a, unreliable_one_key_kvlimit1:
        one_key(GenericTest { servers: 3, reliable: false, ..one_client() });
    /// Progress in the majority, none in the minority, completion after the partition heals.
    one_partition_kv3a, one_partition_kvlimit1: one_partition(one_client());
    /// One client while partitions come and go.
    many_partitions_one_client_kv3a, many_partitions_one_client_kvlimit1:
        generic(GenericTest { partitions: true, ..one_client() });
    /// Five clients while partitions come and go.
    many_partitions_many_clients_kv3a, many_partitions_many_clients_kvlimit1:
        generic(GenericTest { partitions: true, ..many_clients() });
    /// One client, all servers restarted three times.
    persist_one_client_kv3a, persist_one_client_kvlimit1:
        generic(GenericTest { crash: true, ..one_client() });
    /// Five clients, all servers restarted three times.
    persist_concurrent_kv3a, persist_concurrent_kvlimit1:
        generic(GenericTest { crash: true, ..many_clients() });
    /// The same over a lossy network.
    persist_concurrent_unreliable_kv3a, persist_concurrent_unreliable_kvlimit1:
        generic(GenericTest { crash: true, reliable: false, ..many_clients() });
    /// Restarts and partitions.
    persist_partition_kv3a, persist_partition_kvlimit1:
        generic(GenericTest { crash: true, partitions: true, ..many_clients() });
    /// The same over a lossy network.
    persist_partition_unreliable_kv3a, persist_partition_unreliable_kvlimit1:
        generic(GenericTest { crash: true, partitions: true, reliable: false, ..many_clients() });
    /// Everything at once, fifteen clients on fifteen keys of seven servers.
    persist_partition_unreliable_linearizable_kv3a,
    persist_partition_unreliable_linearizable_kvlimit1:
        generic(GenericTest {
            clients: 15,
            servers: 7,
            crash: true,
            partitions: true,
            reliable: false,
            random_keys: true,
            ..one_client()
        });
}

fn one_key(test: &GenericTest) {
    const CLIENTS: usize = 5;
    const APPENDS: usize = 10;
    let (h, _) = Servers::of(test).set_up();
    h.cluster().begin("Test: concurrent append to same key, unreliable (3A)");
    let ck = h.make_clerk();
    h.put(&ck, "k", "");
    let theirs = h.clone();
    let clients = h.spawn_clients(CLIENTS, move |me, ck| {
        (0..APPENDS).for_each(|number| theirs.append(ck, "k", &element(me, number)));
    });
    clients.into_iter().for_each(AppendHarness::join);
    let value = h.get(&ck, "k");
    check_concurrent_appends(&value, &[APPENDS; CLIENTS]);
    assert_eq!(value.len(), CLIENTS * APPENDS * element(0, 0).len(), "{value}");
    h.cleanup();
}

fn one_partition(test: &GenericTest) {
    let (h, running) = Servers::of(test).set_up();
    let group = h.cluster().group(0);
    let ck = h.make_clerk();
    h.put(&ck, "1", "13");

    h.cluster().begin("Test: progress in majority (3A)");
    let (majority, minority) = group.make_partition(running.leader());
    group.partition(&majority, &minority);
    let ck_majority = h.make_clerk_to(&majority);
    let ck_put = h.make_clerk_to(&minority);
    let ck_get = h.make_clerk_to(&minority);
    h.put(&ck_majority, "1", "14");
    h.check(&ck_majority, "1", "14");
    h.cluster().end();

    h.cluster().begin("Test: no progress in minority (3A)");
    let (put_done, put_waits) = labrt::oneshot::channel();
    let (get_done, get_waits) = labrt::oneshot::channel();
    let (in_put, in_get) = ((h.clone(), ck_put.clone()), (h.clone(), ck_get.clone()));
    tester::spawn(move || {
        let (h, ck) = in_put;
        h.put(&ck, "1", "15");
        let _ = put_done.send(());
    });
    tester::spawn(move || {
        let (h, ck) = in_get;
        let _ = get_done.send(h.get(&ck, "1"));
    });
    let early = put_waits.recv_timeout(Duration::from_secs(1));
    assert!(early.is_err(), "a Put in the minority completed");
    assert!(get_waits.try_recv().is_err(), "a Get in the minority completed");
    h.check(&ck_majority, "1", "14");
    h.put(&ck_majority, "1", "16");
    h.check(&ck_majority, "1", "16");
    h.cluster().end();

    h.cluster().begin("Test: completion after heal (3A)");
    group.connect_all();
    ck_put.client().connect_all();
    ck_get.client().connect_all();
    labrt::sleep(ELECTION_TIMEOUT);
    let put = put_waits.recv_timeout(Duration::from_secs(3));
    assert!(put.is_ok(), "the Put did not complete within 3 s after the partition healed");
    // The course looks at the Get once and goes on; it has the same 3 s here.
    let got = get_waits.recv_timeout(Duration::from_secs(3));
    assert!(got.is_ok(), "the Get did not complete within 3 s after the partition healed");
    // The delayed Put comes after the one that overtook it, and once.
    h.check(&ck, "1", "15");
    h.cleanup();
}
