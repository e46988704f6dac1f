//! A node's disk: bytes that outlive a crash.
//!
//! The course's `Persister` keeps two byte strings, the Raft state and the snapshot, and replaces both at every save: appending
//! one log entry costs the whole log. This one keeps the Raft state in two parts, a short *header* and a list of *records* (one a log
//! entry), so that a [`Write`] costs what it changes. The course's names give the view it expects: the Raft state is the header
//! followed by all records.
//!
//! A [`Write`] is atomic. Whoever needs two writes (a snapshot, then the shorter log) may crash between them.
//!
//! # Faults
//! A disk can be made slow, and a server can be made to crash in one of its writes, with all of it, part of it or nothing of it on the
//! disk. A *torn* write leaves what is whole of its front: header, cut and trim fit a sector and are there or not; of the records to
//! append the first are there, and the one the power went in is short. A snapshot is written beside the old one and takes its place
//! when it is whole, so a torn one changes nothing. In no case had the write returned.

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::line::Line;
use crate::node::Node;
use crate::pieces::Pieces;
use crate::sim::{self, Context};

/// A disk. Clones are handles to the same disk; [`copy`](Persister::copy) makes another one.
#[derive(Clone, Default)]
pub struct Persister {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Clone, Default)]
struct Disk {
    header: Vec<u8>,
    records: VecDeque<Arc<[u8]>>,
    /// Bytes in `records`.
    record_bytes: usize,
    snapshot: Option<StoredSnapshot>,
    /// `None` on a disk that is well.
    faults: Option<Box<Faults>>,
}

/// What is wrong with a disk. Belongs to the disk, not to its content: a copy has none.
#[derive(Clone, Copy, Default)]
struct Faults {
    write_takes: Duration,
    /// Writes left until the crash; 0 when there is to be none.
    crash_in: u64,
    left: Left,
}

/// What the write in which a server crashes leaves on its disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Left {
    /// Nothing: the crash came first.
    #[default]
    Nothing,
    /// This many thousandths of it, from the front.
    Part(u16),
    /// All of it: the crash came before the write returned.
    Everything,
}

/// A snapshot as it lies on the disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSnapshot {
    /// What Raft must know of it (which entry it ends with). Not counted as part of the Raft state.
    pub meta: Vec<u8>,
    /// What the service put into it.
    pub data: Pieces,
}

/// One atomic change of a disk. Its parts are applied in the order of the fields; the default changes nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[must_use = "a write that is dropped never reaches the disk"]
pub struct Write {
    /// Replaces the header.
    pub header: Option<Vec<u8>>,
    /// Keeps only this many of the first records.
    pub keep_records: Option<usize>,
    /// Drops this many of the first records.
    pub drop_front: usize,
    /// Adds records at the end.
    pub append: Vec<Arc<[u8]>>,
    /// Replaces the snapshot.
    pub snapshot: Option<StoredSnapshot>,
}

impl Persister {
    /// An empty disk.
    pub fn new() -> Persister {
        Persister::default()
    }

    /// Another disk with the same content: what later happens to one does not touch the other.
    pub fn copy(&self) -> Persister {
        let content = Disk { faults: None, ..self.disk.lock().clone() };
        Persister { disk: Arc::new(Mutex::new(content)) }
    }

    /// From now on every write takes this long.
    pub fn set_write_time(&self, takes: Duration) {
        self.disk.lock().set_faults(|faults| faults.write_takes = takes);
    }

    /// Crashes the writing node in the `nth` write from now on, counted from 1, with so much of it `left` on the disk. Replaces what was
    /// asked for before; 0 calls it off. On threads, where no node can be crashed, nothing happens.
    pub fn crash_in_write(&self, nth: u64, left: Left) {
        self.disk.lock().set_faults(|faults| (faults.crash_in, faults.left) = (nth, left));
    }

    /// Carries out `write`, all of it or, if the node is crashed first, nothing. A switch point before and after.
    #[track_caller]
    pub fn write(&self, write: Write) {
        let at = Location::caller();
        switch_point(at);
        let mut disk = self.disk.lock();
        let replaced = match disk.faults {
            None => disk.apply(write),
            Some(_) => {
                drop(disk);
                return self.write_with_faults(write, at);
            }
        };
        drop(disk);
        drop(replaced);
        switch_point(at);
    }

    #[cold]
    fn write_with_faults(&self, write: Write, at: Line) {
        let takes = self.disk.lock().faults.as_ref().map(|faults| faults.write_takes);
        if let Some(takes) = takes.filter(|takes| !takes.is_zero()) {
            crate::sleep(takes);
        }
        let crash = self.disk.lock().crashes_now();
        if let Some(left) = crash.filter(|_| sim::context() != Context::Threads) {
            let written = match left {
                Left::Nothing => None,
                Left::Part(thousandths) => Some(write.torn(thousandths)),
                Left::Everything => Some(write),
            };
            let replaced = written.and_then(|written| self.disk.lock().apply(written));
            drop(replaced);
            // The caller ends here, unless it is not of the node it writes for.
            let _ = Node::current().crash();
            return;
        }
        let replaced = self.disk.lock().apply(write);
        drop(replaced);
        switch_point(at);
    }

    /// Replaces Raft state and snapshot together; no snapshot erases a stored one (the course's `Save`).
    #[track_caller]
    pub fn save(&self, raft_state: Vec<u8>, snapshot: Option<Vec<u8>>) {
        let at = Location::caller();
        switch_point(at);
        let mut disk = self.disk.lock();
        let before = std::mem::take(&mut *disk);
        *disk = Disk {
            header: raft_state,
            snapshot: snapshot.map(|data| StoredSnapshot { meta: Vec::new(), data: data.into() }),
            faults: before.faults,
            ..Disk::default()
        };
        drop(disk);
        switch_point(at);
    }

    /// The Raft state: header and records. Empty if nothing was saved.
    pub fn read_raft_state(&self) -> Vec<u8> {
        let disk = self.disk.lock();
        let mut state = Vec::with_capacity(disk.raft_state_size());
        state.extend_from_slice(&disk.header);
        for record in &disk.records {
            state.extend_from_slice(record);
        }
        state
    }

    /// The snapshot's data. Empty if there is none.
    pub fn read_snapshot(&self) -> Vec<u8> {
        self.disk
            .lock()
            .snapshot
            .as_ref()
            .map_or_else(Vec::new, |snapshot| snapshot.data.whole().into_owned())
    }

    /// Bytes of the Raft state, which is what `max_raft_state` limits.
    pub fn raft_state_size(&self) -> usize {
        self.disk.lock().raft_state_size()
    }

    /// Bytes of the snapshot's data.
    pub fn snapshot_size(&self) -> usize {
        self.disk.lock().snapshot.as_ref().map_or(0, |snapshot| snapshot.data.len())
    }

    /// The header.
    pub fn header(&self) -> Vec<u8> {
        self.disk.lock().header.clone()
    }

    /// Looks at the header without copying it. `look` must neither wait nor use this disk.
    pub fn with_header<R>(&self, look: impl FnOnce(&[u8]) -> R) -> R {
        look(&self.disk.lock().header)
    }

    /// All records, in order.
    pub fn records(&self) -> Vec<Arc<[u8]>> {
        self.disk.lock().records.iter().cloned().collect()
    }

    /// How many records there are.
    pub fn record_count(&self) -> usize {
        self.disk.lock().records.len()
    }

    /// The snapshot with what Raft knows of it.
    pub fn stored_snapshot(&self) -> Option<StoredSnapshot> {
        self.disk.lock().snapshot.clone()
    }
}

impl Disk {
    fn raft_state_size(&self) -> usize {
        self.header.len() + self.record_bytes
    }

    fn set_faults(&mut self, set: impl FnOnce(&mut Faults)) {
        let mut faults = self.faults.as_deref().copied().unwrap_or_default();
        set(&mut faults);
        let well = faults.write_takes.is_zero() && faults.crash_in == 0;
        self.faults = (!well).then(|| Box::new(faults));
    }

    /// Counts a write. Says what is left of it if it is the one to crash in.
    fn crashes_now(&mut self) -> Option<Left> {
        let faults = self.faults.as_deref_mut().filter(|faults| faults.crash_in > 0)?;
        faults.crash_in -= 1;
        (faults.crash_in == 0).then_some(faults.left)
    }

    /// Applies a write; returns what it replaced, to be dropped outside the lock.
    fn apply(&mut self, write: Write) -> Option<StoredSnapshot> {
        if let Some(header) = write.header {
            self.header = header;
        }
        if let Some(keep) = write.keep_records {
            while self.records.len() > keep {
                let cut = self.records.pop_back().expect("longer than what to keep");
                self.record_bytes -= cut.len();
            }
        }
        for _ in 0..write.drop_front {
            let Some(trimmed) = self.records.pop_front() else { break };
            self.record_bytes -= trimmed.len();
        }
        for record in write.append {
            self.record_bytes += record.len();
            self.records.push_back(record);
        }
        match write.snapshot {
            Some(snapshot) => self.snapshot.replace(snapshot),
            None => None,
        }
    }
}

impl Write {
    /// What a crash leaves of it after so many thousandths of the bytes to append.
    fn torn(mut self, thousandths: u16) -> Write {
        let bytes: usize = self.append.iter().map(|record| record.len()).sum();
        let mut left = bytes * usize::from(thousandths.min(1000)) / 1000;
        let mut append = Vec::new();
        for record in self.append {
            if left == 0 {
                break;
            }
            let part = left.min(record.len());
            append.push(if part == record.len() { record } else { record[..part].into() });
            left -= part;
        }
        self.append = append;
        self.snapshot = None;
        self
    }
}

fn switch_point(at: Line) {
    if sim::context() != Context::Threads {
        sim::switch_point(at);
    }
}

impl fmt::Debug for Persister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let disk = self.disk.lock();
        f.debug_struct("Persister")
            .field("header", &disk.header.len())
            .field("records", &disk.records.len())
            .field("raft_state_size", &disk.raft_state_size())
            .field("snapshot", &disk.snapshot.as_ref().map(|snapshot| snapshot.data.len()))
            .finish()
    }
}
