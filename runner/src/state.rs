//! The state of a run: its lines, its failures, its counts, what it leaves behind.
//!
//! It is kept under parking_lot locks that are held for a few instructions and never across a
//! wait. Labrt's locks would be switch points: then recording something would change the run.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::report::FailedRun;

/// Everything about one run that outlives it: plain data, nothing of the simulation.
#[derive(Default)]
pub struct Run {
    /// Print lines as they come: the run belongs to no lab test.
    live: bool,
    seed: Option<u64>,
    input: Option<Arc<str>>,
    failed: AtomicBool,
    rpcs: AtomicU64,
    bytes: AtomicU64,
    ops: AtomicU64,
    pub(crate) record: Mutex<Record>,
}

/// See [`Run`].
#[derive(Default)]
pub(crate) struct Record {
    /// The lines printed so far.
    pub(crate) output: String,
    /// Failures that did not end the run by themselves.
    failures: Vec<String>,
    /// The source line of the first of them.
    pub(crate) failed_at: Option<String>,
    /// Why no verdict could be reached.
    pub(crate) inconclusive: Option<String>,
    /// CPU time of the run's thread.
    pub(crate) cpu: Option<std::time::Duration>,
    /// How often this run has reached each of [`labrt::mark`]'s marks.
    pub(crate) marks: BTreeMap<&'static str, u64>,
    artifacts: Vec<Artifact>,
    pub(crate) on_failure: Vec<OnFailure>,
}

pub(crate) type OnFailure = Box<dyn FnOnce(&FailedRun<'_>) -> Vec<String> + Send>;
type Write = Arc<dyn Fn(&Path, bool) -> io::Result<Option<Highlight>> + Send + Sync>;

#[derive(Clone)]
struct Artifact {
    name: &'static str,
    file: &'static str,
    write: Write,
}

/// What the page of a failed run shows of an artifact above all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Highlight {
    /// The lines, from 0, with operations that contradict each other.
    pub marked: Vec<usize>,
    /// Where to open the page, in nanoseconds.
    pub focus: Option<u64>,
    /// Text for the page's report.
    pub text: String,
}

/// A file that was written, or could not be.
pub(crate) struct Written {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) result: io::Result<Highlight>,
}

impl Run {
    pub(crate) fn new(seed: Option<u64>, input: Option<Arc<str>>) -> Run {
        Run { seed, input, ..Run::default() }
    }

    /// The seed of the run; `None` on threads.
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// What the run is given besides its seed, such as a schedule of faults: the text of
    /// [`TestOptions::input`](crate::TestOptions::input) or of the file that `LAB_SCHEDULE` names.
    pub fn input(&self) -> Option<Arc<str>> {
        self.input.clone()
    }

    /// Adds a line of output. It is printed when the run is over.
    pub fn line(&self, line: &str) {
        if self.live {
            println!("{line}");
        } else {
            let mut record = self.record.lock();
            record.output.push_str(line);
            record.output.push('\n');
        }
    }

    /// Marks the run as failed. It goes on.
    #[track_caller]
    pub fn fail(&self, message: String) {
        let at = Location::caller();
        self.failed.store(true, Ordering::SeqCst);
        let mut record = self.record.lock();
        record.failures.push(message);
        record.failed_at.get_or_insert_with(|| at.to_string());
    }

    /// Whether it is marked as failed.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// The messages of [`fail`](Run::fail), one a line.
    pub(crate) fn failures(&self) -> String {
        self.record.lock().failures.join("\n")
    }

    /// Adds to the counts of RPCs and their bytes.
    pub fn add_traffic(&self, rpcs: u64, bytes: u64) {
        self.rpcs.fetch_add(rpcs, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts an operation that a client has finished.
    pub fn add_op(&self) {
        self.ops.fetch_add(1, Ordering::Relaxed);
    }

    /// RPCs, bytes and operations so far.
    pub(crate) fn totals(&self) -> (u64, u64, u64) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (get(&self.rpcs), get(&self.bytes), get(&self.ops))
    }

    /// Registers a file that the run leaves behind when it fails or is replayed.
    ///
    /// `write` is given the path and whether the run has failed. It returns `None` if there is
    /// nothing to write. A second artifact with the same file gets a number: `history.jsonl`,
    /// `history.2.jsonl`. The page of the run shows artifacts with the names `history`
    /// ([`view::history`]) and `annotations` ([`view::annotation`]). `LAB_HISTORY` keeps the
    /// histories of passing runs, too.
    pub fn artifact(
        &self,
        name: &'static str,
        file: &'static str,
        write: impl Fn(&Path, bool) -> io::Result<Option<Highlight>> + Send + Sync + 'static,
    ) {
        self.record.lock().artifacts.push(Artifact { name, file, write: Arc::new(write) });
    }

    /// Registers what is to be done should this run fail: look for a smaller input that fails in
    /// the same way, for example. It returns lines for the report.
    pub fn on_failure(&self, action: impl FnOnce(&FailedRun<'_>) -> Vec<String> + Send + 'static) {
        self.record.lock().on_failure.push(Box::new(action));
    }

    /// Writes the artifacts to which `path_of` gives a path, by name and file.
    pub(crate) fn write_artifacts(
        &self,
        failed: bool,
        path_of: impl Fn(&'static str, &'static str) -> Option<PathBuf>,
    ) -> Vec<Written> {
        let artifacts = self.record.lock().artifacts.clone();
        let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
        let mut written = Vec::new();
        for Artifact { name, file, write } in artifacts {
            let Some(path) = path_of(name, file) else { continue };
            let number = numbers.entry(file).or_insert(1);
            let path = numbered(path, *number);
            if let Some(result) = write(&path, failed).transpose() {
                *number += 1;
                written.push(Written { name, path, result });
            }
        }
        written
    }
}

fn numbered(path: PathBuf, number: u32) -> PathBuf {
    if number == 1 {
        return path;
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    path.with_extension(format!("{number}.{extension}"))
}

/// What is still to be cleaned up when the body returns. The closures hold things of the
/// simulation and end with it.
#[derive(Default)]
pub(crate) struct CleanUps {
    /// By number, from 1.
    registered: Mutex<BTreeMap<u64, Box<dyn FnOnce() + Send>>>,
    last: AtomicU64,
}

impl CleanUps {
    /// Those of the current run. `None` outside of any, on threads.
    pub(crate) fn of_run() -> Option<Arc<CleanUps>> {
        labrt::sim::local().or_else(|| {
            CURRENT.with(|cell| cell.borrow().as_ref().map(|run| Arc::clone(&run.clean_ups)))
        })
    }

    /// Cleans up, the last registered first.
    pub(crate) fn run(&self) {
        loop {
            let next = self.registered.lock().pop_last();
            let Some((_, clean_up)) = next else { return };
            clean_up();
        }
    }
}

/// A registered clean-up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CleanUp(u64);

/// Registers what is to be done when the body of the current run has returned or, on threads,
/// panicked: shutting down a cluster, for example. Outside of a run nothing is registered.
pub fn on_clean_up(action: impl FnOnce() + Send + 'static) -> CleanUp {
    let Some(clean_ups) = CleanUps::of_run() else { return CleanUp(0) };
    let number = clean_ups.last.fetch_add(1, Ordering::SeqCst) + 1;
    clean_ups.registered.lock().insert(number, Box::new(action));
    CleanUp(number)
}

/// Forgets a clean-up: the test has cleaned up by itself. Calling it again changes nothing.
pub fn cancel_clean_up(clean_up: CleanUp) {
    let Some(clean_ups) = CleanUps::of_run() else { return };
    let removed = clean_ups.registered.lock().remove(&clean_up.0);
    drop(removed);
}

#[derive(Clone)]
struct Current {
    run: Arc<Run>,
    clean_ups: Arc<CleanUps>,
}

thread_local! {
    /// The run this OS thread works for. All tasks of a simulation share one OS thread; on threads,
    /// [`spawn`] hands it on.
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
    static EXIT_GUARD: ExitGuard = const { ExitGuard(Cell::new(None)) };
}

/// Makes a run the current one of this OS thread until dropped.
pub(crate) struct Enter(Option<Current>);

impl Enter {
    pub(crate) fn run(run: Arc<Run>) -> Enter {
        Enter::set(Some(Current { run, clean_ups: Arc::default() }))
    }

    fn set(current: Option<Current>) -> Enter {
        let guarded = current.is_some().then(labrt::is_simulated);
        EXIT_GUARD.with(|guard| guard.0.set(guarded));
        Enter(CURRENT.with(|cell| cell.replace(current)))
    }
}

impl Drop for Enter {
    fn drop(&mut self) {
        EXIT_GUARD.with(|guard| guard.0.set(None));
        let previous = self.0.take();
        drop(CURRENT.with(|cell| cell.replace(previous)));
    }
}

/// Turns `process::exit` inside a run into a failure: the destructors of thread-locals are run at
/// the exit of a process, and this one sees that the run has not ended.
///
/// Set while a run goes on in this OS thread, to whether it is simulated.
struct ExitGuard(Cell<Option<bool>>);

impl Drop for ExitGuard {
    fn drop(&mut self) {
        // The OS thread of a simulation that has ended may leave a task behind, which is reported.
        if let Some(simulated) = self.0.get()
            && simulated == labrt::is_simulated()
        {
            eprintln!("the code under test ended the process");
            std::process::abort();
        }
    }
}

/// The current run. Where there is none, one that prints its lines at once and is forgotten.
pub fn current() -> Arc<Run> {
    CURRENT.with(|cell| match cell.borrow().as_ref() {
        Some(current) => Arc::clone(&current.run),
        None => Arc::new(Run { live: true, ..Run::default() }),
    })
}

/// Starts a task of the test, such as a client.
///
/// Use it rather than [`labrt::spawn`] in tests: on threads, too, a panic in the task then fails
/// the test, joined or not.
#[track_caller]
pub fn spawn<F, T>(body: F) -> labrt::JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn_named("client", body)
}

/// [`spawn`], with a name of its own for the task.
#[track_caller]
pub fn spawn_named<F, T>(name: &'static str, body: F) -> labrt::JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    if labrt::is_simulated() {
        return labrt::spawn_named(name, body);
    }
    let current = CURRENT.with(|cell| cell.borrow().clone());
    labrt::spawn_named(name, move || {
        let watch = FailOnPanic(current.as_ref().map(|current| Arc::clone(&current.run)));
        let _enter = Enter::set(current);
        let value = body();
        std::mem::forget(watch);
        value
    })
}

struct FailOnPanic(Option<Arc<Run>>);

impl Drop for FailOnPanic {
    fn drop(&mut self) {
        if let Some(run) = &self.0
            && !run.has_failed()
        {
            run.fail("a task of the test panicked".to_owned());
        }
    }
}

/// Fails the test; [`fatal!`](crate::fatal!) is the way to call it.
///
/// # Panics
/// Always: the calling task ends, and with it, in a simulation, the run.
#[doc(hidden)]
#[track_caller]
pub fn fail_test(message: std::fmt::Arguments<'_>) -> ! {
    let at = Location::caller();
    let message = message.to_string();
    let run = current();
    run.line(&format!("Fatal: {message}\n        {}:{}", at.file(), at.line()));
    run.fail(message.clone());
    std::panic::panic_any(message)
}

/// Ends the test without a verdict, which is not a pass.
///
/// # Panics
/// Always: the calling task ends, and with it, in a simulation, the run.
#[track_caller]
pub fn inconclusive(message: &str) -> ! {
    let run = current();
    run.line(&format!("Inconclusive: {message}"));
    run.record.lock().inconclusive = Some(message.to_owned());
    run.fail(message.to_owned());
    std::panic::panic_any(message.to_owned())
}

/// Fails the test, as the course's `Fatalf` does: prints `Fatal: ` and the message, and ends the
/// calling task.
///
/// ```should_panic
/// runner::fatal!("server {} has {} entries, expected {}", 2, 5, 7);
/// ```
#[macro_export]
macro_rules! fatal {
    ($($message:tt)+) => {
        $crate::fail_test(::std::format_args!($($message)+))
    };
}
