//! The controller: makes one configuration follow another, and moves the shards that this takes. A client without a server of its
//! own: what it must not forget is in the store ([`record`]).
//!
//! A group that is down makes a change wait, since its shards can neither be taken nor given. What waits looks at the record again and
//! again: when somebody else has completed the change meanwhile, it is done.

mod record;

use std::collections::BTreeMap;
use std::time::Duration;

use kvapi::{Clerk as _, Error, Version, VersionedStore};
use log::{info, warn};

use crate::Connect;
use crate::config::ShardConfig;
use crate::group::{GroupClerk, Unanswered};
use crate::shard::{ConfigNum, Gid, ShardId};
use record::{Garbage, KEY, Record, homeless, moves};

/// How long a group is asked to freeze or install before the controller looks whether that is still called for.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a group is asked to delete before that is left to the next change.
const SWEEP_PATIENCE: Duration = Duration::from_secs(2);
/// The same for a group that has left: it is usually shut down.
const LAST_SWEEP_PATIENCE: Duration = Duration::from_millis(500);
/// Configurations during which a group that has left, and does not answer, is asked again.
const SWEEPS_AFTER_LEAVING: u64 = 4;

/// A client that stores and changes the configuration. Any number may be at work at once; [`query`](ShardController::query) may be
/// called by many tasks.
#[derive(Clone)]
pub struct ShardController {
    store: kvsrv::Clerk,
    connect: Connect,
}

/// What became of [`ShardController::change_config_to`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a change that was superseded has to be computed anew"]
pub enum Change {
    /// The configuration was made current, by this controller or by one that finished its work.
    Done,
    /// Another change is under way, or was made since the configuration was computed. This one had no effect.
    Superseded,
}

/// Why a controller cannot do what it was asked to.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControllerError {
    /// There is no configuration yet.
    #[error("no configuration is stored: call init_config first")]
    NotInitialised,
    /// There is one already.
    #[error("a configuration is stored already: change it with change_config_to")]
    Initialised,
    /// What is stored is not a controller's record.
    #[error("the stored configuration cannot be understood: {0}")]
    BadRecord(String),
    /// A first configuration may give shards to the first group only, where they are.
    #[error(
        "a first configuration must give every shard to group 1 or to none: shard {0} is elsewhere"
    )]
    NotInFirstGroup(ShardId),
    /// The data of the shard would have nowhere to go.
    #[error("shard {0} would belong to no group that is there: keep a group for it")]
    Homeless(ShardId),
    /// A group that should have the shard does not: it lost its disk, or is not the one that joined.
    #[error(
        "group {gid} refuses to hand over or take shard {shard} in configuration {num}, which is still due"
    )]
    Refused {
        /// The group.
        gid: Gid,
        /// The shard.
        shard: ShardId,
        /// The configuration.
        num: ConfigNum,
    },
}

impl ShardController {
    /// A controller that keeps its record on the server named `store` and reaches all servers through `connect`.
    pub fn new(connect: Connect, store: &str) -> ShardController {
        let store = kvsrv::Clerk::new(connect(store));
        ShardController { store, connect }
    }

    // ---- the record ---------------------------------------------------------------------------------------------------

    fn read(&self) -> Result<(Record, Version), ControllerError> {
        // A Get can fail in one way only.
        let (text, version) = self.store.get(KEY).map_err(|_| ControllerError::NotInitialised)?;
        let record = serde_json::from_str(&text);
        record
            .map(|record| (record, version))
            .map_err(|error| ControllerError::BadRecord(error.to_string()))
    }

    /// Replaces the record by what `change` makes of it, unless that is nothing, and looks again until it is nothing. So what comes back
    /// is a record that `change` has nothing to do with: because it was made, or because it cannot be.
    ///
    /// A Put that may or may not have taken effect needs no care of its own: the next look shows the record as it is.
    fn update(
        &self,
        mut change: impl FnMut(&Record) -> Option<Record>,
    ) -> Result<Record, ControllerError> {
        loop {
            let (record, version) = self.read()?;
            let Some(changed) = change(&record) else { return Ok(record) };
            let text = serde_json::to_string(&changed).expect("numbers and strings can be JSON");
            if self.store.put(KEY, &text, version).is_ok() {
                return Ok(changed);
            }
        }
    }

    /// Stores the first configuration.
    ///
    /// # Errors
    /// [`ControllerError::Initialised`] if there is one; [`ControllerError::NotInFirstGroup`] and [`ControllerError::Homeless`].
    pub fn init_config(&self, config: &ShardConfig) -> Result<(), ControllerError> {
        let elsewhere = |shard: &ShardId| ![Gid::NONE, Gid::FIRST].contains(&config.gid_of(*shard));
        if let Some(shard) = ShardId::all().find(elsewhere) {
            return Err(ControllerError::NotInFirstGroup(shard));
        }
        if let Some(shard) = homeless(config, |_| false) {
            return Err(ControllerError::Homeless(shard));
        }
        let record = Record::new(config.clone());
        let text = serde_json::to_string(&record).expect("numbers and strings can be JSON");
        match self.store.put(KEY, &text, Version::ZERO) {
            Ok(()) => Ok(()),
            Err(Error::Maybe) if self.read()?.0 == record => Ok(()),
            Err(_) => Err(ControllerError::Initialised),
        }
    }

    /// The current configuration.
    ///
    /// # Errors
    /// [`ControllerError::NotInitialised`], [`ControllerError::BadRecord`].
    pub fn query(&self) -> Result<ShardConfig, ControllerError> {
        Ok(self.read()?.0.current)
    }

    // ---- changes ------------------------------------------------------------------------------------------------------

    /// Takes over from a controller that is gone: finishes the change under way, if there is one, and the deletions that are left.
    ///
    /// # Errors
    /// As [`change_config_to`](ShardController::change_config_to).
    pub fn init_controller(&self) -> Result<(), ControllerError> {
        let (record, _) = self.read()?;
        let record = match record.next.clone() {
            Some(next) => self.carry_out(&record.current, &next)?,
            None => record,
        };
        self.sweep(record)
    }

    /// Makes `new` the current configuration, moving the shards that change hands. `new` is computed from a
    /// [`query`](ShardController::query); if the configuration has changed since, or somebody else's change is under way, nothing
    /// happens (call [`init_controller`](ShardController::init_controller) to finish it, then query and compute anew). Waits while a
    /// group is down that a shard moves from or to.
    ///
    /// # Errors
    /// [`ControllerError::Homeless`] if `new` takes a shard from its group and gives it to none; others as their texts say. After
    /// [`ControllerError::Refused`] the change is still under way.
    pub fn change_config_to(&self, new: &ShardConfig) -> Result<Change, ControllerError> {
        let mut nowhere = None;
        let record = self.update(|record| {
            let begun = record.begin(new)?;
            nowhere = homeless(new, |shard| record.current.gid_of(shard) != Gid::NONE);
            nowhere.is_none().then_some(begun)
        })?;
        if let Some(shard) = nowhere {
            return Err(ControllerError::Homeless(shard));
        }
        // Of each number there is only one configuration that is begun, so an equal one is this one.
        let record = match &record.next {
            Some(next) if next == new => self.carry_out(&record.current, new)?,
            _ if record.current == *new => record,
            _ => return Ok(Change::Superseded),
        };
        self.sweep(record)?;
        Ok(Change::Done)
    }

    /// Steps 2 to 4 of the crate's picture. Returns the record when the change is complete, whoever completed it.
    fn carry_out(&self, old: &ShardConfig, new: &ShardConfig) -> Result<Record, ControllerError> {
        info!(target: "shardkv", "change to configuration {} begins", new.num());
        let mut clerks = Clerks { connect: &self.connect, clerks: BTreeMap::new() };
        for step in moves(old, new) {
            let (shard, num) = (step.shard, new.num());
            let state = match old.groups().get(&step.from) {
                None => VersionedStore::new(),
                Some(names) => {
                    let clerk = clerks.of(step.from, names);
                    let freeze = || clerk.freeze_shard(PATIENCE, shard, num);
                    match self.until_answered(new, step.from, shard, freeze)? {
                        Some(state) => state,
                        None => return Ok(self.read()?.0),
                    }
                }
            };
            let Some(names) = new.groups().get(&step.to) else { continue };
            let clerk = clerks.of(step.to, names);
            let install = || clerk.install_shard(PATIENCE, shard, state.clone(), num);
            if self.until_answered(new, step.to, shard, install)?.is_none() {
                return Ok(self.read()?.0);
            }
        }
        self.update(|record| record.complete(new))
    }

    /// Asks a group until it has done its part, or until the change to `new` is complete without us: `None`.
    fn until_answered<R>(
        &self,
        new: &ShardConfig,
        gid: Gid,
        shard: ShardId,
        ask: impl Fn() -> Result<Result<R, Error>, Unanswered>,
    ) -> Result<Option<R>, ControllerError> {
        loop {
            let answer = ask();
            if let Ok(Ok(done)) = answer {
                return Ok(Some(done));
            }
            // Read after the answer: a group refuses what is out of date only after the record has moved on.
            let (record, _) = self.read()?;
            if record.next.as_ref() != Some(new) {
                return Ok(None);
            }
            if answer.is_ok() {
                return Err(ControllerError::Refused { gid, shard, num: new.num() });
            }
            warn!(target: "shardkv", "configuration {} waits for group {gid}", new.num());
        }
    }

    /// Steps 5 and 6: has groups delete what they no longer serve. A group that does not answer keeps its entry in the record for
    /// the next time, or for some times if it has left: should it come again after that, [`Record::complete`] makes a new one.
    fn sweep(&self, record: Record) -> Result<(), ControllerError> {
        if record.garbage.is_empty() {
            return Ok(());
        }
        let (mut done, mut silent) = (Vec::new(), Vec::new());
        for garbage in record.garbage {
            let has_left = !record.current.groups().contains_key(&garbage.gid);
            let patience = if has_left { LAST_SWEEP_PATIENCE } else { SWEEP_PATIENCE };
            let deleted = !silent.contains(&garbage.gid) && self.delete(&garbage, patience);
            if !deleted {
                silent.push(garbage.gid);
            }
            let age = record.current.num().get().saturating_sub(garbage.num.get());
            if deleted || (has_left && age >= SWEEPS_AFTER_LEAVING) {
                done.push(garbage);
            }
        }
        if !done.is_empty() {
            self.update(|record| record.swept(&done))?;
        }
        Ok(())
    }

    /// Whether the group has answered.
    fn delete(&self, garbage: &Garbage, patience: Duration) -> bool {
        let mut clerks = Clerks { connect: &self.connect, clerks: BTreeMap::new() };
        let clerk = clerks.of(garbage.gid, &garbage.servers);
        // A refusal is an answer, too: the group has moved on and has nothing left of that time.
        garbage.shards.iter().all(|shard| clerk.delete_shard(patience, *shard, garbage.num).is_ok())
    }
}

impl std::fmt::Debug for ShardController {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShardController").field("store", &self.store).finish_non_exhaustive()
    }
}

/// The clerks of one change: who leads a group is found out once.
struct Clerks<'a> {
    connect: &'a Connect,
    clerks: BTreeMap<Gid, GroupClerk>,
}

impl Clerks<'_> {
    fn of(&mut self, gid: Gid, names: &[String]) -> &GroupClerk {
        let connect = |name: &String| (self.connect)(name);
        self.clerks
            .entry(gid)
            .or_insert_with(|| GroupClerk::new(names.iter().map(connect).collect()))
    }
}
