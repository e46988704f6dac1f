//! A client's side of the network: one end to each server, made when it is first needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use labrpc::{Answer, CallError, ClientEnd, LinkFaults, Method, Network, Request, Transport};
use labrt::events::{self, Cluster, Member};
use parking_lot::Mutex;

use crate::fatal;
use crate::server::ServerName;

/// The ends of one clerk, and the servers it may reach. Clones are handles to the same client.
///
/// [Partitions](crate::Group::partition) do not affect clients: a server that is cut off from its
/// peers still answers them.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    network: Network,
    number: u64,
    /// Counts the ends made, for their names.
    made: AtomicU64,
    reach: Mutex<Reach>,
}

/// Held briefly, never across a call to the network, which may wait.
struct Reach {
    ends: BTreeMap<ServerName, End>,
    /// The servers that may be reached; `None` for all.
    allowed: Option<BTreeSet<ServerName>>,
    /// Of all its ends.
    faults: LinkFaults,
    deleted: bool,
}

#[derive(Clone)]
struct End {
    name: String,
    end: ClientEnd,
}

impl Reach {
    fn allows(&self, server: ServerName) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(&server))
    }
}

impl Client {
    pub(crate) fn new(
        network: Network,
        number: u64,
        allowed: Option<BTreeSet<ServerName>>,
        faults: LinkFaults,
    ) -> Client {
        let reach = Reach { ends: BTreeMap::new(), allowed, faults, deleted: false };
        let reach = Mutex::new(reach);
        let made = AtomicU64::new(0);
        let client = Client { inner: Arc::new(Inner { network, number, made, reach }) };
        events::emit(|| Cluster::Member { node: client.node(), member: Member::Client { number } });
        client
    }

    /// Its number among the clients of the cluster, from 0.
    pub fn number(&self) -> u64 {
        self.inner.number
    }

    /// The name it has in events: `client-<number>`.
    pub(crate) fn node(&self) -> String {
        format!("client-{}", self.inner.number)
    }

    /// Calls a method of the server with this name. Calls may overlap.
    ///
    /// # Errors
    /// Those of [`ClientEnd::call`]; [`CallError::NoReply`] also after the client was deleted.
    #[track_caller]
    pub fn call<M: Method>(
        &self,
        server: ServerName,
        args: &M::Args,
    ) -> Result<M::Reply, CallError> {
        self.end(server)?.call::<M>(args)
    }

    /// An end to the server with this name, for clerks that are given ends: the same as
    /// [`call`](Client::call) by that name.
    pub fn end_to(&self, server: ServerName) -> ClientEnd {
        ClientEnd::new(Arc::new(EndTo { client: self.clone(), server }))
    }

    /// Ends to several servers, in their order.
    pub fn ends_to(&self, servers: &[ServerName]) -> Vec<ClientEnd> {
        servers.iter().map(|&server| self.end_to(server)).collect()
    }

    /// The end to this server, made if there is none yet.
    fn end(&self, server: ServerName) -> Result<ClientEnd, CallError> {
        {
            let reach = self.inner.reach.lock();
            if reach.deleted {
                return Err(CallError::NoReply);
            }
            if let Some(end) = reach.ends.get(&server) {
                return Ok(end.end.clone());
            }
        }
        let network = &self.inner.network;
        let made = self.inner.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("client-{}.{made}>{server}", self.inner.number);
        let end = must(network.make_end_of(self.node(), name.as_str()));
        must(network.connect(name.as_str(), server));
        let lost = {
            let mut reach = self.inner.reach.lock();
            if reach.deleted {
                Some(Err(CallError::NoReply))
            } else if let Some(other) = reach.ends.get(&server) {
                Some(Ok(other.end.clone())) // another call was faster
            } else {
                let end = End { name: name.clone(), end: end.clone() };
                reach.ends.insert(server, end);
                None
            }
        };
        if let Some(result) = lost {
            must(network.delete_end(name.as_str()));
            return result;
        }
        // Checked only now, when the end can be found: a task that changes the list in the meantime
        // finds the end, too.
        let (allowed, faults) = {
            let reach = self.inner.reach.lock();
            (reach.allows(server), reach.faults.clone())
        };
        must(network.set_link(name.as_str(), faults));
        must(network.enable(name.as_str(), allowed));
        Ok(end)
    }

    /// Replaces the faults of all its links.
    pub fn set_links(&self, faults: &LinkFaults) {
        let names: Vec<String> = {
            let mut reach = self.inner.reach.lock();
            reach.faults = faults.clone();
            reach.ends.values().map(|end| end.name.clone()).collect()
        };
        for name in names {
            let _ = self.inner.network.set_link(name.as_str(), faults.clone()); // unless it was just deleted
        }
    }

    /// Lets it reach all servers, from now on.
    pub fn connect_all(&self) {
        self.inner.reach.lock().allowed = None;
        self.enable(true, |_, _| true);
    }

    /// Allows the client to reach these servers. Ends to other servers that are already in use stay
    /// as they are.
    pub fn connect_to(&self, servers: &[ServerName]) {
        self.inner.reach.lock().allowed = Some(servers.iter().copied().collect());
        self.enable(true, |reach, server| reach.allows(server));
    }

    /// Cuts the end to this server, if there is one. A later one would be let through.
    pub fn disconnect(&self, server: ServerName) {
        self.enable(false, |_, other| other == server);
    }

    /// Cuts it off from all servers, from now on.
    pub fn disconnect_all(&self) {
        self.inner.reach.lock().allowed = Some(BTreeSet::new());
        self.enable(false, |_, _| true);
    }

    fn enable(&self, enabled: bool, which: impl Fn(&Reach, ServerName) -> bool) {
        let names: Vec<String> = {
            let reach = self.inner.reach.lock();
            let chosen = reach.ends.iter().filter(|(server, _)| which(&reach, **server));
            chosen.map(|(_, end)| end.name.clone()).collect()
        };
        for name in names {
            must(self.inner.network.enable(name.as_str(), enabled));
        }
    }

    /// Removes its ends from the network. Calls then end with `NoReply`.
    pub(crate) fn delete(&self) {
        let ends = {
            let mut reach = self.inner.reach.lock();
            reach.deleted = true;
            std::mem::take(&mut reach.ends)
        };
        for end in ends.values() {
            must(self.inner.network.delete_end(end.name.as_str()));
        }
    }
}

/// An error of the network is a mistake of this crate or of the test, so the test cannot continue.
#[track_caller]
pub(crate) fn must<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => fatal!("the network refused: {error}"),
    }
}

/// Forwards to the end that a client has to one server at the time of the call.
struct EndTo {
    client: Client,
    server: ServerName,
}

impl Transport for EndTo {
    fn send(&self, request: Request, answer: Answer) {
        if let Ok(end) = self.client.end(self.server) {
            end.forward(request, answer);
        }
    }
}
