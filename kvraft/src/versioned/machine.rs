//! The replicated state: a versioned store behind the interface of `rsm`.

use kvapi::{Error, GetArgs, PutArgs, Version, VersionedStore};
use rsm::Query;
use serde::{Deserialize, Serialize};

/// The machine that every server runs.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    store: VersionedStore,
}

rsm::requests! {
    /// What goes through the log.
    pub enum Request for Machine => Reply {
        /// Reads a key.
        Get(GetArgs),
        /// Stores a value if the key has the version that is named.
        Put(PutArgs),
    }
}

impl rsm::Request<Machine> for GetArgs {
    type Reply = Result<(String, Version), Error>;

    fn execute(self, machine: &mut Machine) -> Self::Reply {
        self.look(machine)
    }
}

impl Query<Machine> for GetArgs {
    fn look(&self, machine: &Machine) -> Self::Reply {
        machine.store.get(&self.key)
    }
}

impl rsm::Request<Machine> for PutArgs {
    type Reply = Result<(), Error>;

    fn execute(self, machine: &mut Machine) -> Self::Reply {
        machine.store.put(self.key, self.value, self.version)
    }
}
