//! The codec of the labs: streams of self-checking values.
//!
//! What travels between servers, and what goes to a disk, goes as bytes made here. Types need
//! serde's derives and nothing else:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Vote { term: u64, granted: bool }
//!
//! let bytes = labgob::encode(&Vote { term: 7, granted: true })?;
//! assert_eq!(bytes.len(), 4 + 1 + 2); // fingerprint, length, body
//! assert_eq!(labgob::decode::<Vote>(&bytes)?, Vote { term: 7, granted: true });
//!
//! // Another type is an error, even if the bytes would fit.
//! #[derive(Debug, Serialize, Deserialize)]
//! struct Lease { term: u64, granted: bool }
//! assert!(matches!(labgob::decode::<Lease>(&bytes), Err(labgob::Error::WrongType { .. })));
//! # Ok::<(), labgob::Error>(())
//! ```
//!
//! [`encode`] and [`decode`] are for one value, [`encode_into`] and [`Decoder`] for several in a
//! row.
//!
//! # How large a value may be
//!
//! [`encode`] writes and [`decode`] reads values of up to [`LIMIT`] encoded bytes. The limit is
//! checked while encoding, so what was accepted can be read back. What is larger by right, such as
//! the snapshot of a large state machine, is written with [`encode_with_limit`] and read with
//! [`decode_with_limit`]; [`NO_LIMIT`] is the largest limit.
//!
//! # The format on one page
//!
//! A stream is a row of frames, without anything before, between or after them:
//!
//! ```text
//!   ┌─────────────┬───────────────────┬───────────────┬─────────────┬────
//!   │ fingerprint │ length of body    │ body          │ fingerprint │ …
//!   │ 4 bytes     │ 1, 3, 5, 9 bytes  │ length bytes  │             │
//!   └─────────────┴───────────────────┴───────────────┴─────────────┴────
//! ```
//!
//! The **fingerprint** stands for the type ([`Fingerprint`]); bincode's bytes alone would let an
//! `AppendEntries` be read as whatever is asked for. The **length** keeps a damaged value from
//! running into the next one, and shows a truncated input before anything is decoded. The **body**
//! is what bincode 2 writes in its standard configuration:
//!
//! | value | bytes |
//! |---|---|
//! | `u8`, `i8`, `bool` | one |
//! | other unsigned integers | 0–250: one; else 251, 252, 253 or 254 and 2, 4, 8 or 16 bytes, little endian |
//! | other signed integers | zigzag (0, -1, 1, -2, … → 0, 1, 2, 3, …), then as unsigned |
//! | `f32`, `f64` | 4, 8, little endian |
//! | `char` | UTF-8 |
//! | string, byte string | length as `u64`, then the bytes |
//! | `None`; `Some(x)` | 0; 1 and `x` |
//! | sequence, map | number of elements or entries as `u64`, then those |
//! | struct, tuple, array | its fields in order; nothing for names or number |
//! | enum | number of the variant as `u32`, then its fields |
//! | `()`, unit struct | nothing |
//!
//! # Which types are the same
//!
//! Two types are the same if serde sees the same: name, kind, names and types of the fields,
//! names and content of the variants, in order. So
//!
//! * structs with equal fields but other names differ, and so do `u32` and `u64`, `Option<T>` and
//!   `Vec<T>`, `(T, T)` and `Vec<T>`;
//! * what serde does not tell apart is the same: `Vec<T>`, `VecDeque<T>`, `BTreeSet<T>`; `T`,
//!   `Box<T>`, `Arc<T>`; `[T; 2]` and `(T, T)`; `usize` and `u64`; a generic struct's parameter
//!   counts only through the fields that use it; a module's name does not count;
//! * `Vec<u8>` is a sequence of `u8`, while `serde_bytes::ByteBuf` and fields marked
//!   `#[serde(with = "serde_bytes")]` are byte strings. They have the same bytes and are different
//!   types. Mark byte fields: that is several times faster.
//!
//! Renaming a type or a field makes it another type. The labs never read what another build wrote.
//!
//! # What a decoder promises
//!
//! For any input: a value of the type asked for or an [`Error`], no panic, no endless loop, no
//! stack overflow (values nest at most [`MAX_DEPTH`] levels), no memory for elements whose bytes
//! are not there ([`Decoder::with_limit`]). It does not promise that nobody changed the value: a
//! bit that flips inside a string or number gives another string or number. There is no checksum,
//! since the simulated network and disk lose and delay bytes but do not change them.
//!
//! # What cannot travel
//!
//! What needs a format that describes itself (`untagged`, internally tagged, `flatten`,
//! `skip_serializing_if`): [`Error::Unsupported`], when it is encoded. An open set of commands is
//! an enum. Maps with an order of their own (`HashMap`) travel, but equal maps may have different
//! bytes; what must be equal in every run is a `BTreeMap`.
//!
//! # Where things are
//!
//! | File | Holds |
//! |---|---|
//! | `encoder`, `decoder` | the frame: fingerprint, length, body |
//! | `serialize`, `deserialize` | serde's data model to bytes and back; depth and memory limits |
//! | `bytes` | primitive values to bytes and back: all there is of bincode |
//! | `fingerprint`, `trace` | a type's fingerprint, found by walking over its `Deserialize` |
//! | `error` | what went wrong, at which byte |

#![forbid(unsafe_code)]

mod bytes;
mod decoder;
mod deserialize;
mod encoder;
mod error;
mod fingerprint;
mod serialize;
mod trace;

pub use decoder::{Decoder, decode, decode_with_limit};
pub use encoder::{encode, encode_into, encode_with_limit};
pub use error::Error;
pub use fingerprint::Fingerprint;

/// How large an encoded value may be, in bytes, without its fingerprint and length: 64 MiB. There
/// may be no more elements that take no bytes than that, either.
pub const LIMIT: usize = 64 << 20;

/// The limit for values that may be as large as memory allows.
pub const NO_LIMIT: usize = usize::MAX;

/// How deep values may nest: every struct, tuple, sequence, map, enum and full option around a
/// value counts as one. Decoding a recursive type must fit the stack of a simulated task, so a
/// recursive type with large values (more than 100 bytes) may nest less deep.
pub const MAX_DEPTH: usize = 128;
