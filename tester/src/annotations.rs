//! Annotations of a run: faults, checks and notes with times, shown beside its history.
//!
//! Each cluster has its own recorder, so tests that run at the same time do not mix. The cluster
//! records its faults; tests add notes. Times come from [`labrt::now`], as the times of histories
//! do. Recording neither waits nor uses random numbers, so it does not change the run.

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
/// Row of the notes of the test.
pub const TEST_ROW: &str = "$ Test Info";

/// Gap between two items of a row, in ns: viewers show touching items as overlapping.
const GAP_NS: u64 = 1000;

/// The recorder of one cluster.
#[derive(Debug, Default)]
pub struct Annotations {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    items: Vec<Annotation>,
    /// Per row, the item that has not ended yet.
    running: BTreeMap<String, Annotation>,
    /// Start in ns and description of the current check.
    check: Option<(u64, String)>,
    /// By group.
    faults: BTreeMap<u64, FaultState>,
    finalized: bool,
}

/// The content of a group's fault row.
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
        self.state.lock().items.push(item);
    }

    /// An item that lasts until [`continuous_end`](Annotations::continuous_end) or until the next
    /// item of its row.
    pub fn continuous(&self, kind: Kind, tag: &str, text: &str, details: &str) {
        self.state.lock().continuous(kind, tag, text, details);
    }

    /// Ends the row's running item, if there is one.
    pub fn continuous_end(&self, tag: &str) {
        self.state.lock().end(tag, now());
    }

    /// Starts over for a test with this name: clears everything and records the name.
    pub fn test(&self, name: &str, servers: usize) {
        *self.state.lock() = State::default();
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

    /// Records the start of a check.
    pub fn checker_begin(&self, details: &str) {
        self.state.lock().check = Some((now(), details.to_owned()));
    }

    /// Ends the current check: an interval since its start, or a point if none was started. `kind`
    /// is the result.
    pub fn checker_end(&self, kind: Kind, text: &str, details: &str) {
        let begun = self.state.lock().check.take();
        match begun {
            Some((start, what)) => {
                let details = format!("{what}: {details}");
                self.push(kind, CHECKER_ROW, start, Some(now()), text, &details);
            }
            None => self.point_of(kind, CHECKER_ROW, text, details),
        }
    }

    /// Ends the current check as passed.
    pub fn checker_success(&self, text: &str, details: &str) {
        self.checker_end(Kind::Success, text, details);
    }

    /// Ends the current check as failed.
    pub fn checker_failure(&self, text: &str, details: &str) {
        self.checker_end(Kind::Failure, text, details);
    }

    /// The state of a group's servers. Starts a new item in its fault row if the state has changed.
    pub fn servers(&self, gid: u64, connected: &[bool], crashed: &[bool]) {
        let faults = FaultState { connected: connected.to_vec(), crashed: crashed.to_vec() };
        let mut state = self.state.lock();
        if state.faults.get(&gid) == Some(&faults) {
            return;
        }
        let text = faults.text();
        state.faults.insert(gid, faults);
        let tag = fault_row(gid);
        match text {
            Some(text) => state.continuous(Kind::Fault, &tag, &text, ""),
            None => state.end(&tag, now()),
        }
    }

    /// Two sides of a partition: always a new item.
    pub fn two_partitions(&self, gid: u64, one: &[usize], other: &[usize]) {
        let text = format!("partition = {} {}", bracket(one), bracket(other));
        let mut state = self.state.lock();
        state.faults.remove(&gid);
        state.continuous(Kind::Fault, &fault_row(gid), &text, "");
    }

    /// The group has no faults any more: ends its fault item.
    pub fn clear_failure(&self, gid: u64) {
        let mut state = self.state.lock();
        state.faults.remove(&gid);
        state.end(&fault_row(gid), now());
    }

    /// Ends all items and adds a last one with `end_text`. Later calls change nothing.
    pub fn finalize(&self, end_text: &str) {
        let end = now();
        let mut state = self.state.lock();
        if std::mem::replace(&mut state.finalized, true) {
            return;
        }
        while let Some((tag, _)) = state.running.first_key_value() {
            let tag = tag.clone();
            state.end(&tag, end);
        }
        let closing = new_item(Kind::Info, TEST_ROW, end, Some(end + GAP_NS), end_text, "");
        state.items.push(closing);
    }

    /// All items recorded so far. An item that has not ended has no end.
    pub fn items(&self) -> Vec<Annotation> {
        let state = self.state.lock();
        state.items.iter().chain(state.running.values()).cloned().collect()
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

impl State {
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
    /// `partition = [2] [0 1] / crash = [3 4]`; `None` if the group has no faults.
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
