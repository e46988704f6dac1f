//! Handlers by name, each with its own argument and reply type.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::CallError;

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

type Handler = Box<dyn Fn(&[u8]) -> Result<Vec<u8>, CallError> + Send + Sync>;

/// A named set of handlers.
///
/// Handlers run concurrently, without limit, each call in a task of its own; what they share needs a lock of theirs.
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
        let handler: Handler = Box::new(move |args| {
            let args = labgob::decode(args)
                .map_err(|source| CallError::Decode { what: "arguments", source })?;
            labgob::encode(&handler(args))
                .map_err(|source| CallError::Encode { what: "reply", source })
        });
        self.methods.retain(|(name, _)| *name != M::METHOD);
        self.methods.push((M::METHOD, handler));
        self
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

    /// Runs the handler for `method` in the calling task.
    pub(crate) fn dispatch(&self, method: &'static str, args: &[u8]) -> Result<Vec<u8>, CallError> {
        match self.methods.iter().find(|(name, _)| *name == method) {
            Some((_, handler)) => handler(args),
            None => {
                Err(CallError::UnknownMethod { service: self.name, method, known: self.methods() })
            }
        }
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
