//! The replicated state: values and sessions, behind the interface of `rsm`.

use std::collections::BTreeMap;
use std::sync::Arc;

use labrt::{Piece, Pieces};
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
    values: BTreeMap<String, Arc<Value>>,
    sessions: Sessions,
}

/// What a snapshot says of a value: its key, the length of its fixed pieces, the length of its loose end.
type Lengths = (String, u64, u64);

impl Machine {
    /// No keys, and these sessions.
    pub fn new(sessions: Sessions) -> Machine {
        Machine { values: BTreeMap::new(), sessions }
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
                self.values.insert(key, Arc::new(Value::from(value)));
            }
            Change::Append(end) => {
                // One that is being read is copied, but its fixed pieces are not.
                Arc::make_mut(self.values.entry(key).or_default()).push_str(&end);
            }
        }
        Ok(())
    }
}

fn cut_short() -> RestoreError {
    RestoreError { reason: "it ends within a value".to_owned() }
}

/// Takes this many bytes of text off the front.
fn take(bytes: &mut &[u8], len: u64) -> Result<String, RestoreError> {
    let len = usize::try_from(len).map_err(|_| cut_short())?;
    let (text, rest) = bytes.split_at_checked(len).ok_or_else(cut_short)?;
    *bytes = rest;
    let text = str::from_utf8(text).map_err(|error| RestoreError { reason: error.to_string() })?;
    Ok(text.to_owned())
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
        let lengths = |(key, value): (&String, &Arc<Value>)| -> Lengths {
            (key.clone(), value.fixed_len() as u64, value.loose().len() as u64)
        };
        let lengths: Vec<Lengths> = self.values.iter().map(lengths).collect();
        let loose_len: u64 = lengths.iter().map(|(.., loose)| loose).sum();
        let mut front = Vec::with_capacity(1024 + loose_len as usize + 24 * self.sessions.len());
        labgob::encode_into(&self.sessions, &mut front).expect("numbers can be encoded");
        labgob::encode_into(&lengths, &mut front).expect("strings and numbers can be encoded");
        for value in self.values.values() {
            front.extend_from_slice(value.loose().as_bytes());
        }
        let fixed = self.values.values().map(|value| value.fixed().len()).sum::<usize>();
        let mut pieces = Vec::with_capacity(1 + fixed);
        pieces.push(Arc::new(Piece::from(front)));
        pieces.extend(self.values.values().flat_map(|value| value.fixed().iter().cloned()));
        pieces.into()
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
            let mut value = take(&mut fixed, fixed_len)?;
            value.push_str(&take(&mut loose, loose_len)?);
            values.insert(key, Arc::new(Value::from(value)));
        }
        if !fixed.is_empty() {
            let reason = format!("{} bytes are left over", fixed.len());
            return Err(RestoreError { reason });
        }
        *self = Machine { values, sessions };
        Ok(())
    }
}
