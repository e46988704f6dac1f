//! The server: two RPCs, each a request to the machine.

use kvapi::{Error, Get, GetReply, Put, PutReply};
use labrpc::{Method, Service};

use super::machine::Machine;
use crate::marks::Mark;
use crate::replica::Replica;

pub use rsm::Options;
use rsm::SubmitError;

/// One server of the replicated store. Clones are handles to the same one.
pub type KvServer = Replica<Machine>;

impl Replica<Machine> {
    /// Starts this server from what is on its disk. Returns quickly.
    ///
    /// # Errors
    /// When what was saved cannot be understood.
    pub fn start(options: Options) -> Result<KvServer, rsm::Error> {
        Mark::declare();
        Replica::launch(options, Machine::default())
    }

    /// The services to register under the server's name.
    pub fn services(&self) -> [Service; 2] {
        let rsm = self.rsm();
        let service = Service::new(Get::SERVICE);
        let service = rsm.serve::<Put>(service, |done| PutReply { outcome: decided(done) });
        let service = rsm
            .serve_read::<Get>(self.reads(), service, |found| GetReply { outcome: decided(found) });
        rsm.services(service)
    }
}

/// The machine's answer, or the reason why there is none.
fn decided<R>(outcome: Result<Result<R, Error>, SubmitError>) -> Result<R, Error> {
    outcome.unwrap_or_else(|error| match error {
        SubmitError::TooLarge { .. } | SubmitError::Encode(_) => Err(Error::TooLarge),
        _ => Err(Error::WrongLeader),
    })
}
