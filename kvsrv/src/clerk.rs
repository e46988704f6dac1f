//! The client's side: ask until there is an answer.

use std::sync::Arc;

use kvapi::clerk::{ask_get, ask_put, put_outcome};
use kvapi::{Error, Version};
use labrpc::{Answered, ClientEnd, Servers};
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
        put_outcome(first_try, answer)
    }
}
