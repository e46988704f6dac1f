//! The controller: makes one configuration follow another, and moves the shards that this takes. A
//! client without a server of its own: what it must not forget is in the store ([`record`]).
//!
//! A group that is down makes a change wait, since its shards can neither be taken nor given. What
//! waits looks at the record again and again: when somebody else has completed the change
//! meanwhile, it is done.

mod record;

use std::collections::BTreeMap;
use std::time::Duration;

use kvapi::{Clerk as _, Error, Version};
use labrpc::NEVER;
use labrt::Instant;
use log::{info, warn};

use crate::Connect;
use crate::config::{ConfigError, ShardConfig};
use crate::group::{GroupClerk, Unanswered};
use crate::messages::{Chunk, CopyArgs, InstallArgs};
use crate::shard::{ConfigNum, Gid, ShardId};
use record::{Garbage, KEY, Move, Next, Phase, Record, homeless, moves};

/// How long a group is asked to freeze or install before the controller looks whether that is still
/// called for.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long the first group is asked to take its shards when a service begins.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// How long a group is asked to delete before that is left to the next change.
const SWEEP_PATIENCE: Duration = Duration::from_secs(2);
/// The same for a group that has left: it is usually shut down.
const LAST_SWEEP_PATIENCE: Duration = Duration::from_millis(500);
/// Configurations during which a group that has left, and does not answer, is asked again.
const SWEEPS_AFTER_LEAVING: u64 = 4;

/// A client that stores and changes the configuration. Any number may be at work at once;
/// [`query`](ShardController::query) may be called by many tasks.
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
    /// Another change is under way, or was made since the configuration was computed, or this one
    /// was withdrawn. Query the configuration before computing another one.
    Superseded,
}

/// A change that is under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// The configuration that is to be current. Of a change that is being withdrawn, the one
    /// before, under another number.
    pub config: ShardConfig,
    /// Whether [`ShardController::withdraw`] can take it back.
    pub can_be_withdrawn: bool,
    /// The groups that give or take shards, and do not answer.
    pub waits_for: Vec<Gid>,
}

/// Why a controller cannot do what it was asked to.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControllerError {
    /// The store did not answer before the deadline.
    #[error("the store of the configuration did not answer in time")]
    TimedOut,
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
    /// A group of the configuration makes no sense.
    #[error("the configuration cannot be used: {0}")]
    BadConfig(#[from] ConfigError),
    /// The change under way has begun to install shards: it can only go on.
    #[error("the change to configuration {0} has begun to move shards: it can only be finished")]
    TooLate(ConfigNum),
    /// A group that should have the shard does not: it lost its disk, or is not the one that
    /// joined.
    #[error(
        "group {gid} refuses to hand over or take shard {shard} in configuration {num}, which is \
         still due"
    )]
    Refused { gid: Gid, shard: ShardId, num: ConfigNum },
}

impl ShardController {
    /// A controller that keeps its record on the server named `store` and reaches all servers
    /// through `connect`.
    pub fn new(connect: Connect, store: &str) -> ShardController {
        let store = kvsrv::Clerk::new(connect(store));
        ShardController { store, connect }
    }

    // ---- the record ----------------------------------------------------------------------------

    fn read(&self) -> Result<(Record, Version), ControllerError> {
        self.read_until(NEVER)
    }

    fn read_until(&self, deadline: Instant) -> Result<(Record, Version), ControllerError> {
        let stored = self.store.get_until(deadline, KEY).map_err(|error| match error {
            Error::TimedOut => ControllerError::TimedOut,
            _ => ControllerError::NotInitialised,
        });
        let (text, version) = stored?;
        let record = serde_json::from_str(&text);
        record
            .map(|record| (record, version))
            .map_err(|error| ControllerError::BadRecord(error.to_string()))
    }

    /// Replaces the record by what `change` makes of it. Reads the record again after a Put that
    /// was refused, or whose fate is unknown. Returns the new record, or the stored one if `change`
    /// returns `None` for it.
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

    /// Stores the first configuration, and hands its shards, without keys, to the first group. If
    /// that group does not answer for some seconds, the next controller does so.
    ///
    /// # Errors
    /// [`ControllerError::Initialised`] if there is one; [`ControllerError::BadConfig`],
    /// [`ControllerError::NotInFirstGroup`] and [`ControllerError::Homeless`].
    pub fn init_config(&self, config: &ShardConfig) -> Result<(), ControllerError> {
        config.check()?;
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
            Ok(()) => {}
            Err(Error::Maybe) if self.read()?.0 == record => {}
            Err(_) => return Err(ControllerError::Initialised),
        }
        self.assign(labrt::now() + FIRST_PATIENCE)?;
        Ok(())
    }

    /// Hands the shards of the first configuration out, if nobody has done so; stops asking at
    /// `deadline`.
    fn assign(&self, deadline: Instant) -> Result<Record, ControllerError> {
        let mut clerks = Clerks { connect: &self.connect, clerks: BTreeMap::new() };
        loop {
            let (record, _) = self.read()?;
            if !record.unassigned {
                return Ok(record);
            }
            let config = &record.current;
            let empty = |shard| InstallArgs { shard, chunk: Chunk::empty(), num: config.num() };
            let assigned = ShardId::all().all(|shard| match config.group_of(shard) {
                Some((gid, names)) => {
                    let clerk = clerks.of(gid, names);
                    // A group that refuses has had the shard before, from another controller.
                    clerk.install_shard(PATIENCE, &empty(shard)).is_ok()
                }
                None => true,
            });
            if assigned {
                return self.update(Record::assigned);
            }
            if labrt::now() >= deadline {
                return Ok(record);
            }
        }
    }

    /// The current configuration.
    ///
    /// # Errors
    /// [`ControllerError::NotInitialised`], [`ControllerError::BadRecord`].
    pub fn query(&self) -> Result<ShardConfig, ControllerError> {
        self.query_until(NEVER)
    }

    /// The current configuration, if the store answers before `deadline`.
    ///
    /// # Errors
    /// [`ControllerError::TimedOut`], and those of [`query`](ShardController::query).
    pub fn query_until(&self, deadline: Instant) -> Result<ShardConfig, ControllerError> {
        Ok(self.read_until(deadline)?.0.current)
    }

    /// The change that is under way, if there is one, and which groups keep it waiting.
    ///
    /// # Errors
    /// [`ControllerError::NotInitialised`], [`ControllerError::BadRecord`].
    pub fn progress(&self) -> Result<Option<Progress>, ControllerError> {
        let (record, _) = self.read()?;
        let Some(next) = &record.next else { return Ok(None) };
        let can_be_withdrawn = record.withdraw().is_some();
        let waits_for = self.silent(&record, next);
        Ok(Some(Progress { config: next.config.clone(), can_be_withdrawn, waits_for }))
    }

    // ---- changes ------------------------------------------------------------------------------

    /// Takes over from a controller that is gone: finishes the change under way, if there is one,
    /// and the deletions that are left.
    ///
    /// # Errors
    /// As [`change_config_to`](ShardController::change_config_to).
    pub fn init_controller(&self) -> Result<(), ControllerError> {
        let record = self.assign(NEVER)?;
        let record = match record.next.clone() {
            Some(next) => self.reconcile(&next.config)?,
            None => record,
        };
        self.sweep(record)
    }

    /// Makes `new` the current configuration, moving the shards that change hands. `new` is
    /// computed from a [`query`](ShardController::query); if the configuration has changed since,
    /// or somebody else's change is under way, nothing happens (call
    /// [`init_controller`](ShardController::init_controller) to finish it, then query and compute
    /// anew). Waits while a group is down that a shard moves from or to; no shard is taken from its
    /// group before all of these groups have answered.
    ///
    /// A change under way that waits for a group that does not answer, and has not touched any
    /// shard, gives way to this one.
    ///
    /// # Errors
    /// [`ControllerError::BadConfig`]; [`ControllerError::Homeless`] if `new` takes a shard from
    /// its group and gives it to none; others as their texts say. After
    /// [`ControllerError::Refused`] the change is still under way.
    pub fn change_config_to(&self, new: &ShardConfig) -> Result<Change, ControllerError> {
        new.check()?;
        let first = self.assign(NEVER)?;
        let stuck = first.next.as_ref().filter(|next| {
            next.config != *new
                && next.phase == Phase::Asking
                && !self.silent(&first, next).is_empty()
        });
        let mut nowhere = None;
        let record = self.update(|record| {
            let replaced = || record.replace(stuck?, new);
            let begun = record.begin(new).or_else(replaced)?;
            nowhere = homeless(new, |shard| record.current.gid_of(shard) != Gid::NONE);
            nowhere.is_none().then_some(begun)
        })?;
        if let Some(shard) = nowhere {
            return Err(ControllerError::Homeless(shard));
        }
        let record = match &record.next {
            Some(next) if next.config == *new => self.reconcile(new)?,
            _ => record,
        };
        if record.current != *new {
            return Ok(Change::Superseded);
        }
        self.sweep(record)?;
        Ok(Change::Done)
    }

    /// Takes the change under way back. Shards that it has frozen are served again by their groups;
    /// waits while one of those is down. Afterwards no change is under way. Does nothing if there
    /// is none.
    ///
    /// # Errors
    /// [`ControllerError::TooLate`] if shards may have been installed already; others as their
    /// texts say.
    pub fn withdraw(&self) -> Result<(), ControllerError> {
        let record = self.update(Record::withdraw)?;
        match &record.next {
            None => Ok(()),
            Some(Next { config, phase: Phase::Withdrawing { .. } }) => {
                self.reconcile(config).map(|_| ())
            }
            Some(next) => Err(ControllerError::TooLate(next.config.num())),
        }
    }

    /// The groups that give or take shards in this change and do not answer.
    fn silent(&self, record: &Record, next: &Next) -> Vec<Gid> {
        let mut clerks = Clerks { connect: &self.connect, clerks: BTreeMap::new() };
        let groups = participants(record, next);
        let silent =
            |(gid, names): &(&Gid, &Vec<String>)| !clerks.of(**gid, names).is_there(PATIENCE);
        groups.into_iter().filter(silent).map(|(gid, _)| *gid).collect()
    }

    /// Steps 2 to 4 of the crate's picture, as far as they are left. Returns the record when the
    /// change to `new` is no longer under way: it is complete, whoever completed it, or was
    /// withdrawn.
    fn reconcile(&self, new: &ShardConfig) -> Result<Record, ControllerError> {
        let mut clerks = Clerks { connect: &self.connect, clerks: BTreeMap::new() };
        loop {
            let (record, _) = self.read()?;
            let Some(next) = record.next.clone().filter(|next| next.config == *new) else {
                return Ok(record);
            };
            info!(target: "shardkv", "configuration {}: {:?}", new.num(), next.phase);
            let done = match &next.phase {
                Phase::Asking => self.ask_all(&mut clerks, &record, &next)?,
                Phase::Freezing => self.freeze_first(&mut clerks, &record, &next)?,
                Phase::Installing => self.move_all(&mut clerks, &record, &next)?,
                Phase::Withdrawing { change } => {
                    self.thaw_all(&mut clerks, &record, &next, change)?
                }
            };
            if done.is_some() {
                self.update(|record| record.advance(&next))?;
            }
        }
    }

    /// Waits until all groups that take part have answered. `None`, here and below: the change has
    /// gone on without us.
    fn ask_all(
        &self,
        clerks: &mut Clerks<'_>,
        record: &Record,
        next: &Next,
    ) -> Result<Option<()>, ControllerError> {
        for (gid, names) in participants(record, next) {
            while !clerks.of(*gid, names).is_there(PATIENCE) {
                warn!(target: "shardkv", "configuration {} waits for group {gid}", next.config.num());
                if self.read()?.0.next.as_ref() != Some(next) {
                    return Ok(None);
                }
            }
        }
        Ok(Some(()))
    }

    /// Freezes the first shard that has to move from a group.
    fn freeze_first(
        &self,
        clerks: &mut Clerks<'_>,
        record: &Record,
        next: &Next,
    ) -> Result<Option<()>, ControllerError> {
        let (old, new) = (&record.current, &next.config);
        match moves(old, new).find(|step| old.groups().contains_key(&step.from)) {
            Some(step) => self.freeze(clerks, old, next, step),
            None => Ok(Some(())),
        }
    }

    fn freeze(
        &self,
        clerks: &mut Clerks<'_>,
        old: &ShardConfig,
        next: &Next,
        step: Move,
    ) -> Result<Option<()>, ControllerError> {
        let Some(names) = old.groups().get(&step.from) else { return Ok(Some(())) };
        let clerk = clerks.of(step.from, names);
        let freeze = || clerk.freeze_shard(PATIENCE, step.shard, next.config.num());
        self.until_answered(next, step.from, step.shard, freeze)
    }

    /// Moves one shard after the other, each in chunks.
    fn move_all(
        &self,
        clerks: &mut Clerks<'_>,
        record: &Record,
        next: &Next,
    ) -> Result<Option<()>, ControllerError> {
        let (old, new) = (&record.current, &next.config);
        for step in moves(old, new) {
            if self.freeze(clerks, old, next, step)?.is_none() {
                return Ok(None);
            }
            let Some(to) = new.groups().get(&step.to) else { continue };
            let from = old.groups().get(&step.from);
            let (shard, num) = (step.shard, new.num());
            let (mut number, mut after) = (0, None);
            loop {
                let chunk = match from {
                    None => Chunk::empty(),
                    Some(from) => {
                        let clerk = clerks.of(step.from, from);
                        let args = CopyArgs { shard, num, number, after: after.take() };
                        let copy = || clerk.copy_shard(PATIENCE, &args);
                        match self.until_answered(next, step.from, shard, copy)? {
                            Some(chunk) => chunk,
                            None => return Ok(None),
                        }
                    }
                };
                let is_last = chunk.is_last;
                after = chunk.entries.last().map(|(key, ..)| key.clone());
                number += 1;
                let clerk = clerks.of(step.to, to);
                let args = InstallArgs { shard, chunk, num };
                let install = || clerk.install_shard(PATIENCE, &args);
                if self.until_answered(next, step.to, shard, install)?.is_none() {
                    return Ok(None);
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(Some(()))
    }

    /// Gives every shard back that `change` may have frozen.
    fn thaw_all(
        &self,
        clerks: &mut Clerks<'_>,
        record: &Record,
        next: &Next,
        change: &ShardConfig,
    ) -> Result<Option<()>, ControllerError> {
        let old = &record.current;
        for step in moves(old, change) {
            let Some(names) = old.groups().get(&step.from) else { continue };
            let clerk = clerks.of(step.from, names);
            // A group that refuses has lost its disks, and so has nothing to give back.
            let thaw = || {
                let answer = clerk.thaw_shard(PATIENCE, step.shard, next.config.num());
                answer.map(|outcome| Ok::<bool, Error>(outcome.is_ok()))
            };
            match self.until_answered(next, step.from, step.shard, thaw)? {
                Some(true) => {}
                Some(false) => {
                    warn!(target: "shardkv", "group {} has lost shard {}", step.from, step.shard)
                }
                None => return Ok(None),
            }
        }
        Ok(Some(()))
    }

    /// Asks a group until it has done its part, or until this phase of the change is over without
    /// us: `None`.
    fn until_answered<R>(
        &self,
        next: &Next,
        gid: Gid,
        shard: ShardId,
        ask: impl Fn() -> Result<Result<R, Error>, Unanswered>,
    ) -> Result<Option<R>, ControllerError> {
        loop {
            let answer = ask();
            if let Ok(Ok(done)) = answer {
                return Ok(Some(done));
            }
            // Read after the answer: a group refuses what is out of date only after the record has
            // moved on.
            let (record, _) = self.read()?;
            if record.next.as_ref() != Some(next) {
                return Ok(None);
            }
            if answer.is_ok() {
                return Err(ControllerError::Refused { gid, shard, num: next.config.num() });
            }
            warn!(target: "shardkv", "configuration {} waits for group {gid}", next.config.num());
        }
    }

    /// Steps 5 and 6: has groups delete what they no longer serve. A group that does not answer
    /// keeps its entry in the record for the next time, or for some times if it has left: should it
    /// come again after that, [`Record::complete`] makes a new one.
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

/// The groups that give or take shards in this change, with the names of their servers.
fn participants<'a>(record: &'a Record, next: &'a Next) -> BTreeMap<&'a Gid, &'a Vec<String>> {
    let (old, new) = (&record.current, &next.config);
    let sides = moves(old, new).flat_map(|step| [(old, step.from), (new, step.to)]);
    sides.filter_map(|(config, gid)| config.groups().get_key_value(&gid)).collect()
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
