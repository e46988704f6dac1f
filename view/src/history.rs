//! Operations of clerks: `history.jsonl`, one JSON object a line (`docs/TESTING.md`).

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use serde::Deserialize;

/// One operation of one clerk.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Op {
    /// The number of the clerk in the history.
    pub client: i64,
    /// `get`, `put` or `append`.
    pub op: String,
    pub key: String,
    /// The value to store or to add.
    pub value: Option<String>,
    /// The version that the key must have.
    pub version: Option<u64>,
    /// The value that a get returned.
    pub out_value: Option<String>,
    /// The version that a get returned.
    pub out_version: Option<u64>,
    /// `OK`, or the error that the clerk returned.
    pub err: Option<String>,
    /// When the clerk was called, in ns.
    pub call: u64,
    /// When the clerk returned, in ns; `None` if it never did.
    #[serde(rename = "return")]
    pub returned: Option<u64>,
}

/// At most this many characters of a key or a value are shown: of a longer value its end, which
/// distinguishes it from other values.
const SHOWN: usize = 24;

/// A key or a value, cut if it is long.
pub fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().rev().nth(SHOWN - 1) {
        Some((at, _)) if at > 0 => format!("…{}", &text[at..]).into(),
        _ => text.into(),
    }
}

impl Op {
    /// Whether it may change a value.
    pub fn is_write(&self) -> bool {
        self.op != "get"
    }

    /// Whether the clerk returned an error.
    pub fn has_failed(&self) -> bool {
        self.returned.is_some() && !matches!(self.err.as_deref(), None | Some("" | "OK"))
    }

    /// The request as a call: `put(k, v, 3)`.
    pub fn request(&self) -> String {
        let mut text = format!("{}({}", self.op, cut(&self.key));
        if let Some(value) = &self.value {
            text = format!("{text}, {}", cut(value));
        }
        if let Some(version) = self.version {
            text = format!("{text}, {version}");
        }
        text + ")"
    }

    /// The result in few characters.
    pub fn answer(&self) -> String {
        match (&self.out_value, self.out_version) {
            _ if self.returned.is_none() => "never returned".to_owned(),
            _ if self.has_failed() => self.err.clone().unwrap_or_default(),
            (Some(value), Some(version)) => format!("{} at version {version}", cut(value)),
            (Some(value), None) => cut(value).into_owned(),
            (None, _) => "ok".to_owned(),
        }
    }
}

/// Reads a history. Blank lines are skipped.
///
/// # Errors
/// When the file cannot be read or a line is not an operation.
pub fn read(path: &Path) -> io::Result<Vec<Op>> {
    let mut ops = Vec::new();
    for line in BufReader::new(File::open(path)?).lines() {
        let line = line?;
        if !line.trim().is_empty() {
            ops.push(serde_json::from_str(&line)?);
        }
    }
    Ok(ops)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(text: &str) -> Op {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn operations_in_few_characters() {
        let put = op(
            r#"{"client":1,"op":"put","key":"k","value":"v","version":3,"err":"ErrMaybe","call":1,"return":2}"#,
        );
        assert_eq!((put.request(), put.answer()), ("put(k, v, 3)".into(), "ErrMaybe".into()));
        assert!(put.is_write() && put.has_failed());
        let long = "x".repeat(30);
        let get = op(&format!(
            r#"{{"client":1,"op":"get","key":"k","out_value":"{long}","out_version":4,"err":"OK","call":1,"return":2}}"#
        ));
        let answer = format!("…{} at version 4", &long[..24]);
        assert_eq!((get.request(), get.answer()), ("get(k)".into(), answer));
        assert!(!get.is_write() && !get.has_failed());
        let open = op(r#"{"client":1,"op":"append","key":"k","value":"v","call":1}"#);
        assert_eq!(
            (open.request(), open.answer()),
            ("append(k, v)".into(), "never returned".into())
        );
        assert!(!open.has_failed());
    }
}
