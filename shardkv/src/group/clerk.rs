//! Talks to one group, for a limited time: the group may be gone for good, and only the caller can find out.

use std::time::Duration;

use kvapi::{Error, GetArgs, PutArgs, Version, VersionedStore};
use kvsrv::{Get, Put};
use labrpc::{CallError, ClientEnd};
use rsm::LeaderHint;

use crate::messages::{
    DeleteArgs, DeleteShard, FreezeArgs, FreezeShard, InstallArgs, InstallShard,
};
use crate::shard::{ConfigNum, ShardId};

/// The clerk of one group. May be used by several tasks at once.
///
/// Every call asks the servers in turn, the last known leader first, until one gives a decisive answer or time is up.
#[derive(Debug)]
pub struct GroupClerk {
    servers: Vec<ClientEnd>,
    leader: LeaderHint,
}

/// No server gave a decisive answer in time. What was asked for may have been done, or may yet be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the group gave no answer in time: look the configuration up and ask again")]
pub struct Unanswered;

impl GroupClerk {
    /// A clerk for the group of these servers. A group without servers never answers.
    pub fn new(servers: Vec<ClientEnd>) -> GroupClerk {
        let leader = LeaderHint::new(servers.len());
        GroupClerk { servers, leader }
    }

    /// Asks until somebody decides, starting no request after `patience`. Clears `first_try` when a request may have been carried out
    /// without our hearing of it.
    fn ask<R>(
        &self,
        patience: Duration,
        first_try: &mut bool,
        mut call: impl FnMut(&ClientEnd) -> Result<Result<R, Error>, CallError>,
    ) -> Result<Result<R, Error>, Unanswered> {
        let until = labrt::now() + patience;
        let mut attempt = self.leader.attempt();
        while let Some(server) = self.servers.get(attempt.server()) {
            match call(server) {
                Ok(Err(Error::WrongLeader)) => {}
                Ok(outcome) => {
                    attempt.answered();
                    return Ok(outcome);
                }
                Err(CallError::NoReply) => {}
                Err(error) => log::error!(target: "shardkv", "{error}"),
            }
            *first_try = false;
            attempt.failed();
            if labrt::now() >= until {
                attempt.given_up();
                return Err(Unanswered);
            }
        }
        labrt::sleep(patience);
        Err(Unanswered)
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
        self.ask(patience, &mut true, |server| server.call::<Get>(args).map(|reply| reply.outcome))
    }

    /// A Put; the servers' answer as it is. `first_try` is cleared when this call has sent a request that may have been carried
    /// out and was not answered so.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn put(
        &self,
        patience: Duration,
        args: &PutArgs,
        first_try: &mut bool,
    ) -> Result<Result<(), Error>, Unanswered> {
        self.ask(patience, first_try, |server| server.call::<Put>(args).map(|reply| reply.outcome))
    }

    /// Makes the group stop serving a shard for configuration `num`; gives its data.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn freeze_shard(
        &self,
        patience: Duration,
        shard: ShardId,
        num: ConfigNum,
    ) -> Result<Result<VersionedStore, Error>, Unanswered> {
        let args = FreezeArgs { shard, num };
        let call = |server: &ClientEnd| Ok(server.call::<FreezeShard>(&args)?.outcome);
        self.ask(patience, &mut true, call)
    }

    /// Makes the group serve a shard with this data, from configuration `num` on.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn install_shard(
        &self,
        patience: Duration,
        shard: ShardId,
        state: VersionedStore,
        num: ConfigNum,
    ) -> Result<Result<(), Error>, Unanswered> {
        let args = InstallArgs { shard, state, num };
        let call = |server: &ClientEnd| Ok(server.call::<InstallShard>(&args)?.outcome);
        self.ask(patience, &mut true, call)
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
        let call = |server: &ClientEnd| Ok(server.call::<DeleteShard>(&args)?.outcome);
        self.ask(patience, &mut true, call)
    }
}
