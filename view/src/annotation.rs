//! Items on the time line of a run: faults, checks, notes of a test. One JSON object a line.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The row of the faults of a schedule.
pub const NEMESIS_ROW: &str = "$ Nemesis";

/// What an annotation is about; viewers show it as a colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// About the test.
    Info,
    /// A check without a result.
    Neutral,
    /// A check that held.
    Success,
    /// A check that did not hold.
    Failure,
    /// A fault that was made on purpose.
    Fault,
    /// Anything a test wants to say.
    User,
}

impl Kind {
    /// The background colour in pictures.
    pub fn colour(self) -> &'static str {
        match self {
            Kind::Info => "#FAFAFA",
            Kind::Neutral => "#FFECB3",
            Kind::Success => "#C8E6C9",
            Kind::Failure => "#FFCDD2",
            Kind::Fault => "#B3E5FC",
            Kind::User => "#FFF176",
        }
    }
}

/// One item on the time line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Annotation {
    /// The row it is drawn in.
    pub tag: String,
    /// When it began, in ns.
    pub start: u64,
    /// When it ended, in ns; `None` for a point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u64>,
    /// Short text.
    pub text: String,
    /// Long text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
    /// What it is about.
    pub kind: Kind,
}

/// Reads a file of annotations.
///
/// # Errors
/// When the file cannot be read or a line is not an annotation.
pub fn read(path: &Path) -> io::Result<Vec<Annotation>> {
    let lines = BufReader::new(File::open(path)?).lines();
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}
