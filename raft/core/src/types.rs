//! The nouns of the paper as types: terms, indexes, servers, log entries, snapshots.
//!
//! Each number is a newtype with the few operations the paper needs, so that a term cannot be
//! compared with an index and arithmetic that makes no sense does not compile. Bytes that travel
//! ([`Command`], [`Snapshot`]) are shared: cloning one for a message costs a reference count, and
//! serde sees one byte string, which a codec copies in one piece.

use std::fmt;
use std::ops::{Add, Deref};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A term: Raft's logical clock (§5.1). Starts at 0, which no election ever uses, and never falls.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Term(u64);

impl Term {
    /// The term before the first election.
    pub const ZERO: Term = Term(0);

    /// The term of that number.
    pub const fn new(number: u64) -> Term {
        Term(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The term a candidate starts an election in.
    #[must_use]
    pub const fn next(self) -> Term {
        Term(self.0.saturating_add(1))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T{}", self.0)
    }
}

/// A place in the log (§5.3). The first entry has index 1; 0 is the place before it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Index(u64);

impl Index {
    /// The place before the first entry: "nothing yet".
    pub const ZERO: Index = Index(0);

    /// The index of that number.
    pub const fn new(number: u64) -> Index {
        Index(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The index that follows.
    #[must_use]
    pub const fn next(self) -> Index {
        Index(self.0.saturating_add(1))
    }

    /// The index before, and 0 before 0.
    #[must_use]
    pub const fn prev(self) -> Index {
        Index(self.0.saturating_sub(1))
    }

    /// How many entries lie in `earlier + 1 ..= self`; 0 when `earlier` is not earlier.
    pub const fn distance_from(self, earlier: Index) -> usize {
        self.0.saturating_sub(earlier.0) as usize
    }
}

impl Add<usize> for Index {
    type Output = Index;

    fn add(self, entries: usize) -> Index {
        Index(self.0.saturating_add(entries as u64))
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A server of the group: its position in the list of peers that every server has in the same
/// order, counted from 0.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ServerId(u32);

impl ServerId {
    /// The server at that position.
    pub const fn new(position: u32) -> ServerId {
        ServerId(position)
    }

    /// Its position, ready to index a list of peers.
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S{}", self.0)
    }
}

/// An index together with the term of the entry there.
///
/// Two logs with an entry at the same position are identical up to it (§5.3, Log Matching), so a
/// position names a whole prefix. The default, `0@T0`, is the empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogPosition {
    /// Where.
    pub index: Index,
    /// The term of the entry there; 0 at index 0.
    pub term: Term,
}

impl LogPosition {
    /// The empty prefix, which all logs share.
    pub const ZERO: LogPosition = LogPosition { index: Index::ZERO, term: Term::ZERO };

    /// Whether a log that ends here is at least as up-to-date as one that ends at `other`: the
    /// later last term wins, among equal terms the longer log (§5.4.1).
    pub fn at_least_as_up_to_date_as(self, other: LogPosition) -> bool {
        (self.term, self.index) >= (other.term, other.index)
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.index, self.term)
    }
}

/// What a client wants done: bytes that Raft carries and never reads.
///
/// Shared and immutable: log, messages and the apply channel hold the same bytes.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Command(#[serde(with = "shared_bytes")] Arc<[u8]>);

impl Command {
    /// A command of these bytes; no copy is made of an `Arc<[u8]>`.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Command {
        Command(bytes.into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The shared bytes themselves.
    pub fn into_shared(self) -> Arc<[u8]> {
        self.0
    }
}

impl Deref for Command {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Command {
    fn from(bytes: Vec<u8>) -> Command {
        Command(bytes.into())
    }
}

impl From<Arc<[u8]>> for Command {
    fn from(bytes: Arc<[u8]>) -> Command {
        Command(bytes)
    }
}

impl From<&[u8]> for Command {
    fn from(bytes: &[u8]) -> Command {
        Command(bytes.into())
    }
}

impl From<&str> for Command {
    fn from(text: &str) -> Command {
        Command(text.as_bytes().into())
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 24;
        let shown = &self.0[..self.0.len().min(SHOWN)];
        write!(f, "\"{}\"", shown.escape_ascii())?;
        if self.0.len() > SHOWN { write!(f, "… ({} bytes)", self.0.len()) } else { Ok(()) }
    }
}

/// One log entry (§5.3). Its index is its place in the log and is not stored in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// The term of the leader that made it.
    pub term: Term,
    /// What to do once it is committed.
    pub command: Command,
}

/// The service's state after a prefix of the log, which it replaces (§7).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Snapshot {
    /// The last entry it includes ("lastIncludedIndex" and "lastIncludedTerm").
    pub last: LogPosition,
    /// The service's bytes, which Raft never reads. A `Vec` is shared without a copy.
    #[serde(with = "shared_bytes")]
    pub data: Arc<Vec<u8>>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({}, {} bytes)", self.last, self.data.len())
    }
}

/// serde for shared bytes, as one byte string: encoding is a copy, decoding one allocation.
///
/// serde's own implementation treats them as a sequence of numbers and visits each byte.
mod shared_bytes {
    use std::fmt;
    use std::marker::PhantomData;
    use std::ops::Deref;
    use std::sync::Arc;

    use serde::de::{Error, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    /// [`Command`](super::Command) has an `Arc<[u8]>`, [`Snapshot`](super::Snapshot) an `Arc<Vec<u8>>`.
    pub(super) fn serialize<B: Deref<Target: AsRef<[u8]>>, S: Serializer>(
        bytes: &B,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes((**bytes).as_ref())
    }

    pub(super) fn deserialize<'de, B: From<Vec<u8>> + FromSlice, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<B, D::Error> {
        deserializer.deserialize_bytes(Bytes(PhantomData))
    }

    /// Shared bytes made of a borrowed copy.
    pub(super) trait FromSlice {
        fn from_slice(bytes: &[u8]) -> Self;
    }

    impl FromSlice for Arc<[u8]> {
        fn from_slice(bytes: &[u8]) -> Arc<[u8]> {
            bytes.into()
        }
    }

    impl FromSlice for Arc<Vec<u8>> {
        fn from_slice(bytes: &[u8]) -> Arc<Vec<u8>> {
            bytes.to_vec().into()
        }
    }

    struct Bytes<B>(PhantomData<B>);

    impl<'de, B: From<Vec<u8>> + FromSlice> Visitor<'de> for Bytes<B> {
        type Value = B;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a byte string")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<B, E> {
            Ok(B::from_slice(bytes))
        }

        fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<B, E> {
            Ok(bytes.into())
        }

        // Text formats such as JSON have no byte strings and write a list of numbers.
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<B, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = list.next_element()? {
                bytes.push(byte);
            }
            Ok(bytes.into())
        }
    }
}
