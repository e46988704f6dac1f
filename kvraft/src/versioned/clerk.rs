//! The client's side: find the leader, ask again, and say `ErrMaybe` when that is the truth.

use kvapi::clerk::{ask_get, ask_put, put_outcome};
use kvapi::{Error, Version};
use labrpc::{Answered, ClientEnd, NoServers, Servers};
use labrt::Instant;

use crate::marks::Mark;

/// Talks to the servers of one group. Calls block until they have an answer; one clerk may be used
/// by several tasks.
#[derive(Debug)]
pub struct Clerk {
    servers: Servers,
}

impl Clerk {
    /// A clerk for the group of these servers.
    ///
    /// # Errors
    /// [`NoServers`] when the list is empty.
    pub fn new(servers: Vec<ClientEnd>) -> Result<Clerk, NoServers> {
        Ok(Clerk { servers: Servers::new(servers)? })
    }
}

impl kvapi::Clerk for Clerk {
    fn get_until(&self, deadline: Instant, key: &str) -> Result<(String, Version), Error> {
        ask_get(&self.servers, deadline, key)
    }

    fn put_until(
        &self,
        deadline: Instant,
        key: &str,
        value: &str,
        version: Version,
    ) -> Result<(), Error> {
        let put = ask_put(&self.servers, deadline, key, value, version)?;
        let Answered { answer, first_try } = put;
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
