//! API types and rules of the key/value services.
//!
//! Every service of the labs stores strings under keys and counts, for each key, how often it
//! was written. That count is the key's [`Version`], and it is what makes a write safe to
//! repeat:
//!
//! ```text
//!   clerk                                server            stored
//!     │  Put(k, "a", version 0)            │               (absent)
//!     │ ─────────────────────────────────► │  0 = absent   k = "a", version 1
//!     │              reply lost  ╳ ◄────── │
//!     │  Put(k, "a", version 0)  again     │
//!     │ ─────────────────────────────────► │  0 ≠ 1        unchanged
//!     │ ◄────────────── ErrVersion ─────── │
//!     └─► the caller is told ErrMaybe: one of the two may have been carried out
//! ```
//!
//! The server needs no memory of past requests for this: a second copy of a Put finds the version
//! moved on and is refused. What the copy cannot tell is *who* moved it on; the clerk must say so
//! ([`clerk::put_outcome`]).
//!
//! | File | Holds |
//! |---|---|
//! | [`store`] | [`VersionedStore`]: what Get and Put do to the data. Pure; every server applies it |
//! | [`clerk`] | [`Clerk`]: what an application sees; the rule that makes a refusal a "maybe" |
//! | `messages` | the RPC methods [`Get`] and [`Put`], and what travels between the two |
//! | [`append`] | [`append::Clerk`]: the same for the service without versions |
//! | `version`, `error` | [`Version`], [`Error`] |
//!
//! Left out on purpose: the model that the linearizability checker uses. A checker that shared code
//! with what it checks would share its mistakes.
//!
//! ```
//! use kvapi::{Error, Version, VersionedStore};
//!
//! let mut store = VersionedStore::new();
//! store.put("k".into(), "a".into(), Version::ZERO)?;
//! let (value, version) = store.get("k")?;
//! assert_eq!((value.as_str(), version.get()), ("a", 1));
//!
//! assert_eq!(store.put("k".into(), "b".into(), Version::ZERO), Err(Error::Version));
//! # Ok::<(), Error>(())
//! ```

#![forbid(unsafe_code)]

pub mod append;
pub mod clerk;
mod error;
mod messages;
pub mod store;
mod version;

pub use clerk::Clerk;
pub use error::{Error, MAX_KEY_BYTES, MAX_VALUE_BYTES, UnknownError, check_sizes};
pub use messages::{Get, GetArgs, GetReply, Put, PutArgs, PutReply};
pub use store::VersionedStore;
pub use version::Version;
