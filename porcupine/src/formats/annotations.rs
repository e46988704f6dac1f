//! What happened beside the operations, as JSON lines.
//!
//! ```text
//! {"tag":"faults","start":1200,"end":5300,"text":"S1 is cut off","span":true}
//! {"tag":"checks","start":6100,"text":"one leader","details":"S2 in term 4","color":"teal"}
//! ```
//!
//! Only `tag`, `start` and `text` are needed. Without `end` it is a point in time; with `span` all
//! rows are shaded. The clusters of the labs write such files; their `kind` stands for a colour,
//! and a fault shades. Other fields are ignored: nothing here is judged.

use std::io::BufRead;

use serde::Deserialize;

use super::jsonl::{each_line, parse};
use super::{Error, Problem};
use crate::picture::Annotation;

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

/// Reads what to draw beside the operations.
///
/// # Errors
///
/// Names the first line that cannot be read.
pub fn annotations(from: impl BufRead) -> Result<Vec<Annotation>, Error> {
    let mut annotations = Vec::new();
    each_line(from, |line, _| {
        annotations.push(annotation(line)?);
        Ok(())
    })?;
    Ok(annotations)
}

fn annotation(line: &[u8]) -> Result<Annotation, Problem> {
    let Line { tag, start, end, text, details, kind, color, span } = parse(line)?;
    if let Some(end) = end.filter(|end| *end < start) {
        return Err(Problem::EndBeforeStart { start, end });
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
