//! The replicated state: values and sessions, behind the interface of `rsm`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rsm::{RestoreError, StateMachine};
use serde::{Deserialize, Serialize};

use super::messages::{Change, PutAppendArgs, PutAppendError};
use super::sessions::{Admission, Sessions};
use crate::marks::Mark;

/// What goes through the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Read a key.
    Get {
        /// The key.
        key: String,
    },
    /// Change a key's value, once.
    Write(PutAppendArgs),
}

/// What comes of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Of a Get: the value, if the key has one.
    Value(Option<Arc<String>>),
    /// Of a write.
    Write(Result<(), PutAppendError>),
}

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
        match self.sessions.admit(write) {
            Admission::Execute => {}
            Admission::Duplicate => {
                Mark::DuplicateWrite.reach();
                return Ok(());
            }
            Admission::Ended { now } => {
                Mark::SessionEnded.reach();
                return Err(PutAppendError::SessionEnded { now });
            }
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
        Ok(())
    }
}

impl StateMachine for Machine {
    type Request = Request;
    type Reply = Reply;

    fn do_op(&mut self, request: Request) -> Reply {
        match request {
            Request::Get { key } => Reply::Value(self.get(&key)),
            Request::Write(args) => Reply::Write(self.write(args)),
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        let text: usize = self.values.iter().map(|(key, value)| key.len() + value.len() + 16).sum();
        let mut snapshot = Vec::with_capacity(1024 + text + 24 * self.sessions.len());
        labgob::encode_into(&self.sessions, &mut snapshot).expect("numbers can be encoded");
        labgob::encode_into(&self.values, &mut snapshot).expect("strings can be encoded");
        snapshot
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        // As long as the snapshot itself, which is there already.
        let mut decoder = labgob::Decoder::with_limit(snapshot, usize::MAX / 8);
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
