//! The replicated state: values and sessions, behind the interface of `rsm`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rsm::{RestoreError, StateMachine};
use serde::{Deserialize, Serialize};

use super::messages::{Change, PutAppendArgs, PutAppendError};
use super::sessions::{Admission, Sessions};

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
    state: State,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// Shared with the replies of Gets; a value that is being read is copied when it changes.
    values: BTreeMap<String, Arc<String>>,
    sessions: Sessions,
}

impl Machine {
    /// No keys, and these sessions.
    pub fn new(sessions: Sessions) -> Machine {
        Machine { state: State { sessions, ..State::default() } }
    }

    /// A key's value, if it has one.
    pub fn get(&self, key: &str) -> Option<Arc<String>> {
        self.state.values.get(key).cloned()
    }

    /// What it remembers of its clients.
    pub fn sessions(&self) -> &Sessions {
        &self.state.sessions
    }

    fn write(&mut self, args: PutAppendArgs) -> Result<(), PutAppendError> {
        let PutAppendArgs { write, key, change } = args;
        match self.state.sessions.admit(write) {
            Admission::Execute => {}
            Admission::Duplicate => return Ok(()),
            Admission::Ended { now } => return Err(PutAppendError::SessionEnded { now }),
        }
        match change {
            Change::Put(value) => {
                self.state.values.insert(key, Arc::new(value));
            }
            Change::Append(end) => {
                Arc::make_mut(self.state.values.entry(key).or_default()).push_str(&end);
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
        labgob::encode(&self.state).expect("maps of strings and numbers can be encoded")
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        self.state = labgob::decode(snapshot)?;
        Ok(())
    }
}
