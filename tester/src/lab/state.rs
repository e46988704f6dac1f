//! What a run knows of itself: its lines, its verdict so far, the clusters it set up.
//!
//! The books of a run are kept under parking_lot locks that are held for a few instructions and never across a wait. Labrt's
//! locks would be switch points: then merely keeping books would change the run that is being looked at.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::annotations::Annotations;
use crate::cluster::Cluster;
use crate::kv::OpLog;
use crate::nemesis::Schedule;

/// Everything about one run that outlives it: plain data only, nothing of the simulation.
#[derive(Default)]
pub(crate) struct RunState {
    /// Print lines as they come: the run belongs to no lab test.
    live: bool,
    failed: AtomicBool,
    rpcs: AtomicU64,
    bytes: AtomicU64,
    ops: AtomicU64,
    books: Mutex<Books>,
}

/// See [`RunState`].
#[derive(Default)]
pub(crate) struct Books {
    /// The lines printed so far.
    pub(crate) output: String,
    /// Failures that did not end the run by themselves.
    pub(crate) failures: Vec<String>,
    /// Why no verdict could be reached.
    pub(crate) inconclusive: Option<String>,
    /// One for each cluster.
    pub(crate) annotations: Vec<Arc<Annotations>>,
    /// One for each key/value harness.
    pub(crate) histories: Vec<Arc<OpLog>>,
    /// Processor time of the run's thread.
    pub(crate) cpu: Option<std::time::Duration>,
    /// The marks of [`labrt::mark`], and how often this run has reached each.
    pub(crate) marks: BTreeMap<&'static str, u64>,
    /// Its seed; `None` on threads.
    pub(crate) seed: Option<u64>,
    /// The schedule it is to follow, if it was given one.
    pub(crate) planned: Option<Arc<Schedule>>,
    /// The schedule it followed, if its test has asked for one.
    pub(crate) schedule: Option<Schedule>,
}

impl RunState {
    /// Adds a line of output.
    pub(crate) fn line(&self, line: &str) {
        if self.live {
            println!("{line}");
        } else {
            let mut books = self.books.lock();
            books.output.push_str(line);
            books.output.push('\n');
        }
    }

    pub(crate) fn books<R>(&self, look: impl FnOnce(&mut Books) -> R) -> R {
        look(&mut self.books.lock())
    }

    /// Marks the run as failed.
    pub(crate) fn fail(&self, message: String) {
        self.failed.store(true, Ordering::SeqCst);
        self.books.lock().failures.push(message);
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Adds to the totals that the outcome reports.
    pub(crate) fn add_traffic(&self, rpcs: u64, bytes: u64) {
        self.rpcs.fetch_add(rpcs, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add_op(&self) {
        self.ops.fetch_add(1, Ordering::Relaxed);
    }

    /// RPCs, bytes and operations so far.
    pub(crate) fn totals(&self) -> (u64, u64, u64) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (get(&self.rpcs), get(&self.bytes), get(&self.ops))
    }
}

/// The clusters of a run that have not been cleaned up. They hold things of the simulation and end with it.
#[derive(Default)]
pub(crate) struct LiveClusters(Mutex<Vec<Cluster>>);

impl LiveClusters {
    /// Those of the current run. `None` outside of any on threads.
    pub(crate) fn of_run() -> Option<Arc<LiveClusters>> {
        labrt::sim::local().or_else(|| {
            CURRENT.with(|cell| cell.borrow().as_ref().map(|run| Arc::clone(&run.threads_clusters)))
        })
    }

    pub(crate) fn add(&self, cluster: Cluster) {
        self.0.lock().push(cluster);
    }

    pub(crate) fn remove(&self, cluster: &Cluster) {
        let mut clusters = self.0.lock();
        let at = clusters.iter().position(|other| other.is_same(cluster));
        let removed = at.map(|at| clusters.swap_remove(at));
        drop(clusters);
        drop(removed);
    }

    /// Cleans up what the body of the test has left running.
    pub(crate) fn clean_up(&self) {
        loop {
            let next = self.0.lock().pop();
            let Some(cluster) = next else { return };
            cluster.cleanup();
        }
    }
}

#[derive(Clone)]
struct Current {
    state: Arc<RunState>,
    threads_clusters: Arc<LiveClusters>,
}

thread_local! {
    /// The run this OS thread works for. All tasks of a simulation share one OS thread, and [`spawn`] carries it over on threads.
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// Makes a run the current one of this OS thread until dropped.
pub(crate) struct Enter(Option<Current>);

impl Enter {
    pub(crate) fn run(state: Arc<RunState>) -> Enter {
        Enter::set(Some(Current { state, threads_clusters: Arc::default() }))
    }

    fn set(current: Option<Current>) -> Enter {
        Enter(CURRENT.with(|cell| cell.replace(current)))
    }
}

impl Drop for Enter {
    fn drop(&mut self) {
        let previous = self.0.take();
        drop(CURRENT.with(|cell| cell.replace(previous)));
    }
}

/// The current run; where there is none, one that prints its lines at once and is forgotten.
pub(crate) fn current() -> Arc<RunState> {
    CURRENT.with(|cell| match cell.borrow().as_ref() {
        Some(current) => Arc::clone(&current.state),
        None => Arc::new(RunState { live: true, ..RunState::default() }),
    })
}

/// Starts a task of the test, such as a client. Use it rather than [`labrt::spawn`] in tests: on threads too, a panic in it then fails
/// the test, joined or not.
#[track_caller]
pub fn spawn<F, T>(body: F) -> labrt::JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn_named("client", body)
}

/// The same, under another name.
#[track_caller]
pub(crate) fn spawn_named<F, T>(name: &'static str, body: F) -> labrt::JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    if labrt::is_simulated() {
        return labrt::spawn_named(name, body);
    }
    let current = CURRENT.with(|cell| cell.borrow().clone());
    labrt::spawn_named(name, move || {
        let watch = FailOnPanic(current.as_ref().map(|current| Arc::clone(&current.state)));
        let _enter = Enter::set(current);
        let value = body();
        std::mem::forget(watch);
        value
    })
}

struct FailOnPanic(Option<Arc<RunState>>);

impl Drop for FailOnPanic {
    fn drop(&mut self) {
        if let Some(state) = &self.0
            && !state.has_failed()
        {
            state.fail("a task of the test panicked".to_owned());
        }
    }
}

/// Fails the test; [`fatal!`](crate::fatal!) is the way to call it.
///
/// # Panics
/// Always: the calling task ends, and with it, in a simulation, the run.
#[track_caller]
pub fn fatal(message: std::fmt::Arguments<'_>) -> ! {
    let at = Location::caller();
    let message = message.to_string();
    let state = current();
    state.line(&format!("Fatal: {message}\n        {}:{}", at.file(), at.line()));
    state.fail(message.clone());
    std::panic::panic_any(message)
}

/// Ends the test without a verdict, which is not a pass.
///
/// # Panics
/// Always: the calling task ends, and with it, in a simulation, the run.
#[track_caller]
pub fn inconclusive(message: &str) -> ! {
    let state = current();
    state.line(&format!("Inconclusive: {message}"));
    state.books(|books| books.inconclusive = Some(message.to_owned()));
    state.fail(message.to_owned());
    std::panic::panic_any(message.to_owned())
}

/// Fails the test, as the course's `Fatalf` does: prints `Fatal: ` and the message, and ends the calling task.
///
/// ```should_panic
/// tester::fatal!("server {} has {} entries, expected {}", 2, 5, 7);
/// ```
#[macro_export]
macro_rules! fatal {
    ($($message:tt)+) => {
        $crate::fail_test(::std::format_args!($($message)+))
    };
}
