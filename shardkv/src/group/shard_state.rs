//! One shard in one group: its life, and what each request does to it.
//!
//! ```text
//!                      Freeze(n > num)                   Delete(n ≥ num)
//!   ┌────────┐    num := n, data handed out    ┌──────┐    data dropped     ┌──────┐
//!   │Serving │ ──────────────────────────────▶ │Frozen│ ──────────────────▶ │Absent│
//!   └────────┘                                 └──────┘                     └──────┘
//!       ▲                                          │  Install(n > num): num := n │
//!       └──────────────────────────────────────────┴─────────────────────────────┘
//! ```
//! `num` is the configuration that the last Freeze or Install belonged to. Requests come more than once, late, and from
//! controllers that others have overtaken:
//!
//! | again, with the same number | answer |
//! |---|---|
//! | Freeze of a frozen shard | the same data |
//! | Freeze after the Delete of the same number | `WrongGroup`: an empty shard must not be mistaken for the data |
//! | Install of a shard that serves | done; what was written since then stays |
//! | Delete of an absent shard | done |
//!
//! A number lower than `num` changes nothing and is answered with `WrongGroup`.

use kvapi::{Error, VersionedStore};
use serde::{Deserialize, Serialize};

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
}

impl ShardState {
    /// Serves, without keys: how the first group begins.
    pub(crate) fn serving_nothing() -> ShardState {
        ShardState { num: ConfigNum::ZERO, phase: Phase::Serving(VersionedStore::new()) }
    }

    /// The data, if this group serves the shard now.
    pub(crate) fn serving(&mut self) -> Result<&mut VersionedStore, Error> {
        match &mut self.phase {
            Phase::Serving(store) => Ok(store),
            Phase::Absent | Phase::Frozen(_) => Err(Error::WrongGroup),
        }
    }

    pub(crate) fn freeze(&mut self, num: ConfigNum) -> Result<VersionedStore, Error> {
        match &mut self.phase {
            Phase::Serving(store) if num > self.num => {
                let store = std::mem::take(store);
                let handed_out = store.clone();
                *self = ShardState { num, phase: Phase::Frozen(store) };
                Ok(handed_out)
            }
            Phase::Frozen(store) if num == self.num => Ok(store.clone()),
            _ => Err(Error::WrongGroup),
        }
    }

    /// Returns the bytes of old data that this replaces.
    pub(crate) fn install(
        &mut self,
        num: ConfigNum,
        state: VersionedStore,
    ) -> Result<usize, Error> {
        match &self.phase {
            Phase::Serving(_) if num == self.num => Ok(0),
            Phase::Absent | Phase::Frozen(_) if num > self.num => {
                let freed = self.bytes();
                *self = ShardState { num, phase: Phase::Serving(state) };
                Ok(freed)
            }
            _ => Err(Error::WrongGroup),
        }
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
            _ => Err(Error::WrongGroup),
        }
    }

    /// Bytes of keys and values held, served or frozen.
    pub(crate) fn bytes(&self) -> usize {
        match &self.phase {
            Phase::Absent => 0,
            Phase::Serving(store) | Phase::Frozen(store) => {
                store.iter().map(|(key, value, _)| key.len() + value.len()).sum()
            }
        }
    }
}
