//! The trace of a run: what `trace.jsonl` holds, one event a line.
//!
//! An event is a log line with the key-values it was logged with:
//!
//! ```text
//! {"t":1204518000,"node":"server-0-1","task":"raft-call","number":14,"level":"INFO","target":"raft::election",
//!  "message":"S1 T3 becomes Leader","fields":{"node":"server-0-1","server":1,"term":3,"role":"leader", ...}}
//! ```
//!
//! A trace that was too long begins with `{"cut":n}`: the first `n` events are not in it.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use serde::Deserialize;

/// One event of a run.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// Virtual time in nanoseconds.
    pub t: u64,
    /// The node whose task logged it.
    pub node: String,
    /// That task's name; empty on threads.
    #[serde(default)]
    pub task: String,
    /// Number of the task.
    #[serde(default)]
    pub number: u64,
    /// `INFO` and the like.
    pub level: String,
    /// The part it is about: see the table in `docs/TESTING.md`.
    pub target: String,
    /// The line.
    pub message: String,
    /// What it says, for computing.
    #[serde(default)]
    pub fields: Fields,
}

/// The key-values that the parts of the labs log with. Others are passed over.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[non_exhaustive]
#[serde(default)]
pub struct Fields {
    /// The node that the event is about, where it may not be the one that logged it.
    pub node: Option<String>,
    /// What happened, where a target has several kinds of events.
    pub event: Option<String>,
    /// A server of Raft has this number in its group.
    pub server: Option<u64>,
    /// Its term.
    pub term: Option<u64>,
    /// Its role: `follower`, `candidate` or `leader`.
    pub role: Option<String>,
    /// Index of the last entry of its log.
    pub last: Option<u64>,
    /// Its commit index.
    pub commit: Option<u64>,
    /// Its log begins after this index: a snapshot has the rest.
    pub base: Option<u64>,
    /// Everything up to this index was handed to the service.
    pub applied: Option<u64>,
    /// Bytes it has saved.
    pub saved: Option<u64>,
    /// It has saved a snapshot up to this index.
    pub snapshot: Option<u64>,
    /// It has taken over a leader's snapshot up to this index.
    pub installed: Option<u64>,
    /// Number of a call, in its network.
    pub call: Option<u64>,
    /// The called method.
    pub method: Option<String>,
    /// From which end (a call), or from which server (a reply that Raft looks at).
    pub from: Option<Name>,
    /// To which server.
    pub to: Option<Name>,
    /// Size of what is carried.
    pub bytes: Option<u64>,
    /// A clerk's number in the history.
    pub clerk: Option<i64>,
    /// The number of its client in the network.
    pub client: Option<u64>,
}

/// A name or a number.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(untagged)]
pub enum Name {
    /// A number in a group.
    Number(u64),
    /// A name in the network.
    Text(String),
}

impl Name {
    /// The name, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Name::Text(text) => Some(text),
            Name::Number(_) => None,
        }
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<u64> {
        match self {
            Name::Number(number) => Some(*number),
            Name::Text(_) => None,
        }
    }
}

impl Event {
    /// The node that the event is about.
    pub fn about(&self) -> &str {
        self.fields.node.as_deref().unwrap_or(&self.node)
    }
}

/// Reads the events of a trace one after the other.
#[derive(Debug)]
pub struct Events<R> {
    lines: R,
    line: String,
    number: u64,
    cut: u64,
    /// The first event, which was read to see whether it is one.
    first: Option<io::Result<Event>>,
}

impl Events<BufReader<File>> {
    /// Those of a `trace.jsonl`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(path: &Path) -> io::Result<Events<BufReader<File>>> {
        Ok(Events::new(BufReader::with_capacity(1 << 16, File::open(path)?)))
    }
}

impl<R: io::BufRead> Events<R> {
    /// Those of a trace's lines.
    pub fn new(lines: R) -> Events<R> {
        #[derive(Deserialize)]
        struct Head {
            cut: u64,
        }
        let mut events = Events { lines, line: String::new(), number: 0, cut: 0, first: None };
        events.first = events.read();
        if let Ok(head) = serde_json::from_str::<Head>(&events.line) {
            (events.cut, events.first) = (head.cut, None);
        }
        events
    }

    /// How many earlier events were left out.
    pub fn cut(&self) -> u64 {
        self.cut
    }

    fn read(&mut self) -> Option<io::Result<Event>> {
        self.line.clear();
        match self.lines.read_line(&mut self.line) {
            Ok(0) => return None,
            Ok(_) => self.number += 1,
            Err(error) => return Some(Err(error)),
        }
        match serde_json::from_str(&self.line) {
            Ok(event) => Some(Ok(event)),
            // The process may have ended in the last line.
            Err(_) if !self.line.ends_with('\n') => None,
            Err(error) => {
                let what = format!("line {} is not an event of a trace: {error}", self.number);
                Some(Err(io::Error::new(io::ErrorKind::InvalidData, what)))
            }
        }
    }
}

impl<R: io::BufRead> Iterator for Events<R> {
    type Item = io::Result<Event>;

    fn next(&mut self) -> Option<io::Result<Event>> {
        match self.first.take() {
            Some(first) => Some(first),
            None => self.read(),
        }
    }
}
