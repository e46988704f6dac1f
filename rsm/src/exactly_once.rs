//! A whole service around any machine: a server and a clerk that execute each request exactly once.
//!
//! ```
//! use rsm::StateMachine;
//! use rsm::exactly_once::{Clerk, Server, Service};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Counter(u64);
//!
//! impl StateMachine for Counter {
//!     type Request = u64;
//!     type Reply = u64;
//!     fn do_op(&mut self, more: u64) -> u64 {
//!         self.0 += more;
//!         self.0
//!     }
//! }
//!
//! impl Service for Counter {
//!     const NAME: &'static str = "Counter";
//! }
//!
//! type CounterServer = Server<Counter>;
//! type CounterClerk = Clerk<Counter>;
//! ```
//! How a repeated request is recognised, and for how long, stands in [`sessions`](crate::sessions).

use std::fmt;
use std::marker::PhantomData;

use labrpc::{ClientEnd, Method, NoServers, Servers, Unanswered};
use labrt::Instant;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, SubmitError};
use crate::sessions::{Admission, Client, RequestId, SESSION_WINDOW, Sessions, Stamp};
use crate::state_machine::{RestoreError, Snapshot, StateMachine};
use crate::{Accepts, Options, Request, Rsm};

/// A machine that is offered as a service. Its replies are remembered with the state, so they can
/// be written and read back.
pub trait Service: StateMachine<Request: Clone, Reply: Saved> {
    /// The name of its RPC service.
    const NAME: &'static str;
}

/// A reply that can be kept.
pub trait Saved: Clone + PartialEq + Serialize + DeserializeOwned {}

impl<R: Clone + PartialEq + Serialize + DeserializeOwned> Saved for R {}

/// A machine, and the sessions of its clients.
#[derive(Debug)]
pub struct ExactlyOnce<M: Service> {
    sessions: Sessions<M::Reply>,
    machine: M,
}

impl<M: Service> ExactlyOnce<M> {
    /// The machine, with sessions that end after one to two `window`s of requests.
    pub fn new(machine: M, window: u64) -> ExactlyOnce<M> {
        ExactlyOnce { sessions: Sessions::new(window), machine }
    }

    /// The machine inside.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// The sessions of its clients.
    pub fn sessions(&self) -> &Sessions<M::Reply> {
        &self.sessions
    }
}

impl<M: Service> Snapshot for ExactlyOnce<M> {
    /// The sessions, then the machine's own snapshot.
    fn snapshot(&self) -> Vec<u8> {
        let mut bytes = labgob::encode_with_limit(&self.sessions, labgob::NO_LIMIT)
            .expect("replies can be encoded");
        bytes.extend_from_slice(&self.machine.snapshot());
        bytes
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        let mut decoder = labgob::Decoder::with_limit(snapshot, labgob::NO_LIMIT);
        self.sessions = decoder.decode()?;
        self.machine.restore(&snapshot[decoder.position()..])
    }

    fn take_freed_bytes(&mut self) -> usize {
        self.machine.take_freed_bytes()
    }
}

/// A request, named.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Numbered<Q> {
    /// Its name: every copy has the same.
    pub id: RequestId,
    /// The request.
    pub request: Q,
}

/// The session of a request has ended: this copy was not executed, and whether another one was
/// cannot be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionEnded;

impl<M: Service> StateMachine for ExactlyOnce<M> {
    type Request = Numbered<M::Request>;
    /// `None` answers an old copy, for which nobody waits.
    type Reply = Result<Option<M::Reply>, SessionEnded>;

    fn do_op(&mut self, Numbered { id, request }: Self::Request) -> Self::Reply {
        match self.sessions.admit(id) {
            Admission::Execute => {
                let reply = self.machine.do_op(request);
                self.sessions.executed(id.session, reply.clone());
                Ok(Some(reply))
            }
            Admission::Duplicate(reply) => Ok(reply),
            Admission::Ended { .. } => Err(SessionEnded),
        }
    }
}

impl<M: Service> Request<ExactlyOnce<M>> for Numbered<M::Request> {
    type Reply = Result<Option<M::Reply>, SessionEnded>;

    fn execute(self, machine: &mut ExactlyOnce<M>) -> Self::Reply {
        machine.do_op(self)
    }
}

impl<M: Service> Accepts<Numbered<M::Request>> for ExactlyOnce<M> {
    fn request(request: Numbered<M::Request>) -> Numbered<M::Request> {
        request
    }

    fn reply(reply: Self::Reply) -> Self::Reply {
        reply
    }
}

/// The RPC `<NAME>.Call`: executes a request.
#[derive(Debug)]
pub struct Call<M>(PhantomData<fn(M)>);

impl<M: Service> Method for Call<M> {
    const SERVICE: &'static str = M::NAME;
    const METHOD: &'static str = "Call";
    type Args = Numbered<M::Request>;
    type Reply = Answer<M::Reply>;
}

/// The RPC `<NAME>.Open`: asks for the time, in requests, to open a session.
#[derive(Debug)]
pub struct Open<M>(PhantomData<fn(M)>);

impl<M: Service> Method for Open<M> {
    const SERVICE: &'static str = M::NAME;
    const METHOD: &'static str = "Open";
    type Args = ();
    type Reply = Answer<Stamp>;
}

/// A server's answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Answer<R> {
    /// The request was executed, and this is its reply.
    Done(R),
    /// The session has ended. This copy was not executed.
    SessionEnded,
    /// Ask another server. The request may take effect all the same.
    NotLeader,
    /// The request cannot be accepted, by no server, for this reason. It was not executed.
    Rejected(String),
}

/// One server of the service. Clones are handles to the same one.
pub struct Server<M: Service> {
    rsm: Rsm<ExactlyOnce<M>>,
}

impl<M: Service> Server<M> {
    /// Starts from what is on the disk, else from `machine`. Returns quickly.
    ///
    /// # Errors
    /// When what is on the disk cannot be understood.
    pub fn start(options: Options, machine: M) -> Result<Server<M>, Error> {
        Server::start_with_window(options, machine, SESSION_WINDOW)
    }

    /// The same with another session window, which all servers of the group must share.
    ///
    /// # Errors
    /// Those of [`start`](Server::start).
    pub fn start_with_window(
        options: Options,
        machine: M,
        window: u64,
    ) -> Result<Server<M>, Error> {
        Ok(Server { rsm: Rsm::start(options, ExactlyOnce::new(machine, window))? })
    }

    /// The services to register under the server's name.
    pub fn services(&self) -> [labrpc::Service; 2] {
        let rsm = self.rsm.clone();
        let service = labrpc::Service::new(M::NAME).method::<Open<M>>(move |()| {
            // From this server's own state: a time that is past only ends a session the sooner.
            if rsm.raft().state().1 {
                Answer::Done(rsm.with_machine(|machine| machine.sessions.now()))
            } else {
                Answer::NotLeader
            }
        });
        self.rsm.services(self.rsm.serve::<Call<M>>(service, |outcome| match outcome {
            Ok(Ok(Some(reply))) => Answer::Done(reply),
            Ok(Err(SessionEnded)) => Answer::SessionEnded,
            Err(error @ (SubmitError::Encode(_) | SubmitError::TooLarge { .. })) => {
                Answer::Rejected(error.to_string())
            }
            Ok(Ok(None)) | Err(_) => Answer::NotLeader,
        }))
    }

    /// The replicated state machine below.
    pub fn rsm(&self) -> &Rsm<ExactlyOnce<M>> {
        &self.rsm
    }

    /// Stops this server and its Raft.
    pub fn kill(&self) {
        self.rsm.kill();
    }
}

impl<M: Service> Clone for Server<M> {
    fn clone(&self) -> Server<M> {
        Server { rsm: self.rsm.clone() }
    }
}

impl<M: Service> fmt::Debug for Server<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("rsm", &self.rsm).finish()
    }
}

/// Why a clerk has no reply.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The service has forgotten this client during the call: the request was executed once or not
    /// at all.
    #[error("the service no longer knew this client: the request took effect once or not at all")]
    Unknown,
    /// The deadline has passed: the request was executed once or not at all, or will be.
    #[error("no server answered in time: the request may or may not take effect")]
    TimedOut,
    /// The service cannot accept such a request. It was not executed.
    #[error("the service rejects the request: {0}")]
    Rejected(String),
}

impl From<Unanswered> for CallError {
    fn from(unanswered: Unanswered) -> CallError {
        match unanswered {
            Unanswered::TimedOut => CallError::TimedOut,
            Unanswered::Rejected(error) => CallError::Rejected(error.to_string()),
        }
    }
}

/// Talks to the servers of one group. Each request is executed exactly once, however often it is
/// sent. Several tasks may use one clerk; their requests are made one after the other.
pub struct Clerk<M> {
    servers: Servers,
    /// Held while a request is under way.
    client: labrt::Mutex<Client>,
    machine: PhantomData<fn(M)>,
}

impl<M: Service> Clerk<M> {
    /// A clerk for the group of these servers.
    ///
    /// # Errors
    /// [`NoServers`] when the list is empty.
    pub fn new(servers: Vec<ClientEnd>) -> Result<Clerk<M>, NoServers> {
        let client = labrt::Mutex::new(Client::new());
        Ok(Clerk { servers: Servers::new(servers)?, client, machine: PhantomData })
    }

    /// Blocks until the request has been executed, and returns its reply.
    ///
    /// # Errors
    /// [`CallError::Unknown`], only after an outage so long that the service had to forget whom it
    /// served before; [`CallError::Rejected`].
    pub fn call(&self, request: M::Request) -> Result<M::Reply, CallError> {
        self.call_until(Instant::from_nanos(u64::MAX), request)
    }

    /// The same until `deadline`. Time spent waiting for other tasks with the same clerk counts,
    /// too.
    ///
    /// # Errors
    /// [`CallError::TimedOut`] when the deadline has passed, and those of [`call`](Clerk::call).
    pub fn call_until(
        &self,
        deadline: Instant,
        request: M::Request,
    ) -> Result<M::Reply, CallError> {
        let mut client = self.client.lock();
        if client.is_stale() {
            let now =
                self.servers.ask_until::<Open<M>, _>(deadline, &(), |answer| match answer {
                    Answer::Done(now) => Some(now),
                    _ => None,
                })?;
            client.open(now.answer);
        }
        let args = Numbered { id: client.next_request(), request };
        let decided = |answer| match answer {
            Answer::Done(reply) => Some(Ok(reply)),
            // Another copy may have been executed while the session lived.
            Answer::SessionEnded => Some(Err(CallError::Unknown)),
            Answer::Rejected(reason) => Some(Err(CallError::Rejected(reason))),
            Answer::NotLeader => None,
        };
        let answered = self.servers.ask_until::<Call<M>, _>(deadline, &args, decided);
        let outcome = answered.map_err(CallError::from).and_then(|answered| answered.answer);
        client.answered(outcome.is_ok());
        outcome
    }
}

impl<M> fmt::Debug for Clerk<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clerk").field("servers", &self.servers).finish_non_exhaustive()
    }
}
