//! The server: two RPCs, each a submit.

use std::time::Duration;

use kvapi::Error;
use labrpc::{Method, Service};
use rsm::Rsm;

use super::machine::{Machine, Reply, Request};
use super::messages::{GetArgs, GetReply, PutAppendArgs, PutAppendError, PutAppendReply};
use super::sessions::{SESSION_WINDOW, Sessions};

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

/// How long a request may wait to be executed. A leader that is cut off cannot know it; a client that can reach others must not be
/// kept by it for long. A whole election takes less.
const PATIENCE: Duration = Duration::from_secs(1);

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
}

impl KvServer {
    /// Starts this server from what is on its disk. Returns quickly.
    ///
    /// # Errors
    /// When what was saved cannot be understood.
    pub fn start(options: Options) -> Result<KvServer, rsm::Error> {
        let Options { replica, session_window } = options;
        let machine = Machine::new(Sessions::new(session_window));
        Ok(KvServer { rsm: Rsm::start(replica, machine)? })
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
        let outcome = match self.rsm.submit_within(PATIENCE, Request::Get { key: args.key }) {
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
