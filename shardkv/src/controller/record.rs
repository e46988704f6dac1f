//! What controllers know, as one value in the store, and the changes it goes through. Pure.
//!
//! ```text
//!                           begin(n)                    advance × 3
//!    {current n-1}  ─────────────────▶  {current n-1,  ─────────────▶  {current n, garbage}
//!       ▲     ▲                          next n}                              │ swept
//!       │     │       withdraw            │   │                               ▼
//!       │     └─────── (Asking) ──────────┘   │ withdraw (Freezing)      {current n}
//!       │                                     ▼
//!       │  = {current n+1, shards as in n-1}  {current n-1, next n+1: Withdrawing n}
//!       └───────────────────────────────────── advance
//! ```
//! All of it is one value under one key, so that each change is one Put with a version: of two
//! controllers only one makes it.

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
    /// Whether `current` is the first configuration, and the shards have not been handed out yet.
    pub(crate) unassigned: bool,
    /// The change under way. Its number is one more than `current`'s; two more when a change is
    /// withdrawn.
    pub(crate) next: Option<Next>,
    /// Copies that groups still have to delete. Their configurations are complete.
    pub(crate) garbage: Vec<Garbage>,
}

/// A change under way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Next {
    pub(crate) config: ShardConfig,
    pub(crate) phase: Phase,
}

/// How far a change is. In this order, but for the last one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// The groups that give or take shards are asked whether they are there. Nothing has changed.
    Asking,
    /// The first shard is being frozen. Nothing was installed.
    Freezing,
    /// Shards move. There is no way back.
    Installing,
    /// This change gives the shards back that another one may have frozen.
    Withdrawing {
        /// The other one.
        change: ShardConfig,
    },
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
    /// The record of a service that begins.
    pub(crate) fn new(current: ShardConfig) -> Record {
        let unassigned = current.shards().iter().any(|gid| *gid != Gid::NONE);
        Record { current, unassigned, next: None, garbage: Vec::new() }
    }

    /// The record once the first configuration's shards are handed out; `None` if they were.
    pub(crate) fn assigned(&self) -> Option<Record> {
        self.unassigned.then(|| Record { unassigned: false, ..self.clone() })
    }

    fn follows(&self, new: &ShardConfig) -> bool {
        !self.unassigned && new.num() == self.current.num().next()
    }

    fn with_next(&self, config: ShardConfig, phase: Phase) -> Record {
        Record { next: Some(Next { config, phase }), ..self.clone() }
    }

    /// The record with the change to `new` begun; `None` if another one is under way or `new` does
    /// not follow the current configuration.
    pub(crate) fn begin(&self, new: &ShardConfig) -> Option<Record> {
        let begins = self.next.is_none() && self.follows(new);
        begins.then(|| self.with_next(new.clone(), Phase::Asking))
    }

    /// The record with `new` begun in place of `stuck`, of which nothing has happened yet.
    pub(crate) fn replace(&self, stuck: &Next, new: &ShardConfig) -> Option<Record> {
        let is_stuck = self.next.as_ref() == Some(stuck) && stuck.phase == Phase::Asking;
        (is_stuck && self.follows(new)).then(|| self.with_next(new.clone(), Phase::Asking))
    }

    /// The record one phase further, or with the change made; `None` if `step` is not what is under
    /// way.
    pub(crate) fn advance(&self, step: &Next) -> Option<Record> {
        if self.next.as_ref() != Some(step) {
            return None;
        }
        let Next { config: new, phase } = step;
        match phase {
            Phase::Asking => return Some(self.with_next(new.clone(), Phase::Freezing)),
            Phase::Freezing => return Some(self.with_next(new.clone(), Phase::Installing)),
            Phase::Installing | Phase::Withdrawing { .. } => {}
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
        Some(Record { current: new.clone(), unassigned: false, next: None, garbage })
    }

    /// The record with the change under way withdrawn, or being withdrawn; `None` if there is none
    /// that can be.
    pub(crate) fn withdraw(&self) -> Option<Record> {
        let Next { config, phase } = self.next.as_ref()?;
        match phase {
            Phase::Asking => Some(Record { next: None, ..self.clone() }),
            Phase::Freezing => {
                // Late requests of the withdrawn change must find their number passed.
                let back = self.current.renumbered(config.num().next());
                let change = config.clone();
                Some(self.with_next(back, Phase::Withdrawing { change }))
            }
            Phase::Installing | Phase::Withdrawing { .. } => None,
        }
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

/// The first shard that `config` gives to a group it does not have; a shard without a group is one
/// only if `served` says so.
pub(crate) fn homeless(config: &ShardConfig, served: impl Fn(ShardId) -> bool) -> Option<ShardId> {
    let groups: &Groups = config.groups();
    debug_assert_eq!(config.shards().len(), SHARDS);
    ShardId::all().find(|shard| match config.gid_of(*shard) {
        Gid::NONE => served(*shard),
        gid => !groups.contains_key(&gid),
    })
}
