//! The server: one RPC, and it is a submit.

use labrpc::{Method, Service};
use rsm::{Options, Rsm};
use serde::{Deserialize, Serialize};

use crate::machine::{Bank, Reply, Request};

/// The RPC `Bank.Ask`.
pub enum Ask {}

impl Method for Ask {
    const SERVICE: &'static str = "Bank";
    const METHOD: &'static str = "Ask";
    type Args = Request;
    type Reply = Answer;
}

/// What the server says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// It was carried out, and this is the reply.
    Done(Reply),
    /// Ask another server. The request may take effect all the same.
    NotMe,
}

/// One of the servers. Clones are handles to the same one.
#[derive(Clone)]
pub struct BankServer {
    rsm: Rsm<Bank>,
}

impl BankServer {
    /// Starts from what is on the disk. Returns quickly.
    ///
    /// # Errors
    /// When what is there cannot be understood.
    pub fn start(options: Options) -> Result<BankServer, rsm::Error> {
        Ok(BankServer { rsm: Rsm::start(options, Bank::default())? })
    }

    /// The services to register under the server's name.
    pub fn services(&self) -> [Service; 2] {
        let rsm = self.rsm.clone();
        let ask = move |request| rsm.submit(request).map_or(Answer::NotMe, Answer::Done);
        self.rsm.services(Service::new(Ask::SERVICE).method::<Ask>(ask))
    }

    /// Stops it and its Raft.
    pub fn kill(&self) {
        self.rsm.kill();
    }
}
