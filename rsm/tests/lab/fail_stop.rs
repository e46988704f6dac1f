//! Machines that fail. On threads, where a panic ends one task and nothing else: in a simulation it
//! ends the run.

use std::sync::Arc;
use std::time::Duration;

use rsm::{
    Error, MAX_REQUEST_BYTES, Options, RestoreError, Rsm, Snapshot, StateMachine, SubmitError,
};
use serde::{Deserialize, Serialize};
use tester::{Backend, Cluster, ClusterOptions, ServerSetup, TestOptions, hosted, lab_test};

#[derive(Clone, Serialize, Deserialize)]
enum Request {
    Add(Vec<u8>),
    /// The machine of the server with this number panics.
    PanicOn(usize),
}

/// Counts, and panics where it is told to.
struct Fussy {
    me: usize,
    count: u64,
    /// Whether `snapshot` panics.
    snapshot_panics: bool,
}

impl StateMachine for Fussy {
    type Request = Request;
    type Reply = u64;

    fn do_op(&mut self, request: Request) -> u64 {
        match request {
            Request::PanicOn(server) => assert_ne!(server, self.me, "a fault of this machine"),
            Request::Add(_) => {}
        }
        self.count += 1;
        self.count
    }
}

impl Snapshot for Fussy {
    fn snapshot(&self) -> Vec<u8> {
        assert!(!self.snapshot_panics, "a fault of snapshots");
        self.count.snapshot()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        assert_ne!(snapshot, b"panic", "a fault of restoring");
        self.count.restore(snapshot)
    }
}

type Servers = Arc<labrt::Mutex<Vec<Option<Rsm<Fussy>>>>>;

fn cluster(max_raft_state: Option<usize>, panics_on: Option<usize>) -> (Cluster, Servers) {
    let servers: Servers = Arc::new(labrt::Mutex::new(vec![None, None, None]));
    let started = Arc::clone(&servers);
    let cluster = Cluster::new(ClusterOptions::new(3), move |setup: ServerSetup| {
        let ServerSetup { peers, me, persister, tuning, .. } = setup;
        let machine = Fussy { me, count: 0, snapshot_panics: panics_on == Some(me) };
        let rsm = Rsm::start(Options { peers, me, persister, max_raft_state, tuning }, machine)
            .unwrap_or_else(|error| panic!("server {me}: {error}"));
        started.lock()[me] = Some(rsm.clone());
        vec![hosted([rsm.raft().service()], move || rsm.kill())]
    });
    cluster.begin("Test: a machine that fails");
    (cluster, servers)
}

fn all(servers: &Servers) -> Vec<Rsm<Fussy>> {
    servers.lock().iter().flatten().cloned().collect()
}

/// Submits to one server after the other until one executes it.
fn add(servers: &Servers, patience: Duration) -> Option<u64> {
    let begun = labrt::now();
    while begun.elapsed() < patience {
        let small = || Request::Add(Vec::new());
        let second = Duration::from_secs(1);
        let answer = |server: &Rsm<Fussy>| server.submit_within(second, small()).ok();
        if let Some(count) = all(servers).iter().find_map(answer) {
            return Some(count);
        }
        labrt::sleep(Duration::from_millis(20));
    }
    None
}

fn leader(servers: &Servers) -> usize {
    all(servers).iter().position(|server| server.raft().state().1).expect("somebody leads")
}

const PATIENCE: Duration = Duration::from_secs(10);

fn on_threads(body: impl Fn() + Clone + Send + Sync + 'static) {
    let outcome = tester::run(Backend::Threads, 1, &TestOptions::default(), body);
    assert!(outcome.verdict.is_pass(), "{}", outcome.verdict.report());
}

/// The leader's machine panics in `do_op`: its callers are told, with and without a deadline; it
/// leads no longer; the two others serve.
#[test]
fn a_leader_whose_machine_panics_stops() {
    on_threads(|| {
        let (cluster, servers) = cluster(None, None);
        assert!(add(&servers, PATIENCE).is_some());
        let at = leader(&servers);
        let failing = all(&servers)[at].clone();
        let waiting = failing.clone();
        let endless = labrt::spawn(move || waiting.submit(Request::PanicOn(at)));
        assert_eq!(endless.join().unwrap(), Err(SubmitError::ShutDown));
        assert!(!failing.raft().state().1, "a server that failed must not lead");
        let later = failing.submit(Request::Add(Vec::new()));
        assert_eq!(later, Err(SubmitError::ShutDown));
        assert!(add(&servers, PATIENCE).is_some(), "two of three servers are well");
        cluster.cleanup();
    });
}

/// The same in `snapshot`.
#[test]
fn a_server_whose_snapshot_panics_stops() {
    on_threads(|| {
        let (cluster, servers) = cluster(Some(500), Some(0));
        for _ in 0..50 {
            assert!(add(&servers, PATIENCE).is_some(), "two of three servers are well");
        }
        labrt::sleep(Duration::from_millis(200));
        let stopped = all(&servers)[0].submit(Request::Add(Vec::new()));
        assert_eq!(stopped, Err(SubmitError::ShutDown));
        cluster.cleanup();
    });
}

/// The same in `restore`, when a server starts: its starter is told.
#[test]
fn a_server_whose_restore_panics_does_not_start() {
    on_threads(|| {
        let network = labrpc::Network::new();
        let peers = vec![network.make_end("self").unwrap()];
        let persister = labrt::Persister::new();
        persister.save(Vec::new(), Some(b"panic".to_vec())).unwrap();
        let machine = Fussy { me: 0, count: 0, snapshot_panics: false };
        let options =
            Options { peers, me: 0, persister, max_raft_state: None, tuning: Default::default() };
        match Rsm::start(options, machine) {
            Err(Error::Snapshot(error)) => {
                assert!(error.reason.contains("a fault of restoring"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    });
}

/// A request beyond the limit is refused before anything happens; one just below it is executed and
/// is read back after a restart.
#[test]
fn requests_have_a_limit() {
    lab_test!(|| {
        let (cluster, servers) = cluster(None, None);
        assert_eq!(add(&servers, PATIENCE), Some(1));
        let server = all(&servers)[leader(&servers)].clone();
        let before = server.raft().persist_bytes();
        let large = server.submit(Request::Add(vec![1; MAX_REQUEST_BYTES]));
        assert!(matches!(large, Err(SubmitError::TooLarge { limit: MAX_REQUEST_BYTES, .. })));
        assert_eq!(server.raft().persist_bytes(), before, "nothing was proposed");
        // Elements of a sequence take more memory than bytes.
        assert_eq!(server.submit(Request::Add(vec![1; 3 << 20])), Ok(2));
        cluster.group(0).shutdown();
        cluster.group(0).start_servers();
        assert_eq!(add(&servers, PATIENCE), Some(3));
        cluster.cleanup();
    });
}

/// After a kill, a submit says so, and does not send its caller to other servers for nothing.
#[test]
fn a_submit_after_a_kill_is_told() {
    lab_test!(|| {
        let (cluster, servers) = cluster(None, None);
        assert!(add(&servers, PATIENCE).is_some());
        for server in all(&servers) {
            server.kill();
            assert_eq!(server.submit(Request::Add(Vec::new())), Err(SubmitError::ShutDown));
            let read = server.read(PATIENCE, |machine| machine.count);
            assert_eq!(read, Err(rsm::ReadError::ShutDown));
        }
        cluster.cleanup();
    });
}
