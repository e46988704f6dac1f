//! What a server keeps of clients that are gone. Alone in its process: it counts all memory that is
//! allocated.

use std::sync::Arc;
use std::time::Duration;

use cap::Cap;
use kvraft::append::{
    Change, KvServer, Options, PutAppendArgs, Reply, Request, RequestId, SESSION_WINDOW, SessionId,
};
use parking_lot::Mutex;
use tester::{Cluster, ClusterOptions, Hosted, ServerSetup, TestOptions, hosted, lab_test};

#[global_allocator]
static MEMORY: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

/// Held by one run at a time: a sweep runs several at once.
static ALONE: Mutex<()> = Mutex::new(());

const CLIENTS: u64 = 1_000_000;
const BAR: usize = 64 << 20;
/// On threads, a million Puts one after the other take their time.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// A million clients make one Put each and are never heard of again. Everything that the server
/// holds for them when they are idle, sessions, log, snapshot and whatever else, is counted.
#[test]
fn a_million_idle_clients_leave_little_behind() {
    lab_test!(TestOptions::default().time_limit(TIME_LIMIT), || {
        let _alone = ALONE.lock();
        let running = Arc::new(labrt::Mutex::new(None));
        let started = Arc::clone(&running);
        let start = move |setup: ServerSetup| -> Vec<Box<dyn Hosted>> {
            let ServerSetup { peers, me, persister, tuning, .. } = setup;
            let max_raft_state = Some(1 << 20);
            let replica = rsm::Options { peers, me, persister, max_raft_state, tuning };
            let server = KvServer::start(Options::new(replica)).expect("an empty disk");
            *started.lock() = Some(server.clone());
            vec![hosted(server.services(), move || server.kill())]
        };
        let cluster = Cluster::new(ClusterOptions::new(1).time_limit(TIME_LIMIT), start);
        cluster.begin("Test: memory of a million idle clients");
        let server: KvServer = running.lock().clone().expect("it was started");
        while !server.rsm().raft().state().1 {
            labrt::sleep(Duration::from_millis(10));
        }
        let sessions = || server.rsm().with_machine(|machine| machine.sessions().clone());
        let before = MEMORY.allocated();
        let mut most = 0;
        let mut now = sessions().now();
        for client in 0..CLIENTS {
            if client % 1000 == 0 {
                labrt::sleep(Duration::from_millis(1));
                // As every clerk does before its first write.
                now = server.rsm().with_machine(|machine| machine.sessions().now());
                most = most.max(server.rsm().with_machine(|machine| machine.sessions().len()));
            }
            let session = SessionId::new(labrt::random_u64());
            let write = RequestId { session, opened: now, number: 1 };
            let change = Change::Put("v".to_owned());
            let put = PutAppendArgs { write, key: "k".to_owned(), change };
            assert_eq!(server.rsm().submit(Request::Write(put)), Ok(Reply::Write(Ok(()))));
        }
        labrt::sleep(Duration::from_secs(1));
        let kept = MEMORY.allocated().saturating_sub(before);
        println!("at most {most} sessions, now {}; {} KiB kept", sessions().len(), kept >> 10);
        assert!(kept < BAR, "{kept} bytes kept for idle clients");
        let windows = SESSION_WINDOW + 1..=2 * SESSION_WINDOW;
        assert!(windows.contains(&(most as u64)), "one to two windows are known, not {most}");
        drop(server);
        cluster.cleanup();
    });
}
