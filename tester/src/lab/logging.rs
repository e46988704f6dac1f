//! Log lines: into the file of a run that is repeated, and live to stderr on request.
//!
//! One logger serves the process. A simulation has an OS thread of its own, so the file of a run hangs on its thread: runs that
//! go on beside it neither write into it nor pay for it. Logging takes no labrt lock and draws no random number, so a run takes
//! the same path with it and without it.
//!
//! A line: virtual time in seconds, node/task#number, level, target, message.
//!
//! ```text
//!     1.204518 server-0-1/ticker#14 INFO raft::election S1 T3 election: 2 of 3 votes, leader
//! ```

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use log::{LevelFilter, Log, Metadata, Record};
use parking_lot::Mutex;

/// The log file of one run.
#[derive(Clone)]
pub(crate) struct LogFile {
    out: Arc<Mutex<BufWriter<File>>>,
    /// Keeps the level at trace for as long as the file is in use.
    _level: Arc<RaisedLevel>,
}

thread_local! {
    static FILE: RefCell<Option<LogFile>> = const { RefCell::new(None) };
}

/// How many log files are in use; while there is one, all levels are on.
static FILES: AtomicUsize = AtomicUsize::new(0);

struct RaisedLevel(LevelFilter);

impl RaisedLevel {
    fn new(live: LevelFilter) -> RaisedLevel {
        FILES.fetch_add(1, Ordering::SeqCst);
        log::set_max_level(LevelFilter::Trace);
        RaisedLevel(live)
    }
}

impl Drop for RaisedLevel {
    fn drop(&mut self) {
        if FILES.fetch_sub(1, Ordering::SeqCst) == 1 {
            log::set_max_level(self.0);
        }
    }
}

impl LogFile {
    /// A new file at `path`; what was there is replaced.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(crate) fn create(path: &Path) -> io::Result<LogFile> {
        let live = install(None);
        let out = BufWriter::with_capacity(1 << 16, File::create(path)?);
        Ok(LogFile { out: Arc::new(Mutex::new(out)), _level: Arc::new(RaisedLevel::new(live)) })
    }

    /// From now on this OS thread logs into the file.
    pub(crate) fn attach(&self) {
        FILE.with(|cell| cell.replace(Some(self.clone())));
    }

    /// Stops doing so.
    pub(crate) fn detach() {
        FILE.with(|cell| cell.replace(None));
    }

    /// Brings what was logged to the disk.
    ///
    /// # Errors
    /// When that fails.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.out.lock().flush()
    }
}

struct LabLogger {
    live: Option<env_logger::Logger>,
}

static LOGGER: OnceLock<LabLogger> = OnceLock::new();

/// Installs the logger, the first time with the filter for live lines. Returns the level that live lines need.
///
/// Where a test binary has installed a logger of its own, that one stays, and log files stay empty.
pub(crate) fn install(filter: Option<&str>) -> LevelFilter {
    let mut fresh = false;
    let logger = LOGGER.get_or_init(|| {
        fresh = true;
        let live = filter.map(|filter| env_logger::Builder::new().parse_filters(filter).build());
        LabLogger { live }
    });
    let live = logger.live.as_ref().map_or(LevelFilter::Off, env_logger::Logger::filter);
    if fresh && log::set_logger(logger).is_ok() {
        log::set_max_level(live);
    }
    live
}

impl Log for LabLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        FILE.with(|cell| cell.borrow().is_some())
            || self.live.as_ref().is_some_and(|live| live.enabled(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        let to_stderr = self.live.as_ref().is_some_and(|live| live.matches(record));
        let file = FILE.with(|cell| cell.borrow().as_ref().map(|file| Arc::clone(&file.out)));
        if !to_stderr && file.is_none() {
            return;
        }
        let line = line_of(record);
        if let Some(file) = file {
            // A full disk must not fail the run that is being looked at.
            let _ = file.lock().write_all(line.as_bytes());
        }
        if to_stderr {
            eprint!("{line}");
        }
    }

    fn flush(&self) {}
}

/// One line, whatever the message contains.
fn line_of(record: &Record<'_>) -> String {
    let mut line = String::with_capacity(128);
    let (level, target) = (record.level(), record.target());
    // Writing to a string cannot fail.
    let _ = match labrt::sim::task_context() {
        Some(at) => write!(
            line,
            "{:12.6} {}/{}#{} {level} {target} ",
            at.time.as_secs_f64(),
            at.node,
            at.task,
            at.number
        ),
        None => write!(
            line,
            "{:12.6} {} {level} {target} ",
            labrt::now().as_nanos() as f64 / 1e9,
            labrt::Node::current().name()
        ),
    };
    let message = record.args().to_string();
    if message.contains('\n') {
        line.push_str(&message.replace('\n', "\\n"));
    } else {
        line.push_str(&message);
    }
    line.push('\n');
    line
}
