//! The client's side: find the leader, and ask again until there is an answer.

use labrpc::{CallError, ClientEnd};
use rsm::LeaderHint;

use crate::machine::{Op, Reply, Request};
use crate::server::{Answer, Ask};

/// One customer. Asks for one thing at a time, which `&mut self` sees to: the servers remember one reply for each client.
pub struct Clerk {
    servers: Vec<ClientEnd>,
    leader: LeaderHint,
    client: u64,
    number: u64,
}

impl Clerk {
    /// A customer of the bank on these servers. At least one.
    pub fn new(servers: Vec<ClientEnd>) -> Clerk {
        let leader = LeaderHint::new(servers.len());
        Clerk { servers, leader, client: labrt::random_u64(), number: 0 }
    }

    /// Blocks until the bank has answered.
    pub fn ask(&mut self, op: &Op) -> Reply {
        self.number += 1;
        let request = Request { client: self.client, number: self.number, op: op.clone() };
        let mut attempt = self.leader.attempt();
        loop {
            match self.servers[attempt.server()].call::<Ask>(&request) {
                Ok(Answer::Done(reply)) => {
                    attempt.answered();
                    return reply;
                }
                // On to the next; after a round of all servers this waits a little.
                Ok(Answer::NotMe) | Err(CallError::NoReply) => attempt.failed(),
                // Such as a service that was not registered.
                Err(mistake) => panic!("{mistake}"),
            }
        }
    }
}
