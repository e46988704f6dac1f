//! Recorded clerks, and the checks every key/value test uses.

use std::sync::Arc;

use kvapi::{Clerk, Error, Version};
use labrpc::ClientEnd;
use labrt::Instant;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ELECTION_TIMEOUT;
use super::op_log::{Answer, Heard, Op, OpLog, Request, done};
use super::recorder::{self, Recorder};
use super::verdict::{Legality, judge_history};
use super::workload::Partitioner;
use crate::client::Client;
use crate::cluster::{Cluster, GROUP_0};
use crate::fatal;

/// A kind of key/value service: what its clerks are, and how a history of it is judged.
pub trait Api: 'static {
    /// What a clerk can do.
    type Clerk: ?Sized + Send + Sync + 'static;

    /// Judges a history.
    fn judge(ops: &[Op]) -> Legality;
}

/// The service of the 2025 labs: every key has a version, and a Put names the version it replaces.
#[derive(Debug)]
pub struct Versioned;

impl Api for Versioned {
    type Clerk = dyn Clerk + Send + Sync;

    fn judge(ops: &[Op]) -> Legality {
        judge_history(ops)
    }
}

/// The harness of the versioned service.
pub type KvHarness = Harness<Versioned>;

/// A clerk of the versioned service with its network client.
///
/// Calls through [`Clerk`] are neither recorded nor counted. Calls through the [`KvHarness`] are.
pub type TestClerk = recorder::TestClerk<dyn Clerk + Send + Sync>;

impl Clerk for TestClerk {
    fn get_until(&self, deadline: Instant, key: &str) -> Result<(String, Version), Error> {
        self.bare().get_until(deadline, key)
    }

    fn put_until(
        &self,
        deadline: Instant,
        key: &str,
        value: &str,
        version: Version,
    ) -> Result<(), Error> {
        self.bare().put_until(deadline, key, value, version)
    }
}

type Maker<A> = dyn Fn(&Client, Vec<ClientEnd>) -> Box<<A as Api>::Clerk> + Send + Sync;

/// What key/value tests share: recorded operations on a cluster, and the verdict on them. Clones
/// are handles to the same harness.
///
/// Functions that check a property fail the test if it does not hold.
pub struct Harness<A: Api> {
    pub(super) recorder: Recorder,
    maker: Arc<Maker<A>>,
    random_keys: bool,
}

impl<A: Api> Clone for Harness<A> {
    fn clone(&self) -> Harness<A> {
        let (recorder, maker) = (self.recorder.clone(), Arc::clone(&self.maker));
        Harness { recorder, maker, random_keys: self.random_keys }
    }
}

impl<A: Api> Harness<A> {
    /// `make_clerk` gets a client, and its ends to the servers of group 0 in a random order, so
    /// that no clerk can rely on the index of a server.
    pub(super) fn with_maker(
        cluster: Cluster,
        make_clerk: impl Fn(&Client, Vec<ClientEnd>) -> Box<A::Clerk> + Send + Sync + 'static,
        random_keys: bool,
    ) -> Harness<A> {
        let recorder = Recorder::new(cluster, OpLog::new(), A::judge);
        Harness { recorder, maker: Arc::new(make_clerk), random_keys }
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        self.recorder.cluster()
    }

    /// The history so far.
    pub fn log(&self) -> &OpLog {
        self.recorder.log()
    }

    /// Whether clients spread over many keys.
    pub fn random_keys(&self) -> bool {
        self.random_keys
    }

    // ---- clerks -------------------------------------------------------------------------------

    /// A clerk that reaches all servers.
    pub fn make_clerk(&self) -> recorder::TestClerk<A::Clerk> {
        self.clerk(self.cluster().make_client())
    }

    /// A clerk that knows all servers of group 0 and reaches only these.
    pub fn make_clerk_to(&self, servers: &[usize]) -> recorder::TestClerk<A::Clerk> {
        self.clerk(self.recorder.client_to(servers))
    }

    fn clerk(&self, client: Client) -> recorder::TestClerk<A::Clerk> {
        let mut servers = self.cluster().group(GROUP_0).server_names();
        for last in (1..servers.len()).rev() {
            servers.swap(last, labrt::random_range(0..=last));
        }
        let clerk = (self.maker)(&client, client.ends_to(&servers));
        self.recorder.clerk(clerk, client)
    }

    /// Removes the clerk's ends from the network.
    pub fn delete_clerk(&self, clerk: &recorder::TestClerk<A::Clerk>) {
        self.cluster().delete_client(clerk.client());
    }

    /// Starts `n` clients, each a task with its number and a clerk of its own.
    pub fn spawn_clients<R: Send + 'static>(
        &self,
        n: usize,
        run: impl Fn(usize, &recorder::TestClerk<A::Clerk>) -> R + Send + Sync + 'static,
    ) -> Vec<labrt::JoinHandle<R>> {
        let run = Arc::new(run);
        let client = |number| {
            let (harness, run) = (self.clone(), Arc::clone(&run));
            crate::spawn(move || {
                let clerk = harness.make_clerk();
                let result = run(number, &clerk);
                harness.delete_clerk(&clerk);
                result
            })
        };
        (0..n).map(client).collect()
    }

    /// Waits for a client. One that has failed fails the test.
    #[track_caller]
    pub fn join<R>(client: labrt::JoinHandle<R>) -> R {
        match client.join() {
            Ok(result) => result,
            Err(error) => fatal!("a client has failed: {error}"),
        }
    }

    // ---- faults -------------------------------------------------------------------------------

    /// Starts a task that partitions the servers at random, again and again, until told to stop.
    pub fn start_partitioner(&self) -> Partitioner {
        Partitioner::start(self.cluster().group(GROUP_0))
    }

    /// Ends the partitions, and gives the servers the time for an election.
    #[track_caller]
    pub fn heal(&self, partitioner: Partitioner) {
        partitioner.stop();
        self.cluster().group(GROUP_0).connect_all();
        labrt::sleep(ELECTION_TIMEOUT);
    }

    // ---- the verdict --------------------------------------------------------------------------

    /// Judges the whole history so far. An illegal one fails the test; one that could not be
    /// decided is inconclusive, which is not a pass.
    #[track_caller]
    pub fn check_porcupine(&self) {
        self.recorder.check_porcupine();
    }

    /// Judges what has not been judged yet, prints the line of the last part, cleans the cluster
    /// up.
    #[track_caller]
    pub fn cleanup(&self) {
        self.recorder.cleanup();
    }
}

impl Harness<Versioned> {
    /// A harness over this cluster; `make_clerk` gets a client, and its ends to the servers of
    /// group 0. With `random_keys`, clients spread over many keys.
    pub fn new<C: Clerk + Send + Sync + 'static>(
        cluster: Cluster,
        make_clerk: impl Fn(&Client, Vec<ClientEnd>) -> C + Send + Sync + 'static,
        random_keys: bool,
    ) -> KvHarness {
        let boxed = move |client: &Client, servers| Box::new(make_clerk(client, servers)) as _;
        Harness::with_maker(cluster, boxed, random_keys)
    }

    // ---- recorded operations -------------------------------------------------------------------

    /// A get, recorded and counted.
    ///
    /// # Errors
    /// The clerk's.
    pub fn get(&self, clerk: &TestClerk, key: &str) -> Result<(String, Version), Error> {
        let result = self.get_uncounted(clerk, key);
        self.cluster().op();
        result
    }

    /// A get that is recorded but does not show in `#Ops`, where the course's tests use a bare
    /// clerk.
    ///
    /// # Errors
    /// The clerk's.
    pub fn get_uncounted(&self, clerk: &TestClerk, key: &str) -> Result<(String, Version), Error> {
        let request = Request::Get { key: key.to_owned() };
        self.recorder.record(
            clerk,
            request,
            |clerk| clerk.get(key),
            |(value, version)| Heard::Answer(Answer::Value(value.clone(), *version)),
        )
    }

    /// A put, recorded and counted.
    ///
    /// # Errors
    /// The clerk's.
    pub fn put(
        &self,
        clerk: &TestClerk,
        key: &str,
        value: &str,
        version: Version,
    ) -> Result<(), Error> {
        let result = self.put_uncounted(clerk, key, value, version);
        self.cluster().op();
        result
    }

    /// A put that is recorded but does not show in `#Ops`, where the course's tests use a bare
    /// clerk.
    ///
    /// # Errors
    /// The clerk's.
    pub fn put_uncounted(
        &self,
        clerk: &TestClerk,
        key: &str,
        value: &str,
        version: Version,
    ) -> Result<(), Error> {
        let request = Request::Put { key: key.to_owned(), value: value.to_owned(), version };
        self.recorder.record(clerk, request, |clerk| clerk.put(key, value, version), done)
    }

    /// Fails unless the key has this value and version.
    #[track_caller]
    pub fn check_get(&self, clerk: &TestClerk, key: &str, value: &str, version: Version) {
        match self.get(clerk, key) {
            Ok((got, at)) if got == value && at == version => {}
            Ok((got, at)) => fatal!(
                "Get({key}) gave {got:?} at version {at}, expected {value:?} at version {version}"
            ),
            Err(error) => fatal!("Get({key}) gave {error}, expected {value:?}"),
        }
    }

    /// Puts until it has certainly taken effect, perhaps more than once; returns the version after
    /// it. Assumes that nobody else writes the key.
    #[track_caller]
    pub fn put_at_least_once(
        &self,
        clerk: &TestClerk,
        key: &str,
        value: &str,
        mut version: Version,
    ) -> Version {
        loop {
            match self.put(clerk, key, value, version) {
                Ok(()) => return version.next(),
                Err(Error::Maybe | Error::Version) => version = version.next(),
                Err(error) if version != Version::ZERO => {
                    fatal!("Put({key}, version {version}) gave {error}")
                }
                Err(_) => {}
            }
        }
    }

    /// The key's version, and its value read as JSON.
    #[track_caller]
    pub fn get_json<T: DeserializeOwned>(&self, clerk: &TestClerk, key: &str) -> (Version, T) {
        match self.get(clerk, key) {
            Err(error) => fatal!("Get({key}) gave {error}"),
            Ok((text, version)) => match serde_json::from_str(&text) {
                Ok(value) => (version, value),
                Err(error) => {
                    fatal!("Get({key}) gave {text:?}, which is not what was put: {error}")
                }
            },
        }
    }

    /// Puts a value as JSON.
    ///
    /// # Errors
    /// The clerk's.
    #[track_caller]
    pub fn put_json<T: Serialize>(
        &self,
        clerk: &TestClerk,
        key: &str,
        value: &T,
        version: Version,
    ) -> Result<(), Error> {
        match serde_json::to_string(value) {
            Ok(text) => self.put(clerk, key, &text, version),
            Err(error) => fatal!("the value for {key} cannot be written as JSON: {error}"),
        }
    }

    /// Creates the key with a JSON value, again until the answer is certain; returns `version` plus
    /// one for each uncertain answer.
    #[track_caller]
    pub fn put_at_least_once_json<T: Serialize>(
        &self,
        clerk: &TestClerk,
        key: &str,
        value: &T,
        mut version: Version,
    ) -> Version {
        while self.put_json(clerk, key, value, Version::ZERO) == Err(Error::Maybe) {
            version = version.next();
        }
        version
    }
}
