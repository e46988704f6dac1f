//! Saves that wait for the disk, and what waits for them.
//!
//! A disk that returns at once is written by the step itself. A disk that takes time is written by
//! a task of its own, without Raft's lock: steps go on meanwhile, and whatever has gathered when
//! one write is done goes to the disk together, as the next write (group commit).
//!
//! ```text
//!   step ─▶ save ─▶ queue ──────────▶ writer task: one write for all that waits
//!        └▶ reply, votes ─▶ released once that write is durable, in order
//!        └▶ AppendEntries of a leader, committed entries ─▶ at once
//! ```
//!
//! Committed entries need not wait: a majority has them on its disks. A leader's entries need not
//! wait either: its own copy does not count before it is durable (dissertation §10.2.1).

use std::collections::VecDeque;

use labrt::{Write, oneshot};

use crate::consensus::{Outgoing, View};
use crate::messages::Reply;
use crate::types::Index;

/// The most steps that wait for the disk. From then on requests are not answered and proposals are
/// rejected.
pub(super) const MAX_WAITING_STEPS: usize = 10_000;

/// The most bytes that wait for the disk, likewise. A single save may be larger.
pub(super) const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

/// The saves of one server that are not durable yet.
#[derive(Default)]
pub(super) struct Saving {
    /// A write is under way, by the writer task.
    writing: bool,
    /// What the writer takes next, in order.
    queue: Vec<Write>,
    /// Bytes in `queue` and in the write under way.
    bytes: usize,
    /// The number of the last save in `queue`.
    last: u64,
    /// The number of the last save that changes term or vote.
    last_header: u64,
    /// What is on the disk: all saves up to this number.
    durable: u64,
    /// What waits for a save, in order of the steps.
    waiting: VecDeque<Waiting>,
}

/// What a step shows once its save is durable.
pub(super) struct Waiting {
    /// The save it waits for.
    pub(super) save: u64,
    /// The answer to a request, and who waits for it.
    pub(super) reply: Option<(oneshot::Sender<Reply>, Reply)>,
    /// Requests to other servers.
    pub(super) messages: Vec<Outgoing>,
    /// The server's numbers after the step and the last index that its answer acknowledges, if an
    /// observer wants to compare them with the disk.
    pub(super) shown: Option<(View, Index)>,
}

impl Saving {
    /// Whether the disk holds everything that was handed out.
    pub(super) fn is_idle(&self) -> bool {
        !self.writing && self.queue.is_empty()
    }

    /// Whether no more may be taken in.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING_STEPS || self.bytes >= MAX_WAITING_BYTES
    }

    /// Whether everything up to save `number` is durable.
    pub(super) fn has_saved(&self, number: u64) -> bool {
        number <= self.durable
    }

    /// Whether term and vote, as they are now, are on the disk.
    pub(super) fn has_saved_header(&self) -> bool {
        self.last_header <= self.durable
    }

    /// Save `number` was written by the step itself.
    pub(super) fn written_at_once(&mut self, number: u64) {
        self.durable = number;
    }

    /// Adds the writes of save `number`.
    pub(super) fn add(&mut self, number: u64, writes: impl Iterator<Item = Write>) {
        for write in writes {
            self.bytes += size(&write);
            if write.header.is_some() {
                self.last_header = number;
            }
            match self.queue.last_mut() {
                Some(before) if before.snapshot.is_none() && write.snapshot.is_none() => {
                    merge(before, write);
                }
                _ => self.queue.push(write),
            }
        }
        self.last = number;
    }

    /// Adds what a step shows later.
    pub(super) fn wait(&mut self, waiting: Waiting) {
        self.waiting.push_back(waiting);
    }

    /// Takes everything that waits for the writer: the writes and the number of the last save.
    pub(super) fn take(&mut self) -> Option<(Vec<Write>, u64)> {
        if self.queue.is_empty() {
            return None;
        }
        self.writing = true;
        Some((std::mem::take(&mut self.queue), self.last))
    }

    /// What [`take`](Saving::take) returned last is durable. Returns what waited for it.
    pub(super) fn written(&mut self, number: u64) -> Vec<Waiting> {
        self.writing = false;
        self.durable = number;
        self.bytes = self.queue.iter().map(size).sum();
        let ready = self.waiting.iter().take_while(|waiting| waiting.save <= number).count();
        self.waiting.drain(..ready).collect()
    }

    /// Forgets everything: the server was stopped. Those who wait for an answer get none.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.waiting.clear();
    }
}

fn size(write: &Write) -> usize {
    let header = write.header.as_ref().map_or(0, Vec::len);
    let snapshot = write.snapshot.as_ref().map_or(0, |snapshot| snapshot.data.len());
    header + snapshot + write.append.iter().map(|record| record.len()).sum::<usize>()
}

/// Makes one write of two that follow each other. Neither has a snapshot, and every write that
/// changes records says how many it keeps.
fn merge(first: &mut Write, second: Write) {
    debug_assert!(first.snapshot.is_none() && second.snapshot.is_none());
    if second.header.is_some() {
        first.header = second.header;
    }
    let Some(keep) = second.keep_records else { return };
    let Some(kept) = first.keep_records else {
        first.keep_records = Some(keep);
        first.drop_front = second.drop_front;
        first.append = second.append;
        return;
    };
    // After the first write: `old` of the records before it, then `first.append`.
    let old = kept - first.drop_front;
    if keep < old {
        first.keep_records = Some(first.drop_front + keep);
        first.append.clear();
    } else {
        first.append.truncate(keep - old);
    }
    let old = old.min(keep);
    let of_old = second.drop_front.min(old);
    first.drop_front += of_old;
    first.append.drain(..second.drop_front - of_old);
    first.append.extend(second.append);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use labrt::Persister;

    use super::*;

    /// Any two writes in a row leave the same on the disk as their merge does: all small cases.
    #[test]
    fn a_merged_write_leaves_what_the_two_would() {
        let record = |n: usize| -> Arc<[u8]> { Arc::from([n as u8].as_slice()) };
        let mut cases = 0;
        let writes = |records: usize, from: usize| {
            let mut writes = vec![(Write::default(), records)];
            for keep in 0..=records {
                for drop_front in 0..=keep {
                    for new in 0..=2 {
                        let append = (from..from + new).map(record).collect();
                        let keep_records = Some(keep);
                        let write = Write { keep_records, drop_front, append, ..Write::default() };
                        writes.push((write, keep - drop_front + new));
                    }
                }
            }
            writes
        };
        for records in 0..4 {
            let before = Persister::new();
            let append = (0..records).map(record).collect();
            before.write(Write { keep_records: Some(0), append, ..Write::default() }).unwrap();
            for (first, then) in writes(records, 10) {
                for (mut second, _) in writes(then, 20) {
                    second.header = Some(vec![7]);
                    let apart = before.copy();
                    apart.write(first.clone()).unwrap();
                    apart.write(second.clone()).unwrap();
                    let together = before.copy();
                    let mut merged = first.clone();
                    merge(&mut merged, second.clone());
                    together.write(merged).unwrap();
                    assert_eq!(
                        (together.header(), together.records()),
                        (apart.header(), apart.records()),
                        "{first:?}, then {second:?}"
                    );
                    cases += 1;
                }
            }
        }
        assert!(cases > 1000, "{cases}");
    }
}
