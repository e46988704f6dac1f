//! Talks to one group, for a limited time: the group may be gone for good, and only the caller can find out.

use std::time::Duration;

use kvapi::clerk::decisive;
use kvapi::{Error, Get, GetArgs, Put, PutArgs, Version};
use labrpc::{ClientEnd, Method, NEVER, Servers};
use labrt::Instant;

use crate::messages::{
    Chunk, CopyArgs, CopyShard, DeleteArgs, DeleteShard, FreezeArgs, FreezeShard, InstallArgs,
    InstallShard, ThawArgs, ThawShard,
};
use crate::shard::{ConfigNum, ShardId};

/// The clerk of one group. May be used by several tasks at once.
///
/// Every call asks the servers in turn, the last known leader first, until one gives a decisive
/// answer or time is up.
#[derive(Debug)]
pub struct GroupClerk {
    /// `None` for a group without servers.
    servers: Option<Servers>,
}

/// No server gave a decisive answer in time. What was asked for may have been done, or may yet be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the group gave no answer in time: look the configuration up and ask again")]
pub struct Unanswered;

impl GroupClerk {
    /// A clerk for the group of these servers. A group without servers never answers.
    pub fn new(servers: Vec<ClientEnd>) -> GroupClerk {
        GroupClerk { servers: Servers::new(servers).ok() }
    }

    /// Asks until somebody decides, starting no request after `patience`. Clears `first_try` when a
    /// request may have been carried out without our hearing of it.
    fn ask<G: Method, R>(
        &self,
        (patience, deadline): (Duration, Instant),
        first_try: &mut bool,
        args: &G::Args,
        outcome: fn(G::Reply) -> Result<R, Error>,
    ) -> Result<Result<R, Error>, Unanswered> {
        let Some(servers) = &self.servers else {
            labrt::sleep(patience.min(deadline - labrt::now()));
            return Err(Unanswered);
        };
        let until = deadline.min(labrt::now() + patience);
        let decide = |reply| decisive(outcome(reply));
        let answered = servers.ask_within::<G, _>(until, deadline, args, decide);
        *first_try &= answered.as_ref().is_ok_and(|answered| answered.first_try);
        match answered {
            Ok(answered) => Ok(answered.answer),
            Err(labrpc::Unanswered::TimedOut) => Err(Unanswered),
            Err(labrpc::Unanswered::Rejected(error)) => {
                log::error!(target: "shardkv", "{}: {error}", G::METHOD);
                Ok(Err(Error::TooLarge))
            }
        }
    }

    /// A Get; `WrongGroup` if the group does not serve the key.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn get(
        &self,
        patience: Duration,
        args: &GetArgs,
    ) -> Result<Result<(String, Version), Error>, Unanswered> {
        self.get_until(patience, NEVER, args)
    }

    pub(crate) fn get_until(
        &self,
        patience: Duration,
        deadline: Instant,
        args: &GetArgs,
    ) -> Result<Result<(String, Version), Error>, Unanswered> {
        self.ask::<Get, _>((patience, deadline), &mut true, args, |reply| reply.outcome)
    }

    /// A Put; the servers' answer as it is. `first_try` is cleared when this call has sent a request
    /// that may have been carried out and was not answered so.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub(crate) fn put_until(
        &self,
        patience: Duration,
        deadline: Instant,
        args: &PutArgs,
        first_try: &mut bool,
    ) -> Result<Result<(), Error>, Unanswered> {
        self.ask::<Put, _>((patience, deadline), first_try, args, |reply| reply.outcome)
    }

    /// Whether a majority of the group is there: some request is decided, whatever the answer.
    pub fn is_there(&self, patience: Duration) -> bool {
        let args = GetArgs { key: String::new() };
        let deadline = labrt::now() + patience;
        self.get_until(patience, deadline, &args).is_ok()
    }

    /// Makes the group stop serving a shard for configuration `num`.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn freeze_shard(
        &self,
        patience: Duration,
        shard: ShardId,
        num: ConfigNum,
    ) -> Result<Result<(), Error>, Unanswered> {
        let args = FreezeArgs { shard, num };
        self.ask::<FreezeShard, _>((patience, NEVER), &mut true, &args, |reply| reply.outcome)
    }

    /// Makes the group serve a shard again, since the configuration that took it away is withdrawn;
    /// `num` is a later one.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn thaw_shard(
        &self,
        patience: Duration,
        shard: ShardId,
        num: ConfigNum,
    ) -> Result<Result<(), Error>, Unanswered> {
        let args = ThawArgs { shard, num };
        self.ask::<ThawShard, _>((patience, NEVER), &mut true, &args, |reply| reply.outcome)
    }

    /// A part of a shard that is frozen for configuration `num`.
    ///
    /// # Errors
    /// [`Unanswered`], also when the group does not have the shard frozen for that configuration.
    pub fn copy_shard(
        &self,
        patience: Duration,
        args: &CopyArgs,
    ) -> Result<Result<Chunk, Error>, Unanswered> {
        self.ask::<CopyShard, _>((patience, NEVER), &mut true, args, |reply| reply.outcome)
    }

    /// Makes the group take a part of a shard, and serve it, from configuration `num` on, when the
    /// part is the last one.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn install_shard(
        &self,
        patience: Duration,
        args: &InstallArgs,
    ) -> Result<Result<(), Error>, Unanswered> {
        self.ask::<InstallShard, _>((patience, NEVER), &mut true, args, |reply| reply.outcome)
    }

    /// Makes the group forget a shard that configuration `num`, which is complete, took away from it.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn delete_shard(
        &self,
        patience: Duration,
        shard: ShardId,
        num: ConfigNum,
    ) -> Result<Result<(), Error>, Unanswered> {
        let args = DeleteArgs { shard, num };
        self.ask::<DeleteShard, _>((patience, NEVER), &mut true, &args, |reply| reply.outcome)
    }
}
