//! What the command prints about a history, for people and for programs.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use porcupine::formats::Unit;
use porcupine::{Explanation, Model, PartitionReport, Report, Stuck, Verdict};
use serde::Serialize;

use crate::ModelName;
use crate::models::Read;
use crate::weaker::Weaker;

/// All that is known about one history.
pub(crate) struct Summary<'a, I, O> {
    pub(crate) file: &'a Path,
    pub(crate) model: ModelName,
    pub(crate) read: &'a Read<I, O>,
    pub(crate) report: &'a Report,
    pub(crate) took: Duration,
    pub(crate) explanation: Option<&'a Explanation>,
    pub(crate) weaker: Option<Weaker>,
}

/// The name of a model as in `--model`.
fn model_name(model: ModelName) -> String {
    model.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// Prints to standard output. Whoever reads it may have seen enough; the exit status still counts.
pub(crate) fn print(text: &str) -> std::io::Result<()> {
    use std::io::{ErrorKind, Write};
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// A few lines for people.
pub(crate) fn text<M: Model>(model: &M, summary: &Summary<'_, M::Input, M::Output>) -> String {
    let Summary { file, read, report, took, .. } = summary;
    let file = file.display();
    let size = format!(
        "{} operations of {}, {:.1} ms",
        read.operations.len(),
        model_name(summary.model),
        took.as_secs_f64() * 1e3
    );
    let mut out = String::new();
    let _ = match report.verdict() {
        Verdict::Ok => writeln!(out, "{file}: linearizable ({size})"),
        Verdict::Unknown => {
            let why = report.limit().map_or(String::new(), |limit| limit.to_string());
            writeln!(out, "{file}: unknown: {why} ({size})")
        }
        Verdict::Illegal => writeln!(out, "{file}: NOT linearizable ({size})"),
    };
    for part in report.partitions() {
        if let Some(stuck) = part.stuck {
            let name =
                if part.name.is_empty() { String::new() } else { format!("{}: ", part.name) };
            let _ = writeln!(out, "  {name}no order up to {}", event(model, read, stuck));
        }
    }
    if let Some(weaker) = summary.weaker.map(Weaker::text).filter(|text| !text.is_empty()) {
        let _ = write!(out, "  {weaker}");
    }
    for line in summary.explanation.iter().flat_map(|explanation| explanation.text.lines()) {
        let _ = writeln!(out, "  {line}");
    }
    out
}

/// One call or return, with its line.
fn event<M: Model>(model: &M, read: &Read<M::Input, M::Output>, stuck: Stuck) -> String {
    let operation = &read.operations[stuck.operation];
    format!(
        "the {} at {} of client {}'s {} (line {})",
        if stuck.at_return { "return" } else { "call" },
        stuck.time,
        operation.client,
        model.describe_operation(&operation.input, operation.output()),
        read.lines[stuck.operation],
    )
}

#[derive(Serialize)]
struct File<'a> {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(flatten)]
    checked: Option<Checked<'a>>,
}

#[derive(Serialize)]
struct Checked<'a> {
    verdict: &'static str,
    model: String,
    operations: usize,
    milliseconds: f64,
    /// What times count: `ns` or `positions`.
    unit: &'static str,
    partitions: Vec<Partition<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weaker: Option<Conditions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<Reason<'a>>,
}

/// Weaker conditions than linearizability, where that does not hold.
#[derive(Serialize)]
struct Conditions {
    sequential: &'static str,
    read_your_writes: &'static str,
    monotonic_reads: &'static str,
}

#[derive(Serialize)]
struct Partition<'a> {
    name: &'a str,
    verdict: &'static str,
    operations: usize,
    steps: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stuck: Option<Event>,
}

#[derive(Serialize)]
struct Event {
    line: u32,
    client: i64,
    time: u64,
    at_return: bool,
    operation: String,
}

#[derive(Serialize)]
struct Reason<'a> {
    partition: &'a str,
    lines: Vec<u32>,
    smallest: bool,
    text: &'a str,
}

fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "linearizable",
        Verdict::Illegal => "not linearizable",
        Verdict::Unknown => "unknown",
    }
}

fn holds(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "holds",
        Verdict::Illegal => "violated",
        Verdict::Unknown => "unknown",
    }
}

/// One line for programs.
pub(crate) fn json<M: Model>(model: &M, summary: &Summary<'_, M::Input, M::Output>) -> String {
    let Summary { file, read, report, took, .. } = summary;
    let partition = |part: &PartitionReport| Partition::<'_> {
        name: "",
        verdict: verdict_name(part.verdict),
        operations: part.operations.len(),
        steps: part.steps,
        limit: part.limit.map(|limit| limit.to_string()),
        stuck: part.stuck.map(|stuck| {
            let operation = &read.operations[stuck.operation];
            Event {
                line: read.lines[stuck.operation],
                client: operation.client,
                time: stuck.time,
                at_return: stuck.at_return,
                operation: model.describe_operation(&operation.input, operation.output()),
            }
        }),
    };
    let partitions =
        report.partitions().iter().map(|part| Partition { name: &part.name, ..partition(part) });
    line(&File {
        file: file.display().to_string(),
        error: None,
        checked: Some(Checked {
            verdict: verdict_name(report.verdict()),
            model: model_name(summary.model),
            operations: read.operations.len(),
            milliseconds: took.as_secs_f64() * 1e3,
            unit: match read.unit {
                Unit::Nanoseconds => "ns",
                Unit::Positions => "positions",
            },
            partitions: partitions.collect(),
            weaker: summary.weaker.map(|weaker| Conditions {
                sequential: holds(weaker.sequential),
                read_your_writes: holds(weaker.read_your_writes),
                monotonic_reads: holds(weaker.monotonic_reads),
            }),
            explanation: summary.explanation.map(|found| Reason {
                partition: &found.partition,
                lines: found.operations.iter().map(|at| read.lines[*at]).collect(),
                smallest: found.smallest,
                text: &found.text,
            }),
        }),
    })
}

/// One line for programs about a file that cannot be checked.
pub(crate) fn error(file: &Path, error: &str) -> String {
    line(&File { file: file.display().to_string(), error: Some(error), checked: None })
}

fn line(file: &File<'_>) -> String {
    let mut line = serde_json::to_string(file).unwrap_or_default();
    line.push('\n');
    line
}
