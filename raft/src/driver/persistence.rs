//! The core's durable state as bytes, and back.
//!
//! ```text
//!   header     checksum │ labgob(Header: term, vote, base)
//!   record     checksum │ labgob(Entry) │ !checksum            one for each entry after the base
//!   snapshot   meta: checksum │ labgob(SnapshotMeta: last entry, checksum of the data);   data: the service's bytes
//! ```
//! Each part starts with a checksum, so that damage is noticed and never mistaken for an older
//! state.
//!
//! A power cut may come in the middle of a write. Header and snapshot are then there or not, but of
//! the records to append the first may be there, and the last of those cut short
//! ([`labrt::TornWrite`]). Such a write never returned, so nothing was promised on it: a last
//! record that ends early is dropped. To tell it from a damaged one, the checksum stands at the
//! end, too, inverted: damage to one place leaves two of the three (first checksum, value, last
//! checksum) in agreement, a record without its end does not.

use std::sync::Arc;

use labrt::Persister;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::consensus::{RestoreError, Saved};
use crate::marks::DiskMark;
use crate::types::{Entry, LogPosition, ServerId, Snapshot, Term};

/// The content of the disk cannot be the state of a Raft server.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorruptState {
    /// A part is damaged or is something else.
    #[error(
        "the saved Raft state is corrupt: {part}: {problem}; restore it from a copy or remove the server from its group"
    )]
    Damaged {
        /// Which part.
        part: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Records, but no header to say where they belong.
    #[error("the saved Raft state is corrupt: {records} log records and no header")]
    NoHeader {
        /// How many records there are.
        records: usize,
    },
    /// The parts are whole but contradict each other.
    #[error(transparent)]
    Contradiction(#[from] RestoreError),
}

/// The part of the saved state that is rewritten with each change: all but log and snapshot. The
/// default is that of a server that never ran.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SavedHeader {
    /// "currentTerm".
    pub term: Term,
    /// "votedFor".
    pub voted_for: Option<ServerId>,
    /// The position before the first record of the log.
    pub base: LogPosition,
}

impl SavedHeader {
    /// Reads the header of a [`Persister`].
    ///
    /// # Errors
    ///
    /// The header is damaged.
    pub fn read(bytes: &[u8]) -> Result<SavedHeader, CorruptState> {
        if bytes.is_empty() {
            return Ok(SavedHeader::default());
        }
        unsealed(|| "the header".into(), bytes)
    }
}

#[derive(Serialize, Deserialize)]
struct SnapshotMeta {
    last: LogPosition,
    checksum: u32,
}

const CHECKSUM: usize = size_of::<u32>();

fn sealed<T: Serialize + DeserializeOwned + 'static>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    seal_into(value, &mut bytes);
    bytes
}

/// Replaces what is in `bytes`.
fn seal_into<T: Serialize + DeserializeOwned + 'static>(value: &T, bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.extend_from_slice(&[0; CHECKSUM]);
    labgob::encode_into(value, labgob::NO_LIMIT, bytes).expect("Raft's own types can be encoded");
    let checksum = crc32fast::hash(&bytes[CHECKSUM..]);
    bytes[..CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
}

fn unsealed<T: Serialize + DeserializeOwned + 'static>(
    part: impl FnOnce() -> String,
    bytes: &[u8],
) -> Result<T, CorruptState> {
    let problem = match bytes.split_first_chunk::<CHECKSUM>() {
        None => format!("{} bytes are too few", bytes.len()),
        Some((checksum, value)) => {
            if crc32fast::hash(value) != u32::from_le_bytes(*checksum) {
                "its checksum does not fit".to_owned()
            } else {
                match labgob::decode_with_limit(value, labgob::NO_LIMIT) {
                    Ok(value) => return Ok(value),
                    Err(error) => error.to_string(),
                }
            }
        }
    };
    Err(CorruptState::Damaged { part: part(), problem })
}

pub(super) fn header(term: Term, voted_for: Option<ServerId>, base: LogPosition) -> Vec<u8> {
    sealed(&SavedHeader { term, voted_for, base })
}

/// A log record. `scratch` saves every entry an allocation.
pub(super) fn record(entry: &Entry, scratch: &mut Vec<u8>) -> Arc<[u8]> {
    seal_into(entry, scratch);
    let end: [u8; CHECKSUM] = std::array::from_fn(|at| !scratch[at]);
    scratch.extend_from_slice(&end);
    Arc::from(scratch.as_slice())
}

/// Why a record cannot be read.
enum Unreadable {
    /// It has no end: the power was cut while it was written.
    Torn,
    Damaged(String),
}

fn read_record(bytes: &[u8]) -> Result<Entry, Unreadable> {
    let Some((first, rest)) = bytes.split_first_chunk::<CHECKSUM>() else {
        return Err(Unreadable::Torn);
    };
    let Some((value, last)) = rest.split_last_chunk::<CHECKSUM>() else {
        return Err(Unreadable::Torn);
    };
    let (first, last) = (u32::from_le_bytes(*first), !u32::from_le_bytes(*last));
    let sum = crc32fast::hash(value);
    if sum != first && sum != last && first != last {
        return Err(Unreadable::Torn);
    }
    if sum != first || sum != last {
        return Err(Unreadable::Damaged("its checksum does not fit".into()));
    }
    labgob::decode_with_limit(value, labgob::NO_LIMIT)
        .map_err(|error| Unreadable::Damaged(error.to_string()))
}

/// What is on a disk.
pub(super) struct Loaded {
    pub(super) saved: Saved,
    /// The last record is torn. It is not among the entries, and has to go from the disk.
    pub(super) torn: bool,
}

pub(super) fn snapshot_meta(snapshot: &Snapshot) -> Vec<u8> {
    sealed(&SnapshotMeta { last: snapshot.last, checksum: crc32fast::hash(&snapshot.data) })
}

/// Reads what a server left on its disk; an empty disk is a server that never ran.
pub(super) fn load(persister: &Persister) -> Result<Loaded, CorruptState> {
    let header = persister.header();
    let records = persister.records();
    if header.is_empty() && !records.is_empty() {
        return Err(CorruptState::NoHeader { records: records.len() });
    }
    let SavedHeader { term, voted_for, base } = SavedHeader::read(&header)?;
    let mut entries = Vec::with_capacity(records.len());
    let mut torn = false;
    for (number, record) in records.iter().enumerate() {
        let problem = match read_record(record) {
            Ok(entry) => {
                entries.push(entry);
                continue;
            }
            Err(Unreadable::Torn) if number + 1 == records.len() => {
                torn = true;
                continue;
            }
            Err(Unreadable::Torn) => "it is cut short, and others follow".to_owned(),
            Err(Unreadable::Damaged(problem)) => problem,
        };
        return Err(CorruptState::Damaged {
            part: format!("log record {number} after {base}"),
            problem,
        });
    }
    let snapshot = match persister.stored_snapshot() {
        None => None,
        Some(stored) => {
            let meta: SnapshotMeta =
                unsealed(|| "the description of the snapshot".into(), &stored.meta)?;
            if crc32fast::hash(&stored.data) != meta.checksum {
                return Err(CorruptState::Damaged {
                    part: format!("the snapshot up to {}", meta.last),
                    problem: "its checksum does not fit".into(),
                });
            }
            if meta.last.index > base.index {
                DiskMark::LogBehindSnapshot.reach();
            }
            Some(Snapshot { last: meta.last, data: stored.data })
        }
    };
    Ok(Loaded { saved: Saved { term, voted_for, snapshot, base, entries }, torn })
}
