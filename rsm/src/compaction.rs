//! When to take a snapshot.

/// Decides by sizes: the saved Raft state against its limit, and what a snapshot would win.
#[derive(Debug)]
pub(crate) struct Compaction {
    limit: Option<usize>,
    /// Bytes of the commands executed since the last snapshot: about what the next one lets Raft forget.
    reclaimable: usize,
}

impl Compaction {
    pub(crate) fn new(limit: Option<usize>) -> Compaction {
        Compaction { limit, reclaimable: 0 }
    }

    /// A command of this many bytes was executed.
    pub(crate) fn executed(&mut self, bytes: usize) {
        self.reclaimable += bytes;
    }

    /// Whether a snapshot is due when the saved Raft state has this many bytes.
    ///
    /// It is at nine tenths of the limit, unless the log is full of entries that are not committed yet: then a snapshot would win
    /// nothing, and taking one after every command would cost the whole state each time.
    pub(crate) fn is_due(&self, raft_state: impl FnOnce() -> usize) -> bool {
        let Some(limit) = self.limit else { return false };
        self.reclaimable > 0 && self.reclaimable >= limit / 4 && raft_state() >= limit - limit / 10
    }

    /// A snapshot was taken or installed.
    pub(crate) fn done(&mut self) {
        self.reclaimable = 0;
    }
}
