//! The client's side: find the leader, ask again, number the writes.

use kvapi::clerk::decisive;
use kvapi::{Error, check_sizes};
use labrpc::{ClientEnd, NoServers, Servers};
use labrt::Instant;
use rsm::sessions::Client;

use super::messages::{Change, GetArgs, PutAppendArgs, PutAppendError, PutAppendReply, TimeArgs};
use super::server::{Get, PutAppend, Time};
use crate::marks::Mark;

/// Talks to the servers of one group. Calls block until they have an answer. Several tasks may use
/// one clerk; their writes are made one after the other.
#[derive(Debug)]
pub struct Clerk {
    servers: Servers,
    /// Held while a write is under way.
    session: labrt::Mutex<Client>,
}

impl Clerk {
    /// A clerk for the group of these servers, in any order.
    ///
    /// # Errors
    /// [`NoServers`] when the list is empty.
    pub fn new(servers: Vec<ClientEnd>) -> Result<Clerk, NoServers> {
        let session = labrt::Mutex::new(Client::new());
        Ok(Clerk { servers: Servers::new(servers)?, session })
    }

    fn write(&self, deadline: Instant, key: &str, change: Change) -> Result<(), Error> {
        let mut session = self.session.lock();
        if session.is_stale() {
            let now = self.servers.ask_until::<Time, _>(deadline, &TimeArgs {}, |reply| {
                reply.outcome.ok() // `None` from a server that does not lead
            });
            session.open(now?.answer);
        }
        let write = session.next_request();
        let args = PutAppendArgs { write, key: key.to_owned(), change };
        let decide = |reply: PutAppendReply| match reply.outcome {
            Ok(()) => Some(Ok(())),
            // Another copy may have been executed while the session lived, be it one that the
            // network made.
            Err(PutAppendError::SessionEnded { .. }) => {
                Mark::WriteUnknown.reach();
                Some(Err(Error::Maybe))
            }
            Err(PutAppendError::TooLarge) => Some(Err(Error::TooLarge)),
            Err(_) => None,
        };
        let answered = self.servers.ask_until::<PutAppend, _>(deadline, &args, decide);
        let outcome = answered.map_err(Error::from);
        let outcome = outcome.and_then(|answered| answered.answer);
        session.answered(matches!(outcome, Ok(()) | Err(Error::TooLarge)));
        outcome
    }
}

impl kvapi::append::Clerk for Clerk {
    fn get_until(&self, deadline: Instant, key: &str) -> Result<String, Error> {
        check_sizes(key, "")?;
        let args = GetArgs { key: key.to_owned() };
        let found = self.servers.ask_until::<Get, _>(deadline, &args, |reply| {
            decisive(match reply.outcome {
                Err(Error::NoKey) => Ok(String::new()),
                outcome => outcome,
            })
        });
        found?.answer
    }

    fn put_until(&self, deadline: Instant, key: &str, value: &str) -> Result<(), Error> {
        check_sizes(key, value)?;
        self.write(deadline, key, Change::Put(value.to_owned()))
    }

    fn append_until(&self, deadline: Instant, key: &str, value: &str) -> Result<(), Error> {
        check_sizes(key, value)?;
        self.write(deadline, key, Change::Append(value.to_owned()))
    }
}
