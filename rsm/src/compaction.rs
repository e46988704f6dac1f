//! When to take a snapshot.

/// Decides by sizes: the saved Raft state against its limit, and what a snapshot would win.
#[derive(Debug)]
pub(crate) struct Compaction {
    limit: Option<usize>,
    /// Bytes of the commands executed since the last snapshot: about what the next one lets Raft
    /// forget.
    reclaimable: usize,
    /// Bytes of state that the machine has dropped since the last snapshot: the one on the disk
    /// still has them.
    freed: usize,
}

impl Compaction {
    pub(crate) fn new(limit: Option<usize>) -> Compaction {
        Compaction { limit, reclaimable: 0, freed: 0 }
    }

    /// A command of this many bytes was executed, and the machine has dropped so many.
    pub(crate) fn executed(&mut self, bytes: usize, freed: usize) {
        self.reclaimable += bytes;
        self.freed += freed;
    }

    /// Whether a snapshot is due when the saved Raft state has this many bytes.
    ///
    /// It is at nine tenths of the limit, unless the log is full of entries that are not committed
    /// yet: then a snapshot would win nothing, and taking one after every command would cost the
    /// whole state each time. Dropped state is worth one by itself: the disk may hold about as much
    /// too much for it as for the log.
    pub(crate) fn is_due(&self, raft_state: impl FnOnce() -> usize) -> bool {
        let Some(limit) = self.limit else { return false };
        let is_worth_it = |bytes: usize| bytes > 0 && bytes >= limit / 4;
        is_worth_it(self.freed)
            || is_worth_it(self.reclaimable) && raft_state() >= limit - limit / 10
    }

    /// A snapshot was taken or installed.
    pub(crate) fn done(&mut self) {
        self.reclaimable = 0;
        self.freed = 0;
    }
}
