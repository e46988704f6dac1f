//! A disk that carries out saves as `raft_core::consensus::Save` says, and can crash in the middle.

use raft_core::consensus::{Node, Save, Saved};
use raft_core::types::{ServerId, Term};

/// What was written to it.
#[derive(Clone, Debug, Default)]
pub struct Disk(Saved);

impl From<Saved> for Disk {
    fn from(saved: Saved) -> Disk {
        Disk(saved)
    }
}

impl Disk {
    /// The first of the two writes: the snapshot alone.
    pub fn write_snapshot(&mut self, node: &Node, save: &Save) {
        if save.snapshot {
            self.0.snapshot = node.snapshot().cloned();
        }
    }

    /// The second: header and log records.
    pub fn write_state(&mut self, node: &Node, save: &Save) {
        if save.header {
            self.0.term = node.term();
            self.0.voted_for = node.voted_for();
            self.0.base = node.base();
        }
        if let Some(write) = save.log {
            assert!(
                write.keep <= self.0.entries.len(),
                "{write:?} of {} records",
                self.0.entries.len()
            );
            self.0.entries.truncate(write.keep);
            self.0.entries.drain(..write.drop_front);
            let mut index = write.first;
            while index <= write.last {
                self.0.entries.push(node.entry(index).expect("an entry to save").clone());
                index = index.next();
            }
        }
    }

    /// What a server that starts finds.
    pub fn read(&self) -> Saved {
        self.0.clone()
    }

    /// After a save, the disk holds exactly what the server has.
    pub fn check_holds(&self, node: &Node) {
        assert_eq!(self.0.term, node.term());
        assert_eq!(self.0.voted_for, node.voted_for());
        assert_eq!(self.0.base, node.base());
        assert_eq!(self.0.snapshot.as_ref(), node.snapshot());
        assert!(
            self.0.entries.iter().eq(node.entries().map(|(_, entry)| entry)),
            "the log on the disk differs"
        );
    }

    pub fn term(&self) -> Term {
        self.0.term
    }

    pub fn voted_for(&self) -> Option<ServerId> {
        self.0.voted_for
    }
}
