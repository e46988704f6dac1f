//! The replicated state of a group: all shards, behind the interface of `rsm`.
//!
//! Whether this group serves a key is decided here, in log order, and not in front of the log: only
//! so do a Put and the Freeze of its shard have an order that all servers agree on.

use kvapi::{Error, GetArgs, PutArgs, Version, VersionedStore};
use rsm::{RestoreError, Snapshot};

use super::shard_state::ShardState;
use crate::messages::{Chunk, CopyArgs, DeleteArgs, FreezeArgs, InstallArgs, ThawArgs};
use crate::shard::{SHARDS, ShardId};

/// The machine that every server of a group runs.
#[derive(Debug)]
pub struct Machine {
    /// By number. Always [`SHARDS`] many.
    shards: Vec<ShardState>,
    /// Bytes of data dropped since `rsm` last asked.
    freed: usize,
}

impl Machine {
    /// The state in which a group begins, be it for the first time or after the loss of its disks:
    /// it serves no shard.
    pub fn new() -> Machine {
        Machine { shards: vec![ShardState::default(); SHARDS], freed: 0 }
    }

    /// A part of a shard that is frozen here for this configuration; `None` if it is not, or not
    /// yet.
    pub fn chunk(&self, args: &CopyArgs) -> Option<Chunk> {
        let shard = self.shards.get(args.shard.get())?;
        shard.chunk(args.num, args.number, args.after.as_deref())
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
}

rsm::requests! {
    /// What goes through the log.
    pub enum Request for Machine => Reply {
        /// Reads a key.
        Get(GetArgs),
        /// Stores a value if the key has the version that is named.
        Put(PutArgs),
        /// Stops serving a shard.
        Freeze(FreezeArgs),
        /// Serves a shard again.
        Thaw(ThawArgs),
        /// Takes a part of a shard.
        Install(InstallArgs),
        /// Forgets a frozen shard.
        Delete(DeleteArgs),
    }
}

impl rsm::Request<Machine> for GetArgs {
    type Reply = Result<(String, Version), Error>;

    fn execute(self, machine: &mut Machine) -> Self::Reply {
        machine.store_of(&self.key)?.get(&self.key)
    }
}

impl rsm::Request<Machine> for PutArgs {
    type Reply = Result<(), Error>;

    fn execute(self, machine: &mut Machine) -> Self::Reply {
        machine.store_of(&self.key)?.put(self.key, self.value, self.version)
    }
}

impl rsm::Request<Machine> for FreezeArgs {
    type Reply = Result<(), Error>;

    fn execute(self, machine: &mut Machine) -> Self::Reply {
        machine.shard(self.shard)?.freeze(self.num)
    }
}

impl rsm::Request<Machine> for ThawArgs {
    type Reply = Result<(), Error>;

    fn execute(self, machine: &mut Machine) -> Self::Reply {
        machine.shard(self.shard)?.thaw(self.num)
    }
}

impl rsm::Request<Machine> for InstallArgs {
    type Reply = Result<(), Error>;

    fn execute(self, machine: &mut Machine) -> Self::Reply {
        machine.freed += machine.shard(self.shard)?.install(self.num, self.chunk)?;
        Ok(())
    }
}

impl rsm::Request<Machine> for DeleteArgs {
    type Reply = Result<(), Error>;

    fn execute(self, machine: &mut Machine) -> Self::Reply {
        machine.freed += machine.shard(self.shard)?.delete(self.num)?;
        Ok(())
    }
}

impl Snapshot for Machine {
    fn snapshot(&self) -> Vec<u8> {
        self.shards.snapshot()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        let mut shards: Vec<ShardState> = Vec::new();
        shards.restore(snapshot)?;
        let refused = |reason| Err(RestoreError { reason });
        if shards.len() != SHARDS {
            return refused(format!("it has {} shards instead of {SHARDS}", shards.len()));
        }
        for (state, shard) in shards.iter().zip(ShardId::all()) {
            let stray = |(key, ..): &(&str, &str, Version)| ShardId::of_key(key) != shard;
            if let Some((key, ..)) = state.store().and_then(|store| store.iter().find(stray)) {
                return refused(format!("shard {shard} has key {key:?} of another shard"));
            }
        }
        self.shards = shards;
        Ok(())
    }

    fn take_freed_bytes(&mut self) -> usize {
        std::mem::take(&mut self.freed)
    }
}

impl Default for Machine {
    fn default() -> Machine {
        Machine::new()
    }
}
