//! Recorded clerks, and the checks every key/value test uses.

use std::sync::Arc;

use kvapi::{Clerk, Error, Version};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::op_log::{Answer, Heard, OpLog, Request, done};
use super::recorder::{self, Recorder};
use super::verdict::judge_history;
use crate::client::Client;
use crate::cluster::{Cluster, GROUP_0};
use crate::fatal;

/// Makes clerks of the service under test. Closures `Fn(Client, Vec<String>) -> impl Clerk` are such.
pub trait ClerkMaker: Send + Sync + 'static {
    /// A clerk that talks through `client` to the servers with these names.
    fn make_clerk(&self, client: Client, servers: Vec<String>) -> Box<dyn Clerk + Send + Sync>;
}

impl<F, C> ClerkMaker for F
where
    F: Fn(Client, Vec<String>) -> C + Send + Sync + 'static,
    C: Clerk + Send + Sync + 'static,
{
    fn make_clerk(&self, client: Client, servers: Vec<String>) -> Box<dyn Clerk + Send + Sync> {
        Box::new(self(client, servers))
    }
}

/// A clerk of the versioned service with its network client. Clones are handles to the same clerk.
///
/// As a [`Clerk`] it is the bare one: such calls are neither recorded nor counted. Those of the [`KvHarness`] are.
pub type TestClerk = recorder::TestClerk<dyn Clerk + Send + Sync>;

impl Clerk for TestClerk {
    fn get(&self, key: &str) -> Result<(String, Version), Error> {
        self.bare().get(key)
    }

    fn put(&self, key: &str, value: &str, version: Version) -> Result<(), Error> {
        self.bare().put(key, value, version)
    }
}

/// What key/value tests share: recorded operations on a cluster, and the verdict on them. Clones are handles to the same harness.
///
/// Functions that check something fail the test when it does not hold.
#[derive(Clone)]
pub struct KvHarness {
    recorder: Recorder,
    maker: Arc<dyn ClerkMaker>,
    random_keys: bool,
}

impl KvHarness {
    /// A harness over this cluster. With `random_keys`, clients spread over many keys.
    pub fn new(cluster: Cluster, maker: impl ClerkMaker, random_keys: bool) -> KvHarness {
        let recorder = Recorder::new(cluster, OpLog::new(), judge_history);
        KvHarness { recorder, maker: Arc::new(maker), random_keys }
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

    // ---- clerks -------------------------------------------------------------------------------------------------------

    /// A clerk that reaches all servers.
    pub fn make_clerk(&self) -> TestClerk {
        self.clerk(self.cluster().make_client())
    }

    /// A clerk that knows all servers of group 0 and reaches only these.
    pub fn make_clerk_to(&self, servers: &[usize]) -> TestClerk {
        self.clerk(self.recorder.client_to(servers))
    }

    fn clerk(&self, client: Client) -> TestClerk {
        let servers = self.cluster().group(GROUP_0).server_names().to_vec();
        let clerk = self.maker.make_clerk(client.clone(), servers);
        self.recorder.clerk(clerk, client)
    }

    /// Removes the clerk's ends from the network.
    pub fn delete_clerk(&self, clerk: &TestClerk) {
        self.cluster().delete_client(clerk.client());
    }

    // ---- recorded operations ------------------------------------------------------------------------------------------

    /// A get, recorded and counted.
    ///
    /// # Errors
    /// The clerk's.
    pub fn get(&self, clerk: &TestClerk, key: &str) -> Result<(String, Version), Error> {
        let result = self.get_uncounted(clerk, key);
        self.cluster().op();
        result
    }

    /// A get that is recorded but does not show in `#Ops`, where the course's tests use a bare clerk.
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

    /// A put that is recorded but does not show in `#Ops`, where the course's tests use a bare clerk.
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

    /// Puts until it has certainly taken effect, perhaps more than once; returns the version after it. Assumes that nobody else writes
    /// the key.
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

    /// Creates the key with a JSON value, again until the answer is certain; returns `version` plus one for each uncertain answer.
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

    // ---- the verdict --------------------------------------------------------------------------------------------------

    /// Judges the whole history so far. An illegal one fails the test; one that could not be decided is inconclusive, which is not a pass.
    #[track_caller]
    pub fn check_porcupine(&self) {
        self.recorder.check_porcupine();
    }

    /// Judges what has not been judged yet, prints the line of the last part, cleans the cluster up.
    #[track_caller]
    pub fn cleanup(&self) {
        self.recorder.cleanup();
    }
}
