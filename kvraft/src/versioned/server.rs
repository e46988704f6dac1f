//! The server: two RPCs, each a request to the machine.

use kvapi::{Error, GetArgs, GetReply, PutArgs, PutReply};
use labrpc::{Method, Service};

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
        let (on_get, on_put) = (self.clone(), self.clone());
        Service::new(Get::SERVICE)
            .method::<Get>(move |args| on_get.get(args))
            .method::<Put>(move |args| on_put.put(args))
    }

    fn get(&self, args: GetArgs) -> GetReply {
        let GetArgs { key } = &args;
        let reply =
            self.read(|machine| Reply::Get(machine.get(key)), || Request::Get { key: key.clone() });
        let outcome = match reply {
            Ok(Reply::Get(outcome)) => outcome,
            Ok(Reply::Put(_)) | Err(_) => Err(Error::WrongLeader),
        };
        GetReply { outcome }
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
