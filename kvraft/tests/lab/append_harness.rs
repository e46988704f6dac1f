//! A cluster of Put/Append/Get servers with a harness over it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kvraft::Reads;
use kvraft::append::{Clerk, KvServer, Options, SESSION_WINDOW};
use tester::kv::append::{AppendHarness, AppendTest};
use tester::{Client, Cluster, ClusterOptions, Hosted, Lines, ServerSetup, hosted};

use crate::harness::Rafts;

/// What the servers of a test are.
#[derive(Clone, Debug)]
pub struct Servers {
    pub servers: usize,
    pub reliable: bool,
    pub max_raft_state: Option<usize>,
    pub session_window: u64,
    pub reads: Reads,
}

impl Servers {
    /// This many on a reliable network, without snapshots.
    pub fn new(servers: usize) -> Servers {
        Servers {
            servers,
            reliable: true,
            max_raft_state: None,
            session_window: SESSION_WINDOW,
            reads: Reads::Logged,
        }
    }

    /// Those of a test with these parameters.
    pub fn of(test: &AppendTest) -> Servers {
        let AppendTest { servers, reliable, max_raft_state, .. } = *test;
        Servers { reliable, max_raft_state, ..Servers::new(servers) }
    }

    fn start(&self, setup: ServerSetup, running: &Running) -> Vec<Box<dyn Hosted>> {
        let ServerSetup { ends, me, persister, .. } = setup;
        let max_raft_state = self.max_raft_state;
        let replica = rsm::Options { peers: ends, me, persister, max_raft_state };
        let options = Options { session_window: self.session_window, ..Options::new(replica) };
        let server =
            KvServer::start(options).unwrap_or_else(|error| panic!("server {me}: {error}"));
        let server = server.with_reads(self.reads);
        let raft = server.rsm().raft().clone();
        let service = server.service();
        running.rafts.lock().insert(me, raft.clone());
        running.servers.lock().insert(me, server.clone());
        running.nodes.lock().insert(me, labrt::Node::current());
        vec![
            hosted(Some(service), move || server.kill()),
            hosted(Some(raft.service()), move || raft.kill()),
        ]
    }

    /// Starts them.
    pub fn set_up(self) -> (AppendHarness, Running) {
        let options = ClusterOptions::new(self.servers).reliable(self.reliable).lines(Lines::Bare);
        let running = Running::default();
        let to_starter = running.clone();
        let cluster = Cluster::new(options, move |setup| self.start(setup, &to_starter));
        (AppendHarness::new(cluster, clerk), running)
    }
}

fn clerk(client: Client, servers: Vec<String>) -> Clerk {
    let ends = servers.iter().map(|server| client.end_to(server)).collect();
    Clerk::new(ends).expect("the group has servers")
}

/// The servers of a cluster in their present lives, for tests that look behind the network.
#[derive(Clone, Default)]
pub struct Running {
    pub rafts: Rafts,
    servers: Arc<labrt::Mutex<BTreeMap<usize, KvServer>>>,
    nodes: Arc<labrt::Mutex<BTreeMap<usize, labrt::Node>>>,
}

impl Running {
    /// The first server that says it leads; server 0 if none does.
    pub fn leader(&self) -> usize {
        self.rafts.lock().iter().find(|(_, raft)| raft.state().1).map_or(0, |(&i, _)| i)
    }

    /// A server.
    pub fn server(&self, i: usize) -> KvServer {
        self.servers.lock()[&i].clone()
    }

    /// The node that a server runs on.
    pub fn node(&self, i: usize) -> labrt::Node {
        self.nodes.lock()[&i].clone()
    }

    /// Waits for a leader other than this one, and gives its number.
    pub fn leader_besides(&self, old: usize) -> usize {
        for _ in 0..1000 {
            let others = self.rafts.lock().clone();
            let leads = |(i, raft): &(usize, raft::Raft)| *i != old && raft.state().1;
            if let Some((leader, _)) = others.into_iter().find(leads) {
                return leader;
            }
            labrt::sleep(std::time::Duration::from_millis(10));
        }
        panic!("no leader besides {old} in ten seconds")
    }
}

/// The common scenario with these parameters, from beginning to end.
pub fn generic(test: &AppendTest) {
    test.run(&Servers::of(test).set_up().0);
}

/// A thousand appends, one after the other.
pub fn speed(test: &AppendTest) {
    test.run_speed(&Servers::of(test).set_up().0);
}
