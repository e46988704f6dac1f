//! What an application sees of a key/value service, and the one thing a clerk must decide.

use labrpc::{Answered, NEVER, Servers};
use labrt::Instant;

use crate::{Error, Get, GetArgs, Put, PutArgs, Version, check_sizes};

/// A client of a key/value service.
///
/// [`get`](Clerk::get) and [`put`](Clerk::put) block until a server has answered and repeat their
/// request as long as that takes; [`get_until`](Clerk::get_until) and
/// [`put_until`](Clerk::put_until) end at a deadline. They return neither `WrongLeader` nor
/// `WrongGroup`. Calls of one clerk may not overlap unless the implementation says so.
pub trait Clerk {
    /// The key's value and version, if a server answers before `deadline`.
    ///
    /// # Errors
    ///
    /// [`Error::NoKey`] if the key is absent; [`Error::TimedOut`]; [`Error::TooLarge`].
    fn get_until(&self, deadline: Instant, key: &str) -> Result<(String, Version), Error>;

    /// [`put`](Clerk::put), if a server answers before `deadline`.
    ///
    /// # Errors
    ///
    /// Those of [`put`](Clerk::put), and [`Error::TimedOut`]: done once or not at all, or yet to be
    /// done.
    fn put_until(
        &self,
        deadline: Instant,
        key: &str,
        value: &str,
        version: Version,
    ) -> Result<(), Error>;

    /// The key's value and version.
    ///
    /// # Errors
    ///
    /// [`Error::NoKey`] if the key is absent; [`Error::TooLarge`].
    fn get(&self, key: &str) -> Result<(String, Version), Error> {
        self.get_until(NEVER, key)
    }

    /// Stores `value` if the key's version is `version` now ([`Version::ZERO`]: if it is absent).
    /// Takes effect at most once, however often it is sent.
    ///
    /// # Errors
    ///
    /// * [`Error::NoKey`]: the key is absent and `version` is not 0; nothing was done.
    /// * [`Error::Version`]: the key has another version; nothing was done.
    /// * [`Error::Maybe`]: done once or not at all; a [`get`](Clerk::get) may tell.
    /// * [`Error::TooLarge`]: the key or the value is too long; nothing was done.
    fn put(&self, key: &str, value: &str, version: Version) -> Result<(), Error> {
        self.put_until(NEVER, key, value, version)
    }
}

/// What a clerk tells its caller, given a server's decisive answer to a Put.
///
/// `first_try` is true if that answer belongs to the first request that this call sent. Every
/// further request counts as a repetition if the one before it was not answered, or was answered
/// with `WrongLeader`: the leader that lost its office may have put the operation into its log, and
/// the next one may still carry it out. That memory outlives a change of server or group. (A request
/// answered with `WrongGroup` was certainly not carried out; by itself it repeats nothing.)
///
/// ```text
///   answer         to the first request             to a repetition
///   ─────────────  ───────────────────────────────  ───────────────────────────────────────
///   done           done                             done
///   ErrNoKey       ErrNoKey                         ErrNoKey
///   ErrVersion     ErrVersion: certainly not done   ErrMaybe: not done, or done by an earlier
///                                                   copy whose reply was lost
/// ```
///
/// Why `ErrVersion` alone changes: a Put asks for version *n* and leaves *n*+1 behind. If an
/// earlier copy was carried out, a later one finds *n*+1 or more, never *n*, and is refused with
/// `ErrVersion`; the same answer comes if a stranger wrote first and no copy ever arrived. The
/// answer does not tell these two apart, so neither may the clerk. The other two answers do tell:
/// "done" was said by the copy that did it, and `ErrNoKey` shows that the key does not exist, which
/// could not be had a copy been carried out (keys are never removed).
///
/// Why not always `ErrMaybe`: a caller that hears `ErrVersion` may rely on its write not having
/// happened. A lock, for one, is then known to be somebody else's.
///
/// `WrongLeader` and `WrongGroup` are not decisive; the clerk goes on asking. They pass unchanged.
///
/// ```
/// use kvapi::{Error, clerk::put_outcome};
///
/// assert_eq!(put_outcome(true, Err(Error::Version)), Err(Error::Version));
/// assert_eq!(put_outcome(false, Err(Error::Version)), Err(Error::Maybe));
/// assert_eq!(put_outcome(false, Ok(())), Ok(()));
/// ```
///
/// # Errors
///
/// The server's error, except that a repeated request's [`Error::Version`] is [`Error::Maybe`].
pub fn put_outcome(first_try: bool, answer: Result<(), Error>) -> Result<(), Error> {
    match answer {
        Err(Error::Version) if !first_try => Err(Error::Maybe),
        answer => answer,
    }
}

/// The answer, unless it says that this server cannot decide ([`Error::WrongLeader`]): then the
/// clerk asks another server.
pub fn decisive<R>(outcome: Result<R, Error>) -> Option<Result<R, Error>> {
    match outcome {
        Err(Error::WrongLeader) => None,
        outcome => Some(outcome),
    }
}

/// A Get on the servers of one group, until one of them decides.
///
/// # Errors
///
/// Those of [`Clerk::get_until`], and [`Error::WrongGroup`].
pub fn ask_get(
    servers: &Servers,
    deadline: Instant,
    key: &str,
) -> Result<(String, Version), Error> {
    check_sizes(key, "")?;
    let args = GetArgs { key: key.to_owned() };
    servers.ask_until::<Get, _>(deadline, &args, |reply| decisive(reply.outcome))?.answer
}

/// A Put on the servers of one group, until one of them decides. The answer still needs
/// [`put_outcome`].
///
/// # Errors
///
/// [`Error::TimedOut`], [`Error::TooLarge`].
pub fn ask_put(
    servers: &Servers,
    deadline: Instant,
    key: &str,
    value: &str,
    version: Version,
) -> Result<Answered<Result<(), Error>>, Error> {
    check_sizes(key, value)?;
    let args = PutArgs { key: key.to_owned(), value: value.to_owned(), version };
    Ok(servers.ask_until::<Put, _>(deadline, &args, |reply| decisive(reply.outcome))?)
}
