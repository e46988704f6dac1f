//! The server: two RPCs, each a request to the machine.

use kvapi::{Error, GetArgs, GetReply, PutArgs, PutReply};
use labrpc::{Method, Service};
use rsm::SubmitError;

use super::machine::{Machine, Reply, Request};
use crate::marks::Mark;
use crate::replica::Replica;

pub use kvsrv::{Get, Put};
pub use rsm::Options;

/// One server of the replicated store. Clones are handles to the same one.
pub type KvServer = Replica<Machine>;

impl Replica<Machine> {
    /// Starts this server from what is on its disk. Returns quickly.
    ///
    /// # Errors
    /// When what was saved cannot be understood.
    pub fn start(options: Options) -> Result<KvServer, rsm::Error> {
        Mark::declare();
        Replica::launch(options, Machine::default(), None)
    }

    /// The service to register under the server's name. Raft's own ([`raft::Raft::service`]) must be registered too.
    pub fn service(&self) -> Service {
        let on_put = self.clone();
        let service = Service::new(Get::SERVICE).method::<Put>(move |args| on_put.put(args));
        self.with_read::<Get>(
            service,
            |GetArgs { key }| Request::Get { key },
            |machine, GetArgs { key }| Reply::Get(machine.get(key)),
            get_reply,
        )
    }

    fn put(&self, args: PutArgs) -> PutReply {
        let PutArgs { key, value, version } = args;
        let outcome = match self.submit(Request::Put { key, value, version }) {
            Ok(Reply::Put(outcome)) => outcome,
            Ok(Reply::Get(_)) | Err(_) => Err(Error::WrongLeader),
        };
        PutReply { outcome }
    }
}

fn get_reply(outcome: Result<Reply, SubmitError>) -> GetReply {
    let outcome = match outcome {
        Ok(Reply::Get(outcome)) => outcome,
        Ok(Reply::Put(_)) | Err(_) => Err(Error::WrongLeader),
    };
    GetReply { outcome }
}
