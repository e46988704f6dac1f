//! What went wrong for authors of earlier editions, each as a test that fails if it goes wrong
//! here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kvraft::append::{Change, GetArgs, PutAppendArgs, Reply, Request, RequestId, SessionId, Stamp};
use raft::InstallSnapshot;
use raft::messages::InstallSnapshotArgs;
use tester::kv::ELECTION_TIMEOUT;
use tester::kv::append::{AppendHarness, check_concurrent_appends, element};
use tester::lab_test;

use crate::harness::Servers;

/// The last Append before a restart was in the value twice, and only the last: the servers executed
/// it, but did not note its number (or lost the note with the snapshot), so the clerk's repetition
/// after the restart was new to them.
#[test]
fn the_last_append_before_a_restart_is_not_doubled() {
    for max_raft_state in [None, Some(1)] {
        lab_test!(move || {
            const CLIENTS: usize = 3;
            let (h, _) = Servers { max_raft_state, ..Servers::new(3) }.set_up();
            let group = h.cluster().group(0);
            h.cluster().begin("Test: the last Append before a restart");
            let started = Arc::new(AtomicUsize::new(0));
            let (theirs, count) = (h.clone(), Arc::clone(&started));
            let clients = h.spawn_clients(CLIENTS, move |me, ck| {
                for number in 0..40 {
                    count.fetch_add(1, Ordering::SeqCst);
                    theirs.append(ck, &me.to_string(), &element(me, number));
                }
            });
            // The replies of what is being executed now are lost, and their clerks ask again after
            // the restart.
            for stop in (1..=8).map(|stop| stop * 13) {
                while started.load(Ordering::SeqCst) < stop {
                    labrt::sleep(Duration::from_micros(labrt::random_range(50..2000)));
                }
                group.shutdown();
                group.start_servers();
            }
            clients.into_iter().for_each(AppendHarness::join);
            let ck = h.make_clerk();
            for me in 0..CLIENTS {
                let expected: String = (0..40).map(|number| element(me, number)).collect();
                h.check(&ck, &me.to_string(), &expected);
            }
            h.cleanup();
        });
    }
}

/// The clerk stayed with the leader it knew when that was cut off with a minority, and the test of
/// the majority's progress hung: a call without a reply did not make it turn to another server.
/// Here the clerk can even reach the old leader, which accepts its requests and cannot commit them.
#[test]
fn a_clerk_leaves_a_leader_that_is_cut_off() {
    lab_test!(|| {
        let (h, running) = Servers::new(5).set_up();
        let group = h.cluster().group(0);
        h.cluster().begin("Test: a clerk leaves a leader that is cut off");
        let ck = h.make_clerk();
        h.put(&ck, "k", "a");
        let leader = running.leader();
        let (majority, minority) = group.make_partition(leader);
        group.partition(&majority, &minority);
        let begun = labrt::now();
        h.append(&ck, "k", "b");
        h.check(&ck, "k", "ab");
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(5), "took {took:?}");
        // The same when it cannot be reached at all: no reply is a reason to go on, too.
        let leader = running.leader_besides(leader);
        ck.client().disconnect(group.server_name(leader));
        group.connect_all();
        group.disconnect_all(leader);
        let begun = labrt::now();
        h.append(&ck, "k", "c");
        h.check(&ck, "k", "abc");
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(5), "took {took:?}");
        group.connect_all();
        h.cleanup();
    });
}

/// Two threads cleared one waiter: a handler whose time was up removed the place of its request in
/// a map while the applying thread did, which Go ends the program for. Here requests time out at
/// the moment of their execution, and every caller must hear the outcome of its own. (Nor may it
/// remove a waiter that has the place by now: `rsm::pending` has the test.)
#[test]
fn a_waiter_is_cleared_once() {
    lab_test!(|| {
        const CALLERS: u64 = 8;
        const CALLS: u64 = 40;
        let (h, running) = Servers::new(1).set_up();
        h.cluster().begin("Test: a waiter is cleared once");
        let ck = h.make_clerk();
        h.put(&ck, "k", "");
        let leader = running.server(running.leader());
        let callers: Vec<_> = (0..CALLERS)
            .map(|me| {
                let server = leader.clone();
                tester::spawn(move || {
                    let mut in_time = 0;
                    for number in 1..=CALLS {
                        let key = format!("{me}/{number}");
                        let write =
                            RequestId { session: SessionId::new(me), opened: Stamp::ZERO, number };
                        let change = Change::Append(key.clone());
                        let args = PutAppendArgs { write, key: key.clone(), change };
                        // Mostly none: a single server executes at the moment at which it is asked.
                        let patience = Duration::from_micros(labrt::random_range(0..4) / 3 * 100);
                        let _ = server.rsm().submit_within(patience, Request::Write(args));
                        // Without a limit: this one must be answered, and with its own value, if
                        // the other was executed at all.
                        let get = server.rsm().submit(Request::Get(GetArgs { key: key.clone() }));
                        match get {
                            Ok(Reply::Get(value)) => {
                                let value = value.unwrap_or_default();
                                assert!(value.is_empty() || *value == *key, "{key}: got {value:?}");
                                in_time += u64::from(!value.is_empty());
                            }
                            other => panic!("a Get gave {other:?}"),
                        }
                    }
                    in_time
                })
            })
            .collect();
        let executed: u64 = callers.into_iter().map(AppendHarness::join).sum();
        // The log keeps its order: what was proposed before the Get is executed before it.
        assert_eq!(executed, CALLERS * CALLS);
        h.cleanup();
    });
}

/// The service took a snapshot while it held the lock it applied under, and waited for itself; or
/// it waited for Raft, which waited for the service to take the next command. With a snapshot after
/// every command, under many clients and readers, all must go on.
#[test]
fn taking_snapshots_and_applying_do_not_wait_for_each_other() {
    lab_test!(|| {
        const CLIENTS: usize = 8;
        let (h, running) = Servers { max_raft_state: Some(1), ..Servers::new(3) }.set_up();
        h.cluster().begin("Test: snapshots while applying");
        let ck = h.make_clerk();
        h.put(&ck, "k", "");
        let theirs = h.clone();
        let clients = h.spawn_clients(CLIENTS, move |me, ck| {
            (0..25).for_each(|number| theirs.append(ck, "k", &element(me, number)));
        });
        for _ in 0..50 {
            for i in 0..3 {
                let _ = running.server(i).rsm().with_machine(|machine| machine.get("k"));
                let _ = running.server(i).rsm().raft().persist_bytes();
            }
            labrt::sleep(Duration::from_millis(1));
        }
        clients.into_iter().for_each(AppendHarness::join);
        check_concurrent_appends(&h.get(&ck, "k"), &[25; CLIENTS]);
        assert!(h.cluster().group(0).snapshot_size() > 0);
        h.cleanup();
    });
}

/// Index arithmetic that forgot the trimmed part of the log: an index out of range in
/// AppendEntries, or the wrong entry sent. Followers that lag by different amounts, with a log that
/// begins anew after every command, and leaders that change.
#[test]
fn indexes_are_right_after_the_log_was_trimmed() {
    lab_test!(|| {
        let (h, running) = Servers { max_raft_state: Some(200), ..Servers::new(3) }.set_up();
        let group = h.cluster().group(0);
        h.cluster().begin("Test: followers that lag behind a trimmed log");
        let ck = h.make_clerk();
        let mut written = 0;
        for away in 1..=9 {
            let follower = (running.leader() + 1 + away % 2) % 3;
            group.disconnect_all(follower);
            // Fewer commands than a snapshot takes, about as many, or more.
            for _ in 0..away * 2 {
                h.append(&ck, "k", &element(0, written));
                written += 1;
            }
            group.connect_one(follower);
            if away % 3 == 0 {
                // Whoever leads next has a trimmed log, too.
                let leader = running.leader();
                group.disconnect_all(leader);
                h.append(&ck, "k", &element(0, written));
                written += 1;
                group.connect_one(leader);
            }
        }
        let expected: String = (0..written).map(|number| element(0, number)).collect();
        h.check(&ck, "k", &expected);
        labrt::sleep(ELECTION_TIMEOUT);
        for i in 0..3 {
            let value = running.server(i).rsm().with_machine(|machine| machine.get("k"));
            assert_eq!(value.as_deref(), Some(&expected), "server {i}");
        }
        h.cleanup();
    });
}

/// A crash after the new snapshot was saved, before the trimmed log was: at the next start the log
/// overlaps the snapshot, and what both hold must be executed once. (The author could rely on one
/// atomic save and did not want to.)
///
/// Power cuts while a command is being saved, executed and covered by a snapshot, all of which
/// takes no virtual time. That an append is there once says little, for its session would hide a
/// second execution; so the service's count of writes must be right, too. On threads, where there
/// are no power cuts, polite shutdowns.
#[test]
fn a_crash_between_snapshot_and_trimmed_log_repeats_nothing() {
    lab_test!(|| {
        const ROUNDS: usize = 30;
        let (h, running) = Servers { max_raft_state: Some(1), ..Servers::new(1) }.set_up();
        let group = h.cluster().group(0);
        h.cluster().begin("Test: crash between the snapshot and the trimmed log");
        // Nothing is recorded: most of the writes are made by hand.
        let ck = h.make_clerk();
        ck.bare().append("k", "").expect("a new session");
        let writes = || {
            running.server(0).rsm().with_machine(|machine| machine.sessions().now().get() as usize)
        };
        let mut expected = String::new();
        let mut between = 0;
        for number in 0..ROUNDS {
            labrt::sleep(Duration::from_millis(10));
            let before = (group.log_size(), group.snapshot_size(), writes());
            let session = SessionId::new(1);
            let write = RequestId { session, opened: Stamp::ZERO, number: number as u64 + 1 };
            let change = Change::Append(element(0, number));
            let args = PutAppendArgs { write, key: "k".to_owned(), change };
            // On the server itself: what it does then falls with the power.
            let (server, request) = (running.server(0), Request::Write(args.clone()));
            running.node(0).spawn_detached("append", move || {
                let _ = server.rsm().submit(request);
            });
            let logged = || group.log_size() > before.0;
            let covered = || group.snapshot_size() > before.1;
            // At some step or other; every second time between the two writes, if the processor
            // comes by then.
            let hunting = number % 2 == 0;
            for _ in 0..if hunting { 60 } else { labrt::random_range(0..25) } {
                if hunting && logged() && covered() {
                    break;
                }
                labrt::yield_now();
            }
            if group.crash_server(0).is_err() {
                group.shutdown_server(0);
            }
            let (logged, covered) = (logged(), covered());
            between += usize::from(logged && covered);
            group.start_server(0);
            group.connect_one(0);
            let request = || Request::Write(args.clone());
            while !matches!(running.server(0).rsm().submit(request()), Ok(Reply::Write(Ok(())))) {
                labrt::sleep(Duration::from_millis(20));
            }
            expected.push_str(&element(0, number));
            assert_eq!(ck.bare().get("k"), expected, "round {number}");
            let executed = writes() - before.2;
            assert_eq!(executed, usize::from(logged || covered) + 1, "round {number}");
        }
        assert!(!labrt::is_simulated() || between > 0, "no crash came between the two writes");
        h.cleanup();
    });
}

/// A leader's snapshot that comes late, when the service has executed more than it holds:
/// installing it would take the service back in time, and Raft would never deliver again what it
/// had delivered.
#[test]
fn a_late_snapshot_does_not_take_the_service_back() {
    lab_test!(|| {
        let (h, running) = Servers { max_raft_state: Some(1), ..Servers::new(3) }.set_up();
        let group = h.cluster().group(0);
        h.cluster().begin("Test: a snapshot that comes late");
        let ck = h.make_clerk();
        for number in 0..5 {
            h.append(&ck, "k", &element(0, number));
        }
        let leader = running.leader();
        let raft = running.server(leader).rsm().raft().clone();
        let old = raft.inspect(|node| node.snapshot().cloned()).expect("there are snapshots");
        for number in 5..20 {
            h.append(&ck, "k", &element(0, number));
        }
        let expected: String = (0..20).map(|number| element(0, number)).collect();
        labrt::sleep(ELECTION_TIMEOUT);
        let (term, id) = raft.inspect(|node| (node.term(), node.id()));
        assert!(raft.state().1, "nothing has happened that deposes a leader");
        let args = InstallSnapshotArgs { term, leader: id, snapshot: old };
        for follower in (0..3).filter(|&i| i != leader) {
            let client = h.cluster().make_client();
            client
                .call::<InstallSnapshot>(group.server_name(follower), &args)
                .expect("a reliable network");
            labrt::sleep(Duration::from_millis(50));
            let value = running.server(follower).rsm().with_machine(|machine| machine.get("k"));
            assert_eq!(value.as_deref(), Some(&expected), "server {follower} went back");
        }
        // And they go on from where they are.
        group.disconnect_all(leader);
        h.append(&ck, "k", &element(0, 20));
        h.check(&ck, "k", &(expected + &element(0, 20)));
        h.cleanup();
    });
}

/// `portion := 2 / 3` is zero: the threshold was zero bytes, and a snapshot was taken for every
/// command, whatever the limit. There must be several commands to a snapshot, and no more state
/// than the limit allows.
#[test]
fn the_snapshot_threshold_is_not_zero() {
    lab_test!(|| {
        const LIMIT: usize = 2000;
        const APPENDS: usize = 200;
        let (h, running) = Servers { max_raft_state: Some(LIMIT), ..Servers::new(1) }.set_up();
        h.cluster().begin("Test: commands to a snapshot");
        let ck = h.make_clerk();
        let raft = running.server(0).rsm().raft().clone();
        let mut ends = BTreeSet::new();
        let mut largest = 0;
        for number in 0..APPENDS {
            h.append(&ck, "k", &element(0, number));
            labrt::sleep(Duration::from_millis(1));
            ends.insert(raft.inspect(|node| node.base().index));
            largest = largest.max(h.cluster().group(0).log_size());
        }
        let snapshots = ends.len() - 1;
        assert!(snapshots >= 1, "no snapshot was taken");
        assert!(snapshots * 10 <= APPENDS, "{snapshots} snapshots of {APPENDS} commands");
        assert!(largest >= LIMIT / 2, "snapshots at {largest} of {LIMIT} bytes");
        assert!(largest <= LIMIT + LIMIT / 4, "{largest} bytes, the limit is {LIMIT}");
        h.cleanup();
    });
}
