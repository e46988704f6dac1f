//! The client's side: find the leader, ask again, number the writes.

use std::sync::Arc;

use kvapi::Error;
use labrpc::ClientEnd;

use super::messages::{Change, GetArgs, PutAppendArgs, PutAppendError};
use super::server::{Get, PutAppend};
use super::sessions::{SessionId, Stamp, Write};
use crate::servers::{Answered, ClerkError, Servers};

/// Talks to the servers of one group. Calls block until they have an answer. Several tasks may use one clerk; their writes are made
/// one after the other.
#[derive(Debug)]
pub struct Clerk {
    servers: Servers,
    /// The name of the last write. Held while a write is under way.
    last: labrt::Mutex<Write>,
}

/// A session that was opened at this moment, before its first write.
fn open_session(opened: Stamp) -> Write {
    Write { session: SessionId::new(labrt::random_u64()), opened, number: 0 }
}

impl Clerk {
    /// A clerk for the group of these servers, in any order.
    ///
    /// # Errors
    /// [`ClerkError::NoServers`] when the list is empty.
    pub fn new(servers: Vec<ClientEnd>) -> Result<Clerk, ClerkError> {
        let last = labrt::Mutex::new(open_session(Stamp::ZERO));
        Ok(Clerk { servers: Servers::new(servers)?, last })
    }

    fn write(&self, key: &str, change: Change) -> Result<(), Error> {
        let mut last = self.last.lock();
        let mut args = PutAppendArgs { write: *last, key: key.to_owned(), change };
        loop {
            last.number += 1;
            args.write = *last;
            let Answered { answer, first_try } = self.servers.ask(|server| {
                Ok(match server.call::<PutAppend>(&args)?.outcome {
                    Ok(()) => Some(Ok(())),
                    Err(PutAppendError::SessionEnded { now }) => Some(Err(now)),
                    Err(_) => None,
                })
            });
            match answer {
                Ok(()) => return Ok(()),
                Err(now) => {
                    *last = open_session(now);
                    // An earlier copy may have been executed while the session lived. Nobody can tell any more.
                    if !first_try {
                        return Err(Error::Maybe);
                    }
                }
            }
        }
    }
}

impl kvapi::append::Clerk for Clerk {
    fn get(&self, key: &str) -> String {
        let args = GetArgs { key: key.to_owned() };
        let answered = self.servers.ask(|server| {
            Ok(match server.call::<Get>(&args)?.outcome {
                Ok(value) => Some(Arc::unwrap_or_clone(value)),
                Err(Error::NoKey) => Some(String::new()),
                Err(_) => None,
            })
        });
        answered.answer
    }

    fn put(&self, key: &str, value: &str) -> Result<(), Error> {
        self.write(key, Change::Put(value.to_owned()))
    }

    fn append(&self, key: &str, value: &str) -> Result<(), Error> {
        self.write(key, Change::Append(value.to_owned()))
    }
}
