//! The client's side: find the leader, ask again, and say `ErrMaybe` when that is the truth.

use kvapi::clerk::{decisive, put_outcome};
use kvapi::{Error, Get, GetArgs, Put, PutArgs, Version, check_sizes};
use labrpc::{Answered, ClientEnd, NoServers, Servers, Unanswered};
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
        check_sizes(key, "")?;
        let args = GetArgs { key: key.to_owned() };
        let found =
            self.servers.ask_until::<Get, _>(deadline, &args, |reply| decisive(reply.outcome));
        found.map_err(|Unanswered| Error::TimedOut)?.answer
    }

    fn put_until(
        &self,
        deadline: Instant,
        key: &str,
        value: &str,
        version: Version,
    ) -> Result<(), Error> {
        check_sizes(key, value)?;
        let args = PutArgs { key: key.to_owned(), value: value.to_owned(), version };
        let answered =
            self.servers.ask_until::<Put, _>(deadline, &args, |reply| decisive(reply.outcome));
        let Answered { answer, first_try } = answered.map_err(|Unanswered| Error::TimedOut)?;
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
