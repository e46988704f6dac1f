//! What an application uses: finds the group of a key's shard, and asks again wherever the shard
//! has gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kvapi::clerk::put_outcome;
use kvapi::{Error, GetArgs, PutArgs, Version, check_sizes};
use labrt::Instant;

use crate::Connect;
use crate::config::ShardConfig;
use crate::controller::ShardController;
use crate::group::{GroupClerk, Unanswered};
use crate::shard::{ConfigNum, Gid, ShardId};

/// How long a group is asked before the clerk looks whether the shard has another one: a group may
/// be gone for good.
const PATIENCE: Duration = Duration::from_millis(100);
/// Pause when the configuration says what it said before: the shard is on its way.
const PAUSE: Duration = Duration::from_millis(10);

/// A clerk of the whole service. May be used by several tasks at once.
///
/// It keeps the configuration until a group says that it is out of date, or says nothing.
pub struct ShardClerk {
    controller: ShardController,
    connect: Connect,
    view: labrt::Mutex<View>,
}

/// What the clerk believes.
#[derive(Default)]
struct View {
    config: Option<Arc<ShardConfig>>,
    /// Clerks of the groups in `config`. They know who leads.
    groups: BTreeMap<Gid, Arc<GroupClerk>>,
}

impl ShardClerk {
    /// A clerk that looks configurations up on the server named `store` and reaches all servers
    /// through `connect`.
    #[track_caller]
    pub fn new(connect: Connect, store: &str) -> ShardClerk {
        let controller = ShardController::new(Arc::clone(&connect), store);
        ShardClerk { controller, connect, view: labrt::Mutex::new(View::default()) }
    }

    /// Asks the group of the key's shard until one gives an answer that is for the caller.
    fn ask<R>(
        &self,
        deadline: Instant,
        key: &str,
        mut call: impl FnMut(&GroupClerk) -> Result<Result<R, Error>, Unanswered>,
    ) -> Result<R, Error> {
        let shard = ShardId::of_key(key);
        while labrt::now() < deadline {
            let (num, group) = self.group_of(shard);
            let answer = group.as_ref().map(|group| call(group));
            match answer {
                Some(Ok(Err(Error::WrongGroup))) | None => {
                    if !self.look_up(deadline, num) {
                        labrt::sleep(PAUSE);
                    }
                }
                Some(Ok(outcome)) => return outcome,
                Some(Err(Unanswered)) => {
                    self.look_up(deadline, num);
                }
            }
        }
        Err(Error::TimedOut)
    }

    /// The group that has the shard as far as this clerk knows, and in which configuration.
    fn group_of(&self, shard: ShardId) -> (Option<ConfigNum>, Option<Arc<GroupClerk>>) {
        let view = &mut *self.view.lock();
        let Some(config) = &view.config else { return (None, None) };
        let group = config.group_of(shard).map(|(gid, names)| {
            let connect = |name: &String| (self.connect)(name);
            let group = view
                .groups
                .entry(gid)
                .or_insert_with(|| Arc::new(GroupClerk::new(names.iter().map(connect).collect())));
            Arc::clone(group)
        });
        (Some(config.num()), group)
    }

    /// Looks the configuration up; says whether it is newer than the one that led nowhere.
    fn look_up(&self, deadline: Instant, known: Option<ConfigNum>) -> bool {
        let config = match self.controller.query_until(deadline) {
            Ok(config) => config,
            Err(error) => {
                // Not there yet, or damaged: only waiting can help.
                log::warn!(target: "shardkv", "{error}");
                return false;
            }
        };
        let is_newer = known.is_none_or(|known| config.num() > known);
        let mut view = self.view.lock();
        if view.config.as_ref().is_none_or(|old| old.num() < config.num()) {
            let groups = config.groups();
            let same = |gid: &Gid| {
                view.config.as_ref().is_some_and(|old| old.groups().get(gid) == groups.get(gid))
            };
            let kept: Vec<Gid> = view.groups.keys().copied().filter(same).collect();
            view.groups.retain(|gid, _| kept.contains(gid));
            view.config = Some(Arc::new(config));
        }
        is_newer
    }
}

impl kvapi::Clerk for ShardClerk {
    fn get_until(&self, deadline: Instant, key: &str) -> Result<(String, Version), Error> {
        check_sizes(key, "")?;
        let args = GetArgs { key: key.to_owned() };
        self.ask(deadline, key, |group| group.get_until(PATIENCE, deadline, &args))
    }

    fn put_until(
        &self,
        deadline: Instant,
        key: &str,
        value: &str,
        version: Version,
    ) -> Result<(), Error> {
        check_sizes(key, value)?;
        let args = PutArgs { key: key.to_owned(), value: value.to_owned(), version };
        // Outlives the clerks of single groups: what one group has executed moves to the next with
        // the shard.
        let mut first_try = true;
        let outcome = self
            .ask(deadline, key, |group| group.put_until(PATIENCE, deadline, &args, &mut first_try));
        put_outcome(first_try, outcome)
    }
}

impl std::fmt::Debug for ShardClerk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShardClerk").field("controller", &self.controller).finish_non_exhaustive()
    }
}
