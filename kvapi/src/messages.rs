//! The RPC methods, and what travels between a clerk and a server.
//!
//! One field for the outcome instead of the course's value, version and error side by side: a
//! reply that carries both a value and an error cannot be built.

use labrpc::Method;
use serde::{Deserialize, Serialize};

use crate::{Error, Version};

/// Asks for a key's value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GetArgs {
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
    pub key: String,
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

/// The RPC `KVServer.Get`. Every key/value service with versions answers it.
#[derive(Debug)]
pub struct Get;

impl Method for Get {
    const SERVICE: &'static str = "KVServer";
    const METHOD: &'static str = "Get";
    type Args = GetArgs;
    type Reply = GetReply;
}

/// The RPC `KVServer.Put`.
#[derive(Debug)]
pub struct Put;

impl Method for Put {
    const SERVICE: &'static str = "KVServer";
    const METHOD: &'static str = "Put";
    type Args = PutArgs;
    type Reply = PutReply;
}
