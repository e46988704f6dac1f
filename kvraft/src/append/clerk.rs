//! The client's side: find the leader, ask again, number the writes.

use std::time::Duration;

use kvapi::Error;
use labrpc::ClientEnd;

use super::messages::{Change, GetArgs, PutAppendArgs, PutAppendError, TimeArgs};
use super::server::{Get, PutAppend, Time};
use super::sessions::{SessionId, Stamp, Write};
use crate::marks::Mark;
use crate::servers::{ClerkError, Servers};

/// Talks to the servers of one group. Calls block until they have an answer. Several tasks may use one clerk; their writes are made
/// one after the other.
#[derive(Debug)]
pub struct Clerk {
    servers: Servers,
    /// Held while a write is under way.
    session: labrt::Mutex<Session>,
}

#[derive(Debug)]
struct Session {
    /// The name of the last write.
    last: Write,
    /// When the service was last heard to know the session.
    known: Option<labrt::Instant>,
}

/// A session that was silent for longer is taken up again, which costs a round trip. A guess at how long a window of writes takes at
/// least: guessed too long, writes come back with an unknown fate.
const PAUSE: Duration = Duration::from_millis(100);

impl Clerk {
    /// A clerk for the group of these servers, in any order.
    ///
    /// # Errors
    /// [`ClerkError::NoServers`] when the list is empty.
    pub fn new(servers: Vec<ClientEnd>) -> Result<Clerk, ClerkError> {
        let session = SessionId::new(labrt::random_u64());
        let last = Write { session, opened: Stamp::ZERO, number: 0 };
        let session = labrt::Mutex::new(Session { last, known: None });
        Ok(Clerk { servers: Servers::new(servers)?, session })
    }

    fn write(&self, key: &str, change: Change) -> Result<(), Error> {
        let mut session = self.session.lock();
        if session.known.is_none_or(|known| known.elapsed() > PAUSE) {
            session.last.opened = self.time();
        }
        session.last.number += 1;
        let args = PutAppendArgs { write: session.last, key: key.to_owned(), change };
        let answered = self.servers.ask(|server| {
            Ok(match server.call::<PutAppend>(&args)?.outcome {
                Ok(()) => Some(Ok(())),
                // Another copy may have been executed while the session lived, be it one that the network made.
                Err(PutAppendError::SessionEnded { .. }) => {
                    Mark::WriteUnknown.reach();
                    Some(Err(Error::Maybe))
                }
                Err(_) => None,
            })
        });
        session.known = answered.answer.is_ok().then(labrt::now);
        answered.answer
    }

    fn time(&self) -> Stamp {
        let answered =
            self.servers.ask(|server| Ok(server.call::<Time>(&TimeArgs {})?.outcome.ok()));
        answered.answer
    }
}

impl kvapi::append::Clerk for Clerk {
    fn get(&self, key: &str) -> String {
        let args = GetArgs { key: key.to_owned() };
        let answered = self.servers.ask(|server| {
            Ok(match server.call::<Get>(&args)?.outcome {
                Ok(value) => Some(value),
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
