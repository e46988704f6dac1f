//! The server: a store behind a lock.

use std::sync::Arc;

use kvapi::{GetArgs, GetReply, PutArgs, PutReply, VersionedStore};
use labrpc::{Method, Service};

/// The RPC `KVServer.Get`. Every key/value service of the labs that speaks of versions answers to it.
#[derive(Debug)]
pub struct Get;

impl Method for Get {
    const SERVICE: &'static str = "KVServer";
    const METHOD: &'static str = "Get";
    type Args = GetArgs;
    type Reply = GetReply;
}

/// The RPC `KVServer.Put`.
#[derive(Debug)]
pub struct Put;

impl Method for Put {
    const SERVICE: &'static str = "KVServer";
    const METHOD: &'static str = "Put";
    type Args = PutArgs;
    type Reply = PutReply;
}

/// The server. Clones are handles to the same store.
#[derive(Clone, Debug)]
pub struct KvServer {
    /// Held for one request: each is atomic.
    store: Arc<labrt::Mutex<VersionedStore>>,
}

impl KvServer {
    /// A server without keys.
    #[track_caller]
    pub fn new() -> KvServer {
        KvServer { store: Arc::new(labrt::Mutex::new(VersionedStore::new())) }
    }

    /// The service to register under the server's name.
    pub fn service(&self) -> Service {
        let (on_get, on_put) = (self.clone(), self.clone());
        Service::new(Get::SERVICE)
            .method::<Get>(move |args| on_get.get(&args))
            .method::<Put>(move |args| on_put.put(args))
    }

    fn get(&self, args: &GetArgs) -> GetReply {
        GetReply { outcome: self.store.lock().get(&args.key) }
    }

    fn put(&self, args: PutArgs) -> PutReply {
        let PutArgs { key, value, version } = args;
        PutReply { outcome: self.store.lock().put(key, value, version) }
    }
}

impl Default for KvServer {
    #[track_caller]
    fn default() -> KvServer {
        KvServer::new()
    }
}
