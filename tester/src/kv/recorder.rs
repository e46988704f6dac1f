//! Clerks whose operations are recorded, and the verdict on the record: what the harnesses of all
//! key/value services share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kvapi::Error;
use labrt::events::{self, Operation};
use runner::{Highlight, current, fatal, inconclusive};

use super::op_log::{Answer, Heard, Op, OpLog, Request};
use super::verdict::{Legality, contradiction};
use crate::client::Client;
use crate::cluster::{Cluster, GROUP_0};

/// A clerk with its network client. Clones are handles to the same clerk.
pub struct TestClerk<C: ?Sized> {
    inner: Arc<Inner<C>>,
}

struct Inner<C: ?Sized> {
    clerk: Box<C>,
    client: Client,
    /// Its number in the history.
    number: i64,
    /// Whether a recorded operation is open.
    busy: AtomicBool,
}

impl<C: ?Sized> Clone for TestClerk<C> {
    fn clone(&self) -> TestClerk<C> {
        TestClerk { inner: Arc::clone(&self.inner) }
    }
}

impl<C: ?Sized> TestClerk<C> {
    /// Its network client, to cut it off and connect it.
    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    /// The clerk itself: its calls are neither recorded nor counted.
    pub fn bare(&self) -> &C {
        &self.inner.clerk
    }
}

/// The operations that contradict each other, if some do.
fn highlight(ops: &[Op]) -> Highlight {
    let Some(found) = contradiction(ops) else { return Highlight::default() };
    let focus = ops[found.stuck].returned.as_ref().map(|(at, _)| at.as_nanos());
    Highlight { marked: found.ops, focus, text: found.text }
}

/// The record of the operations on a cluster. Clones are handles to the same one.
#[derive(Clone)]
pub(super) struct Recorder {
    cluster: Cluster,
    log: Arc<OpLog>,
    judge: fn(&[Op]) -> Legality,
    /// The revision of the log that was last found legal.
    judged: Arc<AtomicUsize>,
}

impl Recorder {
    pub(super) fn new(cluster: Cluster, log: OpLog, judge: fn(&[Op]) -> Legality) -> Recorder {
        let log = Arc::new(log);
        let history = Arc::clone(&log);
        current().artifact("history", "history.jsonl", move |path, failed| {
            if history.is_empty() {
                return Ok(None);
            }
            history.write_json_lines(path)?;
            Ok(Some(if failed { highlight(&history.ops()) } else { Highlight::default() }))
        });
        Recorder { cluster, log, judge, judged: Arc::new(AtomicUsize::new(0)) }
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    pub(super) fn log(&self) -> &OpLog {
        &self.log
    }

    /// A client that reaches only these servers of group 0.
    pub(super) fn client_to(&self, servers: &[usize]) -> Client {
        self.cluster.make_client_to(&self.cluster.group(GROUP_0).server_names_of(servers))
    }

    pub(super) fn clerk<C: ?Sized>(&self, clerk: Box<C>, client: Client) -> TestClerk<C> {
        let (number, busy) = (self.log.new_client(), AtomicBool::new(false));
        events::emit(|| Operation::Clerk { clerk: number, node: client.node() });
        TestClerk { inner: Arc::new(Inner { clerk, client, number, busy }) }
    }

    /// Makes a call and notes it with its times and answer.
    pub(super) fn record<C: ?Sized, T>(
        &self,
        clerk: &TestClerk<C>,
        request: Request,
        call: impl FnOnce(&C) -> Result<T, Error>,
        heard: impl FnOnce(&T) -> Heard<'_>,
    ) -> Result<T, Error> {
        // Two tasks with one clerk are two clients: operations of one client do not overlap.
        let alone = !clerk.inner.busy.swap(true, Ordering::SeqCst);
        let number = if alone { clerk.inner.number } else { self.log.new_client() };
        events::emit(|| Operation::Called { clerk: number, request: request.brief() });
        let open = self.log.call(number, request);
        let result = call(&clerk.inner.clerk);
        let heard = match &result {
            Ok(result) => heard(result),
            Err(error) => Heard::Answer(Answer::Failed(*error)),
        };
        events::emit(|| Operation::Returned { clerk: number, answer: heard.brief() });
        self.log.finish(open, heard);
        if alone {
            clerk.inner.busy.store(false, Ordering::SeqCst);
        }
        result
    }

    /// See [`KvHarness::check_porcupine`](super::KvHarness::check_porcupine).
    #[track_caller]
    pub(super) fn check_porcupine(&self) {
        let revision = self.log.revision();
        if revision == self.judged.load(Ordering::SeqCst) {
            return; // nothing has happened since it was found legal
        }
        let annotations = self.cluster.annotations();
        annotations.checker_begin("linearizability");
        match self.log.with_ops(self.judge) {
            Legality::Legal => {
                annotations.checker_success("linearizable", "");
                self.judged.store(revision, Ordering::SeqCst);
            }
            Legality::Illegal(why) => {
                annotations.checker_failure("not linearizable", &why);
                fatal!("history is not linearizable: {why}");
            }
            Legality::Undecided(why) => {
                annotations.checker_end(crate::Kind::Neutral, "undecided", &why);
                inconclusive(&format!("the linearizability check came to no verdict {why}"));
            }
        }
    }

    #[track_caller]
    pub(super) fn cleanup(&self) {
        self.check_porcupine();
        self.cluster.end();
        self.cluster.cleanup();
    }
}
