//! One shard in one group: its life, and what each request does to it.
//!
//! ```text
//!                      Freeze(n > num)                   Delete(n ≥ num)
//!   ┌────────┐    num := n                     ┌──────┐    data dropped     ┌──────┐
//!   │Serving │ ──────────────────────────────▶ │Frozen│ ──────────────────▶ │Absent│
//!   │        │ ◀────────────────────────────── │      │                     │      │
//!   └────────┘   Thaw(n > num): num := n       └──────┘                     └──────┘
//!       ▲                                          │ Install(n > num), chunk 0   │
//!       │   last chunk    ┌───────────┐            │ num := n                    │
//!       └──────────────── │Receiving n│ ◀──────────┴─────────────────────────────┘
//!                         └───────────┘
//! ```
//! `num` is the configuration that the last Freeze, Thaw or Install belonged to. Requests come more
//! than once, late, and from controllers that others have overtaken:
//!
//! | again, with the same number | answer |
//! |---|---|
//! | Freeze of a frozen shard | done |
//! | Freeze after the Delete of the same number | `WrongGroup`: an empty shard must not be mistaken for the data |
//! | Install of a chunk that has arrived, or of a shard that serves | done; what was written since then stays |
//! | Install of a chunk before its turn | `WrongGroup` |
//! | Thaw of a shard that serves | done |
//! | Delete of an absent shard | done |
//!
//! A number lower than `num` changes nothing and is answered with `WrongGroup`.
//!
//! The data of a frozen shard does not change, so every server that has it frozen at a number can
//! hand it out, and two controllers that copy it send the same chunks.

use kvapi::{Error, VersionedStore};
use serde::{Deserialize, Serialize};

use crate::messages::Chunk;
use crate::shard::ConfigNum;

/// See the head of the file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ShardState {
    /// Never decreases.
    num: ConfigNum,
    phase: Phase,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
enum Phase {
    #[default]
    Absent,
    Serving(VersionedStore),
    Frozen(VersionedStore),
    /// The chunks before `next` have arrived.
    Receiving {
        store: VersionedStore,
        next: u64,
    },
}

impl ShardState {
    /// The data, if this group serves the shard now.
    pub(crate) fn serving(&mut self) -> Result<&mut VersionedStore, Error> {
        match &mut self.phase {
            Phase::Serving(store) => Ok(store),
            _ => Err(Error::WrongGroup),
        }
    }

    pub(crate) fn freeze(&mut self, num: ConfigNum) -> Result<(), Error> {
        match &mut self.phase {
            Phase::Serving(store) if num > self.num => {
                let store = std::mem::take(store);
                *self = ShardState { num, phase: Phase::Frozen(store) };
                Ok(())
            }
            Phase::Frozen(_) if num == self.num => Ok(()),
            _ => Err(Error::WrongGroup),
        }
    }

    /// Serves the shard again: the change that froze it is withdrawn. `num` is higher than that
    /// change's, so that a late Freeze of it is rejected.
    pub(crate) fn thaw(&mut self, num: ConfigNum) -> Result<(), Error> {
        match &mut self.phase {
            Phase::Serving(store) | Phase::Frozen(store) if num > self.num => {
                let store = std::mem::take(store);
                *self = ShardState { num, phase: Phase::Serving(store) };
                Ok(())
            }
            Phase::Serving(_) if num == self.num => Ok(()),
            _ => Err(Error::WrongGroup),
        }
    }

    /// Some of the data of a shard that is frozen at `num`: the entries after this key. `None`
    /// where it is not, or not yet.
    pub(crate) fn chunk(&self, num: ConfigNum, number: u64, after: Option<&str>) -> Option<Chunk> {
        match &self.phase {
            Phase::Frozen(store) if num == self.num => Some(Chunk::of(store, number, after)),
            _ => None,
        }
    }

    /// Adds a chunk. Returns the bytes of old data that the first one replaces.
    pub(crate) fn install(&mut self, num: ConfigNum, chunk: Chunk) -> Result<usize, Error> {
        let is_new = num > self.num || self.num == ConfigNum::ZERO;
        let mut freed = 0;
        match &mut self.phase {
            Phase::Serving(_) if num == self.num => return Ok(0),
            Phase::Receiving { next, .. } if num == self.num && chunk.number < *next => {
                return Ok(0);
            }
            Phase::Receiving { next, .. } if num == self.num && chunk.number == *next => {}
            Phase::Absent | Phase::Frozen(_) | Phase::Receiving { .. }
                if is_new && chunk.number == 0 =>
            {
                freed = self.bytes();
                let phase = Phase::Receiving { store: VersionedStore::new(), next: 0 };
                *self = ShardState { num, phase };
            }
            _ => return Err(Error::WrongGroup),
        }
        let Phase::Receiving { store, next } = &mut self.phase else {
            unreachable!("every other phase has returned");
        };
        store.extend(chunk.entries);
        *next += 1;
        if chunk.is_last {
            self.phase = Phase::Serving(std::mem::take(store));
        }
        Ok(freed)
    }

    /// Returns the bytes of data dropped.
    pub(crate) fn delete(&mut self, num: ConfigNum) -> Result<usize, Error> {
        match &self.phase {
            Phase::Absent if num >= self.num => Ok(0),
            Phase::Frozen(_) if num >= self.num => {
                let freed = self.bytes();
                self.phase = Phase::Absent;
                Ok(freed)
            }
            Phase::Receiving { .. } if num > self.num => {
                let freed = self.bytes();
                self.phase = Phase::Absent;
                Ok(freed)
            }
            _ => Err(Error::WrongGroup),
        }
    }

    /// Bytes of keys and values held, served or not.
    pub(crate) fn bytes(&self) -> usize {
        self.store()
            .map_or(0, |store| store.iter().map(|(key, value, _)| key.len() + value.len()).sum())
    }

    pub(crate) fn store(&self) -> Option<&VersionedStore> {
        match &self.phase {
            Phase::Absent => None,
            Phase::Serving(store) | Phase::Frozen(store) | Phase::Receiving { store, .. } => {
                Some(store)
            }
        }
    }
}
