//! The network, groups and clients of one test, with its clock and its statistics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use labrpc::{LinkFaults, Network};
use labrt::Instant;
use labrt::events::{self, Cluster as ClusterEvent};
use parking_lot::Mutex;
use runner::{
    CleanUp, Highlight, Run, Stopwatch, TIME_LIMIT, cancel_clean_up, current, on_clean_up,
};

use crate::annotations::{Annotations, Kind};
use crate::client::Client;
use crate::fatal;
use crate::group::Group;
use crate::invariants;
use crate::report::{self, Lines};
use crate::server::{Hosted, ServerName, ServerSetup, Starter};

/// The group that always exists.
pub const GROUP_0: u64 = 0;

/// Virtual time after which a task of a killed server counts as a leak. Longer than any call of the
/// course waits.
const LEAK_PATIENCE: Duration = Duration::from_secs(10);

/// What a cluster is to be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClusterOptions {
    /// Servers of group 0.
    pub servers: usize,
    /// Whether the network is reliable. Servers always start on a reliable network.
    pub reliable: bool,
    /// Time the cluster may live.
    pub time_limit: Duration,
    /// Which edition's lines [`begin`](Cluster::begin) and [`end`](Cluster::end) print.
    pub lines: Lines,
    /// Raft's intervals, rules and limits, for all servers. By default those of the variable
    /// `LAB_RULES`: the paper's rules if it is `paper`, else Raft's own default.
    pub tuning: raft::Tuning,
}

impl ClusterOptions {
    /// This many servers on a reliable network.
    pub fn new(servers: usize) -> ClusterOptions {
        ClusterOptions {
            servers,
            reliable: true,
            time_limit: TIME_LIMIT,
            lines: Lines::default(),
            tuning: tuning_of_environment(),
        }
    }

    /// The same, with this kind of network.
    #[must_use]
    pub fn reliable(mut self, reliable: bool) -> ClusterOptions {
        self.reliable = reliable;
        self
    }

    /// The same, with other intervals, rules or limits of Raft.
    #[must_use]
    pub fn tuning(mut self, tuning: raft::Tuning) -> ClusterOptions {
        self.tuning = tuning;
        self
    }

    /// The same, with another edition's lines.
    #[must_use]
    pub fn lines(mut self, lines: Lines) -> ClusterOptions {
        self.lines = lines;
        self
    }

    /// The same, with another time limit. See also [`TestOptions`](crate::TestOptions).
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> ClusterOptions {
        self.time_limit = limit;
        self
    }
}

/// The rules that `LAB_RULES` names.
fn tuning_of_environment() -> raft::Tuning {
    match std::env::var("LAB_RULES").as_deref() {
        Ok("paper") => raft::Tuning::paper(),
        Ok("") | Err(_) => raft::Tuning::default(),
        Ok(other) => fatal!("LAB_RULES={other}: expected `paper` or nothing"),
    }
}

/// Groups of servers, their clients and the network between them: the course's `Config`. Clones are
/// handles to the same cluster.
///
/// A lab test makes one, calls [`begin`](Cluster::begin), does its work, calls
/// [`end`](Cluster::end). It is cleaned up after the body of the test, unless the test does so
/// itself.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    network: Network,
    run: Arc<Run>,
    annotations: Arc<Annotations>,
    options: ClusterOptions,
    /// Start of the time limit: when all servers were running.
    start: Instant,
    ops: AtomicU64,
    cleaned: AtomicBool,
    state: Mutex<State>,
}

struct State {
    groups: BTreeMap<u64, Group>,
    /// Number of server starts in groups that were removed.
    past_lives: BTreeMap<u64, u64>,
    clients: BTreeMap<u64, Client>,
    /// Faults of the links of all clients, later clients included.
    client_links: LinkFaults,
    /// Clients made so far.
    client_numbers: u64,
    begun: Instant,
    begun_wall: Stopwatch,
    rpc_base: u64,
    /// Traffic that the run's totals have seen.
    reported: (u64, u64),
    /// The clean-up that runs unless the test cleans up by itself.
    clean_up: Option<CleanUp>,
}

impl Cluster {
    /// Makes a network and group 0, starts all its servers and connects them; then sets the
    /// network's reliability.
    #[track_caller]
    pub fn new(
        options: ClusterOptions,
        starter: impl Fn(ServerSetup) -> Vec<Box<dyn Hosted>> + Send + Sync + 'static,
    ) -> Cluster {
        invariants::check_run();
        let network = Network::new();
        let run = current();
        let annotations = Arc::new(Annotations::new());
        let recorded = Arc::clone(&annotations);
        run.artifact("annotations", "annotations.jsonl", move |path, _| {
            recorded.write_json_lines(path)?;
            Ok(Some(Highlight::default()))
        });
        let starter: Starter = Arc::new(starter);
        let group = Group::new(
            network.clone(),
            GROUP_0,
            options.servers,
            starter,
            Arc::clone(&annotations),
            0,
            options.tuning,
        );
        group.start_servers();
        let start = labrt::now();
        network.set_reliable(options.reliable);
        let state = State {
            groups: BTreeMap::from([(GROUP_0, group)]),
            past_lives: BTreeMap::new(),
            clients: BTreeMap::new(),
            client_links: LinkFaults::default(),
            client_numbers: 0,
            begun: start,
            begun_wall: Stopwatch::start(),
            rpc_base: 0,
            reported: (0, 0),
            clean_up: None,
        };
        let inner = Inner {
            network,
            run,
            annotations,
            options,
            start,
            ops: AtomicU64::new(0),
            cleaned: AtomicBool::new(false),
            state: Mutex::new(state),
        };
        let cluster = Cluster { inner: Arc::new(inner) };
        let left_running = cluster.clone();
        let clean_up = on_clean_up(move || left_running.cleanup());
        cluster.inner.state.lock().clean_up = Some(clean_up);
        cluster
    }

    /// The network, for faults without a method of this type.
    pub fn network(&self) -> &Network {
        &self.inner.network
    }

    /// The time line of this cluster.
    pub fn annotations(&self) -> &Annotations {
        &self.inner.annotations
    }

    /// Number of servers of group 0.
    pub fn n(&self) -> usize {
        self.inner.options.servers
    }

    // ---- network -------------------------------------------------------------------------------

    /// Makes the network reliable or unreliable.
    pub fn set_reliable(&self, reliable: bool) {
        self.inner.network.set_reliable(reliable);
    }

    /// Whether it does.
    pub fn is_reliable(&self) -> bool {
        self.inner.network.is_reliable()
    }

    /// Whether replies may be held back for long.
    pub fn set_long_reordering(&self, on: bool) {
        self.inner.network.set_long_reordering(on);
    }

    /// Whether calls to servers that cannot be reached take long to fail.
    pub fn set_long_delays(&self, on: bool) {
        self.inner.network.set_long_delays(on);
    }

    /// RPCs made in this cluster, clients' and lost ones included.
    pub fn rpc_total(&self) -> u64 {
        self.inner.network.total_count()
    }

    /// Bytes of those.
    pub fn bytes_total(&self) -> u64 {
        self.inner.network.total_bytes()
    }

    // ---- groups --------------------------------------------------------------------------------

    /// The group with this number. The test fails if there is none; see
    /// [`find_group`](Cluster::find_group).
    #[track_caller]
    pub fn group(&self, gid: u64) -> Group {
        match self.find_group(gid) {
            Some(group) => group,
            None => fatal!("there is no group {gid}"),
        }
    }

    /// Raft's intervals, rules and limits in this cluster.
    pub fn tuning(&self) -> raft::Tuning {
        self.inner.options.tuning
    }

    /// The group with this number, if it exists.
    pub fn find_group(&self, gid: u64) -> Option<Group> {
        self.inner.state.lock().groups.get(&gid).cloned()
    }

    /// Adds a group, starts its servers and connects them. The test fails if the number is in use.
    #[track_caller]
    pub fn make_group_start(
        &self,
        gid: u64,
        servers: usize,
        starter: impl Fn(ServerSetup) -> Vec<Box<dyn Hosted>> + Send + Sync + 'static,
    ) -> Group {
        let annotations = Arc::clone(&self.inner.annotations);
        let earlier_lives = self.inner.state.lock().past_lives.get(&gid).copied().unwrap_or(0);
        let group = Group::new(
            self.inner.network.clone(),
            gid,
            servers,
            Arc::new(starter),
            annotations,
            earlier_lives,
            self.inner.options.tuning,
        );
        let fresh = {
            let mut state = self.inner.state.lock();
            let fresh = !state.groups.contains_key(&gid);
            if fresh {
                state.groups.insert(gid, group.clone());
            }
            fresh
        };
        if !fresh {
            fatal!("there is a group {gid} already");
        }
        group.start_servers();
        group
    }

    /// Shuts a group's servers down and removes the group. A new group may have its number; it
    /// begins with empty disks.
    #[track_caller]
    pub fn exit_group(&self, gid: u64) {
        let group = self.group(gid);
        group.shutdown();
        let lives = group.lives();
        let removed = {
            let mut state = self.inner.state.lock();
            state.past_lives.insert(gid, lives);
            state.groups.remove(&gid)
        };
        drop(removed);
    }

    // ---- clients -------------------------------------------------------------------------------

    /// A client that may reach all servers.
    pub fn make_client(&self) -> Client {
        self.new_client(None)
    }

    /// A client that may reach the servers with these names only.
    pub fn make_client_to(&self, servers: &[ServerName]) -> Client {
        self.new_client(Some(servers.iter().copied().collect()))
    }

    fn new_client(&self, allowed: Option<BTreeSet<ServerName>>) -> Client {
        let mut state = self.inner.state.lock();
        let number = state.client_numbers;
        state.client_numbers += 1;
        let faults = state.client_links.clone();
        let client = Client::new(self.inner.network.clone(), number, allowed, faults);
        state.clients.insert(number, client.clone());
        client
    }

    /// Replaces the faults of the links of all clients, later clients included.
    pub fn set_client_links(&self, faults: LinkFaults) {
        let clients: Vec<Client> = {
            let mut state = self.inner.state.lock();
            state.client_links = faults.clone();
            state.clients.values().cloned().collect()
        };
        for client in clients {
            client.set_links(&faults);
        }
    }

    /// Removes a client's ends from the network. Idempotent.
    pub fn delete_client(&self, client: &Client) {
        let removed = self.inner.state.lock().clients.remove(&client.number());
        if let Some(client) = removed {
            client.delete();
        }
    }

    // ---- statistics ----------------------------------------------------------------------------

    /// Prints the title and starts the statistics anew.
    pub fn begin(&self, description: &str) {
        self.inner.run.line(&report::title_line(
            self.inner.options.lines,
            description,
            self.is_reliable(),
        ));
        self.inner.annotations.info(description, "");
        events::emit(|| ClusterEvent::Began { title: description.to_owned() });
        let total = self.rpc_total();
        self.inner.ops.store(0, Ordering::SeqCst);
        let mut state = self.inner.state.lock();
        state.begun = labrt::now();
        state.begun_wall = Stopwatch::start();
        state.rpc_base = total;
    }

    /// Counts one operation that a client has finished.
    pub fn op(&self) {
        self.inner.ops.fetch_add(1, Ordering::SeqCst);
        self.inner.run.add_op();
    }

    /// Prints that the part since [`begin`](Cluster::begin) has passed, with its figures; nothing
    /// if the test has failed.
    #[track_caller]
    pub fn end(&self) {
        self.check_timeout();
        let total = self.rpc_total();
        self.report_traffic();
        if self.inner.run.has_failed() {
            return;
        }
        let (begun, wall, base) = {
            let state = self.inner.state.lock();
            (state.begun, state.begun_wall, state.rpc_base)
        };
        let line = report::passed_line_of(
            self.inner.options.lines,
            &report::Figures {
                time: begun.elapsed(),
                peers: self.n(),
                rpcs: total.saturating_sub(base),
                ops: self.inner.ops.load(Ordering::SeqCst),
                wall: labrt::is_simulated().then(|| wall.elapsed()),
            },
        );
        self.inner.run.line(&line);
    }

    /// Fails the test if the cluster has lived longer than its limit.
    #[track_caller]
    pub fn check_timeout(&self) {
        let limit = self.inner.options.time_limit;
        if !self.inner.run.has_failed() && self.inner.start.elapsed() > limit {
            fatal!("test took longer than {} seconds", limit.as_secs_f64());
        }
    }

    /// Adds the traffic since the last time to the totals of the run.
    fn report_traffic(&self) {
        let now = (self.rpc_total(), self.bytes_total());
        let before = std::mem::replace(&mut self.inner.state.lock().reported, now);
        self.inner.run.add_traffic(now.0.saturating_sub(before.0), now.1.saturating_sub(before.1));
    }

    // ---- the end -------------------------------------------------------------------------------

    /// Removes all clients, kills all services, ends the network, checks the time limit. In a
    /// simulation, tasks of servers that are still there some time after their kill fail the test.
    /// Idempotent.
    #[track_caller]
    pub fn cleanup(&self) {
        if self.inner.cleaned.swap(true, Ordering::SeqCst) {
            return;
        }
        let clean_up = self.inner.state.lock().clean_up.take();
        if let Some(clean_up) = clean_up {
            cancel_clean_up(clean_up);
        }
        let (clients, groups) = {
            let mut state = self.inner.state.lock();
            let groups: Vec<Group> = state.groups.values().cloned().collect();
            (std::mem::take(&mut state.clients), groups)
        };
        for client in clients.values() {
            client.delete();
        }
        for group in &groups {
            group.kill_all();
        }
        self.report_traffic();
        self.inner.network.cleanup();
        let failed = self.inner.run.has_failed();
        self.inner.annotations.finalize(if failed { "test failed" } else { "test passed" });
        if !failed {
            self.check_timeout();
            self.check_leaks(&groups);
        }
    }

    /// A killed server must end: a task that stays keeps its memory, and on threads its thread, for
    /// ever.
    #[track_caller]
    fn check_leaks(&self, groups: &[Group]) {
        if !labrt::is_simulated() {
            return;
        }
        let patience = labrt::now() + LEAK_PATIENCE;
        let mut pause = Duration::from_millis(1);
        loop {
            let survivors: Vec<(String, usize)> =
                groups.iter().flat_map(Group::survivors).collect();
            if survivors.is_empty() {
                return;
            }
            if labrt::now() >= patience {
                let list: Vec<String> =
                    survivors.iter().map(|(name, tasks)| format!("{name} ({tasks})")).collect();
                let list = list.join(", ");
                self.inner.annotations.point_of(Kind::Failure, "leak", &list, "");
                fatal!(
                    "servers with tasks that go on {} s after their kill: {list}",
                    LEAK_PATIENCE.as_secs()
                );
            }
            labrt::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}
