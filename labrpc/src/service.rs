//! Handlers by name, each with its own argument and reply type.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::in_flight::InFlight;
use crate::{CallError, MESSAGE_LIMIT};

/// One remote method: its name, and what goes in and out. A type without values; caller and handler both name it.
///
/// ```
/// struct Add;
/// impl labrpc::Method for Add {
///     const SERVICE: &'static str = "Calculator";
///     const METHOD: &'static str = "Add";
///     type Args = (i64, i64);
///     type Reply = i64;
/// }
/// ```
pub trait Method: 'static {
    /// Name of the service it belongs to.
    const SERVICE: &'static str;
    /// Its own name.
    const METHOD: &'static str;
    /// What the caller sends.
    type Args: Serialize + DeserializeOwned + Send + 'static;
    /// What the handler answers.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
}

/// Takes the arguments and the call, and answers the call: before it returns, or later.
pub(crate) type Run = dyn Fn(&[u8], Box<InFlight>) + Send + Sync;

/// What answers the calls of one method.
pub(crate) struct Handler {
    pub(crate) run: Arc<Run>,
    /// It may answer later, and so seldom waits.
    pub(crate) deferred: bool,
}

/// A named set of handlers.
///
/// Handlers run concurrently, without limit, each call in a task of its own; what they share needs a lock of theirs. A handler that
/// would wait for long may answer later instead ([`deferred_method`](Service::deferred_method)).
pub struct Service {
    name: &'static str,
    /// Few, and looked up for every request: a list is faster than a map.
    methods: Vec<(&'static str, Handler)>,
}

impl Service {
    /// A service without methods.
    pub fn new(name: &'static str) -> Service {
        Service { name, methods: Vec::new() }
    }

    /// The same, with a handler for `M`. A second one for the same name replaces the first. The service goes by the name it was made
    /// with, which callers know as [`Method::SERVICE`].
    #[must_use]
    pub fn method<M: Method>(
        mut self,
        handler: impl Fn(M::Args) -> M::Reply + Send + Sync + 'static,
    ) -> Service {
        self.add::<M>(false, move |args, call| match decode::<M>(args) {
            Ok(args) => call.reply(encode::<M>(&handler(args))),
            Err(error) => call.reply(Err(error)),
        });
        self
    }

    /// The same, with a handler that may answer later, from another task: for calls that wait, so that no task of their own waits
    /// with each of them. On threads, such handlers share a few threads ([`labrt::Node::spawn_brief`]): what takes long belongs
    /// elsewhere. A responder that is kept outlives a crash of the server's node; its call ends with the server's deletion.
    ///
    /// ```
    /// use labrpc::{Method, Responder, Service};
    /// # struct Next;
    /// # impl Method for Next {
    /// #     const SERVICE: &'static str = "Queue";
    /// #     const METHOD: &'static str = "Next";
    /// #     type Args = ();
    /// #     type Reply = String;
    /// # }
    ///
    /// let (waiting, callers) = labrt::channel::unbounded::<Responder<Next>>();
    /// let queue = Service::new("Queue").deferred_method::<Next>(move |(), caller| {
    ///     let _ = waiting.send(caller); // should nobody take it, it is dropped: no reply
    /// });
    /// // Later, wherever something has come:
    /// if let Ok(caller) = callers.try_recv() {
    ///     caller.respond(&"something".to_owned());
    /// }
    /// # drop(queue);
    /// ```
    #[must_use]
    pub fn deferred_method<M: Method>(
        mut self,
        handler: impl Fn(M::Args, Responder<M>) + Send + Sync + 'static,
    ) -> Service {
        self.add::<M>(true, move |args, call| match decode::<M>(args) {
            Ok(args) => handler(args, Responder { call, method: PhantomData }),
            Err(error) => call.reply(Err(error)),
        });
        self
    }

    fn add<M: Method>(
        &mut self,
        deferred: bool,
        run: impl Fn(&[u8], Box<InFlight>) + Send + Sync + 'static,
    ) {
        self.methods.retain(|(name, _)| *name != M::METHOD);
        self.methods.push((M::METHOD, Handler { run: Arc::new(run), deferred }));
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Names of its methods, sorted.
    pub fn methods(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.methods.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn handler(&self, method: &'static str) -> Result<&Handler, CallError> {
        match self.methods.iter().find(|(name, _)| *name == method) {
            Some((_, handler)) => Ok(handler),
            None => {
                Err(CallError::UnknownMethod { service: self.name, method, known: self.methods() })
            }
        }
    }
}

fn decode<M: Method>(args: &[u8]) -> Result<M::Args, CallError> {
    labgob::decode_with_limit(args, MESSAGE_LIMIT)
        .map_err(|source| CallError::Decode { what: "arguments", source })
}

fn encode<M: Method>(reply: &M::Reply) -> Result<Vec<u8>, CallError> {
    labgob::encode_with_limit(reply, MESSAGE_LIMIT)
        .map_err(|source| CallError::Encode { what: "reply", source })
}

/// The right to answer one call of `M`, once, from any task. Dropped unused, it is as if the handler had crashed: the caller is told
/// [`CallError::NoReply`].
#[must_use = "a responder that is dropped leaves its caller without a reply"]
pub struct Responder<M: Method> {
    call: Box<InFlight>,
    method: PhantomData<fn(M)>,
}

impl<M: Method> Responder<M> {
    /// Whether the caller may still wait. Work for one that does not can be skipped: its patience is
    /// over, or it has crashed.
    pub fn is_awaited(&self) -> bool {
        self.call.is_awaited()
    }

    /// Sends the reply on its way back. Never blocks.
    pub fn respond(self, reply: &M::Reply) {
        self.call.reply(encode::<M>(reply));
    }
}

impl<M: Method> fmt::Debug for Responder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Responder({}.{})", M::SERVICE, M::METHOD)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .field("methods", &self.methods())
            .finish()
    }
}
