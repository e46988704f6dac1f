//! Why a Get or Put was not carried out, or may not have been.

use std::fmt;
use std::str::FromStr;

use labrpc::Unanswered;
use serde::{Deserialize, Serialize};

/// Why a Get or Put did not simply succeed.
///
/// | | made by | seen by | meaning |
/// |---|---|---|---|
/// | [`NoKey`](Error::NoKey) | server | clerk, application | certainly not done |
/// | [`Version`](Error::Version) | server | clerk, application | certainly not done |
/// | [`Maybe`](Error::Maybe) | clerk | application | done once or not at all |
/// | [`WrongLeader`](Error::WrongLeader) | server | clerk | ask another server |
/// | [`WrongGroup`](Error::WrongGroup) | server | clerk | ask for the configuration again |
/// | [`TooLarge`](Error::TooLarge) | clerk, server | application | certainly not done |
/// | [`TimedOut`](Error::TimedOut) | clerk | application | done once or not at all, or yet to be |
///
/// The first five are the course's. The set is closed: a clerk has to decide about every one of
/// them. That is why the enum is not `#[non_exhaustive]`.
///
/// `Display` and [`FromStr`] use texts of the course's form (`ErrNoKey` …).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Error {
    /// The key is absent. For a Put: absent, and the version asked for is not 0.
    NoKey,
    /// The key's version is not the one the Put asked for. Get the key again and decide anew.
    Version,
    /// The Put was sent more than once and one of the copies may have been carried out; at most
    /// one was. Get the key to see.
    Maybe,
    /// This server does not lead its group, or lost the lead before it could say more.
    WrongLeader,
    /// This group does not serve the key's shard (now).
    WrongGroup,
    /// The key or the value is longer than the service accepts ([`MAX_KEY_BYTES`],
    /// [`MAX_VALUE_BYTES`]). Asking again will not help.
    TooLarge,
    /// No server answered before the caller's deadline.
    TimedOut,
}

/// The longest key that a service accepts, in bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 64 << 10;

/// The longest value that a service accepts, in bytes of UTF-8; also the longest that appending can
/// make of a value.
pub const MAX_VALUE_BYTES: usize = 32 << 20;

/// Checks a key, and a value if there is one, against the limits.
///
/// # Errors
/// [`Error::TooLarge`].
pub fn check_sizes(key: &str, value: &str) -> Result<(), Error> {
    let fits = key.len() <= MAX_KEY_BYTES && value.len() <= MAX_VALUE_BYTES;
    fits.then_some(()).ok_or(Error::TooLarge)
}

impl Error {
    /// All errors, in the order of their declaration.
    pub const ALL: [Error; 7] = [
        Error::NoKey,
        Error::Version,
        Error::Maybe,
        Error::WrongLeader,
        Error::WrongGroup,
        Error::TooLarge,
        Error::TimedOut,
    ];

    /// The course's text, such as `ErrNoKey`, or one of its form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Error::NoKey => "ErrNoKey",
            Error::Version => "ErrVersion",
            Error::Maybe => "ErrMaybe",
            Error::WrongLeader => "ErrWrongLeader",
            Error::WrongGroup => "ErrWrongGroup",
            Error::TooLarge => "ErrTooLarge",
            Error::TimedOut => "ErrTimedOut",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::error::Error for Error {}

impl From<Unanswered> for Error {
    fn from(unanswered: Unanswered) -> Error {
        match unanswered {
            Unanswered::TimedOut => Error::TimedOut,
            Unanswered::Rejected(_) => Error::TooLarge,
        }
    }
}

impl FromStr for Error {
    type Err = UnknownError;

    fn from_str(text: &str) -> Result<Error, UnknownError> {
        Error::ALL
            .into_iter()
            .find(|error| error.as_str() == text)
            .ok_or_else(|| UnknownError(text.to_owned()))
    }
}

/// A text that names no [`Error`]. `OK` is one: success is not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownError(String);

impl fmt::Display for UnknownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} names no key/value error; expected one of", self.0)?;
        for (i, error) in Error::ALL.iter().enumerate() {
            write!(f, "{} {error}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownError {}
