//! The replicated state: values and sessions, behind the interface of `rsm`.

use std::collections::BTreeMap;
use std::sync::Arc;

use kvapi::MAX_VALUE_BYTES;
use rsm::sessions::Admission;
use rsm::{Query, RestoreError, Snapshot};

use super::messages::{Change, GetArgs, PutAppendArgs, PutAppendError};
use crate::marks::Mark;

/// The sessions of the service. Of the last write of each, they keep whether its value fitted
/// ([`MAX_VALUE_BYTES`]).
pub type Sessions = rsm::sessions::Sessions<bool>;

/// The machine that every server runs.
#[derive(Debug, Default)]
pub struct Machine {
    /// Shared with the replies of Gets.
    values: BTreeMap<String, Arc<String>>,
    sessions: Sessions,
}

impl Machine {
    /// No keys, and these sessions.
    pub fn new(sessions: Sessions) -> Machine {
        Machine { sessions, ..Machine::default() }
    }

    /// A key's value, if it has one.
    pub fn get(&self, key: &str) -> Option<Arc<String>> {
        self.values.get(key).cloned()
    }

    /// What it remembers of its clients.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    fn write(&mut self, args: PutAppendArgs) -> Result<(), PutAppendError> {
        let PutAppendArgs { write, key, change } = args;
        let done = |fits: bool| fits.then_some(()).ok_or(PutAppendError::TooLarge);
        match self.sessions.admit(write) {
            Admission::Execute => {}
            Admission::Duplicate(fitted) => {
                Mark::DuplicateWrite.reach();
                // Nobody waits for the reply to a write before the last one.
                return done(fitted.unwrap_or(true));
            }
            Admission::Ended { now } => {
                Mark::SessionEnded.reach();
                return Err(PutAppendError::SessionEnded { now });
            }
        }
        let fits = self.change(key, change);
        self.sessions.executed(write.session, fits);
        done(fits)
    }

    /// Returns whether the new value fits. If it does not, nothing is changed.
    fn change(&mut self, key: String, change: Change) -> bool {
        let (before, more) = match &change {
            Change::Put(value) => (0, value.len()),
            Change::Append(end) => {
                (self.values.get(&key).map_or(0, |value| value.len()), end.len())
            }
        };
        if before + more > MAX_VALUE_BYTES {
            return false;
        }
        match change {
            Change::Put(value) => {
                self.values.insert(key, Arc::new(value));
            }
            // A value that the reply of a Get still shares is copied.
            Change::Append(end) => {
                Arc::make_mut(self.values.entry(key).or_default()).push_str(&end)
            }
        }
        true
    }
}

rsm::requests! {
    /// What goes through the log.
    pub enum Request for Machine => Reply {
        /// Reads a key. The reply is the value, if the key has one.
        Get(GetArgs),
        /// Changes a key's value, once.
        Write(PutAppendArgs),
    }
}

impl rsm::Request<Machine> for GetArgs {
    type Reply = Option<Arc<String>>;

    fn execute(self, machine: &mut Machine) -> Self::Reply {
        self.look(machine)
    }
}

impl Query<Machine> for GetArgs {
    fn look(&self, machine: &Machine) -> Self::Reply {
        machine.get(&self.key)
    }
}

impl rsm::Request<Machine> for PutAppendArgs {
    type Reply = Result<(), PutAppendError>;

    fn execute(self, machine: &mut Machine) -> Self::Reply {
        machine.write(self)
    }
}

impl Snapshot for Machine {
    fn snapshot(&self) -> Vec<u8> {
        let text: usize = self.values.iter().map(|(key, value)| key.len() + value.len() + 16).sum();
        let mut snapshot = Vec::with_capacity(1024 + text + 24 * self.sessions.len());
        labgob::encode_into(&self.sessions, labgob::NO_LIMIT, &mut snapshot)
            .expect("numbers can be encoded");
        labgob::encode_into(&self.values, labgob::NO_LIMIT, &mut snapshot)
            .expect("strings can be encoded");
        snapshot
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        // As long as the snapshot itself, which is there already.
        let mut decoder = labgob::Decoder::with_limit(snapshot, labgob::NO_LIMIT);
        let sessions = decoder.decode()?;
        let values = decoder.decode()?;
        let left_over = snapshot.len() - decoder.position();
        if left_over > 0 {
            return Err(RestoreError { reason: format!("{left_over} bytes are left over") });
        }
        *self = Machine { values, sessions };
        Ok(())
    }
}
