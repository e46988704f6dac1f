//! Servers: their names, the parts that a test provides at a start, and one start of one server.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use labrpc::{ClientEnd, Network, Server, Service};
use labrt::{Node, Persister};
use parking_lot::Mutex;

use crate::client::must;

/// Names one server of a cluster. As text, `server-<group>-<index>`, which is the course's form.
///
/// ```
/// use tester::ServerName;
///
/// let name: ServerName = "server-7-2".parse()?;
/// assert_eq!(name, ServerName::new(7, 2));
/// assert_eq!(name.to_string(), "server-7-2");
/// # Ok::<(), tester::ParseServerNameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerName {
    /// Number of its group.
    pub group: u64,
    /// Its index in the group, from 0.
    pub index: usize,
}

impl ServerName {
    /// The name of the server with this index in this group. The server need not exist.
    pub const fn new(group: u64, index: usize) -> ServerName {
        ServerName { group, index }
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server-{}-{}", self.group, self.index)
    }
}

impl From<ServerName> for labrpc::Name {
    fn from(name: ServerName) -> labrpc::Name {
        name.to_string().into()
    }
}

/// A text that is not a [`ServerName`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is not the name of a server: expected server-<group>-<index>")]
pub struct ParseServerNameError(String);

impl FromStr for ServerName {
    type Err = ParseServerNameError;

    fn from_str(text: &str) -> Result<ServerName, ParseServerNameError> {
        let parts = text.strip_prefix("server-").and_then(|rest| rest.split_once('-'));
        let name = parts.and_then(|(group, index)| {
            Some(ServerName::new(group.parse().ok()?, index.parse().ok()?))
        });
        name.ok_or_else(|| ParseServerNameError(text.to_owned()))
    }
}

/// What a new server is given.
#[non_exhaustive]
pub struct ServerSetup {
    /// Ends to the servers of the group, its own included, by index. Fresh for every start.
    pub peers: Vec<ClientEnd>,
    /// Number of the group.
    pub group: u64,
    /// Index in the group.
    pub me: usize,
    /// Its disk: a copy of the content saved so far, so that late writes of an earlier start have
    /// no effect.
    pub persister: Persister,
    /// Intervals, rules and limits of its Raft.
    pub tuning: raft::Tuning,
}

/// A part of a server that answers RPCs, must be stopped, or both.
pub trait Hosted: Send + Sync {
    /// The RPC services it offers. Asked for once, after the starter has returned.
    fn services(&self) -> Vec<Service>;

    /// Stops it. Must return soon. The part must not act afterwards: the server's name may be
    /// connected again.
    fn kill(&self);
}

/// A [`Hosted`] made of its two halves, for types of other crates.
///
/// ```
/// use labrt::Node;
/// # struct Raft; impl Raft { fn kill(&self) {} fn service(&self) -> labrpc::Service { labrpc::Service::new("Raft") } }
/// # let raft = std::sync::Arc::new(Raft);
/// let services = [raft.service()];
/// let hosted = tester::hosted(services, move || raft.kill());
/// ```
pub fn hosted(
    services: impl IntoIterator<Item = Service>,
    kill: impl Fn() + Send + Sync + 'static,
) -> Box<dyn Hosted> {
    Box::new(Parts { services: Mutex::new(services.into_iter().collect()), kill })
}

struct Parts<K> {
    services: Mutex<Vec<Service>>,
    kill: K,
}

impl<K: Fn() + Send + Sync> Hosted for Parts<K> {
    fn services(&self) -> Vec<Service> {
        std::mem::take(&mut self.services.lock())
    }

    fn kill(&self) {
        (self.kill)();
    }
}

/// Starts a server; called for every start and restart. It must not block for long, and starts its
/// tasks on the current [node](Node), which is the new server's.
pub type Starter = Arc<dyn Fn(ServerSetup) -> Vec<Box<dyn Hosted>> + Send + Sync>;

/// One start of one server, until its shutdown: new ends, a new copy of the disk, its own node.
pub(crate) struct Incarnation {
    pub(crate) node: Node,
    /// Names of its ends, by index of the server they lead to.
    pub(crate) ends: Vec<String>,
    pub(crate) persister: Persister,
    /// `None` when it does not run.
    pub(crate) hosted: Option<Arc<Vec<Box<dyn Hosted>>>>,
}

impl Incarnation {
    /// A server that was never started: no ends, an empty disk.
    pub(crate) fn unborn(name: &str) -> Incarnation {
        Incarnation {
            node: Node::new(name),
            ends: Vec::new(),
            persister: Persister::new(),
            hosted: None,
        }
    }

    /// Makes the ends of a new life, all disabled.
    pub(crate) fn new(
        network: &Network,
        names: &[String],
        me: usize,
        life: u64,
        persister: Persister,
    ) -> (Incarnation, Vec<ClientEnd>) {
        let mut ends = Vec::with_capacity(names.len());
        let mut end_names = Vec::with_capacity(names.len());
        for to in names {
            let name = format!("{}.{life}>{to}", names[me]);
            ends.push(must(network.make_end_of(names[me].as_str(), name.as_str())));
            must(network.connect(name.as_str(), to.as_str()));
            end_names.push(name);
        }
        let node = Node::new(names[me].as_str());
        (Incarnation { node, ends: end_names, persister, hosted: None }, ends)
    }

    /// The server that answers RPCs for these services, on the node of this life.
    pub(crate) fn rpc_server(node: &Node, hosted: &[Box<dyn Hosted>]) -> Server {
        node.enter(|| {
            let services = hosted.iter().flat_map(|hosted| hosted.services());
            services.fold(Server::new(), Server::add)
        })
    }
}
