//! What survives a crash: term, vote, log and snapshot (Figure 2, "Persistent state").
//!
//! Only the methods here change these, and each notes what the disk does not know yet. At the end
//! of a step the notes become the [`Save`] of its effects, so a change cannot be forgotten.

use std::collections::VecDeque;

use super::effects::{LogWrite, Save};
use super::log::Log;
use crate::timing::Time;
use crate::types::{Entry, Index, LogPosition, ServerId, Snapshot, Term};

/// Everything a server needs to come back, as the driver read it from the disk. The default is a
/// server that never ran.
///
/// The snapshot is written before the log that was trimmed for it, so after a crash between the
/// two it may be ahead of the log: [`Node::restore`](super::Node::restore) then trims again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Saved {
    /// The last term saved.
    pub term: Term,
    /// Who got this server's vote in `term`.
    pub voted_for: Option<ServerId>,
    /// The snapshot, if one was ever taken or installed.
    pub snapshot: Option<Snapshot>,
    /// The position before the first of `entries`, as it was saved with them.
    pub base: LogPosition,
    /// The log after `base`.
    pub entries: Vec<Entry>,
}

/// The durable state and what of it still has to be saved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Durable {
    term: Term,
    voted_for: Option<ServerId>,
    log: Log,
    /// Its last position is the base of the log.
    snapshot: Option<Snapshot>,
    /// What the disk has not been told yet.
    unsaved: Unsaved,
    /// How many saves were handed out.
    saves: u64,
    /// Saves that the driver has not reported as durable, oldest first.
    pending: VecDeque<Pending>,
    /// The log is durable up to here.
    durable_last: Index,
}

/// How the disk differs from memory. Between steps: not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Unsaved {
    term_or_vote: bool,
    snapshot: bool,
    log: bool,
    /// Base of the log on the disk.
    base: Index,
    /// Last index up to which disk and memory agree; entries after it on the disk are to be cut.
    agreed: Index,
    /// Last index on the disk.
    last: Index,
}

/// A save that was handed out and is not durable yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pending {
    number: u64,
    handed_out: Time,
    /// The last index of the log that it makes durable. Falls when the log is cut.
    last: Index,
}

impl Durable {
    /// # Errors
    ///
    /// The state contradicts itself: see [`RestoreError`].
    pub(super) fn restore(saved: Saved) -> Result<Durable, RestoreError> {
        let Saved { mut term, mut voted_for, snapshot, base, entries } = saved;
        let mut before = base.term;
        for (i, entry) in entries.iter().enumerate() {
            let index = base.index.next() + i;
            if entry.term < before {
                return Err(RestoreError::TermsFall { index, term: entry.term, before });
            }
            before = entry.term;
        }
        if before > term {
            return Err(RestoreError::TermBehindLog { term, log: before });
        }

        let saved_base = base.index;
        let saved_last = base.index + entries.len();
        let mut log = Log::new(base, entries.into());
        let covered = snapshot.as_ref().map_or(LogPosition::ZERO, |snapshot| snapshot.last);
        if covered.index < base.index {
            return Err(RestoreError::Gap { snapshot: covered.index, base: base.index });
        }
        if covered.index == base.index && covered.term != base.term {
            return Err(RestoreError::BaseMismatch { snapshot: covered, base });
        }
        // A snapshot ahead of the log: the crash came between the two writes.
        let ahead = covered.index > base.index;
        let mut agreed = saved_last;
        if ahead && !log.rebase(covered) {
            agreed = saved_base;
        }
        // The term that came with the snapshot was to be saved after it. No vote was given in it.
        let lifted = covered.term > term;
        if lifted {
            term = covered.term;
            voted_for = None;
        }
        let unsaved = Unsaved {
            term_or_vote: lifted,
            snapshot: false,
            log: ahead,
            base: saved_base,
            agreed,
            last: saved_last,
        };
        let durable_last = log.last_index().min(saved_last).max(log.base().index);
        Ok(Durable {
            term,
            voted_for,
            log,
            snapshot,
            unsaved,
            saves: 0,
            pending: VecDeque::new(),
            durable_last,
        })
    }

    pub(super) fn term(&self) -> Term {
        self.term
    }

    pub(super) fn voted_for(&self) -> Option<ServerId> {
        self.voted_for
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    pub(super) fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// Enters a later term, in which this server has not voted yet (Figure 2, All Servers).
    pub(super) fn enter_term(&mut self, term: Term) {
        assert!(term > self.term, "term goes from {} to {term}", self.term);
        self.term = term;
        self.voted_for = None;
        self.unsaved.term_or_vote = true;
    }

    /// Gives this server's one vote of the term (§5.2). Voting again for the same one is nothing.
    pub(super) fn vote(&mut self, candidate: ServerId) {
        if self.voted_for == Some(candidate) {
            return;
        }
        assert!(self.voted_for.is_none(), "second vote in {}", self.term);
        self.voted_for = Some(candidate);
        self.unsaved.term_or_vote = true;
    }

    pub(super) fn append(&mut self, entry: Entry) {
        self.log.append(entry);
        self.unsaved.log = true;
    }

    /// Removes the entries at `index` and after it.
    pub(super) fn truncate_from(&mut self, index: Index) {
        self.log.truncate_from(index);
        self.durable_last = self.durable_last.min(index.prev());
        for pending in &mut self.pending {
            pending.last = pending.last.min(index.prev());
        }
        self.unsaved.agreed = self.unsaved.agreed.min(index.prev());
        self.unsaved.log = true;
    }

    /// Replaces the log up to the snapshot's last entry by the snapshot. What follows stays if the
    /// log has that entry, else the log is emptied (§7; Figure 13, rules 6 and 7).
    pub(super) fn compact(&mut self, snapshot: Snapshot) {
        if !self.log.rebase(snapshot.last) {
            self.unsaved.agreed = self.unsaved.base;
            // Nothing of the log before is in the log now.
            self.durable_last = Index::ZERO;
            for pending in &mut self.pending {
                pending.last = Index::ZERO;
            }
        }
        self.snapshot = Some(snapshot);
        self.unsaved.snapshot = true;
        self.unsaved.log = true;
    }

    /// How many saves were handed out; the number of the last one.
    pub(super) fn saves(&self) -> u64 {
        self.saves
    }

    /// The last index of the log that is on the disk.
    pub(super) fn durable_last(&self) -> Index {
        self.durable_last
    }

    /// When the oldest save that is not durable was handed out.
    pub(super) fn waits_for_disk_since(&self) -> Option<Time> {
        self.pending.front().map(|pending| pending.handed_out)
    }

    /// Save `number` and all before it are on the disk.
    pub(super) fn saved(&mut self, number: u64) {
        while let Some(pending) = self.pending.front()
            && pending.number <= number
        {
            self.durable_last = self.durable_last.max(pending.last);
            self.pending.pop_front();
        }
    }

    /// What has to reach the disk; from here on it counts as handed out.
    pub(super) fn take_save(&mut self, now: Time) -> Save {
        let base = self.log.base();
        let last = self.log.last_index();
        let unsaved = &self.unsaved;
        let log = unsaved.log.then(|| {
            let keep = unsaved.agreed.distance_from(unsaved.base);
            LogWrite {
                keep,
                drop_front: base.index.distance_from(unsaved.base).min(keep),
                first: unsaved.agreed.max(base.index).next(),
                last,
            }
        });
        let save = Save {
            snapshot: unsaved.snapshot,
            header: unsaved.term_or_vote || base.index != unsaved.base,
            log,
        };
        self.unsaved = Unsaved { base: base.index, agreed: last, last, ..Unsaved::default() };
        if !save.is_empty() {
            self.saves += 1;
            self.pending.push_back(Pending { number: self.saves, handed_out: now, last });
        }
        save
    }

    /// Whether everything was handed to the driver for saving.
    pub(super) fn is_saved(&self) -> bool {
        let unsaved = &self.unsaved;
        !(unsaved.term_or_vote || unsaved.snapshot || unsaved.log)
            && unsaved.last == self.log.last_index()
    }
}

/// A saved state that no correct run can leave behind. The disk is damaged or was written by
/// something else: starting afresh would break promises made to other servers (§5.2, a vote; §5.3,
/// an entry), so the server must not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The terms of the saved log fall.
    #[error("{CORRUPT}: log entry {index} has {term} after one of {before}")]
    TermsFall {
        /// The entry whose term is too small.
        index: Index,
        term: Term,
        /// The term before it.
        before: Term,
    },
    /// The log has an entry of a term that this server never saved.
    #[error("{CORRUPT}: the saved term is {term} but the log reaches {log}")]
    TermBehindLog {
        /// The saved term.
        term: Term,
        /// The highest term in the log.
        log: Term,
    },
    /// Entries between the snapshot and the log are missing.
    #[error("{CORRUPT}: the snapshot ends at index {snapshot} but the log begins after {base}")]
    Gap {
        /// The last index the snapshot includes; 0 without a snapshot.
        snapshot: Index,
        /// The index before the first saved entry.
        base: Index,
    },
    /// Snapshot and log meet at one index but differ in its term.
    #[error("{CORRUPT}: the snapshot ends at {snapshot} but the log begins after {base}")]
    BaseMismatch {
        /// The last entry of the snapshot.
        snapshot: LogPosition,
        /// The entry before the log.
        base: LogPosition,
    },
    /// The vote went to a server that is not in the group.
    #[error("{CORRUPT}: the vote went to {voted_for} in a group of {servers}")]
    UnknownVote {
        /// Whom the vote names.
        voted_for: ServerId,
        /// How many servers there are.
        servers: u32,
    },
    /// The configuration does not fit: this server is not one of the group.
    #[error("{id} is not one of {servers} servers: number them from 0")]
    NotAMember {
        id: ServerId,
        /// How many servers there are.
        servers: u32,
    },
    /// The intervals do not fit together.
    #[error(transparent)]
    Timing(crate::timing::TimingError),
}

const CORRUPT: &str = "saved state is corrupt, restore it from a backup or remove the server";
