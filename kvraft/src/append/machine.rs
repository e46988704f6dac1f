//! The replicated state: values and sessions, behind the interface of `rsm`.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use labrt::{Part, Pieces};
use rsm::{RestoreError, StateMachine};
use serde::{Deserialize, Serialize};

use super::messages::{Change, PutAppendArgs, PutAppendError};
use super::sessions::{Admission, Sessions};
use super::value::Value;
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
    Value(Option<Arc<Value>>),
    /// Of a write.
    Write(Result<(), PutAppendError>),
}

/// The machine that every server runs.
#[derive(Debug, Default)]
pub struct Machine {
    /// Shared with the replies of Gets.
    values: BTreeMap<Arc<str>, Arc<Value>>,
    /// The fixed pieces of all values, since a snapshot asked for them. Most writes change none.
    fixed: OnceLock<Pieces>,
    sessions: Sessions,
}

/// What a snapshot says of a value: its key, the length of its fixed pieces, the length of its loose end.
type Lengths = (Arc<str>, u64, u64);

impl Machine {
    /// No keys, and these sessions.
    pub fn new(sessions: Sessions) -> Machine {
        Machine { sessions, ..Machine::default() }
    }

    /// A key's value, if it has one.
    pub fn get(&self, key: &str) -> Option<Arc<Value>> {
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
                self.values.insert(key.into(), Arc::new(Value::from(value)));
                self.fixed = OnceLock::new();
            }
            Change::Append(end) => {
                let fixed = match self.values.get_mut(key.as_str()) {
                    // One that is being read is copied, but its fixed pieces are not.
                    Some(value) => Arc::make_mut(value).push_str(&end),
                    None => {
                        self.values.insert(key.into(), Arc::new(Value::from(end)));
                        true
                    }
                };
                if fixed {
                    self.fixed = OnceLock::new();
                }
            }
        }
        Ok(())
    }

    fn fixed(&self) -> &Pieces {
        self.fixed.get_or_init(|| {
            let pieces = self.values.values().map(|value| Part::Pieces(value.fixed().clone()));
            pieces.collect::<Vec<_>>().into()
        })
    }
}

fn cut_short() -> RestoreError {
    RestoreError { reason: "it ends within a value".to_owned() }
}

/// Takes this many bytes of text off the front.
fn take<'a>(bytes: &mut &'a [u8], len: u64) -> Result<&'a str, RestoreError> {
    let len = usize::try_from(len).map_err(|_| cut_short())?;
    let (text, rest) = bytes.split_at_checked(len).ok_or_else(cut_short)?;
    *bytes = rest;
    str::from_utf8(text).map_err(|error| RestoreError { reason: error.to_string() })
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
        self.snapshot_pieces().whole().into_owned()
    }

    /// The sessions, `Lengths` of all values, their loose ends, and their fixed pieces, which are shared.
    fn snapshot_pieces(&self) -> Pieces {
        let lengths = |(key, value): (&Arc<str>, &Arc<Value>)| -> Lengths {
            (Arc::clone(key), value.fixed_len() as u64, value.loose().len() as u64)
        };
        let lengths: Vec<Lengths> = self.values.iter().map(lengths).collect();
        let loose_len: u64 = lengths.iter().map(|(.., loose)| loose).sum();
        let mut front = Vec::with_capacity(1024 + loose_len as usize + 24 * self.sessions.len());
        labgob::encode_into(&self.sessions, &mut front).expect("numbers can be encoded");
        labgob::encode_into(&lengths, &mut front).expect("strings and numbers can be encoded");
        for value in self.values.values() {
            front.extend_from_slice(value.loose().as_bytes());
        }
        vec![front.into(), Part::Pieces(self.fixed().clone())].into()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        // As long as the snapshot itself, which is there already.
        let mut decoder = labgob::Decoder::with_limit(snapshot, usize::MAX / 8);
        let sessions: Sessions = decoder.decode()?;
        let lengths: Vec<Lengths> = decoder.decode()?;
        let bytes = &snapshot[decoder.position()..];
        let loose_len = lengths.iter().try_fold(0, |sum: u64, (.., loose)| sum.checked_add(*loose));
        let loose_len = loose_len.and_then(|sum| usize::try_from(sum).ok());
        let (mut loose, mut fixed) =
            loose_len.and_then(|len| bytes.split_at_checked(len)).ok_or_else(cut_short)?;
        let mut values = BTreeMap::new();
        for (key, fixed_len, loose_len) in lengths {
            let value = [take(&mut fixed, fixed_len)?, take(&mut loose, loose_len)?].concat();
            values.insert(key, Arc::new(Value::from(value)));
        }
        if !fixed.is_empty() {
            let reason = format!("{} bytes are left over", fixed.len());
            return Err(RestoreError { reason });
        }
        *self = Machine { values, sessions, ..Machine::default() };
        Ok(())
    }
}
