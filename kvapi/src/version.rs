//! How often a key was written.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How often a key was written. Starts at 1 with the first write and grows by 1 with each.
///
/// [`Version::ZERO`] never belongs to a stored key: in a Put it says "only if the key is absent".
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Version(u64);

impl Version {
    /// The key is absent.
    pub const ZERO: Version = Version(0);

    /// The version after `count` writes.
    pub const fn new(count: u64) -> Version {
        Version(count)
    }

    /// The number of writes so far.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The version after one more write.
    ///
    /// Stays at `u64::MAX` once there, which no number of writes reaches; only a caller that
    /// made such a version up can see it.
    #[must_use]
    pub const fn next(self) -> Version {
        Version(self.0.saturating_add(1))
    }
}

/// The bare number.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
