//! The server: two RPCs, each a submit.

use kvapi::{Error, GetArgs, GetReply, PutArgs, PutReply};
use labrpc::{Method, Service};
use rsm::Rsm;

use super::machine::{Machine, Reply, Request};
use crate::reads::Reads;

pub use rsm::Options;

/// The RPC `KVServer.Get`.
#[derive(Debug)]
pub struct Get;

impl Method for Get {
    const SERVICE: &'static str = "KVServer";
    const METHOD: &'static str = "Get";
    type Args = GetArgs;
    type Reply = GetReply;
}

/// The RPC `KVServer.Put`.
#[derive(Debug)]
pub struct Put;

impl Method for Put {
    const SERVICE: &'static str = "KVServer";
    const METHOD: &'static str = "Put";
    type Args = PutArgs;
    type Reply = PutReply;
}

/// One server of the replicated store. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct KvServer {
    rsm: Rsm<Machine>,
    reads: Reads,
}

impl KvServer {
    /// Starts this server from what is on its disk. Returns quickly.
    ///
    /// # Errors
    /// When what was saved cannot be understood.
    pub fn start(options: Options) -> Result<KvServer, rsm::Error> {
        Ok(KvServer { rsm: Rsm::start(options, Machine::default())?, reads: Reads::default() })
    }

    /// The same server, answering Gets this way.
    #[must_use]
    pub fn with_reads(mut self, reads: Reads) -> KvServer {
        self.reads = reads;
        self
    }

    /// The service to register under the server's name. Raft's own ([`raft::Raft::service`]) must be registered too.
    pub fn service(&self) -> Service {
        let (on_get, on_put) = (self.clone(), self.clone());
        Service::new(Get::SERVICE)
            .method::<Get>(move |args| on_get.get(args))
            .method::<Put>(move |args| on_put.put(args))
    }

    /// The replicated state machine below.
    pub fn rsm(&self) -> &Rsm<Machine> {
        &self.rsm
    }

    /// Stops this server and its Raft.
    pub fn kill(&self) {
        self.rsm.kill();
    }

    fn get(&self, args: GetArgs) -> GetReply {
        let GetArgs { key } = &args;
        let reply = self.reads.get(
            &self.rsm,
            |machine| Reply::Get(machine.get(key)),
            || self.rsm.submit(Request::Get { key: key.clone() }),
        );
        let outcome = match reply {
            Ok(Reply::Get(outcome)) => outcome,
            Ok(Reply::Put(_)) | Err(_) => Err(Error::WrongLeader),
        };
        GetReply { outcome }
    }

    fn put(&self, args: PutArgs) -> PutReply {
        let PutArgs { key, value, version } = args;
        let outcome = match self.rsm.submit(Request::Put { key, value, version }) {
            Ok(Reply::Put(outcome)) => outcome,
            Ok(Reply::Get(_)) | Err(_) => Err(Error::WrongLeader),
        };
        PutReply { outcome }
    }
}
