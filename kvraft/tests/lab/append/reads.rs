//! Gets without log entries, in both services: linearizable whatever happens to the leader, and
//! never stale.

use std::time::Duration;

use kvapi::Clerk as _;
use kvraft::{Reads, append};
use tester::kv::GenericTest;
use tester::lab_test;

use crate::harness::Servers;

fn read_index(servers: usize) -> Servers {
    Servers { reads: Reads::ReadIndex, ..Servers::new(servers) }
}

fn generic(test: &GenericTest) {
    test.run_append(&Servers { reads: Reads::ReadIndex, ..Servers::of(test) }.set_up().0);
}

/// Five clients, with leaders that are cut off, and restarted.
#[test]
fn read_index_with_restarts_and_partitions() {
    lab_test!(|| generic(&GenericTest {
        clients: 5,
        crash: true,
        partitions: true,
        max_raft_state: Some(1000),
        ..GenericTest::new("ReadIndex")
    }));
}

/// Fifteen clients share their keys, so that each sees the others' writes; and messages are lost.
#[test]
fn read_index_with_everything_and_shared_keys() {
    lab_test!(|| generic(&GenericTest {
        clients: 15,
        servers: 7,
        crash: true,
        partitions: true,
        reliable: false,
        random_keys: true,
        max_raft_state: Some(1000),
        ..GenericTest::new("ReadIndex")
    }));
}

/// A thousand Gets, and the log has not grown.
#[test]
fn read_index_writes_nothing() {
    lab_test!(|| {
        let (h, running) = read_index(3).set_up();
        h.cluster().begin("Test: Gets without log entries");
        let ck = h.make_clerk();
        h.put(&ck, "k", "v");
        let raft = running.server(running.leader()).rsm().raft().clone();
        let last = || raft.inspect(|node| node.last());
        let (before, bytes) = (last(), raft.persist_bytes());
        for _ in 0..1000 {
            h.check(&ck, "k", "v");
        }
        assert_eq!((last(), raft.persist_bytes()), (before, bytes));
        h.cleanup();
    });
}

/// The first trap: a leader that has committed nothing in its term may not know what its
/// predecessor had committed. The write was answered by the old leader; the new one has it in its
/// log, and reads before it commits.
#[test]
fn a_new_leader_serves_no_stale_read() {
    lab_test!(|| {
        let (h, running) = read_index(3).set_up();
        let group = h.cluster().group(0);
        h.cluster().begin("Test: a new leader's first read");
        let ck = h.make_clerk();
        h.put(&ck, "k", "old");
        h.put(&ck, "k", "new");
        let leader = running.leader();
        group.disconnect_all(leader);
        ck.client().disconnect(group.server_name(leader));
        let next = running.leader_besides(leader);
        // Nobody has written in its term: its commit index may be behind.
        let early = running.server(next).rsm().raft().read_index(Duration::from_secs(1));
        assert_eq!(early, Err(raft::ReadError::NothingCommitted));
        h.check(&ck, "k", "new");
        h.cleanup();
    });
}

/// The second trap: a leader that was deposed and does not know it. It still calls itself leader,
/// and has the old value. By the paper's rules, as check-quorum would have it step down soon.
#[test]
fn a_deposed_leader_serves_no_stale_read() {
    lab_test!(|| {
        let tuning = Some(raft::Tuning::paper());
        let (h, running) = Servers { tuning, ..read_index(5) }.set_up();
        let group = h.cluster().group(0);
        h.cluster().begin("Test: a deposed leader's read");
        let ck = h.make_clerk();
        h.put(&ck, "k", "old");
        h.check(&ck, "k", "old");
        let leader = running.leader();
        let (majority, minority) = group.make_partition(leader);
        group.partition(&majority, &minority);
        let in_majority = h.make_clerk_to(&majority);
        h.put(&in_majority, "k", "new");
        assert!(running.server(leader).rsm().raft().state().1, "it knows of no other leader");
        // By its own account, and by RPC.
        let look = |machine: &append::Machine| machine.get("k");
        let answer = running.server(leader).rsm().read(Duration::from_millis(200), look);
        assert_eq!(answer, Err(rsm::ReadError::TimedOut));
        let client = h.cluster().make_client();
        let args = append::GetArgs { key: "k".to_owned() };
        let reply = client.call::<append::Get>(group.server_name(leader), &args).unwrap();
        assert_eq!(reply.outcome, Err(kvapi::Error::WrongLeader));
        // A clerk that asks it first ends up with the majority.
        h.check(&ck, "k", "new");
        group.connect_all();
        h.check(&ck, "k", "new");
        h.cleanup();
    });
}

/// The third trap: a follower answers from what it has executed so far.
#[test]
fn a_follower_serves_no_read() {
    lab_test!(|| {
        let (h, running) = read_index(3).set_up();
        let group = h.cluster().group(0);
        h.cluster().begin("Test: a follower's read");
        let ck = h.make_clerk();
        h.put(&ck, "k", "old");
        let leader = running.leader();
        let client = h.cluster().make_client();
        for i in (0..3).filter(|&i| i != leader) {
            let args = append::GetArgs { key: "k".to_owned() };
            let reply = client.call::<append::Get>(group.server_name(i), &args).unwrap();
            assert_eq!(reply.outcome, Err(kvapi::Error::WrongLeader));
        }
        h.cleanup();
    });
}

/// A pending read ends with the leadership it waits for, and with the server.
#[test]
fn a_pending_read_ends_with_the_leader() {
    lab_test!(|| {
        let (h, running) = read_index(3).set_up();
        let group = h.cluster().group(0);
        h.cluster().begin("Test: pending reads");
        let ck = h.make_clerk();
        h.put(&ck, "k", "v");
        let leader = running.leader();
        group.disconnect_all(leader);
        let read = |patience| {
            let raft = running.server(leader).rsm().raft().clone();
            tester::spawn(move || raft.read_index(patience))
        };
        let healed = read(Duration::from_secs(60));
        let impatient = read(Duration::from_millis(100));
        let timed_out = impatient.join().unwrap();
        assert_eq!(timed_out, Err(raft::ReadError::TimedOut));
        let _ = running.leader_besides(leader);
        group.connect_one(leader);
        assert_eq!(healed.join().unwrap(), Err(raft::ReadError::NotLeader));
        let leader = running.leader();
        group.disconnect_all(leader);
        let raft = running.server(leader).rsm().raft().clone();
        let waiting = {
            let raft = raft.clone();
            tester::spawn(move || raft.read_index(Duration::from_secs(60)))
        };
        labrt::sleep(Duration::from_millis(50));
        raft.kill();
        assert!(waiting.join().unwrap().is_err());
        h.cleanup();
    });
}

/// The versioned service has the option, too.
#[test]
fn read_index_in_the_versioned_service() {
    lab_test!(|| {
        let test = GenericTest {
            clients: 5,
            crash: true,
            partitions: true,
            max_raft_state: Some(1000),
            ..GenericTest::new("ReadIndex")
        };
        let servers = Servers { reads: Reads::ReadIndex, ..Servers::of(&test) };
        let (harness, _) = servers.set_up_versioned(&test.title(), test.random_keys);
        let clerk = harness.make_clerk();
        assert_eq!(clerk.get("nothing"), Err(kvapi::Error::NoKey));
        test.run(&harness);
    });
}
