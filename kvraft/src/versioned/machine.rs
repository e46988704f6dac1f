//! The replicated state: a versioned store behind the interface of `rsm`.

use kvapi::{Error, Version, VersionedStore};
use rsm::{RestoreError, StateMachine};
use serde::{Deserialize, Serialize};

/// What goes through the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Read a key.
    Get {
        /// The key.
        key: String,
    },
    /// Store a value if the key has this version.
    Put {
        /// The key.
        key: String,
        /// The new value.
        value: String,
        /// The version the key must have.
        version: Version,
    },
}

/// What comes of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Of a Get.
    Get(Result<(String, Version), Error>),
    /// Of a Put.
    Put(Result<(), Error>),
}

/// The machine that every server runs.
#[derive(Debug, Default)]
pub struct Machine {
    store: VersionedStore,
}

impl Machine {
    /// A key's value and version.
    ///
    /// # Errors
    /// [`Error::NoKey`] if it is absent.
    pub fn get(&self, key: &str) -> Result<(String, Version), Error> {
        self.store.get(key)
    }
}

impl StateMachine for Machine {
    type Request = Request;
    type Reply = Reply;

    fn do_op(&mut self, request: Request) -> Reply {
        match request {
            Request::Get { key } => Reply::Get(self.get(&key)),
            Request::Put { key, value, version } => Reply::Put(self.store.put(key, value, version)),
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        labgob::encode(&self.store).expect("a map of strings can be encoded")
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        self.store = labgob::decode(snapshot)?;
        Ok(())
    }
}
