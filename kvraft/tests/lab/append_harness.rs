//! A cluster of Put/Append/Get servers with a harness over it.

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
}

impl Servers {
    /// This many on a reliable network, without snapshots.
    pub fn new(servers: usize) -> Servers {
        Servers { servers, reliable: true, max_raft_state: None, session_window: SESSION_WINDOW }
    }

    /// Those of a test with these parameters.
    pub fn of(test: &AppendTest) -> Servers {
        let AppendTest { servers, reliable, max_raft_state, .. } = *test;
        Servers { reliable, max_raft_state, ..Servers::new(servers) }
    }

    fn start(&self, setup: ServerSetup, running: &Running) -> Vec<Box<dyn Hosted>> {
        let ServerSetup { ends, me, persister, gid, .. } = setup;
        let max_raft_state = self.max_raft_state;
        let replica = rsm::Options { peers: ends, me, persister, max_raft_state, group: gid };
        let options = Options { session_window: self.session_window, ..Options::new(replica) };
        let server =
            KvServer::start(options).unwrap_or_else(|error| panic!("server {me}: {error}"));
        let raft = server.rsm().raft().clone();
        let service = server.service();
        running.rafts.lock().insert(me, raft.clone());
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
}

impl Running {
    /// The first server that says it leads; server 0 if none does.
    pub fn leader(&self) -> usize {
        self.rafts.lock().iter().find(|(_, raft)| raft.state().1).map_or(0, |(&i, _)| i)
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
