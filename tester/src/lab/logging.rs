//! Log lines: into the files of a run that is repeated, and live to stderr on request.
//!
//! One logger serves the process. A simulation has an OS thread of its own, so the files of a run hang on its thread: runs that
//! go on beside it neither write into them nor pay for them. Logging takes no labrt lock and draws no random number, so a run takes
//! the same path with it and without it.
//!
//! A line of `log.txt`: virtual time in seconds, node/task#number, level, target, message.
//!
//! ```text
//!     1.204518 server-0-1/ticker#14 INFO raft::election S1 T3 becomes Leader
//! ```
//!
//! The same line of `trace.jsonl` is an object, with the key-values of the log call as its fields: see [`trace`](crate::trace).

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use log::kv::{self, VisitSource, VisitValue};
use log::{LevelFilter, Log, Metadata, Record};
use parking_lot::Mutex;

use super::tail_file::TailFile;

/// The log files of one run.
#[derive(Clone)]
pub(crate) struct RunLog {
    files: Arc<Mutex<Files>>,
    /// Keeps the level at trace for as long as the run is logged.
    _level: Arc<RaisedLevel>,
}

thread_local! {
    static LOG: RefCell<Option<RunLog>> = const { RefCell::new(None) };
}

/// How many runs are logged; while there is one, all levels are on.
static LOGS: AtomicUsize = AtomicUsize::new(0);

struct RaisedLevel(LevelFilter);

impl RaisedLevel {
    fn new(live: LevelFilter) -> RaisedLevel {
        LOGS.fetch_add(1, Ordering::SeqCst);
        log::set_max_level(LevelFilter::Trace);
        RaisedLevel(live)
    }
}

impl Drop for RaisedLevel {
    fn drop(&mut self) {
        if LOGS.fetch_sub(1, Ordering::SeqCst) == 1 {
            log::set_max_level(self.0);
        }
    }
}

/// Lines of each half of a file. A run that logs more than two halves loses its beginning, and its files say so.
const HALF: u64 = 1_000_000;

struct Files {
    text: TailFile,
    trace: TailFile,
    /// Where lines are put together.
    message: String,
    line: String,
}

impl RunLog {
    /// New files `log.txt` and `trace.jsonl` in `folder`; what was there is replaced.
    ///
    /// # Errors
    /// When they cannot be created.
    pub(crate) fn create(folder: &Path) -> io::Result<RunLog> {
        let live = install(None);
        let text = TailFile::create(&folder.join(TEXT_FILE), HALF)?;
        let trace = TailFile::create(&folder.join(TRACE_FILE), HALF)?;
        let files = Files { text, trace, message: String::new(), line: String::new() };
        Ok(RunLog { files: Arc::new(Mutex::new(files)), _level: Arc::new(RaisedLevel::new(live)) })
    }

    /// From now on this OS thread logs into the files.
    pub(crate) fn attach(&self) {
        LOG.with(|cell| cell.replace(Some(self.clone())));
    }

    /// Stops doing so.
    pub(crate) fn detach() {
        LOG.with(|cell| cell.replace(None));
    }

    /// Brings what was logged to the disk. To be called once, at the end.
    ///
    /// # Errors
    /// When that fails.
    pub(crate) fn finish(&self) -> io::Result<()> {
        let mut files = self.files.lock();
        files.text.finish(|cut| format!("(the first {cut} lines were left out)\n"))?;
        files.trace.finish(|cut| format!("{{\"cut\":{cut}}}\n"))
    }
}

/// The log to read.
pub(crate) const TEXT_FILE: &str = "log.txt";
/// The log to compute with.
pub(crate) const TRACE_FILE: &str = "trace.jsonl";

impl Files {
    fn write(&mut self, at: &At, record: &Record<'_>) {
        let Files { text, trace, message, line } = self;
        message.clear();
        // Writing to a string cannot fail.
        let _ = message.write_fmt(*record.args());
        // A full disk must not fail the run that is being looked at.
        line.clear();
        text_line(line, at, record, message);
        let _ = text.write_line(line.as_bytes());
        line.clear();
        json_line(line, at, record, message);
        let _ = trace.write_line(line.as_bytes());
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
        LOG.with(|cell| cell.borrow().is_some())
            || self.live.as_ref().is_some_and(|live| live.enabled(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        let to_stderr = self.live.as_ref().is_some_and(|live| live.matches(record));
        LOG.with(|cell| {
            if let Some(log) = cell.borrow().as_ref() {
                log.files.lock().write(&At::here(), record);
            }
        });
        if to_stderr {
            let mut line = String::with_capacity(128);
            text_line(&mut line, &At::here(), record, &record.args().to_string());
            eprint!("{line}");
        }
    }

    fn flush(&self) {}
}

/// Where and when something is logged. On threads there is no task.
struct At {
    nanos: u64,
    node: Arc<str>,
    task: Option<(&'static str, u64)>,
}

impl At {
    fn here() -> At {
        match labrt::sim::task_context() {
            Some(at) => At {
                nanos: u64::try_from(at.time.as_nanos()).unwrap_or(u64::MAX),
                node: at.node,
                task: Some((at.task, at.number)),
            },
            None => At {
                nanos: labrt::now().as_nanos(),
                node: labrt::Node::current().name().into(),
                task: None,
            },
        }
    }
}

/// One line, whatever the message contains.
fn text_line(line: &mut String, at: &At, record: &Record<'_>, message: &str) {
    let micros = at.nanos / 1000;
    decimal(line, micros / 1_000_000, 5, ' ');
    line.push('.');
    decimal(line, micros % 1_000_000, 6, '0');
    line.push(' ');
    line.push_str(&at.node);
    if let Some((task, number)) = at.task {
        line.push('/');
        line.push_str(task);
        line.push('#');
        decimal(line, number, 1, ' ');
    }
    for part in [record.level().as_str(), record.target(), ""] {
        line.push(' ');
        line.push_str(part);
    }
    if message.contains('\n') {
        line.push_str(&message.replace('\n', "\\n"));
    } else {
        line.push_str(message);
    }
    line.push('\n');
}

/// The same as an object. Written by hand: a traced run should not take much longer than another.
fn json_line(line: &mut String, at: &At, record: &Record<'_>, message: &str) {
    line.push_str("{\"t\":");
    decimal(line, at.nanos, 1, ' ');
    line.push_str(",\"node\":");
    json_string(line, &at.node);
    if let Some((task, number)) = at.task {
        line.push_str(",\"task\":");
        json_string(line, task);
        line.push_str(",\"number\":");
        decimal(line, number, 1, ' ');
    }
    line.push_str(",\"level\":\"");
    line.push_str(record.level().as_str());
    line.push_str("\",\"target\":");
    json_string(line, record.target());
    line.push_str(",\"message\":");
    json_string(line, message);
    let mut fields = JsonFields { line, before: '{' };
    let _ = record.key_values().visit(&mut fields);
    if fields.before == ',' {
        line.push('}');
    }
    line.push_str("}\n");
}

/// `number` in decimal digits, filled up to `width`. The standard formatting is several times slower.
fn decimal(line: &mut String, number: u64, width: usize, fill: char) {
    let mut digits = [0u8; 20];
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    line.extend(std::iter::repeat_n(fill, width.saturating_sub(digits.len() - at)));
    line.extend(digits[at..].iter().map(|digit| char::from(*digit)));
}

struct JsonFields<'a> {
    line: &'a mut String,
    before: char,
}

impl<'kvs> VisitSource<'kvs> for JsonFields<'_> {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        self.line.push_str(if self.before == '{' { ",\"fields\":{" } else { "," });
        self.before = ',';
        json_string(self.line, key.as_str());
        self.line.push(':');
        value.visit(JsonValue(self.line))
    }
}

/// Numbers and truth values as such, everything else as text.
struct JsonValue<'a>(&'a mut String);

impl<'v> VisitValue<'v> for JsonValue<'_> {
    fn visit_any(&mut self, value: kv::Value<'_>) -> Result<(), kv::Error> {
        json_string(self.0, &value.to_string());
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        decimal(self.0, value, 1, ' ');
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        Ok(write!(self.0, "{value}")?)
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        Ok(write!(self.0, "{value}")?)
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        json_string(self.0, value);
        Ok(())
    }
}

/// A string literal of JSON.
fn json_string(line: &mut String, text: &str) {
    line.push('"');
    let mut rest = text;
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..b' ');
    while let Some(at) = rest.as_bytes().iter().position(special) {
        line.push_str(&rest[..at]);
        let _ = match rest.as_bytes()[at] {
            b'"' => line.write_str("\\\""),
            b'\\' => line.write_str("\\\\"),
            b'\n' => line.write_str("\\n"),
            other => write!(line, "\\u{other:04x}"),
        };
        rest = &rest[at + 1..];
    }
    line.push_str(rest);
    line.push('"');
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_decimal() {
        for (number, width, fill, expected) in
            [(0, 1, ' ', "0"), (7, 5, ' ', "    7"), (42, 6, '0', "000042"), (1234, 2, ' ', "1234")]
        {
            let mut line = String::new();
            super::decimal(&mut line, number, width, fill);
            assert_eq!(line, expected);
        }
        let mut line = String::new();
        super::decimal(&mut line, u64::MAX, 1, ' ');
        assert_eq!(line, u64::MAX.to_string());
    }

    #[test]
    fn strings_are_json() {
        for text in ["", "plain", "a \"quoted\" \\ line\nand\ttab", "ä\u{1}ö", "\""] {
            let mut line = String::new();
            super::json_string(&mut line, text);
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text, "{line}");
        }
    }
}
