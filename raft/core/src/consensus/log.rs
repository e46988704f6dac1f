//! The log: the entries after a snapshot (§5.3, §7).
//!
//! ```text
//!      1 …… base.index │ base+1  base+2  ……  last.index
//!      in the snapshot │ entries[0]  entries[1]  ……
//! ```
//!
//! Without a snapshot the base is index 0 of term 0, which all logs share, so no rule needs a
//! special case for the empty log. Appending costs the same at any length.

use std::collections::VecDeque;

use crate::types::{Entry, Index, LogPosition, Term};

/// Entries `base.index + 1 ..= last.index`.
///
/// Invariant: terms never fall from one entry to the next, nor from the base to the first entry
/// (a leader appends entries of its own term, which is above all before).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Log {
    /// The last entry the snapshot includes. Its index never decreases.
    base: LogPosition,
    entries: VecDeque<Entry>,
}

impl Log {
    pub(super) fn new(base: LogPosition, entries: VecDeque<Entry>) -> Log {
        Log { base, entries }
    }

    pub(super) fn base(&self) -> LogPosition {
        self.base
    }

    pub(super) fn last(&self) -> LogPosition {
        LogPosition { index: self.last_index(), term: self.last_term() }
    }

    pub(super) fn last_index(&self) -> Index {
        self.base.index + self.entries.len()
    }

    fn last_term(&self) -> Term {
        self.entries.back().map_or(self.base.term, |entry| entry.term)
    }

    /// The entry at `index`; `None` in the snapshot and beyond the end.
    pub(super) fn entry(&self, index: Index) -> Option<&Entry> {
        if index <= self.base.index {
            return None;
        }
        self.entries.get(self.slot(index))
    }

    /// The term at `index`; the base has one too.
    pub(super) fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        self.entry(index).map(|entry| entry.term)
    }

    /// The position at `index`, if its term is known.
    pub(super) fn position_at(&self, index: Index) -> Option<LogPosition> {
        self.term_at(index).map(|term| LogPosition { index, term })
    }

    /// Whether the log has this very entry, and so everything before it (§5.3).
    pub(super) fn contains(&self, position: LogPosition) -> bool {
        self.term_at(position.index) == Some(position.term)
    }

    /// Entries from `first` on: at most `max_entries`, and no more bytes of commands than
    /// `max_bytes` unless a single one is larger.
    pub(super) fn batch(&self, first: Index, max_entries: usize, max_bytes: usize) -> Vec<Entry> {
        if first > self.last_index() {
            return Vec::new();
        }
        let available = self.entries.range(self.slot(first)..).take(max_entries);
        let mut bytes = 0;
        let fitting = available
            .clone()
            .take_while(|entry| {
                let fits = bytes == 0 || bytes + entry.command.len() <= max_bytes;
                bytes += entry.command.len().max(1);
                fits
            })
            .count();
        available.take(fitting).cloned().collect()
    }

    /// The first index whose entry has this term, given that an entry of the log has it; an index
    /// in the snapshot does not count.
    pub(super) fn first_index_of(&self, term: Term) -> Index {
        self.base.index.next() + self.entries.partition_point(|entry| entry.term < term)
    }

    /// The last index whose entry has this term, the base included.
    pub(super) fn last_index_of(&self, term: Term) -> Option<Index> {
        let index = self.base.index + self.entries.partition_point(|entry| entry.term <= term);
        (self.term_at(index) == Some(term)).then_some(index)
    }

    pub(super) fn append(&mut self, entry: Entry) {
        debug_assert!(
            entry.term >= self.last_term(),
            "entry of {} after one of {}",
            entry.term,
            self.last_term()
        );
        self.entries.push_back(entry);
    }

    /// Removes the entries at `index` and after it.
    pub(super) fn truncate_from(&mut self, index: Index) {
        assert!(index > self.base.index, "entry {index} is in the snapshot up to {}", self.base);
        self.entries.truncate(self.slot(index));
    }

    /// Moves the base forward: to an entry of the log, keeping what follows, or to a position
    /// that is not in it, emptying it (§7). Returns whether it was an entry of the log.
    pub(super) fn rebase(&mut self, base: LogPosition) -> bool {
        assert!(base.index >= self.base.index, "base goes back from {} to {base}", self.base);
        let connected = self.contains(base);
        if connected {
            self.entries.drain(..base.index.distance_from(self.base.index));
        } else {
            self.entries.clear();
        }
        self.base = base;
        connected
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Index, &Entry)> {
        let first = self.base.index.next();
        self.entries.iter().enumerate().map(move |(i, entry)| (first + i, entry))
    }

    /// Where the entry at `index` lies in `entries`, or would lie.
    fn slot(&self, index: Index) -> usize {
        index.distance_from(self.base.index) - 1
    }
}
