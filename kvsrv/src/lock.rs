//! A lock made of Get and Put.
//!
//! ```text
//!             absent or ""  ──Put(holder, version read)──▶  "holder"  ──Put("", version read)──▶  ""
//!                free                 acquire                held            release             free
//! ```
//! Whoever's Put replaces the version that it read as free has the lock: the server takes only one
//! such Put. A Put that may or may not have taken effect is followed by another look: the value
//! tells, because every lock object writes a name of its own.
//!
//! No copy of an old Put can do harm later: a Put is only given up when it has been answered, and
//! from then on the key has a higher version than the one it names.

use std::time::Duration;

use kvapi::{Clerk, Error, Version};
use labrpc::NEVER;
use labrt::Instant;

/// Shortest and longest pause of a waiter between two looks. Random, so that waiters do not stay in
/// step.
const PAUSE: std::ops::RangeInclusive<u64> = 5..=20;

/// The value of a free lock.
const FREE: &str = "";

/// One contender for the lock of some name. Contenders with the same name, on whatever clerks,
/// exclude each other.
///
/// The lock has no lease: a holder that disappears keeps it. It belongs to the object, not to a
/// task: [`acquire`](Lock::acquire) by the holder returns at once.
#[derive(Debug)]
pub struct Lock<C> {
    clerk: C,
    /// The key that holds the lock's state.
    name: String,
    /// What this object writes there; nobody else does, and it is not [`FREE`].
    holder: String,
}

/// [`Lock::release`] by an object that does not hold the lock. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this object does not hold the lock: acquire it first")]
pub struct NotHeld;

/// [`Lock::acquire_until`] when its deadline has passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the lock was not acquired in time")]
pub struct NotAcquired;

impl<C: Clerk> Lock<C> {
    /// A contender for the lock whose state is stored under the key `name`. Nothing else may write
    /// that key.
    pub fn new(clerk: C, name: impl Into<String>) -> Lock<C> {
        // Two contenders would have to draw the same out of 2^64.
        let holder = format!("{:016x}", labrt::random_u64());
        Lock { clerk, name: name.into(), holder }
    }

    /// Waits until this object holds the lock.
    pub fn acquire(&self) {
        self.acquire_until(NEVER).expect("the deadline does not pass");
    }

    /// Waits until this object holds the lock, or until `deadline`.
    ///
    /// # Errors
    /// [`NotAcquired`] when the deadline has passed. The lock may have been acquired by a request
    /// that was not answered, or may yet be: [`release`](Lock::release) it before the object is
    /// dropped.
    pub fn acquire_until(&self, deadline: Instant) -> Result<(), NotAcquired> {
        while labrt::now() < deadline {
            match self.clerk.get_until(deadline, &self.name) {
                Ok((holder, _)) if holder == self.holder => return Ok(()),
                Ok((holder, _)) if holder != FREE => {
                    labrt::sleep(Duration::from_millis(labrt::random_range(PAUSE)));
                }
                Err(Error::TimedOut) => {}
                free => {
                    let version = free.map_or(Version::ZERO, |(_, version)| version);
                    let put = self.clerk.put_until(deadline, &self.name, &self.holder, version);
                    if put.is_ok() {
                        return Ok(());
                    }
                    // Mine, somebody else's or still free: the next look shows it.
                }
            }
        }
        Err(NotAcquired)
    }

    /// Gives the lock up.
    ///
    /// # Errors
    /// [`NotHeld`].
    pub fn release(&self) -> Result<(), NotHeld> {
        let mut asked = false;
        loop {
            let (holder, version) = self.state();
            if holder != self.holder {
                return if asked { Ok(()) } else { Err(NotHeld) };
            }
            if self.clerk.put(&self.name, FREE, version).is_ok() {
                return Ok(());
            }
            asked = true;
        }
    }

    /// The holder's name, or [`FREE`], and its version.
    fn state(&self) -> (String, Version) {
        // The only thing a Get may refuse is a key that nobody has written.
        self.clerk.get(&self.name).unwrap_or((FREE.to_owned(), Version::ZERO))
    }
}
