//! The server: a store behind a lock.

use std::sync::Arc;

use kvapi::{Get, GetArgs, GetReply, Put, PutArgs, PutReply, VersionedStore};
use labrpc::{Method, Service};

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
