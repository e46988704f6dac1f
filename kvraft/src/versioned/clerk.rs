//! The client's side: find the leader, ask again, and say `ErrMaybe` when that is the truth.

use kvapi::clerk::put_outcome;
use kvapi::{Error, GetArgs, PutArgs, Version};
use labrpc::{CallError, ClientEnd};

use super::server::{Get, Put};
use crate::marks::Mark;
use crate::servers::{Answered, ClerkError, Servers};

/// Talks to the servers of one group. Calls block until they have an answer; one clerk may be used by several tasks.
#[derive(Debug)]
pub struct Clerk {
    servers: Servers,
}

impl Clerk {
    /// A clerk for the group of these servers.
    ///
    /// # Errors
    /// [`ClerkError::NoServers`] when the list is empty.
    pub fn new(servers: Vec<ClientEnd>) -> Result<Clerk, ClerkError> {
        Ok(Clerk { servers: Servers::new(servers)? })
    }

    /// Asks one server after the other until one gives a decisive answer.
    fn ask<R>(
        &self,
        mut call: impl FnMut(&ClientEnd) -> Result<Result<R, Error>, CallError>,
    ) -> Answered<Result<R, Error>> {
        self.servers.ask(|server| {
            Ok(match call(server)? {
                Err(Error::WrongLeader) => None,
                outcome => Some(outcome),
            })
        })
    }
}

impl kvapi::Clerk for Clerk {
    fn get(&self, key: &str) -> Result<(String, Version), Error> {
        let args = GetArgs { key: key.to_owned() };
        self.ask(|server| server.call::<Get>(&args).map(|reply| reply.outcome)).answer
    }

    fn put(&self, key: &str, value: &str, version: Version) -> Result<(), Error> {
        let args = PutArgs { key: key.to_owned(), value: value.to_owned(), version };
        let Answered { answer, first_try } =
            self.ask(|server| server.call::<Put>(&args).map(|reply| reply.outcome));
        let outcome = put_outcome(first_try, answer);
        match &outcome {
            Ok(()) if !first_try => Mark::PutRetriedDone.reach(),
            Err(Error::Maybe) => Mark::PutMaybe.reach(),
            Err(Error::Version) => Mark::PutRefused.reach(),
            _ => {}
        }
        outcome
    }
}
