//! A server's RPC methods: each takes a request, and answers with its reply.
//!
//! No task waits with a request. Its right to be answered is carried to where its wait ends.

use std::sync::Arc;
use std::time::Duration;

use labrpc::{Method, Responder, Service};

use crate::error::{ReadError, SubmitError};
use crate::marks::Mark;
use crate::request::{Accepts, Query, Request};
use crate::{Rsm, StateMachine};

/// How a server answers requests that change nothing. Both ways are linearizable; servers of one
/// group may differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reads {
    /// Through the log, like writes.
    #[default]
    Logged,
    /// Without a log entry: from the leader's own state, after a majority has confirmed that it
    /// still leads. A new leader that has committed nothing yet answers through the log.
    ReadIndex,
}

/// How long a request may wait for its entry, or for the confirmation of a read. A leader that is
/// cut off cannot know it at once, and must not keep a client that can reach other servers. Longer
/// than an election takes.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a client is told.
type Answer<M, G> =
    fn(Result<<<G as Method>::Args as Request<M>>::Reply, SubmitError>) -> <G as Method>::Reply;

impl<M: StateMachine> Rsm<M> {
    /// Adds the method `G` to `service`: its arguments are a request that goes through the log.
    /// `answer` makes the RPC's reply of the machine's, or of the reason why there is none.
    #[must_use]
    pub fn serve<G: Method>(&self, service: Service, answer: Answer<M, G>) -> Service
    where
        M: Accepts<G::Args>,
        G::Args: Request<M>,
    {
        let rsm = self.clone();
        service.deferred_method::<G>(move |args, caller| rsm.answer::<G>(args, caller, answer))
    }

    /// Adds the method `G`, whose arguments are a request that changes nothing, answered this way.
    #[must_use]
    pub fn serve_read<G: Method>(
        &self,
        reads: Reads,
        service: Service,
        answer: Answer<M, G>,
    ) -> Service
    where
        M: Accepts<G::Args>,
        G::Args: Query<M> + Clone,
    {
        if reads == Reads::Logged {
            return self.serve::<G>(service, answer);
        }
        let rsm = self.clone();
        service.deferred_method::<G>(move |args, caller: Responder<G>| {
            let for_the_log = args.clone();
            // What waits in Raft must not keep alive what owns Raft.
            let weak = Arc::downgrade(&rsm.shared);
            let then = move |seen| match seen {
                Ok(reply) => caller.respond(&answer(Ok(reply))),
                Err(ReadError::NothingCommitted) => {
                    Mark::ReadThroughLog.reach();
                    let Some(shared) = weak.upgrade() else { return };
                    Rsm { shared }.answer::<G>(for_the_log, caller, answer);
                }
                Err(ReadError::ShutDown) => caller.respond(&answer(Err(SubmitError::ShutDown))),
                Err(_) => caller.respond(&answer(Err(SubmitError::WrongLeader))),
            };
            rsm.read_then(PATIENCE, move |machine| args.look(machine), then);
        })
    }

    fn answer<G: Method>(&self, args: G::Args, caller: Responder<G>, answer: Answer<M, G>)
    where
        M: Accepts<G::Args>,
        G::Args: Request<M>,
    {
        if !caller.is_awaited() {
            // The request has been under way for so long that its clerk asks somewhere else.
            Mark::CallerGone.reach();
            return;
        }
        self.submit_then(Some(PATIENCE), M::request(args), move |outcome| {
            caller.respond(&answer(outcome.map(M::reply)));
        });
    }
}
