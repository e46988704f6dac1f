//! Bytes → values: checks the frame around each value, then reads the body.

use serde::de::DeserializeOwned;

use crate::LIMIT;
use crate::bytes::Source;
use crate::deserialize::Reading;
use crate::error::{Cause, Error};
use crate::fingerprint::{self, Fingerprint};

/// Reads the values that [`encode_into`](crate::encode_into) wrote, in the same order.
///
/// A value that cannot be decoded is not consumed: the decoder stays in front of it, so that
/// another type can be tried.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    input: &'a [u8],
    /// Start of the next value.
    at: usize,
    limit: usize,
}

impl<'a> Decoder<'a> {
    /// A decoder at the start of `input`, with the limit [`LIMIT`].
    pub fn new(input: &'a [u8]) -> Decoder<'a> {
        Decoder::with_limit(input, LIMIT)
    }

    /// A decoder that accepts values up to `limit` encoded bytes each, with no more elements that
    /// take no bytes than that.
    ///
    /// A length in the input is not believed before the bytes for it are there. So the memory that
    /// decoding takes is at most the number of encoded bytes times the size of the largest element
    /// that can be encoded in one byte.
    ///
    /// ```
    /// let bytes = labgob::encode(&"x".repeat(1000))?;
    /// let mut decoder = labgob::Decoder::with_limit(&bytes, 100);
    /// assert!(matches!(decoder.decode::<String>(), Err(labgob::Error::OverLimit { .. })));
    /// # Ok::<(), labgob::Error>(())
    /// ```
    pub fn with_limit(input: &'a [u8], limit: usize) -> Decoder<'a> {
        Decoder { input, at: 0, limit }
    }

    /// Whether all values were read.
    pub fn is_empty(&self) -> bool {
        self.at == self.input.len()
    }

    /// Where the next value starts, in bytes from the start of the input.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next value.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the next value is of another type; [`Error::Truncated`],
    /// [`Error::OverLimit`], [`Error::Corrupt`] or [`Error::TooDeep`] for damaged input, or
    /// `Truncated` if there is no further value.
    pub fn decode<T>(&mut self) -> Result<T, Error>
    where
        T: DeserializeOwned + 'static,
    {
        let known = fingerprint::known::<T>();
        let Some((found, _)) = self.input[self.at..].split_first_chunk() else {
            let missing = Fingerprint::BYTES - (self.input.len() - self.at);
            return Err(Error::Truncated { offset: self.input.len(), missing: missing as u64 });
        };
        let found = Fingerprint::from_bytes(*found);
        if found != known.fingerprint {
            return Err(Error::WrongType {
                offset: self.at,
                expected: known.fingerprint,
                found,
                name: fingerprint::name_of::<T>(),
            });
        }
        let (body, end) = self.frame(self.at + Fingerprint::BYTES)?;

        // The body may not read beyond its end, even if the input goes on.
        let mut reading =
            Reading::new(Source::new(&self.input[..end], body), self.limit, known.depth_max);
        let value = T::deserialize(&mut reading);
        let offset = reading.position();
        match value {
            Ok(_) if offset != end => {
                let what = format!("{} bytes of its frame left over", end - offset);
                Err(Error::Corrupt { offset, what })
            }
            Ok(value) => {
                self.at = end;
                Ok(value)
            }
            Err(stop) => Err(match stop.into_cause() {
                Cause::OverLimit => Error::OverLimit { offset, limit: self.limit },
                Cause::TooDeep => Error::TooDeep { limit: known.depth_max },
                Cause::Unsupported(what) => {
                    Error::Unsupported { name: fingerprint::name_of::<T>(), what }
                }
                Cause::Corrupt(what) => Error::Corrupt { offset, what },
                Cause::EndOfValue => {
                    Error::Corrupt { offset, what: "runs past the end of its frame".into() }
                }
            }),
        }
    }

    /// Start and end of the body whose length stands at `start`.
    fn frame(&self, start: usize) -> Result<(usize, usize), Error> {
        let mut source = Source::new(self.input, start);
        let length = match source.take_unsigned::<u64>() {
            Ok(length) => length,
            Err(stop) => {
                return Err(match stop.into_cause() {
                    Cause::EndOfValue => Error::Truncated { offset: self.input.len(), missing: 1 },
                    _ => Error::Corrupt { offset: start, what: "not a length".into() },
                });
            }
        };
        let body = source.position();
        if length > self.limit as u64 {
            return Err(Error::OverLimit { offset: body, limit: self.limit });
        }
        if length > source.left() as u64 {
            let missing = length - source.left() as u64;
            return Err(Error::Truncated { offset: self.input.len(), missing });
        }
        Ok((body, body + length as usize))
    }
}

/// The one value that `bytes` hold, of at most [`LIMIT`] encoded bytes.
///
/// # Errors
///
/// As [`Decoder::decode`]; [`Error::Trailing`] if bytes follow the value.
pub fn decode<T>(bytes: &[u8]) -> Result<T, Error>
where
    T: DeserializeOwned + 'static,
{
    decode_with_limit(bytes, LIMIT)
}

/// The same, for a value of at most `limit` encoded bytes. For what [`encode_with_limit`] wrote:
/// snapshots of large state machines, messages that carry values of others.
///
/// # Errors
///
/// As [`decode`].
///
/// [`encode_with_limit`]: crate::encode_with_limit
pub fn decode_with_limit<T>(bytes: &[u8], limit: usize) -> Result<T, Error>
where
    T: DeserializeOwned + 'static,
{
    let mut decoder = Decoder::with_limit(bytes, limit);
    let value = decoder.decode()?;
    if !decoder.is_empty() {
        let offset = decoder.position();
        return Err(Error::Trailing { offset, left: bytes.len() - offset });
    }
    Ok(value)
}
