//! The server: Get and the writes, each a request to the machine; and the time, for sessions that
//! begin.

use std::sync::Arc;

use kvapi::Error;
use labrpc::{Method, Service};
use rsm::SubmitError;

use super::machine::{Machine, Sessions};
use super::messages::{
    GetArgs, GetReply, PutAppendArgs, PutAppendError, PutAppendReply, TimeArgs, TimeReply,
};
use crate::marks::Mark;
use crate::replica::Replica;
use rsm::sessions::SESSION_WINDOW;

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
        Replica::launch(replica, Machine::new(Sessions::new(session_window)))
    }

    /// The services to register under the server's name.
    pub fn services(&self) -> [Service; 2] {
        let on_time = self.clone();
        let service = Service::new(Get::SERVICE).method::<Time>(move |TimeArgs {}| on_time.time());
        let rsm = self.rsm();
        let service = rsm.serve::<PutAppend>(service, |done| PutAppendReply {
            outcome: match done {
                Ok(outcome) => outcome,
                Err(SubmitError::TooLarge { .. }) => Err(PutAppendError::TooLarge),
                Err(_) => Err(PutAppendError::WrongLeader),
            },
        });
        let service = rsm.serve_read::<Get>(self.reads(), service, |found| GetReply {
            outcome: match found {
                Ok(value) => value.map(Arc::unwrap_or_clone).ok_or(Error::NoKey),
                Err(_) => Err(Error::WrongLeader),
            },
        });
        rsm.services(service)
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
