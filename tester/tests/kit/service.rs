//! A key/value server without replication, and what the tests need of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use kvapi::{Clerk, Error, GetArgs, GetReply, PutArgs, PutReply, Version, VersionedStore};
use labrpc::{ClientEnd, Method, Service};
use labrt::{Instant, Mutex};
use tester::{Client, Cluster, ClusterOptions, Hosted, ServerSetup, hosted};

pub(crate) enum Get {}
impl Method for Get {
    const SERVICE: &'static str = "KvServer";
    const METHOD: &'static str = "Get";
    type Args = GetArgs;
    type Reply = GetReply;
}

pub(crate) enum Put {}
impl Method for Put {
    const SERVICE: &'static str = "KvServer";
    const METHOD: &'static str = "Put";
    type Args = PutArgs;
    type Reply = PutReply;
}

/// How a server misbehaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flaw {
    None,
    /// Every tenth get answers the version before.
    StaleVersions,
    /// The first get of a key after each put of it answers what the key held before that put.
    OldOnce,
}

pub(crate) fn kv_service(flaw: Flaw) -> Service {
    let store = Arc::new(Mutex::new(VersionedStore::new()));
    let gets = AtomicU64::new(0);
    let reads = Arc::clone(&store);
    let before: Arc<Mutex<BTreeMap<String, (String, Version)>>> = Arc::default();
    let replaced = Arc::clone(&before);
    Service::new("KvServer")
        .method::<Get>(move |args| {
            let number = gets.fetch_add(1, Ordering::SeqCst);
            let mut outcome = reads.lock().get(&args.key);
            if flaw == Flaw::StaleVersions
                && number % 10 == 9
                && let Ok((_, version)) = &mut outcome
            {
                *version = Version::new(version.get() - 1);
            }
            if let Some(old) = before.lock().remove(&args.key) {
                outcome = Ok(old);
            }
            GetReply { outcome }
        })
        .method::<Put>(move |args| {
            let mut store = store.lock();
            let held = store.get(&args.key);
            let outcome = store.put(args.key.clone(), args.value, args.version);
            if flaw == Flaw::OldOnce
                && outcome.is_ok()
                && let Ok(held) = held
            {
                replaced.lock().insert(args.key, held);
            }
            PutReply { outcome }
        })
}

pub(crate) fn kv_cluster(reliable: bool, flaw: Flaw) -> Cluster {
    let options = ClusterOptions::new(1).reliable(reliable);
    Cluster::new(options, move |_| vec![hosted([kv_service(flaw)], || {})])
}

/// A clerk of the first server.
pub(crate) struct KvClerk {
    server: ClientEnd,
}

impl KvClerk {
    pub(crate) fn new(_: &Client, servers: Vec<ClientEnd>) -> KvClerk {
        KvClerk { server: servers.into_iter().next().unwrap() }
    }
}

impl Clerk for KvClerk {
    fn get_until(&self, deadline: Instant, key: &str) -> Result<(String, Version), Error> {
        let args = GetArgs { key: key.to_owned() };
        while labrt::now() < deadline {
            if let Ok(reply) = self.server.call::<Get>(&args) {
                return reply.outcome;
            }
            labrt::sleep(Duration::from_millis(10));
        }
        Err(Error::TimedOut)
    }

    fn put_until(
        &self,
        deadline: Instant,
        key: &str,
        value: &str,
        version: Version,
    ) -> Result<(), Error> {
        let args = PutArgs { key: key.to_owned(), value: value.to_owned(), version };
        let mut first = true;
        while labrt::now() < deadline {
            if let Ok(reply) = self.server.call::<Put>(&args) {
                return kvapi::clerk::put_outcome(first, reply.outcome);
            }
            first = false;
            labrt::sleep(Duration::from_millis(10));
        }
        Err(Error::TimedOut)
    }
}

/// Answers how often it was asked, and knows who asked whom: the tester's own test service.
pub(crate) enum Count {}
impl Method for Count {
    const SERVICE: &'static str = "Counter";
    const METHOD: &'static str = "Count";
    type Args = ();
    type Reply = u64;
}

/// What a test can see of its servers.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) calls: AtomicU64,
    pub(crate) killed: AtomicBool,
    pub(crate) starts: AtomicU64,
}

pub(crate) fn counter_cluster(servers: usize) -> (Cluster, Arc<Seen>) {
    let seen: Arc<Seen> = Arc::default();
    let theirs = Arc::clone(&seen);
    let cluster = Cluster::new(ClusterOptions::new(servers), move |_| counter(&theirs));
    (cluster, seen)
}

pub(crate) fn counter(seen: &Arc<Seen>) -> Vec<Box<dyn Hosted>> {
    seen.starts.fetch_add(1, Ordering::SeqCst);
    let (calls, kill) = (Arc::clone(seen), Arc::clone(seen));
    let service = Service::new("Counter")
        .method::<Count>(move |()| calls.calls.fetch_add(1, Ordering::SeqCst) + 1);
    vec![hosted([service], move || kill.killed.store(true, Ordering::SeqCst))]
}

/// A cluster of servers that tell, on request, whom of their group they can reach.
pub(crate) enum Reach {}
impl Method for Reach {
    const SERVICE: &'static str = "Reach";
    const METHOD: &'static str = "Peers";
    type Args = ();
    type Reply = Vec<bool>;
}

pub(crate) enum Ping {}
impl Method for Ping {
    const SERVICE: &'static str = "Reach";
    const METHOD: &'static str = "Ping";
    type Args = ();
    type Reply = ();
}

pub(crate) fn reach_server(setup: ServerSetup) -> Vec<Box<dyn Hosted>> {
    let ends = setup.peers;
    let service = Service::new("Reach")
        .method::<Ping>(|()| ())
        .method::<Reach>(move |()| ends.iter().map(|end| end.call::<Ping>(&()).is_ok()).collect());
    vec![hosted([service], || {})]
}
