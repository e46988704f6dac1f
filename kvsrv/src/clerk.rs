//! The client's side: ask until there is an answer.

use std::time::Duration;

use kvapi::clerk::put_outcome;
use kvapi::{Error, GetArgs, PutArgs, Version};
use labrpc::{CallError, ClientEnd, Method};

use crate::server::{Get, Put};

/// Pause before a request is sent again: the server may be away, and asking faster will not bring it back.
const PAUSE: Duration = Duration::from_millis(10);

/// Talks to one server. Calls block until they have an answer; one clerk may be used by several tasks at once.
///
/// It returns neither [`Error::WrongLeader`] nor [`Error::WrongGroup`], which this server does not say.
#[derive(Clone, Debug)]
pub struct Clerk {
    server: ClientEnd,
}

impl Clerk {
    /// A clerk for the server at this end.
    pub fn new(server: ClientEnd) -> Clerk {
        Clerk { server }
    }

    /// Asks until there is an answer; says whether the first request brought it.
    fn ask<M: Method>(&self, args: &M::Args) -> (bool, M::Reply) {
        let mut first_try = true;
        loop {
            match self.server.call::<M>(args) {
                Ok(reply) => return (first_try, reply),
                Err(CallError::NoReply) => {}
                // A mistake in the wiring, which somebody may yet mend; an answer may not be made up.
                Err(error) => log::error!(target: "kv", "{}: {error}", M::METHOD),
            }
            first_try = false;
            labrt::sleep(PAUSE);
        }
    }
}

impl kvapi::Clerk for Clerk {
    fn get(&self, key: &str) -> Result<(String, Version), Error> {
        self.ask::<Get>(&GetArgs { key: key.to_owned() }).1.outcome
    }

    fn put(&self, key: &str, value: &str, version: Version) -> Result<(), Error> {
        let args = PutArgs { key: key.to_owned(), value: value.to_owned(), version };
        let (first_try, reply) = self.ask::<Put>(&args);
        put_outcome(first_try, reply.outcome)
    }
}
