//! Servers with one group number: start, shut down, crash, restart, connect, cut off.
//!
//! ```text
//!   start_server(i)      fresh ends (all cut), a copy of the saved disk
//!                        ──▶ starter ──▶ services under the old name
//!   connect_one(i)       both directions between i and every server that is connected
//!   partition(a, b)      full mesh inside a and inside b, nothing across; all count as connected
//!   shutdown_server(i)   cut off ▸ no more replies ▸ copy of the disk ▸ kill     (in this order)
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use labrpc::{LinkFaults, Network};
use labrt::events::{self, Cluster, Member};
use labrt::{CrashError, Mutex, Node, Persister};
use raftcheck::{Checker, GroupId};

use crate::annotations::Annotations;
use crate::client::must;
use crate::fatal;
use crate::invariants;
use crate::server::{Hosted, Incarnation, ServerName, ServerSetup, Starter};

/// A group of servers. Clones are handles to the same group.
///
/// A server index out of range, or starting a server that runs, fails the test with a message.
#[derive(Clone)]
pub struct Group {
    inner: Arc<Inner>,
}

struct Inner {
    network: Network,
    gid: u64,
    names: Vec<String>,
    /// The group's identity in the invariant checker, in a simulation.
    checked_as: Option<GroupId>,
    starter: Starter,
    annotations: Arc<Annotations>,
    tuning: raft::Tuning,
    /// A labrt lock: it is held over calls to the network, which may switch tasks.
    servers: Mutex<Servers>,
}

struct Servers {
    slots: Vec<Incarnation>,
    connected: Vec<bool>,
    /// Whether the connections are those of [`Group::partition`], which the flags do not show.
    partitioned: bool,
    /// Number of starts of each server, including an earlier group with this number: names of ends
    /// are never reused.
    lives: Vec<u64>,
    /// The nodes of earlier starts, as long as they have tasks.
    past: Vec<Node>,
    /// False until all servers were started for the first time.
    annotated: bool,
    /// Faults of links, by caller and callee. They stay when the servers restart.
    links: BTreeMap<(usize, usize), LinkFaults>,
}

impl Servers {
    /// Sets the flag of `i` and links it with every connected server of `to`, its own end first.
    fn connect(&mut self, network: &Network, i: usize, to: &[usize]) {
        self.connected[i] = true;
        self.enable(network, i, to, true, |servers, j| servers.connected[j]);
    }

    /// Clears the flag of `i` and cuts it off from `from`.
    fn disconnect(&mut self, network: &Network, i: usize, from: &[usize]) {
        self.connected[i] = false;
        self.enable(network, i, from, false, |_, _| true);
    }

    fn enable(
        &self,
        network: &Network,
        i: usize,
        others: &[usize],
        enabled: bool,
        which: impl Fn(&Servers, usize) -> bool,
    ) {
        // A server that was never started has no ends.
        let name = |from: usize, to: usize| self.slots[from].ends.get(to);
        let chosen = || others.iter().copied().filter(|&j| which(self, j));
        for name in chosen().filter_map(|j| name(i, j)) {
            must(network.enable(name.as_str(), enabled));
        }
        for name in chosen().filter_map(|j| name(j, i)) {
            must(network.enable(name.as_str(), enabled));
        }
    }

    fn crashed(&self) -> Vec<bool> {
        self.slots.iter().map(|slot| slot.hosted.is_none()).collect()
    }
}

impl Group {
    pub(crate) fn new(
        network: Network,
        gid: u64,
        n: usize,
        starter: Starter,
        annotations: Arc<Annotations>,
        earlier_lives: u64,
        tuning: raft::Tuning,
    ) -> Group {
        let names: Vec<String> = (0..n).map(|i| ServerName::new(gid, i).to_string()).collect();
        let servers = Servers {
            slots: names.iter().map(|name| Incarnation::unborn(name)).collect(),
            connected: vec![false; n],
            partitioned: false,
            lives: vec![earlier_lives; n],
            past: Vec::new(),
            annotated: false,
            links: BTreeMap::new(),
        };
        let servers = Mutex::new(servers);
        for (server, node) in (0..).zip(&names) {
            let member = Member::Server { group: gid, server };
            events::emit(|| Cluster::Member { node: node.clone(), member });
        }
        let checked_as = invariants::add_group(gid, n);
        let inner =
            Inner { network, gid, names, checked_as, starter, annotations, tuning, servers };
        Group { inner: Arc::new(inner) }
    }

    /// Number of the group.
    pub fn gid(&self) -> u64 {
        self.inner.gid
    }

    /// How many servers it has, running or not.
    pub fn n(&self) -> usize {
        self.inner.names.len()
    }

    /// Name of server `i`.
    #[track_caller]
    pub fn server_name(&self, i: usize) -> ServerName {
        self.check(i);
        ServerName::new(self.gid(), i)
    }

    /// Names of all servers, by index.
    pub fn server_names(&self) -> Vec<ServerName> {
        self.server_names_of(&self.all())
    }

    /// Names of these servers.
    #[track_caller]
    pub fn server_names_of(&self, servers: &[usize]) -> Vec<ServerName> {
        servers.iter().map(|&i| self.server_name(i)).collect()
    }

    #[track_caller]
    fn check(&self, i: usize) {
        if i >= self.n() {
            fatal!("group {} has {} servers, there is no server {i}", self.gid(), self.n());
        }
    }

    fn all(&self) -> Vec<usize> {
        (0..self.n()).collect()
    }

    // ---- life and death ------------------------------------------------------------------------

    /// Starts server `i` on a copy of what it had saved. It is cut off until it is connected
    /// (again).
    #[track_caller]
    pub fn start_server(&self, i: usize) {
        self.check(i);
        let inner = &*self.inner;
        let (node, ends, persister) = {
            let mut servers = inner.servers.lock();
            if servers.slots[i].hosted.is_some() {
                drop(servers);
                fatal!("{} is running already: shut it down first", inner.names[i]);
            }
            servers.lives[i] += 1;
            let life = servers.lives[i];
            let persister = servers.slots[i].persister.copy();
            let (slot, ends) =
                Incarnation::new(&inner.network, &inner.names, i, life, persister.clone());
            for (&(_, to), faults) in servers.links.range((i, 0)..=(i, usize::MAX)) {
                must(inner.network.set_link(slot.ends[to].as_str(), faults.clone()));
            }
            let node = slot.node.clone();
            if let (Some(group), Some(checker)) = (inner.checked_as, Checker::of_run()) {
                checker.assign(&node, group, i);
            }
            let old = std::mem::replace(&mut servers.slots[i], slot);
            if old.node.live_tasks() > 0 {
                servers.past.push(old.node);
            }
            (node, ends, persister)
        };
        events::emit(|| Cluster::Started { node: inner.names[i].clone() });
        let setup =
            ServerSetup { peers: ends, group: inner.gid, me: i, persister, tuning: inner.tuning };
        let hosted = node.enter(|| (inner.starter)(setup));
        let server = Incarnation::rpc_server(&node, &hosted);
        inner.network.add_server(inner.names[i].as_str(), server);
        inner.servers.lock().slots[i].hosted = Some(Arc::new(hosted));
        self.annotate();
    }

    /// Starts all servers in order, then connects them all.
    #[track_caller]
    pub fn start_servers(&self) {
        for i in self.all() {
            self.start_server(i);
        }
        self.connect_all();
        self.inner.servers.lock().annotated = true;
        self.annotate();
    }

    /// Shuts server `i` down cleanly: disconnects it, removes it from the network, sets its disk
    /// aside, and kills its services in order.
    ///
    /// The order matters. Out of the network first: a server that is being killed must not give
    /// another positive reply. The disk next: what the dying server still writes does not count.
    /// Nothing happens to a server that does not run.
    #[track_caller]
    pub fn shutdown_server(&self, i: usize) {
        self.check(i);
        let name = self.inner.names[i].as_str();
        events::emit(|| Cluster::ShutDown { node: name.to_owned() });
        for hosted in self.take_down(i).iter().flat_map(|hosted| hosted.iter()) {
            hosted.kill();
        }
        self.annotate();
    }

    /// Crashes server `i` as a power cut would: its tasks stop where they stand. Simulation only.
    ///
    /// # Errors
    /// [`CrashError::NotSimulated`] on threads, where nothing has happened: shut it down instead.
    #[track_caller]
    pub fn crash_server(&self, i: usize) -> Result<(), CrashError> {
        self.check(i);
        let node = self.inner.servers.lock().slots[i].node.clone();
        node.crash()?;
        let name = self.inner.names[i].as_str();
        events::emit(|| Cluster::Crashed { node: name.to_owned() });
        drop(self.take_down(i));
        self.annotate();
        Ok(())
    }

    /// The common part of shutdown and crash. Returns the services, which the group no longer has.
    fn take_down(&self, i: usize) -> Option<Arc<Vec<Box<dyn Hosted>>>> {
        let inner = &*self.inner;
        let mut servers = inner.servers.lock();
        servers.disconnect(&inner.network, i, &self.all());
        inner.network.delete_server(inner.names[i].as_str());
        let slot = &mut servers.slots[i];
        slot.persister = slot.persister.copy();
        slot.hosted.take()
    }

    /// Shuts all servers down, in order.
    #[track_caller]
    pub fn shutdown(&self) {
        for i in self.all() {
            self.shutdown_server(i);
        }
    }

    /// Kills every service that still runs, without the other steps of a shutdown.
    pub(crate) fn kill_all(&self) {
        let hosted: Vec<_> = {
            let mut servers = self.inner.servers.lock();
            servers.slots.iter_mut().filter_map(|slot| slot.hosted.take()).collect()
        };
        for service in hosted.iter().flat_map(|hosted| hosted.iter()) {
            service.kill();
        }
    }

    /// Whether server `i` runs.
    pub fn is_running(&self, i: usize) -> bool {
        self.check(i);
        self.inner.servers.lock().slots[i].hosted.is_some()
    }

    /// The largest number of starts of one server.
    pub(crate) fn lives(&self) -> u64 {
        self.inner.servers.lock().lives.iter().copied().max().unwrap_or(0)
    }

    /// Servers with tasks that have not ended, and how many.
    pub(crate) fn survivors(&self) -> Vec<(String, usize)> {
        let servers = self.inner.servers.lock();
        let nodes = servers.slots.iter().map(|slot| &slot.node).chain(&servers.past);
        let alive = nodes.filter(|node| node.live_tasks() > 0);
        alive.map(|node| (node.name().to_owned(), node.live_tasks())).collect()
    }

    // ---- connections ---------------------------------------------------------------------------

    /// Connects server `i` with every server that counts as connected.
    #[track_caller]
    pub fn connect_one(&self, i: usize) {
        self.check(i);
        {
            let mut servers = self.inner.servers.lock();
            servers.connect(&self.inner.network, i, &self.all());
        }
        self.annotate();
    }

    /// Connects all servers, those that do not run included.
    #[track_caller]
    pub fn connect_all(&self) {
        {
            let mut servers = self.inner.servers.lock();
            for i in self.all() {
                servers.connect(&self.inner.network, i, &self.all());
            }
            servers.partitioned = false;
        }
        self.annotate();
    }

    /// Cuts server `i` off from all servers. Clients still reach it.
    #[track_caller]
    pub fn disconnect_all(&self, i: usize) {
        self.check(i);
        {
            let mut servers = self.inner.servers.lock();
            servers.disconnect(&self.inner.network, i, &self.all());
        }
        self.annotate();
    }

    /// Full mesh inside each side, nothing across. All named servers count as connected afterwards.
    /// If one side is empty, the partition ends.
    #[track_caller]
    pub fn partition(&self, one: &[usize], other: &[usize]) {
        one.iter().chain(other).for_each(|&i| self.check(i));
        let inner = &*self.inner;
        {
            let mut servers = inner.servers.lock();
            for (side, rest) in [(one, other), (other, one)] {
                for &i in side {
                    servers.disconnect(&inner.network, i, rest);
                    servers.connect(&inner.network, i, side);
                }
            }
            servers.partitioned = !one.is_empty() && !other.is_empty();
        }
        events::emit(|| Cluster::Partitioned {
            group: inner.gid,
            one: one.to_vec(),
            other: other.to_vec(),
        });
        if one.is_empty() || other.is_empty() {
            self.annotate();
        } else {
            inner.annotations.two_partitions(inner.gid, one, other);
        }
    }

    /// Sets the faults of calls from server `from` to server `to`. They stay when the servers
    /// restart; `LinkFaults::default()` removes them.
    #[track_caller]
    pub fn set_link(&self, from: usize, to: usize, faults: LinkFaults) {
        self.check(from);
        self.check(to);
        let mut servers = self.inner.servers.lock();
        if let Some(end) = servers.slots[from].ends.get(to) {
            must(self.inner.network.set_link(end.as_str(), faults.clone()));
        }
        if faults == LinkFaults::default() {
            servers.links.remove(&(from, to));
        } else {
            servers.links.insert((from, to), faults);
        }
    }

    /// Two sides for [`partition`](Group::partition) with `leader` last in the smaller one: the
    /// first ⌊n/2⌋+1 others make up the majority.
    #[track_caller]
    pub fn make_partition(&self, leader: usize) -> (Vec<usize>, Vec<usize>) {
        self.check(leader);
        let mut others = self.all();
        others.retain(|&i| i != leader);
        let mut minority = others.split_off(others.len().min(self.n() / 2 + 1));
        minority.push(leader);
        (others, minority)
    }

    /// Whether server `i` counts as connected. Partitions do not change this.
    pub fn is_connected(&self, i: usize) -> bool {
        self.check(i);
        self.inner.servers.lock().connected[i]
    }

    /// The same for all servers.
    pub fn connected(&self) -> Vec<bool> {
        self.inner.servers.lock().connected.clone()
    }

    /// Brings the fault row up to date.
    fn annotate(&self) {
        let (connected, crashed) = {
            let servers = self.inner.servers.lock();
            if !servers.annotated || servers.partitioned {
                return;
            }
            (servers.connected.clone(), servers.crashed())
        };
        self.inner.annotations.servers(self.inner.gid, &connected, &crashed);
    }

    /// The node of the present start of server `i`.
    pub fn node(&self, i: usize) -> Node {
        self.check(i);
        self.inner.servers.lock().slots[i].node.clone()
    }

    // ---- figures -------------------------------------------------------------------------------

    /// The present disk of server `i`.
    pub fn persister(&self, i: usize) -> Persister {
        self.check(i);
        self.inner.servers.lock().slots[i].persister.clone()
    }

    fn largest(&self, size: impl Fn(&Persister) -> usize) -> usize {
        let servers = self.inner.servers.lock();
        servers.slots.iter().map(|slot| size(&slot.persister)).max().unwrap_or(0)
    }

    /// Bytes of the largest saved Raft state.
    pub fn log_size(&self) -> usize {
        self.largest(Persister::raft_state_size)
    }

    /// Bytes of the largest saved snapshot.
    pub fn snapshot_size(&self) -> usize {
        self.largest(Persister::snapshot_size)
    }

    /// RPCs that server `i` has received since its last start; 0 while it does not run.
    pub fn rpc_count(&self, i: usize) -> u64 {
        self.inner.network.count(self.server_name(i)).unwrap_or(0)
    }
}
