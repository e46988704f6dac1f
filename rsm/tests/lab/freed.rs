//! A machine that drops much of its state: the disk follows at once
//! ([`Snapshot::take_freed_bytes`]).

use std::sync::Arc;
use std::time::Duration;

use rsm::{Options, RestoreError, Rsm, Snapshot, StateMachine};
use serde::{Deserialize, Serialize};
use tester::{Cluster, ClusterOptions, ServerSetup, hosted, lab_test};

const MAX_RAFT_STATE: usize = 10_000;
/// Bytes of one item.
const ITEM: usize = 500;
/// More than the limit: the snapshots are about as large.
const ITEMS: usize = 40;

#[derive(Clone, Serialize, Deserialize)]
enum Request {
    Add(Vec<u8>),
    Clear,
    Nothing,
}

/// A heap of items. Replies how many there are.
struct Heap {
    items: Vec<Vec<u8>>,
    freed: usize,
    /// Whether it says what it has freed.
    tells: bool,
}

impl StateMachine for Heap {
    type Request = Request;
    type Reply = usize;

    fn do_op(&mut self, request: Request) -> usize {
        match request {
            Request::Add(item) => self.items.push(item),
            Request::Clear => {
                self.freed += self.items.drain(..).map(|item| item.len()).sum::<usize>()
            }
            Request::Nothing => {}
        }
        self.items.len()
    }
}

impl Snapshot for Heap {
    fn snapshot(&self) -> Vec<u8> {
        labgob::encode(&self.items).expect("bytes can be encoded")
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        self.items = labgob::decode(snapshot)?;
        Ok(())
    }

    fn take_freed_bytes(&mut self) -> usize {
        if self.tells { std::mem::take(&mut self.freed) } else { 0 }
    }
}

type Servers = Arc<labrt::Mutex<Vec<Option<Rsm<Heap>>>>>;

fn cluster(tells: bool) -> (Cluster, Servers) {
    let servers: Servers = Arc::new(labrt::Mutex::new(vec![None, None, None]));
    let to_starter = Arc::clone(&servers);
    let cluster = Cluster::new(ClusterOptions::new(3), move |setup: ServerSetup| {
        let ServerSetup { peers, me, persister, tuning, .. } = setup;
        let max_raft_state = Some(MAX_RAFT_STATE);
        let options = Options { peers, me, persister, max_raft_state, tuning };
        let rsm = Rsm::start(options, Heap { items: Vec::new(), freed: 0, tells })
            .unwrap_or_else(|error| panic!("server {me}: {error}"));
        to_starter.lock()[me] = Some(rsm.clone());
        vec![hosted([rsm.raft().service()], move || rsm.kill())]
    });
    cluster.begin("Test: a machine drops its state");
    (cluster, servers)
}

fn submit(servers: &Servers, request: &Request) -> usize {
    loop {
        let servers: Vec<Rsm<Heap>> = servers.lock().iter().flatten().cloned().collect();
        let answer = servers.iter().find_map(|server| server.submit(request.clone()).ok());
        match answer {
            Some(items) => return items,
            None => labrt::sleep(Duration::from_millis(20)),
        }
    }
}

/// Fills the machine and clears it; the bytes of the largest snapshot before and after.
fn fill_and_clear(tells: bool) -> (usize, usize, Cluster, Servers) {
    let (cluster, servers) = cluster(tells);
    for at in 0..ITEMS {
        assert_eq!(submit(&servers, &Request::Add(vec![at as u8; ITEM])), at + 1);
    }
    let full = cluster.group(0).snapshot_size();
    assert_eq!(submit(&servers, &Request::Clear), 0);
    labrt::sleep(Duration::from_millis(200)); // the followers, too
    let cleared = cluster.group(0).snapshot_size();
    (full, cleared, cluster, servers)
}

/// The snapshot that has the dropped items is replaced without another request, on every server;
/// and what was dropped stays dropped when all of them start again from their disks.
#[test]
fn dropped_state_leaves_the_disk() {
    lab_test!(|| {
        let (full, cleared, cluster, servers) = fill_and_clear(true);
        assert!(full > MAX_RAFT_STATE, "the snapshot of {ITEMS} items has {full} bytes");
        assert!(cleared < ITEM, "the snapshot of no items has {cleared} bytes");
        cluster.group(0).shutdown();
        cluster.group(0).start_servers();
        assert_eq!(submit(&servers, &Request::Nothing), 0, "items are back after a restart");
        cluster.end();
    });
}

/// The other side: a machine that tells nothing keeps the old snapshot until its log has grown.
#[test]
fn untold_dropped_state_stays_on_the_disk() {
    lab_test!(|| {
        let (full, cleared, cluster, servers) = fill_and_clear(false);
        assert_eq!(cleared, full);
        cluster.group(0).shutdown();
        cluster.group(0).start_servers();
        // The log after the snapshot is carried out again.
        assert_eq!(submit(&servers, &Request::Nothing), 0, "items are back after a restart");
        cluster.end();
    });
}
