//! What travels between controllers and groups. Clerks use the words of [`kvapi`].

use kvapi::{Error, VersionedStore};
use labrpc::Method;
use serde::{Deserialize, Serialize};

use crate::shard::{ConfigNum, ShardId};

/// Asks to stop serving a shard and to hand out its data.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FreezeArgs {
    /// The shard.
    pub shard: ShardId,
    /// The configuration that takes it away.
    pub num: ConfigNum,
}

/// Answers [`FreezeArgs`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FreezeReply {
    /// The data, or `WrongGroup`: not this group's to give, in this configuration.
    pub outcome: Result<VersionedStore, Error>,
}

/// Asks to serve a shard from now on, with this data.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InstallArgs {
    /// The shard.
    pub shard: ShardId,
    /// What the group before has handed out.
    pub state: VersionedStore,
    /// The configuration that gives it.
    pub num: ConfigNum,
}

/// Asks to forget the data of a frozen shard.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeleteArgs {
    /// The shard.
    pub shard: ShardId,
    /// The configuration that took it away. It must be complete.
    pub num: ConfigNum,
}

/// Answers [`InstallArgs`] and [`DeleteArgs`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShardReply {
    /// Done, or `WrongGroup`: the request is out of date.
    pub outcome: Result<(), Error>,
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident($method:literal): $args:ty => $reply:ty;)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Method for $name {
            const SERVICE: &'static str = kvsrv::Get::SERVICE;
            const METHOD: &'static str = $method;
            type Args = $args;
            type Reply = $reply;
        }
    )+};
}

methods! {
    /// The RPC `KVServer.FreezeShard`.
    FreezeShard("FreezeShard"): FreezeArgs => FreezeReply;
    /// The RPC `KVServer.InstallShard`.
    InstallShard("InstallShard"): InstallArgs => ShardReply;
    /// The RPC `KVServer.DeleteShard`.
    DeleteShard("DeleteShard"): DeleteArgs => ShardReply;
}
