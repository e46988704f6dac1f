//! What the nodes of a run are, learned from its events: servers, clients, others.

use std::collections::{BTreeMap, BTreeSet};

use events::{Cluster, Event, Member, Record};

/// What a node is. The order is that of lanes and columns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// A server: its group, and its number there.
    Server(u64, u64),
    /// A client, by number.
    Client(u64),
    /// Anything else.
    Other,
}

/// The nodes of a run.
#[derive(Debug, Default)]
pub(crate) struct Members {
    kinds: BTreeMap<String, Kind>,
    groups: BTreeSet<u64>,
}

/// The nodes of the test itself, in a simulation and on threads: they have no lane and no column.
const TEST_NODES: [&str; 2] = ["test", "main"];

/// Whether a node may have a lane or a column.
pub(crate) fn is_shown(name: &str) -> bool {
    !name.is_empty() && !TEST_NODES.contains(&name)
}

impl Members {
    /// Learns from an event. A node that only emits events of Raft is a server of group 0.
    pub(crate) fn learn(&mut self, record: &Record) {
        match &record.event {
            Event::Cluster(Cluster::Member { node, member }) => {
                let kind = match *member {
                    Member::Server { group, server } => Kind::Server(group, server),
                    Member::Client { number } => Kind::Client(number),
                };
                if let Kind::Server(group, _) = kind {
                    self.groups.insert(group);
                }
                self.kinds.insert(node.clone(), kind);
            }
            Event::Raft(raft) if !self.kinds.contains_key(record.about()) => {
                self.groups.insert(0);
                let kind = Kind::Server(0, raft.server.into());
                self.kinds.insert(record.about().to_owned(), kind);
            }
            _ => {}
        }
    }

    pub(crate) fn kind(&self, name: &str) -> Kind {
        self.kinds.get(name).copied().unwrap_or(Kind::Other)
    }

    /// `S1` for a server, `G2.S1` where there are several groups, `C3` for a client.
    pub(crate) fn short(&self, name: &str) -> String {
        match self.kind(name) {
            Kind::Server(_, server) if self.groups.len() <= 1 => format!("S{server}"),
            Kind::Server(group, server) => format!("G{group}.S{server}"),
            Kind::Client(number) => format!("C{number}"),
            Kind::Other => name.to_owned(),
        }
    }
}
