//! Snapshots: taking and installing them (§7, Figure 13).
//!
//! ```text
//!   log          1 2 3 4 5 6 7 8 9            commit 7
//!   taken at 5   [ snapshot ]6 7 8 9          the service's own; what follows stays
//!   received,    older or equal to 7          nothing new: ignored
//!     ends at    8, same term there           [   snapshot    ]9
//!                8, another term; or 12       [   snapshot  …      ]   the log is emptied
//! ```

use std::sync::Arc;

use super::{Effects, Node};
use crate::marks::Mark;
use crate::messages::InstallSnapshotArgs;
use crate::timing::Dice;
use crate::types::{Index, LogPosition, Snapshot};

impl Node {
    /// The service captured its state after the entry at `index`.
    ///
    /// It may only capture what it was given, and a snapshot that is no newer than the one we have
    /// (a leader's may have come in between) brings nothing new: both are ignored.
    pub(super) fn take_snapshot(&mut self, index: Index, data: Arc<Vec<u8>>) {
        if index <= self.base().index || index > self.applied {
            self.mark_if(index <= self.base().index, Mark::OwnSnapshotTooLate);
            return;
        }
        let term = self.term_at(index).expect("what was handed out after the base is in the log");
        self.durable.compact(Snapshot { last: LogPosition { index, term }, data });
    }

    /// Takes the leader's snapshot (InstallSnapshot, 5 to 8), of the current term.
    ///
    /// One that ends at or before the commit index holds only what the log or the service already
    /// has: taking it would lead the service back, or make it hand out entries twice.
    pub(super) fn install_snapshot(
        &mut self,
        args: InstallSnapshotArgs,
        effects: &mut Effects,
        dice: &mut dyn Dice,
    ) {
        let index = args.snapshot.last.index;
        if !self.hear_leader(args.leader, dice) {
            return;
        }
        if index <= self.commit {
            self.marks.insert(Mark::StaleSnapshot);
            return;
        }
        self.marks.insert(match self.term_at(index) {
            None => Mark::SnapshotBeyondLog,
            Some(term) if term != args.snapshot.last.term => Mark::SnapshotOverConflict,
            Some(_) => Mark::SnapshotKeepsSuffix,
        });
        self.durable.compact(args.snapshot.clone());
        self.commit = index;
        self.applied = index;
        effects.install = Some(args.snapshot);
    }
}
