//! The key/value service of the earlier editions: Get, Put, Append, without versions.
//!
//! A key that nobody wrote holds the empty string, so there is no error for an absent one. A write carries no version that would
//! make it safe to repeat; the service itself must see to it that each takes effect once.

use crate::Error;

/// A client of a Put/Append/Get service.
///
/// All calls block until a server has answered and repeat their request as long as that takes. One call at a time may be assumed.
pub trait Clerk {
    /// The key's value; empty if nobody wrote it.
    fn get(&self, key: &str) -> String;

    /// Replaces the key's value. Takes effect once, however often it is sent.
    ///
    /// # Errors
    ///
    /// [`Error::Maybe`], and no other: the service no longer knew this client when the answer came, so it was done once or not at
    /// all. Only after an outage so long that the service had to forget whom it served before.
    fn put(&self, key: &str, value: &str) -> Result<(), Error>;

    /// Adds `value` at the end of the key's value. Takes effect once, however often it is sent.
    ///
    /// # Errors
    ///
    /// As [`put`](Clerk::put).
    fn append(&self, key: &str, value: &str) -> Result<(), Error>;
}
