//! Configurations: which group serves which shard, and which servers make up a group.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::rebalance::rebalance;
use crate::shard::{ConfigNum, Gid, SHARDS, ShardId};

/// The names of a group's servers, by group.
pub type Groups = BTreeMap<Gid, Vec<String>>;

/// Who serves what. As text (`Display`, [`FromStr`]) it is the course's JSON:
///
/// ```
/// let text = r#"{"Num":1,"Shards":[1,1,1,1,1,1,1,1,1,1,1,1],"Groups":{"1":["xxx"]}}"#;
/// let config: shardkv::ShardConfig = text.parse()?;
/// assert_eq!(config.to_string(), text);
/// # Ok::<(), shardkv::ParseConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ShardConfig {
    /// Counts the changes since the empty configuration.
    #[serde(rename = "Num")]
    num: ConfigNum,
    /// The group of each shard; [`Gid::NONE`] without groups.
    #[serde(rename = "Shards")]
    shards: [Gid; SHARDS],
    /// The groups there are, those without shards included.
    #[serde(
        rename = "Groups",
        serialize_with = "in_order_of_text",
        deserialize_with = "without_repetition"
    )]
    groups: Groups,
}

/// Writes the members as a text sorts them ("10" before "2"), which is the course's order.
fn in_order_of_text<S: Serializer>(groups: &Groups, serializer: S) -> Result<S::Ok, S::Error> {
    let by_text: BTreeMap<String, &Vec<String>> =
        groups.iter().map(|(gid, names)| (gid.to_string(), names)).collect();
    by_text.serialize(serializer)
}

/// Why groups cannot join or leave. The configuration is unchanged.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No group was named.
    #[error("name at least one group")]
    NoGroups,
    /// Number 0 means "no group".
    #[error("0 cannot be a group's number: choose another one")]
    NotAGroup,
    /// A group needs somebody to keep its shards.
    #[error("group {0} has no servers: name at least one")]
    NoServers(Gid),
    /// A server without a name cannot be reached.
    #[error("group {0} has a server without a name")]
    EmptyName(Gid),
    /// One server three times is not three servers: its loss would lose the group.
    #[error("group {gid} names server {name:?} twice: name each server once")]
    RepeatedServer { gid: Gid, name: String },
    /// The group is there already.
    #[error("group {0} has joined already")]
    Present(Gid),
    /// The group is not there.
    #[error("group {0} has not joined")]
    Absent(Gid),
    /// A server can serve in one group only.
    #[error("server {name:?} belongs to group {gid} already: choose another name")]
    NameTaken {
        name: String,
        /// The group it is in.
        gid: Gid,
    },
}

/// Checks a group that would stand beside `groups`.
fn check_group(groups: &Groups, gid: Gid, names: &[String]) -> Result<(), ConfigError> {
    if gid == Gid::NONE {
        return Err(ConfigError::NotAGroup);
    }
    if names.is_empty() {
        return Err(ConfigError::NoServers(gid));
    }
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(ConfigError::EmptyName(gid));
        }
        if names[..at].contains(name) {
            return Err(ConfigError::RepeatedServer { gid, name: name.clone() });
        }
        if let Some((gid, _)) = groups.iter().find(|(_, others)| others.contains(name)) {
            return Err(ConfigError::NameTaken { name: name.clone(), gid: *gid });
        }
    }
    Ok(())
}

/// Reads the groups of a configuration, each once.
fn without_repetition<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Groups, D::Error> {
    struct Once;

    impl<'de> Visitor<'de> for Once {
        type Value = Groups;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("groups by number, with the names of their servers")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Groups, A::Error> {
            let mut groups = Groups::new();
            while let Some((gid, names)) = map.next_entry::<Gid, Vec<String>>()? {
                if groups.insert(gid, names).is_some() {
                    return Err(serde::de::Error::custom(format!("group {gid} stands twice")));
                }
            }
            Ok(groups)
        }
    }

    deserializer.deserialize_map(Once)
}

impl ShardConfig {
    /// Number 0: no groups, no shard assigned.
    pub fn new() -> ShardConfig {
        ShardConfig::default()
    }

    /// Its number.
    pub fn num(&self) -> ConfigNum {
        self.num
    }

    /// The same groups and shards under another number.
    pub(crate) fn renumbered(&self, num: ConfigNum) -> ShardConfig {
        ShardConfig { num, ..self.clone() }
    }

    /// The group of each shard.
    pub fn shards(&self) -> &[Gid; SHARDS] {
        &self.shards
    }

    /// All groups with the names of their servers.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// The group of this shard; [`Gid::NONE`] if it has none.
    pub fn gid_of(&self, shard: ShardId) -> Gid {
        self.shards.get(shard.get()).copied().unwrap_or(Gid::NONE)
    }

    /// The group that serves this shard and its servers, if it is assigned.
    pub fn group_of(&self, shard: ShardId) -> Option<(Gid, &[String])> {
        let gid = self.gid_of(shard);
        self.groups.get(&gid).map(|names| (gid, names.as_slice()))
    }

    /// Whether a shard is assigned to the group. A group that joined may have none.
    pub fn is_member(&self, gid: Gid) -> bool {
        self.shards.contains(&gid)
    }

    /// Adds groups and counts one change. Shards stay where they are; see
    /// [`join_balance`](ShardConfig::join_balance).
    ///
    /// # Errors
    /// [`ConfigError`]; nothing has changed then.
    pub fn join(&mut self, joining: Groups) -> Result<(), ConfigError> {
        if joining.is_empty() {
            return Err(ConfigError::NoGroups);
        }
        let mut groups = self.groups.clone();
        for (gid, names) in joining {
            if groups.contains_key(&gid) {
                return Err(ConfigError::Present(gid));
            }
            check_group(&groups, gid, &names)?;
            groups.insert(gid, names);
        }
        self.groups = groups;
        self.num = self.num.next();
        Ok(())
    }

    /// Checks a configuration that was not made by [`join`](ShardConfig::join), such as one that
    /// was read from a text.
    ///
    /// # Errors
    /// [`ConfigError`]: what is wrong with one of the groups.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut groups = Groups::new();
        for (gid, names) in &self.groups {
            check_group(&groups, *gid, names)?;
            groups.insert(*gid, names.clone());
        }
        Ok(())
    }

    /// Removes groups and counts one change. Shards stay where they are; see
    /// [`leave_balance`](ShardConfig::leave_balance).
    ///
    /// # Errors
    /// [`ConfigError`]; nothing has changed then.
    pub fn leave(&mut self, leaving: &[Gid]) -> Result<(), ConfigError> {
        if leaving.is_empty() {
            return Err(ConfigError::NoGroups);
        }
        let mut groups = self.groups.clone();
        for gid in leaving {
            groups.remove(gid).ok_or(ConfigError::Absent(*gid))?;
        }
        self.groups = groups;
        self.num = self.num.next();
        Ok(())
    }

    /// [`join`](ShardConfig::join), then [`rebalance`](ShardConfig::rebalance).
    ///
    /// # Errors
    /// [`ConfigError`]; nothing has changed then.
    pub fn join_balance(&mut self, joining: Groups) -> Result<(), ConfigError> {
        self.join(joining)?;
        self.rebalance();
        Ok(())
    }

    /// [`leave`](ShardConfig::leave), then [`rebalance`](ShardConfig::rebalance).
    ///
    /// # Errors
    /// [`ConfigError`]; nothing has changed then.
    pub fn leave_balance(&mut self, leaving: &[Gid]) -> Result<(), ConfigError> {
        self.leave(leaving)?;
        self.rebalance();
        Ok(())
    }

    /// Shares the shards out among the groups: no group has two more than another, few shards move,
    /// ties go to the lowest number.
    pub fn rebalance(&mut self) {
        rebalance(&mut self.shards, self.groups.keys().copied());
    }
}

/// The JSON text.
impl fmt::Display for ShardConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).expect("numbers and strings can be JSON");
        f.write_str(&text)
    }
}

/// A text that is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseConfigError {
    /// It is not a configuration's JSON.
    #[error("not a shard configuration: {0}")]
    Json(#[from] serde_json::Error),
    /// It is, and makes no sense.
    #[error("not a shard configuration: {0}")]
    Config(#[from] ConfigError),
}

impl FromStr for ShardConfig {
    type Err = ParseConfigError;

    fn from_str(text: &str) -> Result<ShardConfig, ParseConfigError> {
        let config: ShardConfig = serde_json::from_str(text)?;
        config.check()?;
        Ok(config)
    }
}
