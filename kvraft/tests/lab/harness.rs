//! A cluster of key/value servers with a harness over it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kvraft::Reads;
use kvraft::versioned::{Clerk, KvServer, Options};
use tester::kv::{GenericTest, KvHarness};
use tester::{Client, Cluster, ClusterOptions, Hosted, ServerSetup, hosted};

/// Bytes of Raft state at which the servers of the snapshot tests take snapshots.
pub const MAX_RAFT_STATE: usize = 1000;

/// The parameters most 4B tests start from.
pub fn many_clients(part: &'static str) -> GenericTest {
    GenericTest { clients: 5, ..GenericTest::new(part) }
}

/// The Raft instances of a cluster, by server, for tests that must know who leads.
pub type Rafts = Arc<labrt::Mutex<BTreeMap<usize, raft::Raft>>>;

fn start(
    setup: ServerSetup,
    max_raft_state: Option<usize>,
    reads: Reads,
    rafts: &Rafts,
) -> Vec<Box<dyn Hosted>> {
    let ServerSetup { ends, me, persister, .. } = setup;
    let options = Options { peers: ends, me, persister, max_raft_state };
    let server = KvServer::start(options).unwrap_or_else(|error| panic!("server {me}: {error}"));
    let server = server.with_reads(reads);
    let raft = server.rsm().raft().clone();
    let service = server.service();
    rafts.lock().insert(me, raft.clone());
    vec![
        hosted(Some(service), move || server.kill()),
        hosted(Some(raft.service()), move || raft.kill()),
    ]
}

fn clerk(client: Client, servers: Vec<String>) -> Clerk {
    let ends = servers.iter().map(|server| client.end_to(server)).collect();
    Clerk::new(ends).expect("the group has servers")
}

/// Sets a test up and prints its first line.
pub fn set_up(test: &GenericTest) -> KvHarness {
    set_up_with_rafts(test).0
}

/// The same, with servers that answer Gets this way.
pub fn set_up_with_reads(test: &GenericTest, reads: Reads) -> KvHarness {
    set_up_servers(test, reads).0
}

/// The same, for a test that looks at Raft.
pub fn set_up_with_rafts(test: &GenericTest) -> (KvHarness, Rafts) {
    set_up_servers(test, Reads::Logged)
}

fn set_up_servers(test: &GenericTest, reads: Reads) -> (KvHarness, Rafts) {
    let options = ClusterOptions::new(test.servers).reliable(test.reliable);
    let max_raft_state = test.max_raft_state;
    let rafts = Rafts::default();
    let to_starter = Arc::clone(&rafts);
    let cluster =
        Cluster::new(options, move |setup| start(setup, max_raft_state, reads, &to_starter));
    cluster.begin(&test.title());
    (KvHarness::new(cluster, clerk, test.random_keys), rafts)
}

/// The common scenario with these parameters, from beginning to end.
pub fn generic(test: &GenericTest) {
    test.run(&set_up(test));
}

/// A thousand Puts, one after the other.
pub fn speed(test: &GenericTest) {
    test.run_speed(&set_up(test));
}
