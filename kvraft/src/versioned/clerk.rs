//! The client's side: find the leader, ask again, and say `ErrMaybe` when that is the truth.

use kvapi::clerk::put_outcome;
use kvapi::{Error, GetArgs, PutArgs, Version};
use labrpc::{CallError, ClientEnd};

use super::server::{Get, Put};
use crate::leader_hint::LeaderHint;

/// Talks to the servers of one group. Calls block until they have an answer; one clerk may be used by several tasks.
#[derive(Debug)]
pub struct Clerk {
    servers: Vec<ClientEnd>,
    leader: LeaderHint,
}

/// Why a clerk could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClerkError {
    /// There is nobody to ask.
    #[error("a clerk needs at least one server")]
    NoServers,
}

impl Clerk {
    /// A clerk for the group of these servers.
    ///
    /// # Errors
    /// [`ClerkError::NoServers`] when the list is empty.
    pub fn new(servers: Vec<ClientEnd>) -> Result<Clerk, ClerkError> {
        if servers.is_empty() {
            return Err(ClerkError::NoServers);
        }
        let leader = LeaderHint::new(servers.len());
        Ok(Clerk { servers, leader })
    }

    /// Asks one server after the other until one gives a decisive answer; says whether it was the first one asked.
    fn ask<R>(
        &self,
        mut call: impl FnMut(&ClientEnd) -> Result<Result<R, Error>, CallError>,
    ) -> (bool, Result<R, Error>) {
        let mut attempt = self.leader.attempt();
        let mut first_try = true;
        loop {
            match call(&self.servers[attempt.server()]) {
                Ok(Err(Error::WrongLeader)) => {}
                Ok(outcome) => {
                    attempt.answered();
                    return (first_try, outcome);
                }
                // Nothing came back, whatever the reason: the server may have executed it all the same.
                Err(_) => {}
            }
            first_try = false;
            attempt.failed();
        }
    }
}

impl kvapi::Clerk for Clerk {
    fn get(&self, key: &str) -> Result<(String, Version), Error> {
        let args = GetArgs { key: key.to_owned() };
        self.ask(|server| server.call::<Get>(&args).map(|reply| reply.outcome)).1
    }

    fn put(&self, key: &str, value: &str, version: Version) -> Result<(), Error> {
        let args = PutArgs { key: key.to_owned(), value: value.to_owned(), version };
        let (first_try, outcome) =
            self.ask(|server| server.call::<Put>(&args).map(|reply| reply.outcome));
        put_outcome(first_try, outcome)
    }
}
