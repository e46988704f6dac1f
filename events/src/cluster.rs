//! Clusters: their servers and clients, the faults made on purpose, the operations of clerks.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the test does to a cluster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cluster {
    /// A test, or a part of one, begins.
    Began { title: String },
    /// The cluster has this node. Emitted once for each, before any other event about it.
    Member {
        /// The name of the node, as in all other events.
        node: String,
        member: Member,
    },
    /// A server starts.
    Started { node: String },
    /// A server is asked to stop, and does.
    ShutDown { node: String },
    /// A server loses its power.
    Crashed { node: String },
    /// The servers of a group are split into two sides. An empty side ends the partition.
    Partitioned {
        /// The number of the group.
        group: u64,
        /// The numbers of the servers on one side.
        one: Vec<usize>,
        /// The numbers of the servers on the other side.
        other: Vec<usize>,
    },
}

/// What a node of a cluster is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Member {
    /// A server.
    Server {
        /// The number of its group.
        group: u64,
        /// Its number in the group, from 0.
        server: u64,
    },
    /// A client.
    Client {
        /// Its number in the cluster, from 0.
        number: u64,
    },
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cluster::Began { title } => write!(f, "begin {title}"),
            Cluster::Member { node, member: Member::Server { group, server } } => {
                write!(f, "{node} is server {server} of group {group}")
            }
            Cluster::Member { node, member: Member::Client { number } } => {
                write!(f, "{node} is client {number}")
            }
            Cluster::Started { node } => write!(f, "start {node}"),
            Cluster::ShutDown { node } => write!(f, "shut down {node}"),
            Cluster::Crashed { node } => write!(f, "crash {node}"),
            Cluster::Partitioned { one, other, .. } => write!(f, "partition {one:?} {other:?}"),
        }
    }
}

/// What the nemesis does: the faults of a schedule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// A fault begins.
    Began {
        /// Its number in the schedule.
        fault: usize,
        name: String,
        /// The servers it is done to.
        targets: Vec<usize>,
    },
    /// A fault ends.
    Ended {
        /// Its number in the schedule.
        fault: usize,
        name: String,
        /// The servers it was done to.
        targets: Vec<usize>,
    },
    /// A server that was to crash crashes.
    Crashes {
        /// Its number in the group.
        server: usize,
    },
    /// The last fault is over.
    AllEnded,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Began { name, targets, .. } => write!(f, "{name}: begins for {targets:?}"),
            Fault::Ended { name, targets, .. } => write!(f, "{name}: ends for {targets:?}"),
            Fault::Crashes { server } => write!(f, "S{server} crashes"),
            Fault::AllEnded => f.write_str("all faults have ended"),
        }
    }
}

/// What a clerk does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operation {
    /// A clerk of the history calls through a client of the cluster.
    Clerk {
        /// The number of the clerk in the history.
        clerk: i64,
        /// The name of the client's node.
        node: String,
    },
    /// An operation begins.
    Called {
        /// The number of the clerk in the history.
        clerk: i64,
        /// The operation with its arguments, long ones cut.
        request: String,
    },
    /// An operation ends.
    Returned {
        /// The number of the clerk in the history.
        clerk: i64,
        /// The result, cut if it is long.
        answer: String,
    },
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Clerk { clerk, node } => {
                write!(f, "clerk {clerk} of the history calls as {node}")
            }
            Operation::Called { clerk, request } => write!(f, "clerk {clerk}: {request}"),
            Operation::Returned { clerk, answer } => write!(f, "clerk {clerk} has {answer}"),
        }
    }
}
