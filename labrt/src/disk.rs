//! A node's disk: bytes that outlive a crash.
//!
//! The course's `Persister` keeps two byte strings, the Raft state and the snapshot, and replaces
//! both at every save: appending one log entry costs the whole log. This one keeps the Raft state
//! in two parts, a short *header* and a list of *records* (one a log entry), so that a [`Write`]
//! costs what it changes. The course's names give the view it expects: the Raft state is the header
//! followed by all records.
//!
//! A [`Write`] is atomic. A crash can come between two writes (a snapshot, then the shorter log).
//!
//! # Faults
//! A disk can be slow, hang, fail a write, and crash its server in a write.
//!
//! A write in which a server crashes, and a write that fails, leave nothing, a part or all of it on
//! the disk ([`TornWrite`]). A *torn* write leaves what is whole of its front: header, cut and trim
//! fit a sector and are there or not; of the records to append the first are there, and the record
//! the power went in is short. A snapshot is written beside the old one and takes its place when it
//! is whole, so a torn one changes nothing. In no case had the write returned `Ok`.
//!
//! A write that failed poisons the disk: all later writes fail, too. After an error nobody knows
//! what the disk holds (fsync may drop what it could not write), so going on would promise what may
//! be gone. A server whose write failed must stop.

use std::collections::VecDeque;
use std::fmt;
use std::ops::RangeInclusive;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::line::Line;
use crate::node::Node;
use crate::sim::{self, Context};

/// How often a write to a hanging disk checks whether the disk still hangs.
const HANG_CHECK: Duration = Duration::from_millis(1);

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
    /// `None` on a disk without faults.
    faults: Option<Box<Faults>>,
}

/// The faults of a disk. They belong to the disk, not to its content: a copy has none.
#[derive(Clone, PartialEq)]
struct Faults {
    write_takes: RangeInclusive<Duration>,
    hangs: bool,
    /// The fault of a later write.
    planned: Option<Planned>,
    /// The error that has poisoned the disk.
    failed: Option<WriteError>,
}

/// A planned fault of a later write.
#[derive(Clone, Copy, PartialEq)]
struct Planned {
    /// Number of writes until then, including that write. At least 1.
    in_writes: u64,
    event: InWrite,
    left: TornWrite,
}

#[derive(Clone, Copy, PartialEq)]
enum InWrite {
    Crash,
    Fail(WriteError),
}

impl Default for Faults {
    fn default() -> Faults {
        let write_takes = Duration::ZERO..=Duration::ZERO;
        Faults { write_takes, hangs: false, planned: None, failed: None }
    }
}

/// Why a write failed. The disk takes no further writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The device reported an error (EIO).
    #[error("input/output error: the disk has failed")]
    Io,
    /// No space is left (ENOSPC).
    #[error("no space left on the disk")]
    NoSpace,
}

/// How much of a write is on the disk when its server crashed in it, or when it failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TornWrite {
    /// Nothing.
    #[default]
    Nothing,
    /// This many thousandths of it, from the front.
    Part(u16),
    /// All of it.
    Everything,
}

/// A snapshot as it lies on the disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSnapshot {
    /// What Raft must know of it (which entry it ends with). Not counted as part of the Raft state.
    pub meta: Vec<u8>,
    /// What the service put into it.
    pub data: Arc<Vec<u8>>,
}

/// One atomic change of a disk. Its parts are applied in the order of the fields; the default
/// changes nothing.
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
    /// Removes the snapshot.
    pub erase_snapshot: bool,
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
        self.set_write_times(takes..=takes);
    }

    /// From now on every write takes a time from this range, all equally likely.
    pub fn set_write_times(&self, range: RangeInclusive<Duration>) {
        self.disk.lock().set_faults(|faults| faults.write_takes = range);
    }

    /// While `hangs`, no write returns, those that were begun before included. Afterwards they go
    /// on.
    pub fn set_hanging(&self, hangs: bool) {
        self.disk.lock().set_faults(|faults| faults.hangs = hangs);
    }

    /// Crashes the writing node in the `nth` write from now on, counted from 1, with so much of it
    /// `left` on the disk. Replaces what was planned before, by
    /// [`fail_write`](Persister::fail_write) too; 0 calls it off. On threads, where no node can be
    /// crashed, nothing happens.
    pub fn crash_in_write(&self, nth: u64, left: TornWrite) {
        self.plan(nth, InWrite::Crash, left);
    }

    /// Lets the `nth` write from now on fail, counted from 1, with so much of it `left` on the
    /// disk. All later writes fail with the same error. Replaces what was planned before, by
    /// [`crash_in_write`](Persister::crash_in_write) too; 0 calls it off.
    pub fn fail_write(&self, nth: u64, error: WriteError, left: TornWrite) {
        self.plan(nth, InWrite::Fail(error), left);
    }

    fn plan(&self, in_writes: u64, event: InWrite, left: TornWrite) {
        let planned = (in_writes > 0).then_some(Planned { in_writes, event, left });
        self.disk.lock().set_faults(|faults| faults.planned = planned);
    }

    /// Whether the next write returns without taking time, and does not fail.
    pub fn is_instant(&self) -> bool {
        let disk = self.disk.lock();
        disk.faults.as_ref().is_none_or(|faults| {
            !faults.hangs
                && faults.write_takes.end().is_zero()
                && faults.planned.is_none()
                && faults.failed.is_none()
        })
    }

    /// The error that has poisoned the disk, if a write has failed.
    pub fn failure(&self) -> Option<WriteError> {
        self.disk.lock().faults.as_ref()?.failed
    }

    /// Executes `write` completely or, if the node crashes first, not at all. A switch point
    /// before and after.
    ///
    /// # Errors
    /// When this write failed, or an earlier one. Nothing of it is promised: stop the server, and
    /// give it another disk or the content of [`copy`](Persister::copy).
    #[track_caller]
    pub fn write(&self, write: Write) -> Result<(), WriteError> {
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
        Ok(())
    }

    #[cold]
    fn write_with_faults(&self, write: Write, at: Line) -> Result<(), WriteError> {
        let takes = self.disk.lock().faults.as_ref().map(|faults| faults.write_takes.clone());
        let takes = takes.map_or(Duration::ZERO, |range| match range.start() < range.end() {
            true => crate::random_range(range),
            false => *range.start(),
        });
        if !takes.is_zero() {
            crate::sleep(takes);
        }
        while self.disk.lock().faults.as_ref().is_some_and(|faults| faults.hangs) {
            crate::sleep(HANG_CHECK);
        }
        if let Some(error) = self.failure() {
            return Err(error);
        }
        let planned = self.disk.lock().take_planned();
        // Only simulated nodes can be crashed.
        let planned = planned.filter(|planned| {
            planned.event != InWrite::Crash || sim::context() != Context::Threads
        });
        let written = match planned.map(|planned| planned.left) {
            Some(TornWrite::Nothing) => None,
            Some(TornWrite::Part(thousandths)) => Some(write.torn(thousandths)),
            Some(TornWrite::Everything) | None => Some(write),
        };
        let replaced = written.and_then(|written| self.disk.lock().apply(written));
        drop(replaced);
        match planned.map(|planned| planned.event) {
            Some(InWrite::Crash) => {
                // The caller ends here, unless it does not belong to the node it writes for.
                let _ = Node::current().crash();
            }
            Some(InWrite::Fail(error)) => {
                self.disk.lock().set_faults(|faults| faults.failed = Some(error));
                return Err(error);
            }
            None => switch_point(at),
        }
        Ok(())
    }

    /// Replaces Raft state and snapshot together; no snapshot erases a stored one (the course's
    /// `Save`).
    ///
    /// # Errors
    /// As [`write`](Persister::write).
    #[track_caller]
    pub fn save(&self, raft_state: Vec<u8>, snapshot: Option<Vec<u8>>) -> Result<(), WriteError> {
        self.write(Write {
            header: Some(raft_state),
            keep_records: Some(0),
            erase_snapshot: true,
            snapshot: snapshot.map(|data| StoredSnapshot { meta: Vec::new(), data: data.into() }),
            ..Write::default()
        })
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
        self.disk.lock().snapshot.as_ref().map_or_else(Vec::new, |snapshot| snapshot.data.to_vec())
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

    /// Calls `look` with the header, without a copy. `look` must neither wait nor use this disk.
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
        let mut faults = self.faults.take().map(|faults| *faults).unwrap_or_default();
        set(&mut faults);
        self.faults = (faults != Faults::default()).then(|| Box::new(faults));
    }

    /// Counts a write. Returns what was planned for it, if it is the one.
    fn take_planned(&mut self) -> Option<Planned> {
        let mut taken = None;
        self.set_faults(|faults| match &mut faults.planned {
            Some(planned) if planned.in_writes > 1 => planned.in_writes -= 1,
            planned => taken = planned.take(),
        });
        taken
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
            None if !write.erase_snapshot => None,
            snapshot => std::mem::replace(&mut self.snapshot, snapshot),
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
        self.erase_snapshot = false;
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
