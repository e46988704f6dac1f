//! Values → bytes: the frame around each value, and a stream of them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bytes::{Sink, length_prefix};
use crate::error::{Cause, Error};
use crate::fingerprint::{self, Fingerprint, Known};
use crate::serialize::Writing;

/// At most this much is set aside for a value before it is encoded, in bytes.
const CAPACITY_MAX: usize = 4096;

/// Writes successive values into one vector. A [`Decoder`](crate::Decoder) reads them back in the
/// same order.
///
/// ```
/// let mut encoder = labgob::Encoder::new();
/// encoder.encode(&7u64)?;
/// encoder.encode(&"seven".to_string())?;
/// let bytes = encoder.into_bytes();
///
/// let mut decoder = labgob::Decoder::new(&bytes);
/// assert_eq!(decoder.decode::<u64>()?, 7);
/// assert_eq!(decoder.decode::<String>()?, "seven");
/// assert!(decoder.is_empty());
/// # Ok::<(), labgob::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// An encoder that has written nothing.
    pub fn new() -> Encoder {
        Encoder::default()
    }

    /// Appends a value.
    ///
    /// # Errors
    ///
    /// As [`encode`]. What was written before stays as it was; the encoder can go on.
    pub fn encode<T>(&mut self, value: &T) -> Result<(), Error>
    where
        T: Serialize + DeserializeOwned + 'static,
    {
        encode_into(value, &mut self.bytes)
    }

    /// What was written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// One value as bytes. [`decode`](crate::decode) is the way back.
///
/// ```
/// let bytes = labgob::encode(&vec![1u32, 2, 3])?;
/// assert_eq!(labgob::decode::<Vec<u32>>(&bytes)?, [1, 2, 3]);
/// # Ok::<(), labgob::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Unsupported`] if values of this type cannot travel, [`Error::TooDeep`],
/// [`Error::Refused`].
pub fn encode<T>(value: &T) -> Result<Vec<u8>, Error>
where
    T: Serialize + DeserializeOwned + 'static,
{
    let known = fingerprint::known::<T>();
    // The last value of the type is a fair guess at the size of this one.
    let mut out =
        Vec::with_capacity((known.last_length + known.last_length / 4 + 16).min(CAPACITY_MAX));
    write_frame(value, known, &mut out)?;
    Ok(out)
}

/// Appends one value to `out`.
///
/// # Errors
///
/// As [`encode`]; `out` is then as it was.
pub fn encode_into<T>(value: &T, out: &mut Vec<u8>) -> Result<(), Error>
where
    T: Serialize + DeserializeOwned + 'static,
{
    write_frame(value, fingerprint::known::<T>(), out)
}

/// Fingerprint, length, body. The body goes straight behind a gap for its length; if the gap was
/// guessed too wide or too narrow, which is rare, the body is moved.
fn write_frame<T>(value: &T, known: Known, out: &mut Vec<u8>) -> Result<(), Error>
where
    T: Serialize + DeserializeOwned + 'static,
{
    if let Some(what) = known.unsupported {
        return Err(Error::Unsupported { name: fingerprint::name_of::<T>(), what });
    }

    let start = out.len();
    let gap_start = start + Fingerprint::BYTES;
    let guess = length_prefix(known.last_length).1;
    out.extend_from_slice(&known.fingerprint.to_bytes());
    out.resize(gap_start + guess, 0);

    let body_start = out.len();
    if let Err(stop) = value.serialize(&mut Writing::new(Sink::new(out))) {
        out.truncate(start);
        return Err(match stop.into_cause() {
            Cause::TooDeep => Error::TooDeep,
            Cause::Unsupported(what) => {
                Error::Unsupported { name: fingerprint::name_of::<T>(), what }
            }
            Cause::Corrupt(what) => Error::Refused { what },
            Cause::EndOfValue | Cause::OverLimit => unreachable!("the encoder reads nothing"),
        });
    }

    let length = out.len() - body_start;
    let (prefix, width) = length_prefix(length);
    if width == guess {
        out[gap_start..body_start].copy_from_slice(&prefix[..width]);
    } else {
        out.splice(gap_start..body_start, prefix[..width].iter().copied());
    }
    if length != known.last_length {
        fingerprint::remember_length::<T>(length);
    }
    Ok(())
}
