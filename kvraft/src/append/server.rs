//! The server: two RPCs, each a submit.

use kvapi::Error;
use labrpc::{Method, Service};
use rsm::Rsm;

use super::machine::{Machine, Reply, Request};
use super::messages::{GetArgs, GetReply, PutAppendArgs, PutAppendError, PutAppendReply};
use super::sessions::{SESSION_WINDOW, Sessions};
use crate::reads::{PATIENCE, Reads};

/// The RPC `KVServer.Get`.
#[derive(Debug)]
pub struct Get;

impl Method for Get {
    const SERVICE: &'static str = "KVServer";
    const METHOD: &'static str = "Get";
    type Args = GetArgs;
    type Reply = GetReply;
}

/// The RPC `KVServer.PutAppend`.
#[derive(Debug)]
pub struct PutAppend;

impl Method for PutAppend {
    const SERVICE: &'static str = "KVServer";
    const METHOD: &'static str = "PutAppend";
    type Args = PutAppendArgs;
    type Reply = PutAppendReply;
}

/// What a server is made of.
#[derive(Debug)]
pub struct Options {
    /// Peers, disk and limits.
    pub replica: rsm::Options,
    /// See [`SESSION_WINDOW`]; the same on all servers of a group, in all their lives.
    pub session_window: u64,
}

impl Options {
    /// The usual window.
    pub fn new(replica: rsm::Options) -> Options {
        Options { replica, session_window: SESSION_WINDOW }
    }
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
        let Options { replica, session_window } = options;
        let machine = Machine::new(Sessions::new(session_window));
        Ok(KvServer { rsm: Rsm::start(replica, machine)?, reads: Reads::default() })
    }

    /// The same server, answering Gets this way.
    #[must_use]
    pub fn with_reads(mut self, reads: Reads) -> KvServer {
        self.reads = reads;
        self
    }

    /// The service to register under the server's name. Raft's own ([`raft::Raft::service`]) must be registered too.
    pub fn service(&self) -> Service {
        let (on_get, on_write) = (self.clone(), self.clone());
        Service::new(Get::SERVICE)
            .method::<Get>(move |args| on_get.get(args))
            .method::<PutAppend>(move |args| on_write.write(args))
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
            |machine| Reply::Value(machine.get(key)),
            || self.rsm.submit_within(PATIENCE, Request::Get { key: key.clone() }),
        );
        let outcome = match reply {
            Ok(Reply::Value(value)) => value.ok_or(Error::NoKey),
            Ok(Reply::Write(_)) | Err(_) => Err(Error::WrongLeader),
        };
        GetReply { outcome }
    }

    fn write(&self, args: PutAppendArgs) -> PutAppendReply {
        let outcome = match self.rsm.submit_within(PATIENCE, Request::Write(args)) {
            Ok(Reply::Write(outcome)) => outcome,
            Ok(Reply::Value(_)) | Err(_) => Err(PutAppendError::WrongLeader),
        };
        PutAppendReply { outcome }
    }
}
