//! The server: Get and the writes, each a request to the machine; and the time, for sessions that begin.

use std::sync::Arc;

use kvapi::Error;
use labrpc::{Method, Service};
use rsm::SubmitError;

use super::machine::{Machine, Reply, Request};
use super::messages::{
    GetArgs, GetReply, PutAppendArgs, PutAppendError, PutAppendReply, TimeArgs, TimeReply,
};
use super::sessions::{SESSION_WINDOW, Sessions};
use crate::marks::Mark;
use crate::replica::{PATIENCE, Replica};

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident: $args:ty => $reply:ty;)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Method for $name {
            const SERVICE: &'static str = "KVServer";
            const METHOD: &'static str = stringify!($name);
            type Args = $args;
            type Reply = $reply;
        }
    )+};
}

methods! {
    /// The RPC `KVServer.Get`.
    Get: GetArgs => GetReply;
    /// The RPC `KVServer.PutAppend`.
    PutAppend: PutAppendArgs => PutAppendReply;
    /// The RPC `KVServer.Time`.
    Time: TimeArgs => TimeReply;
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
pub type KvServer = Replica<Machine>;

impl Replica<Machine> {
    /// Starts this server from what is on its disk. Returns quickly.
    ///
    /// # Errors
    /// When what was saved cannot be understood.
    pub fn start(options: Options) -> Result<KvServer, rsm::Error> {
        Mark::declare();
        let Options { replica, session_window } = options;
        Replica::launch(replica, Machine::new(Sessions::new(session_window)), Some(PATIENCE))
    }

    /// The service to register under the server's name. Raft's own ([`raft::Raft::service`]) must be registered too.
    pub fn service(&self) -> Service {
        let (on_write, on_time) = (self.clone(), self.clone());
        let service = Service::new(Get::SERVICE)
            .method::<PutAppend>(move |args| on_write.write(args))
            .method::<Time>(move |TimeArgs {}| on_time.time());
        self.with_read::<Get>(
            service,
            |GetArgs { key }| Request::Get { key },
            |machine, GetArgs { key }| Reply::Value(machine.get(key)),
            get_reply,
        )
    }

    fn write(&self, args: PutAppendArgs) -> PutAppendReply {
        let outcome = match self.submit(Request::Write(args)) {
            Ok(Reply::Write(outcome)) => outcome,
            Ok(Reply::Value(_)) | Err(_) => Err(PutAppendError::WrongLeader),
        };
        PutAppendReply { outcome }
    }

    /// From its own state: a time that is past only ends a session the sooner.
    fn time(&self) -> TimeReply {
        let outcome = if self.rsm().raft().state().1 {
            Ok(self.rsm().with_machine(|machine| machine.sessions().now()))
        } else {
            Err(Error::WrongLeader)
        };
        TimeReply { outcome }
    }
}

fn get_reply(outcome: Result<Reply, SubmitError>) -> GetReply {
    let outcome = match outcome {
        Ok(Reply::Value(value)) => value.map(Arc::unwrap_or_clone).ok_or(Error::NoKey),
        Ok(Reply::Write(_)) | Err(_) => Err(Error::WrongLeader),
    };
    GetReply { outcome }
}
