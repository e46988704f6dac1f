//! Recorded clerks of the service with Put, Append and Get.

use kvapi::append::Clerk;
use labrpc::ClientEnd;

use super::super::harness::{Api, Harness};
use super::super::op_log::{Heard, Op, Request, done};
use super::super::recorder;
use super::super::verdict::{Legality, judge_append_history};
use crate::client::Client;
use crate::cluster::Cluster;
use crate::fatal;

/// The service of the earlier editions: Put, Append and Get, without versions.
#[derive(Debug)]
pub struct Unversioned;

impl Api for Unversioned {
    type Clerk = dyn Clerk + Send + Sync;

    fn judge(ops: &[Op]) -> Legality {
        judge_append_history(ops)
    }
}

/// A clerk with its network client. Clones are handles to the same clerk.
pub type TestClerk = recorder::TestClerk<dyn Clerk + Send + Sync>;

/// The harness of the service with Put, Append and Get.
///
/// A write with an unknown outcome fails the test, unless it is made by
/// [`try_append`](AppendHarness::try_append).
pub type AppendHarness = Harness<Unversioned>;

impl Harness<Unversioned> {
    /// A harness over this cluster; `make_clerk` gets a client, and its ends to the servers of
    /// group 0.
    pub fn new<C: Clerk + Send + Sync + 'static>(
        cluster: Cluster,
        make_clerk: impl Fn(&Client, Vec<ClientEnd>) -> C + Send + Sync + 'static,
    ) -> AppendHarness {
        let boxed = move |client: &Client, servers| Box::new(make_clerk(client, servers)) as _;
        Harness::with_maker(cluster, boxed, false)
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
}
