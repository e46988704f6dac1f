//! What travels between controllers and groups. Clerks use the types of [`kvapi`].

use kvapi::{Error, Version, VersionedStore};
use labrpc::Method;
use serde::{Deserialize, Serialize};

use crate::shard::{ConfigNum, ShardId};

/// Bytes of keys and values in a chunk, about: a chunk ends with the entry that reaches them.
pub const CHUNK_BYTES: usize = 1 << 20;

/// Some entries of a shard, in the order of their keys.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Chunk {
    /// Its place among the chunks of the shard, from 0.
    pub number: u64,
    /// Keys, values and versions.
    pub entries: Vec<(String, String, Version)>,
    /// Whether no chunk follows.
    pub is_last: bool,
}

impl Chunk {
    /// The only chunk of a shard without keys.
    pub fn empty() -> Chunk {
        Chunk { is_last: true, ..Chunk::default() }
    }

    /// The entries of the store after this key, up to [`CHUNK_BYTES`].
    pub(crate) fn of(store: &VersionedStore, number: u64, after: Option<&str>) -> Chunk {
        let mut rest = store.iter_after(after).peekable();
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while bytes < CHUNK_BYTES
            && let Some((key, value, version)) = rest.next()
        {
            bytes += key.len() + value.len();
            entries.push((key.to_owned(), value.to_owned(), version));
        }
        Chunk { number, entries, is_last: rest.peek().is_none() }
    }
}

/// Asks to stop serving a shard, so that its data can be copied.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FreezeArgs {
    pub shard: ShardId,
    /// The configuration that takes it away.
    pub num: ConfigNum,
}

/// Asks to serve a shard again: the configuration that took it away is withdrawn.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ThawArgs {
    pub shard: ShardId,
    /// A configuration after the one that is withdrawn.
    pub num: ConfigNum,
}

/// Asks for a part of a frozen shard. Any server that has it frozen may answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CopyArgs {
    pub shard: ShardId,
    /// The configuration that froze it.
    pub num: ConfigNum,
    /// The number that the chunk is to have.
    pub number: u64,
    /// The last key of the chunk before; `None` for the first chunk.
    pub after: Option<String>,
}

/// Answers [`CopyArgs`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CopyReply {
    /// The chunk, or `WrongLeader`: the shard is not frozen on this server, or not yet.
    pub outcome: Result<Chunk, Error>,
}

/// Asks to take a part of a shard, and to serve it from the last part on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InstallArgs {
    pub shard: ShardId,
    /// A part of what the group before has.
    pub chunk: Chunk,
    /// The configuration that gives it.
    pub num: ConfigNum,
}

/// Asks to forget the data of a frozen shard.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeleteArgs {
    pub shard: ShardId,
    /// The configuration that took it away. It must be complete.
    pub num: ConfigNum,
}

/// Answers all of these but [`CopyArgs`].
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
            const SERVICE: &'static str = kvapi::Get::SERVICE;
            const METHOD: &'static str = $method;
            type Args = $args;
            type Reply = $reply;
        }
    )+};
}

methods! {
    /// The RPC `KVServer.FreezeShard`.
    FreezeShard("FreezeShard"): FreezeArgs => ShardReply;
    /// The RPC `KVServer.ThawShard`.
    ThawShard("ThawShard"): ThawArgs => ShardReply;
    /// The RPC `KVServer.CopyShard`.
    CopyShard("CopyShard"): CopyArgs => CopyReply;
    /// The RPC `KVServer.InstallShard`.
    InstallShard("InstallShard"): InstallArgs => ShardReply;
    /// The RPC `KVServer.DeleteShard`.
    DeleteShard("DeleteShard"): DeleteArgs => ShardReply;
}
