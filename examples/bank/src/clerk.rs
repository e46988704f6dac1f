//! The client's side: find the leader, and ask again until there is an answer.

use labrpc::{ClientEnd, NoServers, Servers};

use crate::machine::{Op, Reply, Request};
use crate::server::{Answer, Ask};

/// One customer. Asks for one thing at a time, which `&mut self` sees to: the servers remember one reply for each client.
pub struct Clerk {
    servers: Servers,
    client: u64,
    number: u64,
}

impl Clerk {
    /// A customer of the bank on these servers.
    ///
    /// # Errors
    /// [`NoServers`] when the list is empty.
    pub fn new(servers: Vec<ClientEnd>) -> Result<Clerk, NoServers> {
        Ok(Clerk { servers: Servers::new(servers)?, client: labrt::random_u64(), number: 0 })
    }

    /// Blocks until the bank has answered.
    pub fn ask(&mut self, op: &Op) -> Reply {
        self.number += 1;
        let request = Request { client: self.client, number: self.number, op: op.clone() };
        // One server after the other, until one has executed the request.
        let answered = self.servers.ask::<Ask, _>(&request, |answer| match answer {
            Answer::Done(reply) => Some(reply),
            Answer::NotMe => None,
        });
        answered.answer
    }
}
