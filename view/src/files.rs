//! The folder of a run, and the page drawn from it.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::annotation::{self, Annotation};
use crate::history::{self, Op};
use crate::page::{LIMIT, page};
use crate::trace::{Records, TRACE_FILE};

/// Test, seed, verdict and failure of the run.
pub const RUN_FILE: &str = "run.json";
/// The page of the run.
pub const PAGE_FILE: &str = "run.html";

/// What is shown besides the events.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Run {
    /// The heading: test and seed.
    pub title: String,
    /// `pass`, `fail` or `inconclusive`.
    pub verdict: String,
    /// What went wrong, in several lines.
    pub report: String,
    /// Where to open the page, in nanoseconds; without it, the page shows the whole run.
    pub focus: Option<u64>,
    /// What ended the run, if something did.
    pub failure: Option<Failure>,
    /// The files of histories in the folder.
    pub histories: Vec<HistoryFile>,
    /// The names of the files of annotations in the folder.
    pub annotation_files: Vec<String>,
    /// Faults and checks, read from those files.
    #[serde(skip)]
    pub annotations: Vec<Annotation>,
    /// Operations of clerks, read from the histories in order.
    #[serde(skip)]
    pub ops: Vec<Op>,
    /// The indexes in `ops` of operations that contradict each other.
    #[serde(skip)]
    pub marked: Vec<usize>,
}

/// A history in the folder of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct HistoryFile {
    /// The name of the file.
    pub file: String,
    /// The lines, from 0, with operations that contradict each other.
    #[serde(default)]
    pub marked: Vec<usize>,
}

/// The moment at which a run was stopped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// When, in nanoseconds.
    pub t: u64,
    /// On which node; empty if on none in particular.
    pub node: String,
    /// What happened, in one line.
    pub what: String,
}

impl Run {
    /// Writes `run.json`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        std::fs::write(folder.join(RUN_FILE), serde_json::to_string_pretty(self)?)
    }

    /// Reads `run.json`, and the annotations and histories it names.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read(folder: &Path) -> io::Result<Run> {
        let mut run: Run = serde_json::from_str(&std::fs::read_to_string(folder.join(RUN_FILE))?)?;
        for file in &run.annotation_files {
            run.annotations.extend(annotation::read(&folder.join(file))?);
        }
        for HistoryFile { file, marked } in &run.histories {
            let ops = history::read(&folder.join(file))?;
            run.marked.extend(marked.iter().map(|line| run.ops.len() + line));
            run.ops.extend(ops);
        }
        Ok(run)
    }
}

/// Draws the page of the run in `folder`, and returns where it is.
///
/// # Errors
/// When a file cannot be read or written.
pub fn draw(folder: &Path) -> io::Result<PathBuf> {
    let run = Run::read(folder)?;
    let records = Records::open(&folder.join(TRACE_FILE))?;
    let cut = records.cut();
    let mut broken = None;
    let whole = records.map_while(|record| record.map_err(|error| broken = Some(error)).ok());
    let html = page(&run, whole, cut, LIMIT);
    if let Some(error) = broken {
        return Err(error);
    }
    let path = folder.join(PAGE_FILE);
    std::fs::write(&path, html)?;
    Ok(path)
}
