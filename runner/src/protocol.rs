//! What a test process reports of its runs: records, and lines for the `lab` command.
//!
//! With `LAB_REPORT=key`, a test binary reports on its standard output when a test or a run begins
//! and when it has ended. Such a line is the key, a space, and a [`Line`] as JSON. The key is
//! chosen by the `lab` command for each process, so that nothing else that is printed can be taken
//! for a report.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::settings::Backend;

/// One run, as `LAB_SUMMARY` and `run.json` hold it and as workers report it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunRecord {
    /// Name of the test's function.
    pub test: String,
    /// Package that the test belongs to.
    #[serde(rename = "crate")]
    pub package: String,
    /// Simulated or on threads.
    pub backend: Backend,
    /// The seed; `None` on threads.
    pub seed: Option<u64>,
    /// `pass`, `fail` or `inconclusive`.
    pub verdict: String,
    /// What stopped the run, if something did: `deadlock`, `task panic`, …
    pub kind: Option<String>,
    /// The broken invariant, or the source line of the panic or check; see [`Cause`](crate::Cause).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// First line of the report of a run that did not pass.
    pub what: Option<String>,
    /// Whether a second run was compared with this one.
    pub twice: bool,
    /// The first event in which the second run differed.
    pub divergence: Option<String>,
    /// Virtual time at the end, in seconds. Simulated runs only.
    pub virtual_s: Option<f64>,
    /// Wall-clock time, in seconds.
    pub wall_s: f64,
    /// CPU time, in seconds, where the system counts it.
    pub cpu_s: Option<f64>,
    /// RPCs of all clusters of the run.
    pub rpcs: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Operations that clients finished.
    pub ops: u64,
    /// Hash of all steps of a simulated run, 16 hexadecimal digits.
    pub trace_hash: Option<String>,
    /// How often a simulated task got the processor.
    pub switches: u64,
    /// The [marks](labrt::mark) that the run has reached, and how often.
    pub marks: BTreeMap<String, u64>,
}

/// One line of a test process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Line {
    /// A test begins.
    TestBegan { test: String },
    /// A test has ended, with all its runs.
    TestEnded {
        test: String,
        /// Whether all runs passed.
        passed: bool,
        /// Time of all runs on their own clock, in seconds.
        time_s: f64,
        /// RPCs of all runs.
        rpcs: u64,
    },
    /// A worker begins the run of this seed.
    RunBegan(u64),
    /// The run has ended.
    RunEnded(Box<RunRecord>),
    /// All marks that this process has declared, reached or not.
    Marks(Vec<String>),
}

impl Line {
    /// The line in `text`, if it is one with this key.
    #[must_use]
    pub fn parse(key: &str, text: &str) -> Option<Line> {
        serde_json::from_str(text.strip_prefix(key)?.strip_prefix(' ')?).ok()
    }

    /// Writes the line to standard output, on a line of its own.
    ///
    /// # Errors
    /// When standard output is closed: the reader is gone.
    pub(crate) fn send(&self, key: &str) -> io::Result<()> {
        let json = serde_json::to_string(self)?;
        // Not `println!`, which the test runner may capture. The test runner may have begun a line.
        let mut out = io::stdout().lock();
        writeln!(out, "\n{key} {json}")?;
        out.flush()
    }
}
