//! Shards, groups and configurations by number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many shards there are.
pub const SHARDS: usize = 12;

/// A part of the key space, `0 .. SHARDS`: all keys with the same hash modulo [`SHARDS`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ShardId(usize);

impl ShardId {
    /// The shard with this number, if there is one.
    pub const fn new(number: usize) -> Option<ShardId> {
        if number < SHARDS { Some(ShardId(number)) } else { None }
    }

    /// The shard of a key: 32-bit FNV-1a of its bytes, modulo [`SHARDS`].
    pub fn of_key(key: &str) -> ShardId {
        const OFFSET_BASIS: u32 = 2_166_136_261;
        const PRIME: u32 = 16_777_619;
        let hash = key
            .bytes()
            .fold(OFFSET_BASIS, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(PRIME));
        ShardId(hash as usize % SHARDS)
    }

    /// All shards, in order.
    pub fn all() -> impl Iterator<Item = ShardId> {
        (0..SHARDS).map(ShardId)
    }

    /// Its number. One that came over the network may be out of range.
    pub const fn get(self) -> usize {
        self.0
    }
}

/// The bare number.
impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A replica group, from 1. [`Gid::NONE`], 0, stands for no group in a shard table.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct Gid(u64);

impl Gid {
    /// Not assigned.
    pub const NONE: Gid = Gid(0);
    /// The group that owns all shards, empty, when a service begins.
    pub const FIRST: Gid = Gid(1);

    /// The group with this number.
    pub const fn new(number: u64) -> Gid {
        Gid(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The bare number.
impl fmt::Display for Gid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a configuration: 0 before the first one, and one more with each change.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct ConfigNum(u64);

impl ConfigNum {
    /// Before the first configuration.
    pub const ZERO: ConfigNum = ConfigNum(0);

    /// This number.
    pub const fn new(number: u64) -> ConfigNum {
        ConfigNum(number)
    }

    /// The bare number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of the configuration after this one.
    #[must_use]
    pub const fn next(self) -> ConfigNum {
        ConfigNum(self.0.saturating_add(1))
    }
}

/// The bare number.
impl fmt::Display for ConfigNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
