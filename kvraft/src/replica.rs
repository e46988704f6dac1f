//! One server of a replicated store: what the services have in common.

use std::fmt;
use std::time::Duration;

use labrpc::{Method, Responder, Service};
use rsm::{Rsm, StateMachine, SubmitError};

use crate::marks::Mark;

/// How a server answers Gets. Both ways are linearizable; servers of one group may differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reads {
    /// Through the log, like writes.
    #[default]
    Logged,
    /// Without a log entry: from the leader's own state, after a majority has confirmed that it still leads. Where that cannot be,
    /// because a new leader has committed nothing yet, through the log.
    ReadIndex,
}

/// One server of a replicated store, each service with a machine of its own. Clones are handles to the same server.
pub struct Replica<M: StateMachine> {
    rsm: Rsm<M>,
    reads: Reads,
    /// How long a request may wait to be executed; `None`: until it is, or certainly will not be.
    patience: Option<Duration>,
}

/// How long a read may wait for a majority. A leader that is cut off cannot know it; a client that can reach others must not be kept
/// by it for long. A whole election takes less.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

impl<M: StateMachine> Replica<M> {
    pub(crate) fn launch(
        options: rsm::Options,
        machine: M,
        patience: Option<Duration>,
    ) -> Result<Replica<M>, rsm::Error> {
        Ok(Replica { rsm: Rsm::start(options, machine)?, reads: Reads::default(), patience })
    }

    /// The same server, answering Gets this way.
    #[must_use]
    pub fn with_reads(mut self, reads: Reads) -> Replica<M> {
        self.reads = reads;
        self
    }

    /// The replicated state machine below.
    pub fn rsm(&self) -> &Rsm<M> {
        &self.rsm
    }

    /// Stops this server and its Raft.
    pub fn kill(&self) {
        self.rsm.kill();
    }

    /// The reply to a request that goes through the log.
    pub(crate) fn submit(&self, request: M::Request) -> Result<M::Reply, SubmitError> {
        match self.patience {
            Some(patience) => self.rsm.submit_within(patience, request),
            None => self.rsm.submit(request),
        }
    }

    /// The service with a method that changes nothing: what it does in the log, what it takes from the machine without, and what the
    /// client gets of either.
    pub(crate) fn with_read<G: Method>(
        &self,
        service: Service,
        logged: fn(G::Args) -> M::Request,
        look: fn(&M, &G::Args) -> M::Reply,
        reply: fn(Result<M::Reply, SubmitError>) -> G::Reply,
    ) -> Service
    where
        G::Args: Clone,
    {
        let replica = self.clone();
        match self.reads {
            Reads::Logged => service.method::<G>(move |args| reply(replica.submit(logged(args)))),
            Reads::ReadIndex => service.deferred_method::<G>(move |args, caller| {
                let for_the_log = args.clone();
                let asked = replica.rsm.read_then(
                    PATIENCE,
                    caller,
                    move |machine| look(machine, &args),
                    move |caller: Responder<G>, seen| {
                        caller.respond(&reply(seen.map_err(|_| SubmitError::WrongLeader)));
                    },
                );
                match asked {
                    Ok(()) => {}
                    Err((rsm::ReadError::Raft(raft::ReadError::NothingCommitted), caller)) => {
                        Mark::ReadThroughLog.reach();
                        let replica = replica.clone();
                        labrt::Node::current().spawn_detached(G::METHOD, move || {
                            caller.respond(&reply(replica.submit(logged(for_the_log))));
                        });
                    }
                    Err((_, caller)) => caller.respond(&reply(Err(SubmitError::WrongLeader))),
                }
            }),
        }
    }
}

impl<M: StateMachine> Clone for Replica<M> {
    fn clone(&self) -> Replica<M> {
        Replica { rsm: self.rsm.clone(), reads: self.reads, patience: self.patience }
    }
}

impl<M: StateMachine> fmt::Debug for Replica<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("rsm", &self.rsm)
            .field("reads", &self.reads)
            .finish_non_exhaustive()
    }
}
