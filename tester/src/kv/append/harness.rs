//! Recorded clerks of the service with Put, Append and Get.

use std::sync::Arc;

use kvapi::append::Clerk;

use super::super::op_log::{Heard, OpLog, Request, done};
use super::super::recorder::{self, Recorder};
use super::super::verdict::judge_append_history;
use super::super::{ELECTION_TIMEOUT, Partitioner};
use crate::client::Client;
use crate::cluster::{Cluster, GROUP_0};
use crate::fatal;

/// A clerk with its network client. Clones are handles to the same clerk.
pub type TestClerk = recorder::TestClerk<dyn Clerk + Send + Sync>;

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

/// Recorded operations on a cluster, and the verdict on them. Clones are handles to the same harness.
///
/// A write whose fate the clerk does not know fails the test, unless it is made by [`try_append`](AppendHarness::try_append).
#[derive(Clone)]
pub struct AppendHarness {
    recorder: Recorder,
    maker: Arc<dyn ClerkMaker>,
}

impl AppendHarness {
    /// A harness over this cluster.
    pub fn new(cluster: Cluster, maker: impl ClerkMaker) -> AppendHarness {
        let recorder = Recorder::new(cluster, OpLog::new(), judge_append_history);
        AppendHarness { recorder, maker: Arc::new(maker) }
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        self.recorder.cluster()
    }

    /// The history so far.
    pub fn log(&self) -> &OpLog {
        self.recorder.log()
    }

    /// A clerk that reaches all servers.
    pub fn make_clerk(&self) -> TestClerk {
        self.clerk(self.cluster().make_client())
    }

    /// A clerk that knows all servers of group 0 and reaches only these.
    pub fn make_clerk_to(&self, servers: &[usize]) -> TestClerk {
        self.clerk(self.recorder.client_to(servers))
    }

    /// Clerks are given the servers in a random order, so that none takes a place in the list for a Raft id.
    fn clerk(&self, client: Client) -> TestClerk {
        let mut servers = self.cluster().group(GROUP_0).server_names().to_vec();
        for last in (1..servers.len()).rev() {
            servers.swap(last, labrt::random_range(0..=last));
        }
        let clerk = self.maker.make_clerk(client.clone(), servers);
        self.recorder.clerk(clerk, client)
    }

    /// Removes the clerk's ends from the network.
    pub fn delete_clerk(&self, clerk: &TestClerk) {
        self.cluster().delete_client(clerk.client());
    }

    /// A get, recorded and counted.
    pub fn get(&self, clerk: &TestClerk, key: &str) -> String {
        let request = Request::Get { key: key.to_owned() };
        let result = self.recorder.record(
            clerk,
            request,
            |clerk| Ok(clerk.get(key)),
            |value: &String| Heard::Text(value),
        );
        self.cluster().op();
        result.unwrap_or_default()
    }

    /// A put, recorded and counted.
    #[track_caller]
    pub fn put(&self, clerk: &TestClerk, key: &str, value: &str) {
        let request = Request::Set { key: key.to_owned(), value: value.to_owned() };
        let result = self.recorder.record(clerk, request, |clerk| clerk.put(key, value), done);
        self.cluster().op();
        if let Err(error) = result {
            fatal!("Put({key}, {value:?}) gave {error}");
        }
    }

    /// An append, recorded and counted.
    #[track_caller]
    pub fn append(&self, clerk: &TestClerk, key: &str, value: &str) {
        if let Err(error) = self.try_append(clerk, key, value) {
            fatal!("Append({key}, {value:?}) gave {error}");
        }
    }

    /// An append that the service may have forgotten the client over, recorded and counted.
    ///
    /// # Errors
    /// The clerk's.
    pub fn try_append(
        &self,
        clerk: &TestClerk,
        key: &str,
        value: &str,
    ) -> Result<(), kvapi::Error> {
        let request = Request::Append { key: key.to_owned(), value: value.to_owned() };
        let result = self.recorder.record(clerk, request, |clerk| clerk.append(key, value), done);
        self.cluster().op();
        result
    }

    /// Fails unless the key has this value.
    #[track_caller]
    pub fn check(&self, clerk: &TestClerk, key: &str, value: &str) {
        let got = self.get(clerk, key);
        if got != value {
            fatal!("Get({key}): expected:\n{value}\nreceived:\n{got}");
        }
    }

    /// Starts `n` clients, each a task with its number and a clerk of its own.
    pub fn spawn_clients<R: Send + 'static>(
        &self,
        n: usize,
        run: impl Fn(usize, &TestClerk) -> R + Send + Sync + 'static,
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

    /// Judges the whole history so far. An illegal one fails the test; one that could not be decided is inconclusive.
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
