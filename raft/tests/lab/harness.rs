//! The course's test fixture: a cluster of Raft peers and the checks that tests make on it.

use std::sync::Arc;
use std::time::Duration;

use tester::{Cluster, ClusterOptions, Group};

use crate::servers::{Cmd, Peers};

/// The time within which a leader is normally found. Heartbeats and elections are much faster.
pub const ELECTION_TIMEOUT: Duration = Duration::from_millis(1000);

/// A random number as the tests use them for commands.
pub fn random_command() -> Cmd {
    Cmd::Int(labrt::random_u64())
}

/// Milliseconds.
pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A cluster of Raft peers with the tests' service on each.
///
/// Dropping it does not clean up; tests end with [`Fixture::finish`].
#[derive(Clone)]
pub struct Fixture {
    pub cluster: Cluster,
    pub peers: Arc<Peers>,
    pub n: usize,
}

impl Fixture {
    /// A cluster of `n` peers, calls to unreachable ones taking up to 7 s; prints the test's first
    /// line.
    pub fn new(title: &str, n: usize, reliable: bool) -> Fixture {
        Fixture::with_snapshots(title, n, reliable, false)
    }

    /// The same, whose service takes snapshots if `snapshots`.
    pub fn with_snapshots(title: &str, n: usize, reliable: bool, snapshots: bool) -> Fixture {
        let peers = Peers::new(n, snapshots);
        let starter = Arc::clone(&peers);
        let options = ClusterOptions::new(n).reliable(reliable);
        let cluster = Cluster::new(options, move |setup| starter.start(setup));
        cluster.set_long_delays(true);
        cluster.begin(title);
        Fixture { cluster, peers, n }
    }

    /// The end of every test.
    pub fn finish(&self) {
        self.peers.check_error();
        self.cluster.end();
        self.cluster.cleanup();
        self.peers.check_error();
    }

    fn group(&self) -> Group {
        self.cluster.group(0)
    }

    /// Cuts a peer off from all others.
    pub fn cut(&self, i: usize) {
        self.group().disconnect_all(i % self.n);
    }

    /// Connects a peer with all that are connected.
    pub fn join(&self, i: usize) {
        self.group().connect_one(i % self.n);
    }

    /// Shuts a peer down.
    pub fn down(&self, i: usize) {
        self.group().shutdown_server(i % self.n);
    }

    /// Starts a peer again, and connects everybody (as the course does).
    pub fn restart(&self, i: usize) {
        self.group().start_server(i % self.n);
        self.group().connect_all();
    }

    /// Shuts all peers down and starts them again.
    pub fn restart_all(&self) {
        self.group().shutdown();
        self.group().start_servers();
    }

    pub fn is_connected(&self, i: usize) -> bool {
        self.group().is_connected(i % self.n)
    }

    /// Whether a peer is up, connected or not.
    pub fn is_up(&self, i: usize) -> bool {
        self.peers.raft(i % self.n).is_some()
    }

    /// Bytes of the largest saved Raft state.
    pub fn log_size(&self) -> usize {
        self.group().log_size()
    }

    /// Requests that have reached any of the peers.
    pub fn rpcs(&self) -> u64 {
        (0..self.n).map(|i| self.group().rpc_count(i)).sum()
    }

    /// Proposes at one peer: index and term, if it leads.
    pub fn start(&self, i: usize, command: &Cmd) -> Option<(u64, u64)> {
        let proposed = self.peers.raft(i % self.n)?.propose(command.encode()).ok()?;
        Some((proposed.index.get(), proposed.term.get()))
    }

    /// The one leader among the connected peers, that of the newest term; elections get about 5 s.
    pub fn leader(&self) -> usize {
        for _ in 0..10 {
            labrt::sleep(ms(450 + labrt::random_range(0..100)));
            let mut newest: Option<(u64, usize)> = None;
            let mut leaders: Vec<(u64, usize)> = Vec::new();
            for i in (0..self.n).filter(|&i| self.is_connected(i)) {
                if let Some((term, true)) = self.peers.state(i) {
                    if let Some((_, other)) = leaders.iter().find(|(other, _)| *other == term) {
                        panic!("term {term} has two leaders: {other} and {i}");
                    }
                    leaders.push((term, i));
                    newest = newest.max(Some((term, i)));
                }
            }
            if let Some((_, leader)) = newest {
                return leader;
            }
        }
        panic!("expected one leader, got none");
    }

    /// The term that all connected peers are in.
    pub fn term(&self) -> u64 {
        let mut term = None;
        for i in (0..self.n).filter(|&i| self.is_connected(i)) {
            if let Some((theirs, _)) = self.peers.state(i) {
                let first = *term.get_or_insert(theirs);
                assert_eq!(first, theirs, "servers disagree on the term");
            }
        }
        term.expect("no server is connected")
    }

    /// No connected peer may believe to lead.
    pub fn no_leader(&self) {
        for i in (0..self.n).filter(|&i| self.is_connected(i)) {
            if let Some((_, true)) = self.peers.state(i) {
                panic!("expected no leader among connected servers, but {i} claims to be leader");
            }
        }
    }

    /// Nobody may have applied `index`.
    pub fn no_agreement(&self, index: u64) {
        let (count, _) = self.peers.committed(index);
        assert_eq!(count, 0, "{count} servers committed index {index}, which has no majority");
    }

    /// Whether any peer that is up is in a term newer than `term`.
    fn has_moved_on(&self, term: u64) -> bool {
        (0..self.n).any(|i| self.peers.state(i).is_some_and(|(theirs, _)| theirs > term))
    }

    /// Whether every peer that is up is in `term`.
    pub fn all_in_term(&self, term: u64) -> bool {
        (0..self.n).all(|i| self.peers.state(i).is_none_or(|(theirs, _)| theirs == term))
    }

    /// Gets `command` committed and applied by at least `expected` peers, and returns its index.
    /// With `retry`, proposes it again when a leader fails; it may then be in the log several
    /// times.
    pub fn one(&self, command: &Cmd, expected: usize, retry: bool) -> u64 {
        let started = labrt::now();
        let mut starts = 0;
        while started.elapsed() < Duration::from_secs(10) {
            let mut accepted = None;
            for _ in 0..self.n {
                starts = (starts + 1) % self.n;
                if self.is_connected(starts)
                    && let Some((index, _)) = self.start(starts, command)
                {
                    accepted = Some(index);
                    break;
                }
            }
            let Some(index) = accepted else {
                labrt::sleep(ms(50));
                continue;
            };
            let proposed = labrt::now();
            while proposed.elapsed() < Duration::from_secs(2) {
                let (count, applied) = self.peers.committed(index);
                if count > 0 && count >= expected && applied.as_ref() == Some(command) {
                    return index;
                }
                labrt::sleep(ms(20));
            }
            assert!(retry, "agreement on {command:?} failed: not applied by {expected} servers");
        }
        panic!("agreement on {command:?} failed: no {expected} servers within 10 s");
    }

    /// Waits until at least `n` peers have applied `index`, and returns what. `None` when a peer
    /// moves on from `start_term`.
    pub fn wait(&self, index: u64, n: usize, start_term: Option<u64>) -> Option<Cmd> {
        let mut pause = ms(10);
        for _ in 0..30 {
            let (count, _) = self.peers.committed(index);
            if count >= n {
                break;
            }
            labrt::sleep(pause);
            if pause < Duration::from_secs(1) {
                pause *= 2;
            }
            if let Some(term) = start_term
                && self.has_moved_on(term)
            {
                return None;
            }
        }
        let (count, command) = self.peers.committed(index);
        assert!(count >= n, "only {count} servers decided index {index}; wanted {n}");
        command
    }
}

/// The index of the first command ever.
pub const FIRST: u64 = 1;
