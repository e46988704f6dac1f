//! Values → bytes: the frame around each value.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::LIMIT;
use crate::bytes::{Sink, length_prefix};
use crate::error::{Cause, Error, Stop};
use crate::fingerprint::{self, Fingerprint, Known};
use crate::serialize::Writing;

/// At most this much is set aside for a value before it is encoded, in bytes.
const CAPACITY_MAX: usize = 4096;

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
/// [`Error::TooLarge`] if it takes more than [`LIMIT`] bytes, [`Error::TooDeep`],
/// [`Error::Unsupported`] if values of this type cannot travel, [`Error::Refused`].
pub fn encode<T>(value: &T) -> Result<Vec<u8>, Error>
where
    T: Serialize + DeserializeOwned + 'static,
{
    encode_with_limit(value, LIMIT)
}

/// The same, for a value of at most `limit` encoded bytes. [`decode_with_limit`] is the way back,
/// with the same limit or a larger one.
///
/// # Errors
///
/// As [`encode`], with `limit` in place of [`LIMIT`].
///
/// [`decode_with_limit`]: crate::decode_with_limit
pub fn encode_with_limit<T>(value: &T, limit: usize) -> Result<Vec<u8>, Error>
where
    T: Serialize + DeserializeOwned + 'static,
{
    let known = fingerprint::known::<T>();
    // The last value of the type is a fair guess at the size of this one.
    let mut out =
        Vec::with_capacity((known.last_length + known.last_length / 4 + 16).min(CAPACITY_MAX));
    write_frame(value, known, limit, &mut out)?;
    Ok(out)
}

/// Appends one value of at most `limit` encoded bytes to `out`. A [`Decoder`](crate::Decoder) reads
/// successive values back in the same order.
///
/// ```
/// let mut bytes = Vec::new();
/// labgob::encode_into(&7u64, labgob::LIMIT, &mut bytes)?;
/// labgob::encode_into(&"seven".to_string(), labgob::LIMIT, &mut bytes)?;
///
/// let mut decoder = labgob::Decoder::new(&bytes);
/// assert_eq!(decoder.decode::<u64>()?, 7);
/// assert_eq!(decoder.decode::<String>()?, "seven");
/// assert!(decoder.is_empty());
/// # Ok::<(), labgob::Error>(())
/// ```
///
/// # Errors
///
/// As [`encode_with_limit`]; `out` is then as it was.
pub fn encode_into<T>(value: &T, limit: usize, out: &mut Vec<u8>) -> Result<(), Error>
where
    T: Serialize + DeserializeOwned + 'static,
{
    write_frame(value, fingerprint::known::<T>(), limit, out)
}

/// Fingerprint, length, body. The body goes straight behind a gap for its length; if the gap was
/// guessed too wide or too narrow, which is rare, the body is moved.
fn write_frame<T>(value: &T, known: Known, limit: usize, out: &mut Vec<u8>) -> Result<(), Error>
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
    let sink = Sink::new(out, limit);
    let written = value.serialize(&mut Writing::new(sink, limit, known.depth_max));
    let written = written.and_then(|()| match out.len() - body_start > limit {
        true => Err(Stop::over_limit()),
        false => Ok(()),
    });
    if let Err(stop) = written {
        out.truncate(start);
        return Err(match stop.into_cause() {
            Cause::TooDeep => Error::TooDeep { limit: known.depth_max },
            Cause::OverLimit => Error::TooLarge { limit },
            Cause::Unsupported(what) => {
                Error::Unsupported { name: fingerprint::name_of::<T>(), what }
            }
            Cause::Corrupt(what) => Error::Refused { what },
            Cause::EndOfValue => unreachable!("the encoder reads nothing"),
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
