//! Clusters of key/value servers of both services, with a harness over them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kvraft::append::SESSION_WINDOW;
use kvraft::{Reads, Replica, append, versioned};
use raft::Raft;
use rsm::StateMachine;
use tester::kv::append::AppendHarness;
use tester::kv::{GenericTest, KvHarness};
use tester::{Cluster, ClusterOptions, Hosted, Lines, ServerSetup, hosted};

/// Bytes of Raft state at which the servers of the snapshot tests take snapshots.
pub const MAX_RAFT_STATE: usize = 1000;

/// What the servers of a test are.
#[derive(Clone, Debug)]
pub struct Servers {
    pub servers: usize,
    pub reliable: bool,
    pub max_raft_state: Option<usize>,
    pub session_window: u64,
    pub reads: Reads,
    pub tuning: Option<raft::Tuning>,
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
            tuning: None,
        }
    }

    /// Those of a test with these parameters.
    pub fn of(test: &GenericTest) -> Servers {
        let GenericTest { servers, reliable, max_raft_state, .. } = *test;
        Servers { reliable, max_raft_state, ..Servers::new(servers) }
    }

    fn options(&self, setup: ServerSetup) -> rsm::Options {
        let ServerSetup { peers, me, persister, tuning, .. } = setup;
        rsm::Options { peers, me, persister, max_raft_state: self.max_raft_state, tuning }
    }

    fn cluster_options(&self) -> ClusterOptions {
        let options = ClusterOptions::new(self.servers).reliable(self.reliable);
        let tuning = self.tuning.unwrap_or(options.tuning);
        options.tuning(tuning)
    }

    /// Starts servers of the versioned service, and prints the first line.
    pub fn set_up_versioned(self, title: &str, random_keys: bool) -> (KvHarness, Versioned) {
        let running = Running::default();
        let started = running.clone();
        let cluster = Cluster::new(self.cluster_options(), move |setup| {
            let (me, reads) = (setup.me, self.reads);
            let server = versioned::KvServer::start(self.options(setup));
            let server = server.unwrap_or_else(|error| panic!("server {me}: {error}"));
            let server = server.with_reads(reads);
            started.host(me, &server, server.services())
        });
        cluster.begin(title);
        let clerk = |_: &_, servers| versioned::Clerk::new(servers).expect("there are servers");
        (KvHarness::new(cluster, clerk, random_keys), running)
    }

    /// Starts servers of the service with Put, Append and Get.
    pub fn set_up(self) -> (AppendHarness, Running<append::Machine>) {
        let running = Running::default();
        let started = running.clone();
        let options = self.cluster_options().lines(Lines::Bare);
        let cluster = Cluster::new(options, move |setup| {
            let (me, reads, session_window) = (setup.me, self.reads, self.session_window);
            let options = append::Options::new(self.options(setup));
            let server = append::KvServer::start(append::Options { session_window, ..options });
            let server = server.unwrap_or_else(|error| panic!("server {me}: {error}"));
            let server = server.with_reads(reads);
            started.host(me, &server, server.services())
        });
        let clerk = |_: &_, servers| append::Clerk::new(servers).expect("there are servers");
        (AppendHarness::new(cluster, clerk), running)
    }
}

/// The servers of a cluster in their present lives, for tests that look behind the network.
pub struct Running<M: StateMachine> {
    servers: Arc<labrt::Mutex<Lives<M>>>,
}

/// By server, with its node.
type Lives<M> = BTreeMap<usize, (Replica<M>, labrt::Node)>;

pub type Versioned = Running<versioned::Machine>;

impl<M: StateMachine> Clone for Running<M> {
    fn clone(&self) -> Running<M> {
        Running { servers: Arc::clone(&self.servers) }
    }
}

impl<M: StateMachine> Default for Running<M> {
    fn default() -> Running<M> {
        Running { servers: Arc::default() }
    }
}

impl<M: StateMachine> Running<M> {
    fn host(
        &self,
        me: usize,
        server: &Replica<M>,
        services: [labrpc::Service; 2],
    ) -> Vec<Box<dyn Hosted>> {
        let server = server.clone();
        self.servers.lock().insert(me, (server.clone(), labrt::Node::current()));
        vec![hosted(services, move || server.kill())]
    }

    /// The Raft instances, by server.
    pub fn rafts(&self) -> BTreeMap<usize, Raft> {
        let servers = self.servers.lock();
        servers.iter().map(|(&i, (server, _))| (i, server.rsm().raft().clone())).collect()
    }

    /// The first server that says it leads; server 0 if none does.
    pub fn leader(&self) -> usize {
        self.rafts().iter().find(|(_, raft)| raft.state().1).map_or(0, |(&i, _)| i)
    }

    /// A server.
    pub fn server(&self, i: usize) -> Replica<M> {
        self.servers.lock()[&i].0.clone()
    }

    /// The node that a server runs on.
    pub fn node(&self, i: usize) -> labrt::Node {
        self.servers.lock()[&i].1.clone()
    }

    /// Waits for a leader other than this one, and gives its number.
    pub fn leader_besides(&self, old: usize) -> usize {
        for _ in 0..1000 {
            let leads = |(i, raft): &(usize, Raft)| *i != old && raft.state().1;
            if let Some((leader, _)) = self.rafts().into_iter().find(leads) {
                return leader;
            }
            labrt::sleep(Duration::from_millis(10));
        }
        panic!("no leader besides {old} in ten seconds")
    }
}

/// The parameters most 4B tests start from.
pub fn many_clients(part: &'static str) -> GenericTest {
    GenericTest { clients: 5, ..GenericTest::new(part) }
}

/// Sets a test of the versioned service up and prints its first line.
pub fn set_up(test: &GenericTest) -> (KvHarness, Versioned) {
    Servers::of(test).set_up_versioned(&test.title(), test.random_keys)
}

/// The common scenario with these parameters, from beginning to end.
pub fn generic(test: &GenericTest) {
    test.run(&set_up(test).0);
}

/// A thousand Puts, one after the other.
pub fn speed(test: &GenericTest) {
    test.run_speed(&set_up(test).0);
}

/// The common scenario of the service with Put, Append and Get.
pub fn generic_append(test: &GenericTest) {
    test.run_append(&Servers::of(test).set_up().0);
}

/// A thousand Appends, one after the other.
pub fn speed_append(test: &GenericTest) {
    test.run_append_speed(&Servers::of(test).set_up().0);
}
