//! What failures of one cause have in common.

use std::fmt;

/// The cause of a failure. Failures with equal causes fail in the same way.
///
/// It is recorded where the failure is reported, and never read from the text of a report: a text
/// can be reworded without changing which failures belong together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cause {
    /// What kind of failure: `deadlock`, `task panic`, `check`, …
    pub kind: String,
    /// The name of the broken invariant, or the source line of the panic or of the check that did
    /// not hold. `None` where the kind says it all.
    pub at: Option<String>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "{}: {at}", self.kind),
            None => f.write_str(&self.kind),
        }
    }
}
