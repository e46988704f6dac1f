//! Faults, checks and notes on a time line: what goes beside a history when somebody looks at it.
//!
//! A cluster owns one recorder, so tests that run side by side do not see each other's. The cluster records the faults it makes by
//! itself; tests add what else helps a reader. Times are those of [`labrt::now`], the clock of the histories. Recording neither waits
//! nor draws random numbers: it does not change the run it describes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use parking_lot::Mutex;
pub use view::annotation::{Annotation, Kind};

/// Row of the checks.
pub const CHECKER_ROW: &str = "$ Checker";
/// Row of the faults of group 0. Other groups have `$ Failure <gid>`.
pub const FAULT_ROW: &str = "$ Failure";
/// Row of what the test says about itself.
pub const TEST_ROW: &str = "$ Test Info";

/// Viewers draw touching items as overlapping; this much is left between them, in ns.
const GAP_NS: u64 = 1000;

/// The recorder of one cluster.
#[derive(Debug, Default)]
pub struct Annotations {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    items: Vec<Annotation>,
    /// Per row, the item that goes on until it is ended.
    running: BTreeMap<String, Annotation>,
    /// When a check began, and what it is.
    check: Option<(u64, String)>,
    /// By group.
    faults: BTreeMap<u64, FaultState>,
    finalized: bool,
}

/// What a group's fault row shows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct FaultState {
    connected: Vec<bool>,
    crashed: Vec<bool>,
}

fn now() -> u64 {
    labrt::now().as_nanos()
}

impl Annotations {
    /// An empty recorder.
    pub fn new() -> Annotations {
        Annotations::default()
    }

    /// A point in the user's colour.
    pub fn point(&self, tag: &str, text: &str, details: &str) {
        self.point_of(Kind::User, tag, text, details);
    }

    /// A point.
    pub fn point_of(&self, kind: Kind, tag: &str, text: &str, details: &str) {
        self.push(kind, tag, now(), None, text, details);
    }

    /// An interval from `start` to now, in the user's colour.
    pub fn interval(&self, tag: &str, start: labrt::Instant, text: &str, details: &str) {
        self.interval_of(Kind::User, tag, start, text, details);
    }

    /// An interval from `start` to now.
    pub fn interval_of(
        &self,
        kind: Kind,
        tag: &str,
        start: labrt::Instant,
        text: &str,
        details: &str,
    ) {
        self.push(kind, tag, start.as_nanos(), Some(now()), text, details);
    }

    fn push(&self, kind: Kind, tag: &str, start: u64, end: Option<u64>, text: &str, details: &str) {
        let item = new_item(kind, tag, start, end, text, details);
        self.books.lock().items.push(item);
    }

    /// An item that goes on until [`continuous_end`](Annotations::continuous_end) or the next one of its row.
    pub fn continuous(&self, kind: Kind, tag: &str, text: &str, details: &str) {
        self.books.lock().continuous(kind, tag, text, details);
    }

    /// Ends the row's running item, if there is one.
    pub fn continuous_end(&self, tag: &str) {
        self.books.lock().end(tag, now());
    }

    /// Starts over for a test with this name: clears everything, notes the name.
    pub fn test(&self, name: &str, servers: usize) {
        *self.books.lock() = Books::default();
        self.info(&format!("{name} ({servers} servers)"), "");
    }

    /// A point on the test's row.
    pub fn info(&self, text: &str, details: &str) {
        self.point_of(Kind::Info, TEST_ROW, text, details);
    }

    /// An interval from `start` to now on the test's row.
    pub fn info_interval(&self, start: labrt::Instant, text: &str, details: &str) {
        self.interval_of(Kind::Info, TEST_ROW, start, text, details);
    }

    /// Notes that a check begins.
    pub fn checker_begin(&self, details: &str) {
        self.books.lock().check = Some((now(), details.to_owned()));
    }

    /// Ends the check that was begun: an interval since then, or a point if none was. `kind` is its result.
    pub fn checker_end(&self, kind: Kind, text: &str, details: &str) {
        let begun = self.books.lock().check.take();
        match begun {
            Some((start, what)) => {
                let details = format!("{what}: {details}");
                self.push(kind, CHECKER_ROW, start, Some(now()), text, &details);
            }
            None => self.point_of(kind, CHECKER_ROW, text, details),
        }
    }

    /// The check that was begun held.
    pub fn checker_success(&self, text: &str, details: &str) {
        self.checker_end(Kind::Success, text, details);
    }

    /// The check that was begun did not hold.
    pub fn checker_failure(&self, text: &str, details: &str) {
        self.checker_end(Kind::Failure, text, details);
    }

    /// The state of a group's servers; redraws its fault row if it has changed.
    pub fn servers(&self, gid: u64, connected: &[bool], crashed: &[bool]) {
        let state = FaultState { connected: connected.to_vec(), crashed: crashed.to_vec() };
        let mut books = self.books.lock();
        if books.faults.get(&gid) == Some(&state) {
            return;
        }
        let text = state.text();
        books.faults.insert(gid, state);
        let tag = fault_row(gid);
        match text {
            Some(text) => books.continuous(Kind::Fault, &tag, &text, ""),
            None => books.end(&tag, now()),
        }
    }

    /// Two sides of a partition: always a new item.
    pub fn two_partitions(&self, gid: u64, one: &[usize], other: &[usize]) {
        let text = format!("partition = {} {}", bracket(one), bracket(other));
        let mut books = self.books.lock();
        books.faults.remove(&gid);
        books.continuous(Kind::Fault, &fault_row(gid), &text, "");
    }

    /// All servers of the group are well: ends its fault item.
    pub fn clear_failure(&self, gid: u64) {
        let mut books = self.books.lock();
        books.faults.remove(&gid);
        books.end(&fault_row(gid), now());
    }

    /// Ends what is running, and closes the list with `end_text`. Later calls change nothing.
    pub fn finalize(&self, end_text: &str) {
        let end = now();
        let mut books = self.books.lock();
        if std::mem::replace(&mut books.finalized, true) {
            return;
        }
        while let Some((tag, _)) = books.running.first_key_value() {
            let tag = tag.clone();
            books.end(&tag, end);
        }
        let closing = new_item(Kind::Info, TEST_ROW, end, Some(end + GAP_NS), end_text, "");
        books.items.push(closing);
    }

    /// Everything recorded so far; what is still running has no end yet.
    pub fn items(&self) -> Vec<Annotation> {
        let books = self.books.lock();
        books.items.iter().chain(books.running.values()).cloned().collect()
    }

    /// Writes one JSON object an item.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_json_lines(&self, path: &Path) -> io::Result<()> {
        let mut out = BufWriter::new(std::fs::File::create(path)?);
        for item in self.items() {
            serde_json::to_writer(&mut out, &item)?;
            out.write_all(b"\n")?;
        }
        out.flush()
    }
}

fn new_item(
    kind: Kind,
    tag: &str,
    start: u64,
    end: Option<u64>,
    text: &str,
    details: &str,
) -> Annotation {
    let (tag, text, details) = (tag.to_owned(), text.to_owned(), details.to_owned());
    Annotation { tag, start, end, text, details, kind }
}

impl Books {
    fn continuous(&mut self, kind: Kind, tag: &str, text: &str, details: &str) {
        let now = now();
        let start = if self.running.contains_key(tag) { now + GAP_NS } else { now };
        self.end(tag, now);
        self.running.insert(tag.to_owned(), new_item(kind, tag, start, None, text, details));
    }

    fn end(&mut self, tag: &str, now: u64) {
        if let Some(mut item) = self.running.remove(tag) {
            item.end = Some(now.max(item.start));
            self.items.push(item);
        }
    }
}

fn fault_row(gid: u64) -> String {
    if gid == 0 { FAULT_ROW.to_owned() } else { format!("{FAULT_ROW} {gid}") }
}

/// `[0 2 3]`
fn bracket(servers: &[usize]) -> String {
    let numbers: Vec<String> = servers.iter().map(usize::to_string).collect();
    format!("[{}]", numbers.join(" "))
}

impl FaultState {
    /// `partition = [2] [0 1] / crash = [3 4]`; `None` when all is well.
    fn text(&self) -> Option<String> {
        let of = |wanted: fn(bool, bool) -> bool| -> Vec<usize> {
            let states = self.connected.iter().zip(&self.crashed).enumerate();
            states.filter(|(_, (on, down))| wanted(**on, **down)).map(|(i, _)| i).collect()
        };
        let cut_off = of(|connected, crashed| !connected && !crashed);
        let together = of(|connected, crashed| connected && !crashed);
        let crashed = of(|_, crashed| crashed);
        if cut_off.is_empty() && crashed.is_empty() {
            return None;
        }
        let mut text = String::from("partition = ");
        for server in cut_off {
            let _ = write!(text, "[{server}] "); // writing to a string cannot fail
        }
        if together.is_empty() {
            text.truncate(text.trim_end().len());
        } else {
            text.push_str(&bracket(&together));
        }
        if !crashed.is_empty() {
            let _ = write!(text, " / crash = {}", bracket(&crashed));
        }
        Some(text)
    }
}
