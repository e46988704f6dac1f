//! Histories as JSON lines: one operation a line.
//!
//! ```text
//! {"client":3,"op":"put","key":"k0","value":"x","version":4,"err":"OK","call":1200,"return":5300}
//! {"client":4,"op":"get","key":"k0","out_value":"x","out_version":5,"err":"OK","call":2000,"return":6100}
//! ```
//!
//! No `return`, or `null`: the call never returned. Other fields are ignored, `meta` is shown in pictures.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use porcupine::models::{append_kv, versioned_kv};
use porcupine::{Operation, Returned};
use serde::Deserialize;

use crate::read::Read;

#[derive(Deserialize)]
struct Line<'a> {
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
pub(crate) fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T> {
    if !text.trim_ascii_start().starts_with(b"{") {
        bail!("not a JSON object: {:?}", excerpt(text));
    }
    serde_json::from_slice(text).map_err(|error| {
        let whole = error.to_string();
        let what = whole.rsplit_once(" at line ").map_or(&*whole, |(what, _)| what);
        if error.is_eof() {
            anyhow!("{what}")
        } else {
            anyhow!("{what}, at column {}", error.column())
        }
    })
}

/// The beginning of a line, to recognise it by.
fn excerpt(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim().chars().take(40).collect()
}

/// Reads line by line; an error names the line.
fn read<I, O>(
    mut from: impl BufRead,
    mut operation: impl FnMut(&Line<'_>, Arc<str>) -> Result<(I, Option<O>)>,
) -> Result<Read<I, O>> {
    let (mut history, mut lines, mut keys) = (Vec::new(), Vec::new(), Keys::default());
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        let context = || format!("line {number}");
        if from.read_until(b'\n', &mut text).with_context(context)? == 0 {
            break;
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        let line: Line<'_> = parse(&text).with_context(context)?;
        let key = keys.get(&line.key);
        let (input, output) = operation(&line, key).with_context(context)?;
        let returned = match (line.returned, output) {
            (Some(time), Some(output)) => Some(Returned { time, output }),
            _ => None,
        };
        let meta = line.meta.filter(|meta| !meta.is_null()).map(|meta| match meta {
            serde_json::Value::String(text) => text.into(),
            other => other.to_string().into(),
        });
        history.push(Operation { client: line.client, call: line.call, input, returned, meta });
        lines.push(number);
    }
    Ok(Read { history, lines })
}

pub(crate) fn versioned_kv(
    from: impl BufRead,
) -> Result<Read<versioned_kv::Input, versioned_kv::Output>> {
    use versioned_kv::{Input, Output};
    read(from, |line, key| {
        let input = match &*line.op {
            "get" => Input::Get { key },
            "put" => Input::Put { key, value: (&*line.value).into(), version: line.version },
            other => bail!("op {other:?}: this model has \"get\" and \"put\""),
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
                bail!("err {other:?}: a get answers \"OK\" or \"ErrNoKey\"")
            }
            (Input::Put { .. }, other) => bail!(
                "err {other:?}: a put answers \"OK\", \"ErrVersion\", \"ErrMaybe\" or \"ErrNoKey\""
            ),
        };
        Ok((input, Some(output)))
    })
}

pub(crate) fn append_kv(from: impl BufRead) -> Result<Read<append_kv::Input, append_kv::Output>> {
    use append_kv::{Input, Output};
    read(from, |line, key| {
        if !matches!(&*line.err, "" | "OK") {
            bail!("err {:?}: this model knows \"\" and \"OK\" only", line.err);
        }
        let value = || (&*line.value).into();
        Ok(match &*line.op {
            "get" => (Input::Get { key }, Some(Output::Value((&*line.out_value).into()))),
            "put" => (Input::Put { key, value: value() }, Some(Output::Done)),
            "append" => (Input::Append { key, value: value() }, Some(Output::Done)),
            other => bail!("op {other:?}: this model has \"get\", \"put\" and \"append\""),
        })
    })
}
