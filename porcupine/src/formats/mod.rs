//! Histories in files: JSON lines, and what Jepsen, Maelstrom and the original Porcupine write.
//!
//! ```text
//!   bytes ── open ──► text ── Records::read ──► records ── history ──► operations of one model
//!            gzip,            JSON lines,         process, function,       Input, Output
//!            zstd             EDN, logs           value, outcome
//! ```
//!
//! A [`Record`] is one call with what its client learnt of it, whatever the format:
//!
//! | outcome | Jepsen | JSON lines | meaning |
//! |---|---|---|---|
//! | [`Outcome::Ok`] | `:ok` | `"err":"OK"`, or none | it happened, with this answer |
//! | [`Outcome::Failed`] | `:fail` | `"err":"Fail"` | it did not happen: it is left out |
//! | [`Outcome::Unknown`] | `:info`, nothing | `"err":"Info"`, no `return` | it may have happened, at any later time |
//! | [`Outcome::Named`] | – | any other `err` | it happened, with the answer of that name |
//!
//! [`history`] turns records into the operations of a model. The two stores of the labs have a
//! reader of their own ([`versioned_kv`], [`append_kv`]), which is faster and reads the same lines.
//!
//! ```
//! use porcupine::formats::{Format, Records, Rules, Value, history};
//! use porcupine::models::Register;
//! use porcupine::{Options, Verdict, check_operations};
//!
//! let log = "0 :invoke :write 1\n\
//!            0 :fail   :write 1\n\
//!            1 :invoke :read  nil\n\
//!            1 :ok     :read  nil\n";
//! let records = Records::read(log.as_bytes(), Format::Txt)?;
//! let model = Register::starting_at(Value::Nil);
//! let read = history(&model, &records, &Rules::default())?;
//! assert_eq!(read.operations.len(), 1); // the write did not happen
//! let report = check_operations(&model, &read.operations, &Options::default()).unwrap();
//! assert_eq!(report.verdict(), Verdict::Ok);
//! # Ok::<(), porcupine::formats::Error>(())
//! ```

mod annotations;
mod decode;
mod jepsen;
mod jsonl;
mod nearest;
mod packed;
mod value;

use std::io::{BufRead, Read};
use std::sync::Arc;

use crate::history::Operation;
use crate::models::keyed;

pub use annotations::annotations;
pub use decode::{
    Call, Readable, Rules, balances, history, keyed_history, keys_are_inside, one_list_each,
};
pub use jsonl::{append_kv, versioned_kv};
pub use nearest::nearest;
pub use packed::unpack;
pub use value::Value;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// One operation a line, as a JSON object.
    JsonLines,
    /// Calls and returns as EDN maps, in a vector, in a list, or one after the other: Jepsen's and
    /// Maelstrom's `history.edn`, and the key-value logs of the original Porcupine.
    Edn,
    /// Calls and returns, one a line: Jepsen's and Maelstrom's `history.txt`.
    Txt,
    /// Jepsen's log, old or new: lines of `jepsen.util` as in [`Format::Txt`], the others are
    /// skipped.
    Log,
}

impl Format {
    /// The format that a text begins like. Needs the first few thousand bytes.
    ///
    /// `None` if it begins like none of them.
    pub fn detect(beginning: &[u8]) -> Option<Format> {
        let text = String::from_utf8_lossy(beginning);
        let text = text.trim_start_matches('\u{feff}');
        let first = text.lines().find(|line| !line.trim().is_empty())?.trim_start();
        let is_json = || {
            let inside = first[1..].trim_start();
            inside.is_empty() || inside.starts_with(['"', '}'])
        };
        if first.starts_with('{') && is_json() {
            Some(Format::JsonLines)
        } else if first.starts_with(['{', '[', '(', '#', ';']) {
            Some(Format::Edn)
        } else if text.lines().any(|line| jepsen::logged(line).is_some()) {
            Some(Format::Log)
        } else {
            let mut words = first.split_ascii_whitespace();
            let process = words.next()?;
            let kind = words.next()?;
            let is_process = process.starts_with(':') || process.parse::<i64>().is_ok();
            (is_process && kind.starts_with(':')).then_some(Format::Txt)
        }
    }
}

/// What the times of a history count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Nanoseconds,
    /// Positions in the file: the file has no times, or they do not ascend.
    Positions,
}

/// The operations of a file, for one model.
#[derive(Clone, Debug)]
pub struct History<I, O> {
    /// The operations, in the order of their calls in the file.
    pub operations: Vec<Operation<I, O>>,
    /// For each operation the line of its call, from 1.
    pub lines: Vec<u32>,
    /// What times count.
    pub unit: Unit,
}

/// The operations of a file in which each is about one of many objects.
pub type KeyedHistory<I, O> = History<keyed::Input<I>, O>;

/// One call, and what its client learnt of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub process: i64,
    /// What was called, such as `read`.
    pub function: Arc<str>,
    /// The object, if the format has a field for it.
    pub key: Option<Value>,
    pub value: Value,
    pub call: u64,
    /// The line of the call, from 1.
    pub line: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// A note for pictures.
    pub meta: Option<Box<str>>,
}

/// What a client learnt of its call.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It happened.
    Ok {
        /// When it returned.
        time: u64,
        value: Value,
        /// The line of the return.
        line: u32,
    },
    /// It happened, and its answer has a name, such as `Differs` for a compare-and-set.
    Named {
        /// When it returned.
        time: u64,
        name: Box<str>,
    },
    /// It did not happen.
    Failed {
        /// When it returned.
        time: u64,
    },
    /// It may have happened, at any time after the call, or not.
    Unknown,
}

/// All calls of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Records {
    /// In the order of their calls in the file.
    pub records: Vec<Record>,
    /// What times count.
    pub unit: Unit,
}

impl Records {
    /// Reads a whole text.
    ///
    /// # Errors
    ///
    /// [`Error::Line`] names the first line that cannot be read.
    pub fn read(from: impl BufRead, format: Format) -> Result<Records, Error> {
        match format {
            Format::JsonLines => jsonl::records(from),
            Format::Edn => jepsen::edn(&text(from)?),
            Format::Txt => jepsen::lines(&text(from)?, jepsen::Lines::All),
            Format::Log => jepsen::lines(&text(from)?, jepsen::Lines::OfLog),
        }
    }
}

/// The whole text, without a byte-order mark.
fn text(mut from: impl Read) -> Result<String, Error> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).map_err(|source| Error::Unreadable { line: 1, source })?;
    check_mark(&bytes)?;
    // Logs may contain anything; what an operation says must be readable.
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn check_mark(beginning: &[u8]) -> Result<(), Error> {
    let marks: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
    if marks.iter().any(|mark| beginning.starts_with(mark)) {
        return Err(Error::at(1, Problem::ByteOrderMark));
    }
    Ok(())
}

/// Why a file is no history.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading failed.
    #[error("line {line}: cannot read it")]
    Unreadable {
        /// Where, from 1.
        line: u32,
        /// Why.
        source: std::io::Error,
    },
    /// A line does not say what it should.
    #[error("line {line}: {problem}")]
    Line {
        /// Which, from 1.
        line: u32,
        /// What is wrong with it.
        problem: Problem,
    },
}

impl Error {
    fn at(line: u32, problem: Problem) -> Error {
        Error::Line { line, problem }
    }
}

/// What is wrong with a line.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file begins with a byte-order mark.
    #[error("the file begins with a byte-order mark; save it as UTF-8 without one")]
    ByteOrderMark,
    /// It is not JSON, or not EDN.
    #[error("{0}")]
    Syntax(String),
    /// It is a value of another kind.
    #[error("not a {expected}: {found:?}")]
    NotA {
        /// What it should be.
        expected: &'static str,
        /// How it begins.
        found: String,
    },
    /// Results of a check instead of what was checked.
    #[error("these are results; the operations are in history.edn beside them")]
    Results,
    /// A field that the format does not have.
    #[error("unknown field `{name}`{}", hint(.nearest.as_deref()))]
    UnknownField {
        /// The field.
        name: String,
        /// A field of the format with a similar name.
        nearest: Option<String>,
    },
    /// A field is missing.
    #[error("missing field `{name}`")]
    MissingField { name: &'static str },
    /// A name that is none of those expected here.
    #[error("{what} {name:?}{}; expected {expected}", hint(.nearest.as_deref()))]
    UnknownName {
        /// Name of what: a function, a type, an answer.
        what: &'static str,
        name: String,
        /// All that are known.
        expected: String,
        /// A similar one.
        nearest: Option<String>,
    },
    /// A value of the wrong kind.
    #[error("{what} is {found}; expected {expected}")]
    Value {
        /// Of what.
        what: String,
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A return without a call.
    #[error("process {process} did not invoke anything")]
    NotInvoked { process: i64 },
    /// A second call before the first has returned.
    #[error("process {process} invokes while its operation of line {line} is open")]
    StillOpen {
        process: i64,
        /// The line of the first.
        line: u32,
    },
    /// A return of something else than what was called.
    #[error("process {process} invoked {invoked:?}, not {completed:?}")]
    OtherFunction {
        process: i64,
        invoked: String,
        /// What returned.
        completed: String,
    },
    /// An annotation that ends before it starts.
    #[error("it ends at {end}, before it starts at {start}")]
    EndBeforeStart {
        /// Where it starts.
        start: u64,
        /// Where it ends.
        end: u64,
    },
    /// A value without a key among values with one.
    #[error("the value {found} has no key; other values are pairs of key and value")]
    NoKey { found: String },
}

impl Problem {
    /// A name that is not one of `known`.
    fn unknown_name(what: &'static str, name: &str, known: &[&str]) -> Problem {
        let quoted: Vec<String> = known.iter().map(|known| format!("{known:?}")).collect();
        let expected = match quoted.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => "nothing".into(),
        };
        let nearest = nearest(name, known.iter().copied()).map(str::to_owned);
        Problem::UnknownName { what, name: name.to_owned(), expected, nearest }
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |name| format!(", did you mean {name:?}?"))
}
