//! What the checker reads of a server: plain numbers.

use raft_core::consensus::{Node, RoleKind};
use raft_core::types::Index;

/// What a server is in its current term (§5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Answers requests.
    Follower,
    /// Gathers votes.
    Candidate,
    /// Takes commands and replicates them.
    Leader,
}

/// The state of one Raft server, as Figure 2 names it.
///
/// Servers count from 0, log indexes from 1. Index `first_index() - 1` is the last entry of the
/// snapshot, or 0 without one.
///
/// ```
/// use raftcheck::{RaftState, Role};
///
/// struct State {
///     current_term: u64,
///     voted_for: Option<usize>,
///     role: Role,
///     log: Vec<(u64, Vec<u8>)>, // log[0] stands for index 0
///     commit_index: u64,
///     last_applied: u64,
/// }
///
/// impl RaftState for State {
///     fn term(&self) -> u64 { self.current_term }
///     fn role(&self) -> Role { self.role }
///     fn voted_for(&self) -> Option<usize> { self.voted_for }
///     fn first_index(&self) -> u64 { 1 }
///     fn last_index(&self) -> u64 { self.log.len() as u64 - 1 }
///     fn commit_index(&self) -> u64 { self.commit_index }
///     fn last_applied(&self) -> u64 { self.last_applied }
///     fn term_at(&self, index: u64) -> Option<u64> { Some(self.log.get(index as usize)?.0) }
///     fn command_at(&self, index: u64) -> Option<u64> { Some(raftcheck::hash(&self.log.get(index as usize)?.1)) }
/// }
/// ```
pub trait RaftState {
    /// The current term. Never falls, restarts included.
    fn term(&self) -> u64;
    /// The role in that term.
    fn role(&self) -> Role;
    /// The server that has this server's vote in the current term.
    fn voted_for(&self) -> Option<usize>;
    /// Index of the first entry that is still in the log: one more than the snapshot's last.
    fn first_index(&self) -> u64;
    /// Index of the last entry; `first_index() - 1` if the log is empty.
    fn last_index(&self) -> u64;
    /// The commit index. Never falls while the server runs.
    fn commit_index(&self) -> u64;
    /// The last index that the service was given. Never falls while the server runs.
    fn last_applied(&self) -> u64;
    /// The term of the entry at `index`; that of the snapshot's last entry too, if known.
    fn term_at(&self, index: u64) -> Option<u64>;
    /// A hash of the command at `index` (see [`hash`]). Equal commands have equal hashes.
    fn command_at(&self, index: u64) -> Option<u64>;
}

/// A hash of a command's bytes, for [`RaftState::command_at`].
pub fn hash(command: &[u8]) -> u64 {
    crc32fast::hash(command).into()
}

impl RaftState for Node {
    fn term(&self) -> u64 {
        self.term().get()
    }

    fn role(&self) -> Role {
        match self.role() {
            RoleKind::Follower => Role::Follower,
            // Asks for pre-votes, which are no votes.
            RoleKind::PreCandidate => Role::Follower,
            RoleKind::Candidate => Role::Candidate,
            RoleKind::Leader => Role::Leader,
        }
    }

    fn voted_for(&self) -> Option<usize> {
        self.voted_for().map(|server| server.get())
    }

    fn first_index(&self) -> u64 {
        self.base().index.next().get()
    }

    fn last_index(&self) -> u64 {
        self.last().index.get()
    }

    fn commit_index(&self) -> u64 {
        self.commit().get()
    }

    fn last_applied(&self) -> u64 {
        self.applied().get()
    }

    fn term_at(&self, index: u64) -> Option<u64> {
        self.term_at(Index::new(index)).map(|term| term.get())
    }

    fn command_at(&self, index: u64) -> Option<u64> {
        self.entry(Index::new(index)).map(|entry| hash(&entry.command))
    }
}
