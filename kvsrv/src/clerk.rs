//! The client's side: ask until there is an answer.

use std::sync::Arc;

use kvapi::clerk::{decisive, put_outcome};
use kvapi::{Error, Get, GetArgs, Put, PutArgs, Version, check_sizes};
use labrpc::{Answered, ClientEnd, Servers, Unanswered};
use labrt::Instant;

/// Talks to one server. Calls block until they have an answer; one clerk may be used by several
/// tasks at once.
///
/// It returns neither [`Error::WrongLeader`] nor [`Error::WrongGroup`], which this server does not
/// say.
#[derive(Clone, Debug)]
pub struct Clerk {
    servers: Arc<Servers>,
}

impl Clerk {
    /// A clerk for the server at this end.
    pub fn new(server: ClientEnd) -> Clerk {
        let servers = Servers::new(vec![server]).expect("one server is enough");
        Clerk { servers: Arc::new(servers) }
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
        put_outcome(first_try, answer)
    }
}
