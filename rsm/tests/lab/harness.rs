//! Three servers with a counter each, and the course's helpers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rsm::{Options, Rsm};
use tester::{Cluster, ClusterOptions, Group, Hosted, ServerSetup, hosted};

use crate::counter::{Counter, Reply, Request};

/// How many servers the tests run.
pub const SERVERS: usize = 3;

/// How long a helper looks for a leader.
pub const PATIENCE: Duration = Duration::from_secs(10);

type Servers = Arc<labrt::Mutex<Vec<Option<Rsm<Counter>>>>>;

/// The cluster of one test.
#[derive(Clone)]
pub struct Fixture {
    pub cluster: Cluster,
    servers: Servers,
    /// The server that answered last.
    leader: Arc<AtomicUsize>,
}

/// Starts a server. Only Raft is registered, so a kill reaches Raft alone, and rsm must notice by
/// itself.
fn start(
    servers: &Servers,
    setup: ServerSetup,
    max_raft_state: Option<usize>,
) -> Vec<Box<dyn Hosted>> {
    let ServerSetup { peers, me, persister, tuning, .. } = setup;
    let options = Options { peers, me, persister, max_raft_state, tuning };
    let rsm = Rsm::start(options, Counter::default())
        .unwrap_or_else(|error| panic!("server {me}: {error}"));
    let raft = rsm.raft().clone();
    servers.lock()[me] = Some(rsm);
    vec![hosted([raft.service()], move || raft.kill())]
}

impl Fixture {
    pub fn new(title: &str, max_raft_state: Option<usize>) -> Fixture {
        let servers: Servers = Arc::new(labrt::Mutex::new((0..SERVERS).map(|_| None).collect()));
        let to_starter = Arc::clone(&servers);
        let options = ClusterOptions::new(SERVERS);
        let cluster = Cluster::new(options, move |setup| start(&to_starter, setup, max_raft_state));
        cluster.begin(title);
        Fixture { cluster, servers, leader: Arc::default() }
    }

    pub fn finish(&self) {
        self.cluster.end();
        self.cluster.cleanup();
    }

    pub fn group(&self) -> Group {
        self.cluster.group(0)
    }

    /// The state machine of a server.
    pub fn server(&self, i: usize) -> Rsm<Counter> {
        self.servers.lock()[i].clone().expect("every server was started")
    }

    /// The first server that says it leads.
    pub fn raft_leader(&self) -> usize {
        (0..SERVERS).find(|&i| self.server(i).raft().state().1).unwrap_or(0)
    }

    /// Submits to one server after the other, of those in `among`, until one executes it or 10 s
    /// have passed.
    pub fn one(&self, request: Request, among: &[usize]) -> Option<Reply> {
        let started = labrt::now();
        while started.elapsed() < PATIENCE {
            let first = self.leader.load(Ordering::SeqCst);
            for i in (0..SERVERS).map(|i| (first + i) % SERVERS) {
                if among.contains(&i)
                    && self.group().is_connected(i)
                    && let Ok(reply) = self.server(i).submit(request)
                {
                    self.leader.store(i, Ordering::SeqCst);
                    return Some(reply);
                }
            }
            labrt::sleep(Duration::from_millis(50));
        }
        None
    }

    /// Increments on any server; the counter after it.
    pub fn inc(&self) -> u64 {
        match self.one(Request::Inc, &[0, 1, 2]) {
            Some(Reply::Inc(value)) => value,
            other => panic!("an increment gave {other:?}"),
        }
    }

    /// Submits `Null` on any server, if one answers in time.
    pub fn null(&self) {
        let _ = self.one(Request::Null, &[0, 1, 2]);
    }

    /// Waits until at least `servers` counters have this value.
    pub fn check_counter(&self, value: u64, servers: usize) {
        let mut pause = Duration::from_millis(10);
        let mut agreeing = 0;
        for _ in 0..30 {
            agreeing = (0..SERVERS)
                .filter(|&i| self.server(i).with_machine(|counter| counter.value) == value)
                .count();
            if agreeing >= servers {
                return;
            }
            labrt::sleep(pause);
            if pause < Duration::from_secs(1) {
                pause *= 2;
            }
        }
        panic!("only {agreeing} servers have counter {value}; wanted {servers}");
    }

    /// Cuts the server off that answered last.
    pub fn disconnect_leader(&self) -> usize {
        let leader = self.leader.load(Ordering::SeqCst);
        self.group().disconnect_all(leader);
        leader
    }

    /// Starts `n` tasks that each run `body`.
    pub fn spawn(
        &self,
        n: usize,
        body: impl Fn(&Fixture) + Clone + Send + 'static,
    ) -> Vec<labrt::JoinHandle<()>> {
        (0..n)
            .map(|_| {
                let (f, body) = (self.clone(), body.clone());
                labrt::spawn_named("submitter", move || body(&f))
            })
            .collect()
    }
}

/// Waits for all tasks, on a channel that tells when they are done.
pub fn when_done(tasks: Vec<labrt::JoinHandle<()>>) -> labrt::oneshot::Receiver<()> {
    let (done, wait) = labrt::oneshot::channel();
    labrt::spawn_named("joiner", move || {
        for task in tasks {
            task.join().unwrap();
        }
        let _ = done.send(());
    });
    wait
}
