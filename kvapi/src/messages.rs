//! What travels between a clerk and a server.
//!
//! One field for the outcome instead of the course's value, version and error side by side: a
//! reply that carries both a value and an error cannot be built.

use serde::{Deserialize, Serialize};

use crate::{Error, Version};

/// Asks for a key's value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GetArgs {
    /// The key.
    pub key: String,
}

/// Answers [`GetArgs`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GetReply {
    /// Value and version; or `NoKey`, or a reason to ask elsewhere.
    pub outcome: Result<(String, Version), Error>,
}

/// Asks to store a value, provided that the key's version is the given one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PutArgs {
    /// The key.
    pub key: String,
    /// The new value.
    pub value: String,
    /// The version the key must have now; [`Version::ZERO`] if it must be absent.
    pub version: Version,
}

/// Answers [`PutArgs`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PutReply {
    /// Done; or refused (`NoKey`, `Version`), or a reason to ask elsewhere. Never `Maybe`: only a
    /// clerk knows how often it asked.
    pub outcome: Result<(), Error>,
}
