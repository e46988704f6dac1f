//! Histories as JSON lines: one operation a line, in any order.
//!
//! ```text
//! {"client":3,"op":"put","key":"k0","value":"x","version":4,"err":"OK","call":1200,"return":5300}
//! {"client":4,"op":"get","key":"k0","out_value":"x","out_version":5,"err":"OK","call":2000,"return":6100}
//! {"client":5,"op":"cas","value":[1,2],"err":"Differs","call":10,"return":20}
//! {"client":6,"op":"enqueue","key":"q1","value":"job","call":15}
//! ```
//!
//! No `return`, or `null`: the call never returned. Fields that the format does not have are an
//! error: a misspelt `return` would turn an operation into one that never returned.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;

use serde::Deserialize;

use super::{Error, History, Outcome, Problem, Record, Records, Unit, Value, check_mark, nearest};
use crate::history::{Operation, Returned};
use crate::models::{append_kv, versioned_kv};

/// A line of one of the two stores.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreLine<'a> {
    client: i64,
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Cow<'a, str>,
    #[serde(default)]
    version: u64,
    #[serde(borrow, default)]
    out_value: Cow<'a, str>,
    #[serde(default)]
    out_version: u64,
    #[serde(borrow, default)]
    err: Cow<'a, str>,
    call: u64,
    #[serde(rename = "return", default)]
    returned: Option<u64>,
    #[serde(default)]
    meta: Option<serde_json::Value>,
}

/// A line of any model.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    client: i64,
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(default)]
    key: Option<serde_json::Value>,
    #[serde(default)]
    value: serde_json::Value,
    #[serde(default)]
    out_value: serde_json::Value,
    #[serde(borrow, default)]
    err: Cow<'a, str>,
    call: u64,
    #[serde(rename = "return", default)]
    returned: Option<u64>,
    #[serde(default)]
    meta: Option<serde_json::Value>,
}

/// Each key exists once, however many operations name it.
#[derive(Default)]
struct Keys(BTreeMap<Box<str>, Arc<str>>);

impl Keys {
    fn get(&mut self, key: &str) -> Arc<str> {
        if let Some(known) = self.0.get(key) {
            return known.clone();
        }
        let new: Arc<str> = key.into();
        self.0.insert(key.into(), new.clone());
        new
    }
}

/// One line. Serde would take an array for an object, and counts lines where there is one.
pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, Problem> {
    if !text.trim_ascii_start().starts_with(b"{") {
        let found = String::from_utf8_lossy(text).trim().chars().take(40).collect();
        return Err(Problem::NotA { expected: "JSON object", found });
    }
    serde_json::from_slice(text).map_err(|error| {
        let whole = error.to_string();
        let what = whole.rsplit_once(" at line ").map_or(&*whole, |(what, _)| what);
        if let Some(problem) = unknown_field(what) {
            return problem;
        }
        Problem::Syntax(if error.is_eof() {
            what.to_owned()
        } else {
            format!("{what}, at column {}", error.column())
        })
    })
}

/// Serde says: unknown field `a`, expected one of `b`, `c`. Only the one that is meant helps.
fn unknown_field(message: &str) -> Option<Problem> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let name = quoted.next()?.to_owned();
    let nearest = nearest(&name, quoted).map(str::to_owned);
    Some(Problem::UnknownField { name, nearest })
}

/// Hands out the lines that are not empty; an error names the line.
pub(super) fn each_line(
    mut from: impl BufRead,
    mut add: impl FnMut(&[u8], u32) -> Result<(), Problem>,
) -> Result<(), Error> {
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        let read = from.read_until(b'\n', &mut text);
        if read.map_err(|source| Error::Unreadable { line: number, source })? == 0 {
            break;
        }
        if number == 1 {
            check_mark(&text)?;
        }
        if !text.trim_ascii().is_empty() {
            add(&text, number).map_err(|problem| Error::at(number, problem))?;
        }
    }
    Ok(())
}

fn note(meta: Option<serde_json::Value>) -> Option<Box<str>> {
    meta.filter(|meta| !meta.is_null()).map(|meta| match meta {
        serde_json::Value::String(text) => text.into(),
        other => other.to_string().into(),
    })
}

/// Lines of any model.
pub(super) fn records(from: impl BufRead) -> Result<Records, Error> {
    let mut records = Vec::new();
    let mut crashed = Vec::new();
    each_line(from, |text, number| {
        let line: Line<'_> = parse(text)?;
        let value = |json| Value::of_json(json).map_err(Problem::Syntax);
        let outcome = match (line.returned, &*line.err) {
            (_, "Info") => {
                // Its client may go on: the operation gets a client of its own.
                crashed.push(records.len());
                Outcome::Unknown
            }
            (None, _) => Outcome::Unknown,
            (Some(time), "" | "OK") => {
                Outcome::Ok { time, value: value(line.out_value)?, line: number }
            }
            (Some(time), "Fail") => Outcome::Failed { time },
            (Some(time), name) => Outcome::Named { time, name: name.into() },
        };
        records.push(Record {
            process: line.client,
            function: (&*line.op).into(),
            key: line.key.map(value).transpose()?,
            value: value(line.value)?,
            call: line.call,
            line: number,
            outcome,
            meta: note(line.meta),
        });
        Ok(())
    })?;
    let highest = records.iter().map(|record: &Record| record.process).max().unwrap_or(0);
    for (number, at) in (1..).zip(crashed) {
        records[at].process = highest.saturating_add(number);
    }
    Ok(Records { records, unit: Unit::Nanoseconds })
}

/// Reads line by line, without records in between.
fn store<I, O>(
    from: impl BufRead,
    mut operation: impl FnMut(&StoreLine<'_>, Arc<str>) -> Result<(I, Option<O>), Problem>,
) -> Result<History<I, O>, Error> {
    let (mut operations, mut lines, mut keys) = (Vec::new(), Vec::new(), Keys::default());
    each_line(from, |text, number| {
        let line: StoreLine<'_> = parse(text)?;
        let key = keys.get(&line.key);
        let (input, output) = operation(&line, key)?;
        let returned = match (line.returned, output) {
            (Some(time), Some(output)) => Some(Returned { time, output }),
            _ => None,
        };
        let meta = note(line.meta);
        operations.push(Operation { client: line.client, call: line.call, input, returned, meta });
        lines.push(number);
        Ok(())
    })?;
    Ok(History { operations, lines, unit: Unit::Nanoseconds })
}

/// Reads JSON lines for [`VersionedKv`](crate::models::VersionedKv).
///
/// # Errors
///
/// Names the first line that cannot be read.
pub fn versioned_kv(
    from: impl BufRead,
) -> Result<History<versioned_kv::Input, versioned_kv::Output>, Error> {
    use versioned_kv::{Input, Output};
    store(from, |line, key| {
        let input = match &*line.op {
            "get" => Input::Get { key },
            "put" => Input::Put { key, value: (&*line.value).into(), version: line.version },
            other => return Err(Problem::unknown_name("op", other, &["get", "put"])),
        };
        if line.returned.is_none() {
            return Ok((input, None));
        }
        let output = match (&input, &*line.err) {
            (Input::Get { .. }, "OK") => {
                Output::Value { value: (&*line.out_value).into(), version: line.out_version }
            }
            (_, "ErrNoKey") => Output::NoKey,
            (Input::Put { .. }, "OK") => Output::Done,
            (Input::Put { .. }, "ErrVersion") => Output::Version,
            (Input::Put { .. }, "ErrMaybe") => Output::Maybe,
            (Input::Get { .. }, other) => {
                return Err(Problem::unknown_name("err", other, &["OK", "ErrNoKey"]));
            }
            (Input::Put { .. }, other) => {
                let known = ["OK", "ErrVersion", "ErrMaybe", "ErrNoKey"];
                return Err(Problem::unknown_name("err", other, &known));
            }
        };
        Ok((input, Some(output)))
    })
}

/// Reads JSON lines for [`AppendKv`](crate::models::AppendKv).
///
/// # Errors
///
/// Names the first line that cannot be read.
pub fn append_kv(
    from: impl BufRead,
) -> Result<History<append_kv::Input, append_kv::Output>, Error> {
    use append_kv::{Input, Output};
    store(from, |line, key| {
        if !matches!(&*line.err, "" | "OK") {
            return Err(Problem::unknown_name("err", &line.err, &["", "OK"]));
        }
        let value = || (&*line.value).into();
        Ok(match &*line.op {
            "get" => (Input::Get { key }, Some(Output::Value((&*line.out_value).into()))),
            "put" => (Input::Put { key, value: value() }, Some(Output::Done)),
            "append" => (Input::Append { key, value: value() }, Some(Output::Done)),
            other => return Err(Problem::unknown_name("op", other, &["get", "put", "append"])),
        })
    })
}
