//! The history of a test: every recorded operation with its times, and its form in files.
//!
//! One JSON object an operation a line, as `docs/TESTING.md` describes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use kvapi::{Error, Version};
use labrt::Instant;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::text::Text;

/// What was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// The key's value.
    Get { key: String },
    /// To store a value, if the key has this version.
    Put {
        key: String,
        value: String,
        /// The version; zero if the key must be absent.
        version: Version,
    },
    /// To replace a value, in the service without versions.
    Set { key: String, value: String },
    /// To extend a value, in the service without versions.
    Append {
        key: String,
        /// What to add.
        value: String,
    },
}

impl Request {
    /// The key.
    pub fn key(&self) -> &str {
        match self {
            Request::Get { key }
            | Request::Put { key, .. }
            | Request::Set { key, .. }
            | Request::Append { key, .. } => key,
        }
    }

    /// The request as a call, with long values cut.
    pub(crate) fn brief(&self) -> String {
        match self {
            Request::Get { key } => format!("get({})", cut(key)),
            Request::Put { key, value, version } => {
                format!("put({}, {}, {})", cut(key), cut(value), version.get())
            }
            Request::Set { key, value } => format!("put({}, {})", cut(key), cut(value)),
            Request::Append { key, value } => format!("append({}, {})", cut(key), cut(value)),
        }
    }
}

/// At most this many characters of a key or a value are worth showing; of a longer value its end,
/// which tells it from others.
const SHOWN: usize = 24;

fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().rev().nth(SHOWN - 1) {
        Some((at, _)) if at > 0 => format!("…{}", &text[at..]).into(),
        _ => text.into(),
    }
}

/// What the clerk gave back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// A get's value and version.
    Value(String, Version),
    /// A get's value, in the service without versions. Such values grow long and are kept once.
    Text(Text),
    /// A put or an append is done.
    Done,
    /// An error of either.
    Failed(Error),
}

/// The same, while it is being noted.
pub(crate) enum Heard<'a> {
    /// This.
    Answer(Answer),
    /// [`Answer::Text`] with this value.
    Text(&'a str),
}

impl Heard<'_> {
    /// The answer in few characters.
    pub(crate) fn brief(&self) -> String {
        match self {
            Heard::Text(value) => cut(value).into_owned(),
            Heard::Answer(answer) => answer.brief(),
        }
    }
}

impl Answer {
    /// The answer in few characters.
    pub(crate) fn brief(&self) -> String {
        match self {
            Answer::Value(value, version) => format!("{} at version {}", cut(value), version.get()),
            Answer::Text(text) => text.with(|value| cut(value).into_owned()),
            Answer::Done => "ok".to_owned(),
            Answer::Failed(error) => format!("{error}"),
        }
    }
}

/// The answer of a write.
pub(crate) fn done((): &()) -> Heard<'_> {
    Heard::Answer(Answer::Done)
}

/// One operation of one client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Op {
    /// Who called. Operations of one client do not overlap.
    pub client: i64,
    /// What was asked for.
    pub request: Request,
    /// When, on the test's clock.
    pub call: Instant,
    /// When the clerk returned, and what; `None` if it never did.
    pub returned: Option<(Instant, Answer)>,
}

/// A thread-safe list of operations in the order of their calls.
///
/// An operation is recorded when it is called, so one that never returns is in the history, too:
/// its put may have taken effect.
///
/// Stamps are in the order of the calls and returns, and no two are equal: a nanosecond is added
/// where the clock stands. The clock of a simulation stands most of the time, and equal instants of
/// two clients would say that their operations overlap.
#[derive(Debug, Default)]
pub struct OpLog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ops: Vec<Op>,
    /// The last text seen of each key: the next one mostly begins with it.
    texts: BTreeMap<String, Text>,
    returns: usize,
    clients: i64,
    /// The last stamp given, in nanoseconds.
    last: u64,
}

impl State {
    /// Keeps a text that was seen under this key.
    fn keep(&mut self, key: &str, seen: &str) -> Text {
        let known = self.texts.get(key).and_then(|last| last.extended_to(seen));
        let text = known.unwrap_or_else(|| Text::from(seen));
        match self.texts.get_mut(key) {
            Some(last) => *last = text.clone(),
            None => drop(self.texts.insert(key.to_owned(), text.clone())),
        }
        text
    }

    /// The time now, or a nanosecond after the last stamp where the clock stands.
    fn stamp(&mut self) -> Instant {
        self.last = labrt::now().as_nanos().max(self.last + 1);
        Instant::from_nanos(self.last)
    }
}

/// An operation that was called and has not returned.
#[derive(Debug)]
#[must_use = "an operation that is never finished counts as never returned"]
pub(crate) struct Open(usize);

impl OpLog {
    /// An empty history.
    pub fn new() -> OpLog {
        OpLog::default()
    }

    /// A client number nobody has.
    pub(crate) fn new_client(&self) -> i64 {
        let mut state = self.state.lock();
        state.clients += 1;
        state.clients - 1
    }

    pub(crate) fn call(&self, client: i64, request: Request) -> Open {
        let mut state = self.state.lock();
        let call = state.stamp();
        state.ops.push(Op { client, request, call, returned: None });
        Open(state.ops.len() - 1)
    }

    pub(crate) fn finish(&self, open: Open, heard: Heard<'_>) {
        let mut state = self.state.lock();
        let now = state.stamp();
        state.returns += 1;
        let answer = match heard {
            Heard::Answer(answer) => answer,
            Heard::Text(seen) => {
                let key = state.ops[open.0].request.key().to_owned();
                Answer::Text(state.keep(&key, seen))
            }
        };
        state.ops[open.0].returned = Some((now, answer));
    }

    /// How many operations were called.
    pub fn len(&self) -> usize {
        self.state.lock().ops.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Changes whenever something is recorded.
    pub(crate) fn revision(&self) -> usize {
        let state = self.state.lock();
        state.ops.len() + state.returns
    }

    /// The history so far.
    pub fn ops(&self) -> Vec<Op> {
        self.state.lock().ops.clone()
    }

    /// Looks at the history without copying it. `look` must not wait.
    pub(crate) fn with_ops<R>(&self, look: impl FnOnce(&[Op]) -> R) -> R {
        look(&self.state.lock().ops)
    }

    /// Writes one JSON object an operation.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_json_lines(&self, path: &Path) -> io::Result<()> {
        let mut out = BufWriter::new(std::fs::File::create(path)?);
        for op in &self.state.lock().ops {
            serde_json::to_writer(&mut out, &Line::of(op))?;
            out.write_all(b"\n")?;
        }
        out.flush()
    }
}

/// A history file that is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It cannot be read.
    #[error("cannot read the history: {0}")]
    Io(#[from] io::Error),
    /// A line that is not an operation.
    #[error("line {number}: {reason}")]
    Line {
        /// Counted from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads what [`OpLog::write_json_lines`] has written. Blank lines and unknown fields are skipped.
///
/// # Errors
/// [`ReadError`], with the number of the first bad line.
pub(crate) fn read_json_lines(path: &Path) -> Result<Vec<Op>, ReadError> {
    let mut ops = Vec::new();
    for (at, line) in BufReader::new(std::fs::File::open(path)?).lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let bad = |reason| ReadError::Line { number: at + 1, reason };
        let parsed: Line = serde_json::from_str(&line).map_err(|error| bad(error.to_string()))?;
        ops.push(parsed.op().map_err(bad)?);
    }
    Ok(ops)
}

impl Op {
    /// Reads a history that [`OpLog::write_json_lines`] has written.
    ///
    /// # Errors
    /// [`ReadError`], with the number of the first bad line.
    pub fn read_json_lines(path: &Path) -> Result<Vec<Op>, ReadError> {
        read_json_lines(path)
    }
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    client: i64,
    op: String,
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    out_value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    out_version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    err: Option<String>,
    call: u64,
    #[serde(default, rename = "return")]
    returned: Option<u64>,
}

impl Line {
    fn of(op: &Op) -> Line {
        let (word, value, version) = match &op.request {
            Request::Get { .. } => ("get", None, None),
            Request::Put { value, version, .. } => {
                ("put", Some(value.clone()), Some(version.get()))
            }
            Request::Set { value, .. } => ("put", Some(value.clone()), None),
            Request::Append { value, .. } => ("append", Some(value.clone()), None),
        };
        let answer = op.returned.as_ref().map(|(_, answer)| answer);
        let (out_value, out_version) = match answer {
            Some(Answer::Value(value, version)) => (Some(value.clone()), Some(version.get())),
            Some(Answer::Text(value)) => (Some(value.to_string()), None),
            _ => (None, None),
        };
        let err = answer.map(|answer| match answer {
            Answer::Value(..) | Answer::Text(_) | Answer::Done => "OK".to_owned(),
            Answer::Failed(error) => error.to_string(),
        });
        Line {
            client: op.client,
            op: word.to_owned(),
            key: op.request.key().to_owned(),
            value,
            version,
            out_value,
            out_version,
            err,
            call: op.call.as_nanos(),
            returned: op.returned.as_ref().map(|(at, _)| at.as_nanos()),
        }
    }

    fn op(self) -> Result<Op, String> {
        let key = self.key;
        let get = self.op == "get";
        let request = match self.op.as_str() {
            "get" => Request::Get { key },
            "put" => {
                let value = self.value.unwrap_or_default();
                match self.version {
                    Some(version) => Request::Put { key, value, version: Version::new(version) },
                    None => Request::Set { key, value },
                }
            }
            "append" => Request::Append { key, value: self.value.unwrap_or_default() },
            other => return Err(format!("{other:?} is not an operation of a key/value service")),
        };
        // The service without versions knows no errors and may leave the field empty.
        let answer = |err: &str| match if err.is_empty() { "OK" } else { err } {
            "OK" if get => {
                let value = self.out_value.clone().unwrap_or_default();
                Ok(match self.out_version {
                    Some(version) => Answer::Value(value, Version::new(version)),
                    None => Answer::Text(Text::from(value.as_str())),
                })
            }
            "OK" => Ok(Answer::Done),
            error => error.parse().map(Answer::Failed).map_err(|error| error.to_string()),
        };
        let returned = match self.returned {
            None => None,
            Some(at) if at < self.call => return Err("it returns before its call".to_owned()),
            Some(at) => {
                Some((Instant::from_nanos(at), answer(self.err.as_deref().unwrap_or_default())?))
            }
        };
        Ok(Op { client: self.client, request, call: Instant::from_nanos(self.call), returned })
    }
}
