//! One JSON object a run, for make's summary line and for scripts that compare trace hashes.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use labrt::sim::Divergence;
use serde::Serialize;

use super::entry::TestId;
use super::runs::Outcome;

#[derive(Serialize)]
struct Line<'a> {
    test: &'a str,
    #[serde(rename = "crate")]
    package: &'a str,
    backend: String,
    seed: Option<u64>,
    verdict: &'static str,
    /// Which kind of failure, and the first line of its report.
    kind: Option<String>,
    what: Option<&'a str>,
    /// Whether there was a second run to compare with, and where that one parted.
    twice: bool,
    divergence: Option<String>,
    virtual_s: Option<f64>,
    wall_s: f64,
    cpu_s: Option<f64>,
    rpcs: u64,
    bytes: u64,
    ops: u64,
    trace_hash: Option<String>,
    switches: u64,
    /// The marks that were reached.
    marks: BTreeMap<&'a str, u64>,
}

/// The line of this run. `second`: what comparing it with a second run gave, if there was one.
///
/// # Errors
/// When a figure cannot be written as JSON.
pub(crate) fn line(
    test: &TestId,
    outcome: &Outcome,
    second: Option<Option<Divergence>>,
) -> serde_json::Result<String> {
    let reached = outcome.marks.iter().filter(|(_, count)| **count > 0);
    let simulated = outcome.trace_hash.is_some();
    serde_json::to_string(&Line {
        test: test.name(),
        package: test.package(),
        backend: outcome.backend.to_string(),
        seed: outcome.seed,
        verdict: outcome.verdict.word(),
        kind: outcome.kind.map(|kind| kind.to_string()),
        what: outcome.verdict.report().lines().next(),
        twice: second.is_some(),
        divergence: second.flatten().map(|divergence| divergence.to_string()),
        virtual_s: simulated.then_some(outcome.time.as_secs_f64()),
        wall_s: outcome.wall.as_secs_f64(),
        cpu_s: outcome.cpu.map(|cpu| cpu.as_secs_f64()),
        rpcs: outcome.rpcs,
        bytes: outcome.bytes,
        ops: outcome.ops,
        trace_hash: outcome.trace_hash.map(|hash| format!("{hash:016x}")),
        switches: outcome.switches,
        marks: reached.map(|(name, count)| (*name, *count)).collect(),
    })
}

/// Appends the line of this run to the file.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn append(path: &Path, test: &TestId, outcome: &Outcome) -> io::Result<()> {
    let mut text = line(test, outcome, None)?;
    text.push('\n');
    // One write a line: tests of several processes append to the same file.
    OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}
