//! A disk that carries out saves as `raft::consensus::Save` says, and can crash in the middle.

use raft::consensus::{Node, Save, Saved};
use raft::types::{Entry, LogPosition, ServerId, Snapshot, Term};

#[derive(Clone, Debug, Default)]
pub struct Disk {
    term: Term,
    voted_for: Option<ServerId>,
    base: LogPosition,
    records: Vec<Entry>,
    snapshot: Option<Snapshot>,
}

impl Disk {
    pub fn holding(saved: &Saved) -> Disk {
        Disk {
            term: saved.term,
            voted_for: saved.voted_for,
            base: saved.base,
            records: saved.entries.clone(),
            snapshot: saved.snapshot.clone(),
        }
    }

    /// The first of the two writes: the snapshot alone.
    pub fn write_snapshot(&mut self, node: &Node, save: &Save) {
        if save.snapshot {
            self.snapshot = node.snapshot().cloned();
        }
    }

    /// The second: header and log records.
    pub fn write_state(&mut self, node: &Node, save: &Save) {
        if save.header {
            self.term = node.term();
            self.voted_for = node.voted_for();
            self.base = node.base();
        }
        if let Some(write) = save.log {
            assert!(
                write.keep <= self.records.len(),
                "{write:?} of {} records",
                self.records.len()
            );
            self.records.truncate(write.keep);
            self.records.drain(..write.drop_front);
            let mut index = write.first;
            while index <= write.last {
                self.records.push(node.entry(index).expect("an entry to save").clone());
                index = index.next();
            }
        }
    }

    pub fn carry_out(&mut self, node: &Node, save: &Save) {
        self.write_snapshot(node, save);
        self.write_state(node, save);
    }

    pub fn read(&self) -> Saved {
        Saved {
            term: self.term,
            voted_for: self.voted_for,
            snapshot: self.snapshot.clone(),
            base: self.base,
            entries: self.records.clone(),
        }
    }

    /// After a save, the disk holds exactly what the server has.
    pub fn check_holds(&self, node: &Node) {
        assert_eq!(self.term, node.term());
        assert_eq!(self.voted_for, node.voted_for());
        assert_eq!(self.base, node.base());
        assert_eq!(self.snapshot.as_ref(), node.snapshot());
        assert!(
            self.records.iter().eq(node.entries().map(|(_, entry)| entry)),
            "log records differ"
        );
    }

    pub fn term(&self) -> Term {
        self.term
    }

    pub fn voted_for(&self) -> Option<ServerId> {
        self.voted_for
    }
}
