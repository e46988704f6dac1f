//! The caller's side: encode, send, wait.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use labrt::oneshot;

use crate::{CallError, MESSAGE_LIMIT, Method};

/// A caller's handle to one server. Cheap to clone; calls on all clones are independent of each other.
#[derive(Clone)]
pub struct ClientEnd {
    transport: Arc<dyn Transport>,
}

/// Carries requests to one server: a [`Network`](crate::Network), or one day a real one.
pub trait Transport: Send + Sync {
    /// Takes the request and returns at once. The answer may come at any time, from any task or timer callback; dropping it unused
    /// says [`CallError::NoReply`].
    fn send(&self, request: Request, answer: Answer);
}

/// What goes to the server.
#[derive(Debug)]
#[non_exhaustive]
pub struct Request {
    /// [`Method::SERVICE`].
    pub service: &'static str,
    /// [`Method::METHOD`].
    pub method: &'static str,
    /// The encoded [`Method::Args`].
    pub args: Vec<u8>,
}

/// The right to answer one request, once.
#[derive(Debug)]
pub struct Answer(oneshot::Sender<Outcome>);

/// The encoded reply, or why there is none.
type Outcome = Result<Vec<u8>, CallError>;

impl Answer {
    /// Ends the call with the encoded reply, or with an error. Never blocks. A caller that is gone is no concern.
    pub fn give(self, outcome: Outcome) {
        let _ = self.0.send(outcome);
    }
}

impl Answer {
    /// Whether the caller waits no longer.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.0.is_closed()
    }
}

impl ClientEnd {
    /// An end that talks through `transport`.
    pub fn new(transport: Arc<dyn Transport>) -> ClientEnd {
        ClientEnd { transport }
    }

    /// Passes a request on as it is: for a [`Transport`] that forwards to this end.
    pub fn forward(&self, request: Request, answer: Answer) {
        self.transport.send(request, answer);
    }

    /// Calls method `M` and waits for what becomes of it. The contract stands at the head of the [crate](crate).
    ///
    /// # Errors
    /// [`CallError::NoReply`] when nothing came back, which is normal; anything else is a mistake in the program.
    #[track_caller]
    pub fn call<M: Method>(&self, args: &M::Args) -> Result<M::Reply, CallError> {
        let waiting = self.send::<M>(args)?;
        // Not a closure: a report of a deadlock is to show the caller's line.
        let Ok(outcome) = waiting.recv() else { return Err(CallError::NoReply) };
        decode::<M>(outcome)
    }

    /// The same for a caller that waits no longer than `patience`. The handler may run all the same.
    ///
    /// # Errors
    /// Those of [`call`](ClientEnd::call); [`CallError::NoReply`] also when the time is over.
    #[track_caller]
    pub fn call_within<M: Method>(
        &self,
        patience: Duration,
        args: &M::Args,
    ) -> Result<M::Reply, CallError> {
        let waiting = self.send::<M>(args)?;
        let Ok(outcome) = waiting.recv_timeout(patience) else { return Err(CallError::NoReply) };
        decode::<M>(outcome)
    }

    fn send<M: Method>(&self, args: &M::Args) -> Result<oneshot::Receiver<Outcome>, CallError> {
        let args = labgob::encode_with_limit(args, MESSAGE_LIMIT)
            .map_err(|source| CallError::Encode { what: "arguments", source })?;
        let (answer, waiting) = oneshot::channel();
        let request = Request { service: M::SERVICE, method: M::METHOD, args };
        self.transport.send(request, Answer(answer));
        Ok(waiting)
    }
}

fn decode<M: Method>(outcome: Outcome) -> Result<M::Reply, CallError> {
    labgob::decode_with_limit(&outcome?, MESSAGE_LIMIT)
        .map_err(|source| CallError::Decode { what: "reply", source })
}

impl fmt::Debug for ClientEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientEnd").finish_non_exhaustive()
    }
}
