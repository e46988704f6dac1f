//! What controllers know, as one value in the store, and the three changes it goes through. Pure.
//!
//! ```text
//!    {current n-1}  ──begin(n)──▶  {current n-1, next n}  ──complete──▶  {current n, garbage}  ──swept──▶  {current n}
//! ```
//! All of it is one value under one key, so that each change is one Put with a version: of two controllers only one makes it.

use serde::{Deserialize, Serialize};

use crate::config::{Groups, ShardConfig};
use crate::shard::{ConfigNum, Gid, SHARDS, ShardId};

/// The key it is stored under.
pub(crate) const KEY: &str = "shard-configuration";

/// The value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// What clerks go by.
    pub(crate) current: ShardConfig,
    /// The change under way. Its number is one more than `current`'s. Never withdrawn.
    pub(crate) next: Option<ShardConfig>,
    /// Copies that groups still have to delete. Their configurations are complete.
    pub(crate) garbage: Vec<Garbage>,
}

/// Shards that a group may hold a copy of and does not serve.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Garbage {
    pub(crate) gid: Gid,
    pub(crate) servers: Vec<String>,
    pub(crate) shards: Vec<ShardId>,
    /// A configuration that gives them to others. What the group has frozen up to there can go.
    pub(crate) num: ConfigNum,
}

/// A shard that changes hands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Move {
    pub(crate) shard: ShardId,
    /// [`Gid::NONE`]: nobody had it, it begins empty.
    pub(crate) from: Gid,
    pub(crate) to: Gid,
}

impl Record {
    pub(crate) fn new(current: ShardConfig) -> Record {
        Record { current, next: None, garbage: Vec::new() }
    }

    /// The record with the change to `new` begun; `None` if another one is under way or `new` does not follow the current
    /// configuration.
    pub(crate) fn begin(&self, new: &ShardConfig) -> Option<Record> {
        let follows = self.next.is_none() && new.num() == self.current.num().next();
        follows.then(|| Record { next: Some(new.clone()), ..self.clone() })
    }

    /// The record with the change to `new` made; `None` if that is not what is under way.
    pub(crate) fn complete(&self, new: &ShardConfig) -> Option<Record> {
        if self.next.as_ref() != Some(new) {
            return None;
        }
        let mut garbage = self.garbage.clone();
        let mut add = |gid: Gid, servers: &Vec<String>, shards: Vec<ShardId>| {
            if !shards.is_empty() {
                let servers = servers.clone();
                garbage.push(Garbage { gid, servers, shards, num: new.num() });
            }
        };
        for (gid, servers) in self.current.groups() {
            let gone = moves(&self.current, new).filter(|step| step.from == *gid);
            add(*gid, servers, gone.map(|step| step.shard).collect());
        }
        for (gid, servers) in new.groups() {
            if !self.current.groups().contains_key(gid) {
                // It may have been here before and left without an answer to the last Delete.
                let others = ShardId::all().filter(|shard| new.gid_of(*shard) != *gid);
                add(*gid, servers, others.collect());
            }
        }
        Some(Record { current: new.clone(), next: None, garbage })
    }

    /// The record without these copies; `None` if they are not in it.
    pub(crate) fn swept(&self, done: &[Garbage]) -> Option<Record> {
        let mut garbage = self.garbage.clone();
        garbage.retain(|left| !done.contains(left));
        (garbage.len() < self.garbage.len()).then(|| Record { garbage, ..self.clone() })
    }
}

/// The shards whose group differs, in order.
pub(crate) fn moves<'a>(
    from: &'a ShardConfig,
    to: &'a ShardConfig,
) -> impl Iterator<Item = Move> + use<'a> {
    ShardId::all()
        .map(|shard| Move { shard, from: from.gid_of(shard), to: to.gid_of(shard) })
        .filter(|step| step.from != step.to)
}

/// The first shard that `config` gives to a group it does not have; a shard without a group is one only if `served` says so.
pub(crate) fn homeless(config: &ShardConfig, served: impl Fn(ShardId) -> bool) -> Option<ShardId> {
    let groups: &Groups = config.groups();
    debug_assert_eq!(config.shards().len(), SHARDS);
    ShardId::all().find(|shard| match config.gid_of(*shard) {
        Gid::NONE => served(*shard),
        gid => !groups.contains_key(&gid),
    })
}
