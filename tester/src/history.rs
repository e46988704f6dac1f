//! Histories of any service: recorded operations, and the verdict whether a correct service could
//! have given these answers.
//!
//! ```
//! use porcupine::{Model, Step};
//! use tester::{Cluster, ClusterOptions, History, hosted, lab_test};
//!
//! /// A counter: every call adds one and returns the sum.
//! struct Counter;
//!
//! impl Model for Counter {
//!     type State = u64;
//!     type Input = ();
//!     type Output = u64;
//!
//!     fn init(&self) -> u64 {
//!         0
//!     }
//!
//!     fn step(&self, sum: &u64, (): &(), answer: Option<&u64>) -> Step<u64> {
//!         match answer {
//!             Some(answer) if *answer != sum + 1 => Step::Illegal,
//!             _ => Step::To(sum + 1),
//!         }
//!     }
//! }
//!
//! # fn main() {
//! // in a `#[test] fn`
//! lab_test!(|| {
//!     let cluster = Cluster::new(ClusterOptions::new(1), |_| vec![hosted([], || {})]);
//!     let history = History::new(&cluster, Counter);
//!     let client = history.new_client();
//!     for sum in 1..=3 {
//!         // Where `Ok(sum)` stands, a clerk asks the service.
//!         let answer: Result<u64, ()> = history.record(client, (), |()| Ok(sum));
//!         assert_eq!(answer, Ok(sum));
//!     }
//!     history.check();
//! });
//! # }
//! ```

use std::fmt::Debug;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use porcupine::{Budget, Model, Operation, Options, Verdict, check_operations, explain};
use runner::{Highlight, Stopwatch, current, fatal, inconclusive};

use crate::Kind;
use crate::cluster::Cluster;

/// Steps the search may take for one partition of the history.
const STEPS: u64 = 20_000_000;

/// Bytes the search may hold for one partition.
const MEMORY: usize = 1 << 30;

/// Wall-clock time of a check inside a run. The search neither waits nor lets other tasks run, and
/// a simulated task that does so for 10 s of CPU time counts as an endless loop.
const TIME: Duration = Duration::from_secs(8);

/// The recorded operations on a cluster. Clones are handles to the same history.
///
/// If the run fails, the history and an explanation stand in `operations.txt` beside the log.
pub struct History<M: Model> {
    cluster: Cluster,
    model: Arc<M>,
    ops: Arc<Mutex<Ops<M>>>,
}

/// Never held across a call to the service.
struct Ops<M: Model> {
    list: Vec<Op<M>>,
    clients: i64,
    /// The last stamp given, in nanoseconds. No two are equal, so that their order is known where
    /// the clock of a simulation stands.
    last: u64,
}

struct Op<M: Model> {
    client: i64,
    call: u64,
    input: M::Input,
    returned: Option<(u64, M::Output)>,
}

impl<M: Model> Ops<M> {
    fn stamp(&mut self) -> u64 {
        self.last = labrt::now().as_nanos().max(self.last + 1);
        self.last
    }
}

impl<M: Model> Clone for History<M> {
    fn clone(&self) -> History<M> {
        let (model, ops) = (Arc::clone(&self.model), Arc::clone(&self.ops));
        History { cluster: self.cluster.clone(), model, ops }
    }
}

impl<M> History<M>
where
    M: Model + Send + Sync + 'static,
    M::Input: Clone + Debug + Send,
    M::Output: Clone + Debug + Send,
{
    /// An empty history of a service that `model` describes.
    pub fn new(cluster: &Cluster, model: M) -> History<M> {
        let ops = Arc::new(Mutex::new(Ops { list: Vec::new(), clients: 0, last: 0 }));
        let history = History { cluster: cluster.clone(), model: Arc::new(model), ops };
        let (model, ops) = (Arc::clone(&history.model), Arc::clone(&history.ops));
        // The cluster belongs to the run, and the artifact outlives the run.
        current().artifact("operations", "operations.txt", move |path, failed| {
            let operations = operations(&ops.lock());
            if operations.is_empty() {
                return Ok(None);
            }
            let explanation = failed.then(|| explanation(&*model, &operations)).flatten();
            std::fs::write(path, text(&*model, &operations, explanation.as_deref()))?;
            let text = explanation.unwrap_or_default();
            Ok(Some(Highlight { text, ..Highlight::default() }))
        });
        history
    }

    /// A client number nobody has. Operations of one client must not overlap.
    pub fn new_client(&self) -> i64 {
        let mut ops = self.ops.lock();
        ops.clients += 1;
        ops.clients - 1
    }

    /// Makes a call and records it with its times and its answer. An error means that nobody knows
    /// whether the operation took effect, or will.
    ///
    /// # Errors
    /// Those of `call`.
    pub fn record<E>(
        &self,
        client: i64,
        input: M::Input,
        call: impl FnOnce(M::Input) -> Result<M::Output, E>,
    ) -> Result<M::Output, E> {
        let at = {
            let mut ops = self.ops.lock();
            let call = ops.stamp();
            ops.list.push(Op { client, call, input: input.clone(), returned: None });
            ops.list.len() - 1
        };
        let answer = call(input);
        let mut ops = self.ops.lock();
        let now = ops.stamp();
        match &answer {
            Ok(output) => ops.list[at].returned = Some((now, output.clone())),
            // The client goes on, so the operation that may never end gets a client of its own.
            Err(_) => ops.list[at].client = -1 - at as i64,
        }
        drop(ops);
        self.cluster.op();
        answer
    }

    /// Judges the history so far. An illegal one fails the test; one that could not be decided is
    /// inconclusive, which is not a pass. What is wrong is explained after the run.
    #[track_caller]
    pub fn check(&self) {
        let operations = operations(&self.ops.lock());
        let annotations = self.cluster.annotations();
        annotations.checker_begin("linearizability");
        let watch = Stopwatch::start();
        let stop = move || watch.elapsed() >= TIME;
        let budget = Budget { steps: Some(STEPS), memory: Some(MEMORY), stop: Some(&stop) };
        let options = Options { budget, ..Options::default() };
        let report = match check_operations(&*self.model, &operations, &options) {
            Ok(report) => report,
            Err(error) => fatal!("not a history: {error}"),
        };
        match report.verdict() {
            Verdict::Ok => annotations.checker_success("linearizable", ""),
            Verdict::Illegal => {
                let stuck = report.first_illegal().and_then(|part| part.stuck);
                let what = stuck.and_then(|stuck| operations.get(stuck.operation)).map(|op| {
                    let text = self.model.describe_operation(&op.input, op.output());
                    format!("; it stops making sense at client {}: {text}", op.client)
                });
                let what = what.unwrap_or_default();
                annotations.checker_failure("not linearizable", &what);
                fatal!("history of {} operations is not linearizable{what}", operations.len());
            }
            Verdict::Unknown => {
                annotations.checker_end(Kind::Neutral, "undecided", "");
                let n = operations.len();
                inconclusive(&format!("no verdict on {n} operations within the checker's budget"));
            }
        }
    }
}

fn operations<M: Model>(ops: &Ops<M>) -> Vec<Operation<M::Input, M::Output>>
where
    M::Input: Clone,
    M::Output: Clone,
{
    let operation = |op: &Op<M>| match &op.returned {
        Some((at, output)) => {
            Operation::new(op.client, op.call, op.input.clone(), *at, output.clone())
        }
        None => Operation::pending(op.client, op.call, op.input.clone()),
    };
    ops.list.iter().map(operation).collect()
}

fn explanation<M: Model>(model: &M, operations: &[Operation<M::Input, M::Output>]) -> Option<String>
where
    M::Input: Clone,
    M::Output: Clone,
{
    let budget = Budget { steps: Some(STEPS), memory: Some(MEMORY), ..Budget::default() };
    let options = Options { budget, ..Options::default() };
    Some(explain(model, operations, &options).ok()??.text)
}

fn text<M: Model>(
    model: &M,
    operations: &[Operation<M::Input, M::Output>],
    explanation: Option<&str>,
) -> String {
    let mut text = explanation.map_or_else(String::new, |why| format!("{why}\n\n"));
    for op in operations {
        let (client, call) = (op.client, op.call);
        let what = model.describe_operation(&op.input, op.output());
        let _ = match op.return_time() {
            Some(at) => writeln!(text, "[{call}, {at}] client {client}: {what}"),
            None => writeln!(text, "[{call}, …] client {client}: {what}"),
        };
    }
    text
}
