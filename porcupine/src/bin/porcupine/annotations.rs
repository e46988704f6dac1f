//! What happened beside the operations, as JSON lines.
//!
//! ```text
//! {"tag":"faults","start":1200,"end":5300,"text":"S1 is cut off","span":true}
//! {"tag":"checks","start":6100,"text":"one leader","details":"S2 in term 4","color":"teal"}
//! ```
//!
//! Only `tag`, `start` and `text` are needed. Without `end` it is a point in time; with `span` all rows are shaded. The clusters of the
//! labs write such files; their `kind` stands for a colour, and a fault shades.

use std::io::BufRead;

use anyhow::{Context, Result, bail};
use porcupine::Annotation;
use serde::Deserialize;

use crate::jsonl::parse;

#[derive(Deserialize)]
struct Line {
    tag: String,
    start: u64,
    end: Option<u64>,
    text: String,
    #[serde(default)]
    details: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    color: String,
    #[serde(default)]
    span: bool,
}

/// Reads line by line; an error names the line.
pub(crate) fn read(from: impl BufRead) -> Result<Vec<Annotation>> {
    let mut annotations = Vec::new();
    for (number, line) in (1..).zip(from.split(b'\n')) {
        let context = || format!("line {number}");
        let line = line.with_context(context)?;
        if !line.trim_ascii().is_empty() {
            annotations.push(annotation(&line).with_context(context)?);
        }
    }
    Ok(annotations)
}

fn annotation(line: &[u8]) -> Result<Annotation> {
    let Line { tag, start, end, text, details, kind, color, span } = parse(line)?;
    if let Some(end) = end.filter(|end| *end < start) {
        bail!("it ends at {end}, before it starts at {start}");
    }
    let color = match (&*color, &*kind) {
        ("", "success") => "#4e9a51",
        ("", "failure") => "#c62828",
        ("", "fault") => "#2f8f8f",
        (color, _) => color,
    };
    let span = span || kind == "fault";
    Ok(Annotation { tag, start, end, span, text, details, color: color.to_owned() })
}
