//! Primitive values ↔ bytes: the one file that knows bincode.
//!
//! bincode is finished and no longer maintained. Whoever replaces it replaces the inside of
//! [`Sink`] and [`Source`]; the rest of the crate says only "put this `u64`", "take a `char`".
//!
//! bincode's own serde layer is not used: it does not limit the depth of nested values, so that
//! input from outside could overflow the stack, and its errors do not say where in the input it
//! stopped. It is also slower: 189 ns against 117 ns for decoding an AppendEntries with three
//! entries. The bytes are the same (`tests/format/known_bytes.rs`).

use bincode::config::{self, Configuration};
use bincode::de::read::Reader;
use bincode::de::{Decode, DecoderImpl};
use bincode::enc::write::Writer;
use bincode::enc::{Encode, EncoderImpl};
use bincode::error::{DecodeError, EncodeError};

use crate::error::Stop;

/// Little endian; integers in 1, 3, 5, 9 or 17 bytes, small ones in few. No limit here: lengths
/// are checked against the input before anything is allocated.
const CONFIG: Configuration = config::standard();

/// Unsigned integers below this are a single byte. Most are; others are drawn at random and take
/// all eight. Neither is worth a call into bincode.
const SINGLE_BYTE_END: u8 = 251;
/// Stands before an integer that needs more than four bytes.
const EIGHT_BYTES_FOLLOW: u8 = 253;

/// A primitive value that bincode can write and read.
pub(crate) trait Primitive: Encode + Decode<()> {}
impl<T: Encode + Decode<()>> Primitive for T {}

/// Where encoded bytes go: the end of one vector.
pub(crate) struct Sink<'a> {
    out: &'a mut Vec<u8>,
    /// The vector may grow to this length.
    end: usize,
}

impl<'a> Sink<'a> {
    /// Appends at most `limit` bytes to `out`, and a few more before that is noticed.
    pub(crate) fn new(out: &'a mut Vec<u8>, limit: usize) -> Sink<'a> {
        let end = out.len().saturating_add(limit);
        Sink { out, end }
    }

    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.out.len()
    }

    /// Fails when more was written than may be.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), Stop> {
        if self.out.len() > self.end { Err(Stop::over_limit()) } else { Ok(()) }
    }

    #[inline]
    pub(crate) fn put<T: Primitive>(&mut self, value: T) {
        value
            .encode(&mut EncoderImpl::new(self, CONFIG))
            .expect("appending a primitive to a vector does not fail");
    }

    /// An unsigned integer of more than eight bits.
    #[inline]
    pub(crate) fn put_unsigned(&mut self, value: u64) {
        if value < u64::from(SINGLE_BYTE_END) {
            self.out.push(value as u8);
        } else if value > u64::from(u32::MAX) {
            let mut bytes = [EIGHT_BYTES_FOLLOW; 9];
            bytes[1..].copy_from_slice(&value.to_le_bytes());
            self.out.extend_from_slice(&bytes);
        } else {
            self.put(value);
        }
    }

    #[inline]
    pub(crate) fn put_slice(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        // Looked at first: what is too long is not copied.
        if bytes.len() > self.end.saturating_sub(self.out.len()) {
            return Err(Stop::over_limit());
        }
        self.put_unsigned(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

impl Writer for Sink<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

/// Where decoded bytes come from: a slice, and how far it was read.
pub(crate) struct Source<'de> {
    bytes: &'de [u8],
    /// At most `bytes.len()`.
    at: usize,
}

impl<'de> Source<'de> {
    /// Reads `bytes` from position `at` on, which lies within them.
    pub(crate) fn new(bytes: &'de [u8], at: usize) -> Source<'de> {
        debug_assert!(at <= bytes.len(), "position {at} of {} bytes", bytes.len());
        Source { bytes, at }
    }

    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    #[inline]
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    #[inline]
    pub(crate) fn take<T: Primitive>(&mut self) -> Result<T, Stop> {
        T::decode(&mut DecoderImpl::new(self, CONFIG, ())).map_err(flaw)
    }

    /// An unsigned integer of more than eight bits.
    #[inline]
    pub(crate) fn take_unsigned<T: Primitive + From<u8>>(&mut self) -> Result<T, Stop> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < SINGLE_BYTE_END => {
                self.at += 1;
                Ok(T::from(byte))
            }
            _ => self.take(),
        }
    }

    /// The next `count` bytes.
    #[inline]
    pub(crate) fn take_bytes(&mut self, count: u64) -> Result<&'de [u8], Stop> {
        if count > self.left() as u64 {
            return Err(Stop::end_of_value());
        }
        let start = self.at;
        self.at += count as usize;
        Ok(&self.bytes[start..self.at])
    }
}

impl Reader for Source<'_> {
    #[inline]
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), DecodeError> {
        let Some(found) = self.bytes[self.at..].get(..bytes.len()) else {
            return Err(DecodeError::UnexpectedEnd { additional: bytes.len() - self.left() });
        };
        bytes.copy_from_slice(found);
        self.at += bytes.len();
        Ok(())
    }

    #[inline]
    fn peek_read(&mut self, count: usize) -> Option<&[u8]> {
        self.bytes[self.at..].get(..count)
    }

    /// bincode consumes only what it peeked at.
    #[inline]
    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

#[cold]
fn flaw(error: DecodeError) -> Stop {
    match error {
        DecodeError::UnexpectedEnd { .. } => Stop::end_of_value(),
        DecodeError::InvalidBooleanValue(byte) => {
            Stop::corrupt(format!("{byte} is neither false (0) nor true (1)"))
        }
        DecodeError::InvalidCharEncoding(_) => Stop::corrupt("not a character in UTF-8"),
        DecodeError::InvalidIntegerType { .. } => Stop::corrupt("an integer wider than its type"),
        other => Stop::corrupt(other.to_string()),
    }
}

/// A length as it stands before a value's body: the bytes, and how many of them count.
#[inline]
pub(crate) fn length_prefix(length: usize) -> ([u8; 9], usize) {
    let mut prefix = [0; 9];
    if length < usize::from(SINGLE_BYTE_END) {
        prefix[0] = length as u8;
        return (prefix, 1);
    }
    let width = bincode::encode_into_slice(length as u64, &mut prefix, CONFIG)
        .expect("an integer takes at most nine bytes");
    (prefix, width)
}
