//! The replicated state of a group: all shards, behind the interface of `rsm`.
//!
//! Whether this group serves a key is decided here, in log order, and not in front of the log: only so do a Put and the Freeze of its
//! shard have an order that all servers agree on.

use kvapi::{Error, Version, VersionedStore};
use rsm::{RestoreError, StateMachine};
use serde::{Deserialize, Serialize};

use super::shard_state::ShardState;
use crate::messages::{DeleteArgs, FreezeArgs, InstallArgs};
use crate::shard::{Gid, SHARDS, ShardId};

/// What goes through the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Read a key.
    Get {
        /// The key.
        key: String,
    },
    /// Store a value if the key has this version.
    Put {
        /// The key.
        key: String,
        /// The new value.
        value: String,
        /// The version the key must have.
        version: Version,
    },
    /// Stop serving a shard and hand out its data.
    Freeze(FreezeArgs),
    /// Serve a shard with this data.
    Install(InstallArgs),
    /// Forget a frozen shard.
    Delete(DeleteArgs),
}

/// What comes of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Of a Get.
    Get(Result<(String, Version), Error>),
    /// Of a Put.
    Put(Result<(), Error>),
    /// Of a Freeze.
    Freeze(Result<VersionedStore, Error>),
    /// Of an Install or a Delete.
    Shard(Result<(), Error>),
}

/// The machine that every server of a group runs.
#[derive(Debug)]
pub struct Machine {
    /// By number. Always [`SHARDS`] many.
    shards: Vec<ShardState>,
    /// Bytes of data dropped since `rsm` last asked.
    freed: usize,
}

impl Machine {
    /// The state in which a group begins: the first one serves all shards, without keys; all others none.
    pub fn new(gid: Gid) -> Machine {
        let shard =
            if gid == Gid::FIRST { ShardState::serving_nothing() } else { ShardState::default() };
        Machine { shards: vec![shard; SHARDS], freed: 0 }
    }

    /// Bytes of keys and values held, those of frozen shards included.
    pub fn data_bytes(&self) -> usize {
        self.shards.iter().map(ShardState::bytes).sum()
    }

    /// A number out of range is nobody's.
    fn shard(&mut self, shard: ShardId) -> Result<&mut ShardState, Error> {
        self.shards.get_mut(shard.get()).ok_or(Error::WrongGroup)
    }

    /// The data of the key's shard, if it is served here.
    fn store_of(&mut self, key: &str) -> Result<&mut VersionedStore, Error> {
        self.shard(ShardId::of_key(key))?.serving()
    }

    fn count_freed(&mut self, outcome: Result<usize, Error>) -> Reply {
        Reply::Shard(outcome.map(|bytes| self.freed += bytes))
    }
}

impl StateMachine for Machine {
    type Request = Request;
    type Reply = Reply;

    fn do_op(&mut self, request: Request) -> Reply {
        match request {
            Request::Get { key } => {
                Reply::Get(self.store_of(&key).and_then(|store| store.get(&key)))
            }
            Request::Put { key, value, version } => {
                let store = self.store_of(&key);
                Reply::Put(store.and_then(|store| store.put(key, value, version)))
            }
            Request::Freeze(FreezeArgs { shard, num }) => {
                Reply::Freeze(self.shard(shard).and_then(|shard| shard.freeze(num)))
            }
            Request::Install(InstallArgs { shard, state, num }) => {
                let outcome = self.shard(shard).and_then(|shard| shard.install(num, state));
                self.count_freed(outcome)
            }
            Request::Delete(DeleteArgs { shard, num }) => {
                let outcome = self.shard(shard).and_then(|shard| shard.delete(num));
                self.count_freed(outcome)
            }
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        labgob::encode(&self.shards).expect("maps of strings can be encoded")
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        let shards: Vec<ShardState> = labgob::decode(snapshot)?;
        if shards.len() != SHARDS {
            let reason = format!("it has {} shards instead of {SHARDS}", shards.len());
            return Err(RestoreError { reason });
        }
        self.shards = shards;
        Ok(())
    }

    fn take_freed_bytes(&mut self) -> usize {
        std::mem::take(&mut self.freed)
    }
}
