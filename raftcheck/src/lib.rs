//! Checks the invariants of Raft over all servers of a simulated run.
//!
//! The checker reads plain values, so it works for any implementation: one that implements
//! [`RaftState`] is checked after every step, one that implements nothing is checked by what it
//! applies, reports and sends.
//!
//! | name in the report | property |
//! |---|---|
//! | election safety | a term has at most one leader, elected by the recorded votes of a majority; a server votes once a term (§5.2) |
//! | leader append-only | a leader never removes or changes an entry of its own log (§5.3) |
//! | log matching | entries with the same index and term hold the same command and follow the same entry (§5.3) |
//! | leader completeness | a new leader's log has every entry that any server has committed (§5.4) |
//! | state machine safety | what is committed or applied at an index is the same on all servers, and never changes (§5.4.3) |
//! | commit rule | a leader commits by counting only in its own term (§5.4.2) |
//! | monotonic state | term, commit and applied index of a server never fall; entries are applied in order |
//! | acknowledged entries | an entry reported as matched in a term stays in the log for that term |
//! | saved before shown | a message shows nothing that the disk does not hold (Figure 2, "Updated on stable storage …") |
//! | reads see what is committed | a confirmed read includes everything that any server had committed when it came (§8) |
//! | snapshot within applied | a snapshot ends at an entry that the service was given (§7) |
//!
//! The first violation stops the run ([`labrt::sim::breach`]).
//!
//! # Use
//!
//! Each run has one [`Checker`]. Whoever makes a cluster adds its groups ([`Checker::add_group`])
//! and assigns each new server life to the node it runs on ([`Checker::assign`]); the crate
//! `tester` does both. A server then asks for its handle, at its start, and shows its state:
//!
//! ```text
//!   let check = raftcheck::here();             // on the server's node; does nothing outside a simulation
//!   …
//!   check.observe(&*state);                    // after each save, before the messages of the step leave
//! ```
//!
//! Without [`RaftState`], call [`Server::applied`] and [`Server::reports`] from the test, and
//! [`Server::sends`] for those messages that the server chooses to show.
//!
//! A step of our own Raft costs what the step has changed, whatever the length of the log. A server
//! that does not say what has changed is compared with its last state, entry by entry.

#![forbid(unsafe_code)]

mod group;
mod server;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

pub use server::{Changes, Log, Message, Saved, Server};
pub use state::{RaftState, Role, hash};

use group::Group;

/// All groups of a run.
#[derive(Default)]
pub struct Checker {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    groups: Vec<Arc<Mutex<Group>>>,
    /// By the node that a server's present life runs on.
    servers: BTreeMap<u64, Server>,
}

/// A group of servers that share one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupId(usize);

impl Checker {
    /// The checker of the running simulation; `None` on threads.
    pub fn of_run() -> Option<Arc<Checker>> {
        labrt::sim::local()
    }

    /// Adds a group of so many servers. `name` stands in reports. Two groups never share anything,
    /// whatever their names.
    pub fn add_group(&self, name: impl Into<String>, servers: usize) -> GroupId {
        let mut state = self.state.lock();
        let mut name = name.into();
        let same = state.groups.iter().filter(|group| group.lock().is_called(&name)).count();
        if same > 0 {
            name = format!("{name} (number {} of that name)", same + 1);
        }
        state.groups.push(Arc::new(Mutex::new(Group::new(name, servers))));
        GroupId(state.groups.len() - 1)
    }

    /// A new life of server `me`.
    pub fn life(&self, group: GroupId, me: usize) -> Server {
        Server::new(Arc::clone(&self.state.lock().groups[group.0]), me)
    }

    /// A new life of server `me` runs on `node`, which is new, too.
    pub fn assign(&self, node: &labrt::Node, group: GroupId, me: usize) {
        let server = self.life(group, me);
        self.state.lock().servers.insert(node.id(), server);
    }

    /// The server assigned to a node.
    pub fn at(&self, node: &labrt::Node) -> Option<Server> {
        self.state.lock().servers.get(&node.id()).cloned()
    }
}

/// The server assigned to the node of the calling task. One that checks nothing if there is none.
pub fn here() -> Server {
    let checker = Checker::of_run();
    checker.and_then(|checker| checker.at(&labrt::Node::current())).unwrap_or_default()
}
