//! The key/value service of the earlier editions: Get, Put, Append, without versions.
//!
//! A key that nobody wrote holds the empty string, so there is no error for an absent one. A write
//! carries no version that would make it safe to repeat; the service itself must see to it that
//! each takes effect once.

use labrpc::NEVER;
use labrt::Instant;

use crate::Error;

/// A client of a Put/Append/Get service.
///
/// [`get`](Clerk::get), [`put`](Clerk::put) and [`append`](Clerk::append) block until a server has
/// answered and repeat their request as long as that takes; the calls with a deadline end with
/// [`Error::TimedOut`]. One call at a time may be assumed.
pub trait Clerk {
    /// The key's value, empty if nobody wrote it, if a server answers before `deadline`.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`].
    fn get_until(&self, deadline: Instant, key: &str) -> Result<String, Error>;

    /// [`put`](Clerk::put), if a server answers before `deadline`.
    ///
    /// # Errors
    ///
    /// Those of [`put`](Clerk::put), and [`Error::TimedOut`]: done once or not at all, or yet to be
    /// done.
    fn put_until(&self, deadline: Instant, key: &str, value: &str) -> Result<(), Error>;

    /// [`append`](Clerk::append), if a server answers before `deadline`.
    ///
    /// # Errors
    ///
    /// As [`put_until`](Clerk::put_until).
    fn append_until(&self, deadline: Instant, key: &str, value: &str) -> Result<(), Error>;

    /// The key's value; empty if nobody wrote it.
    fn get(&self, key: &str) -> String {
        // A key that is too long for a write was never written.
        self.get_until(NEVER, key).unwrap_or_default()
    }

    /// Replaces the key's value. Takes effect once, however often it is sent.
    ///
    /// # Errors
    ///
    /// * [`Error::Maybe`]: the service no longer knew this client when the answer came, so it was
    ///   done once or not at all. Only after an outage so long that the service had to forget whom
    ///   it served before.
    /// * [`Error::TooLarge`]: the key or the value is too long; nothing was done.
    fn put(&self, key: &str, value: &str) -> Result<(), Error> {
        self.put_until(NEVER, key, value)
    }

    /// Adds `value` at the end of the key's value. Takes effect once, however often it is sent.
    ///
    /// # Errors
    ///
    /// As [`put`](Clerk::put). [`Error::TooLarge`] also when the whole value would be too long.
    fn append(&self, key: &str, value: &str) -> Result<(), Error> {
        self.append_until(NEVER, key, value)
    }
}
