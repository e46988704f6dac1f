//! Failures by cause: two first lines that differ in their numbers only are one cause.

use std::collections::BTreeMap;

use crate::report::Failure;

/// Failures of one cause, those with the lowest seeds first.
pub struct Cause<'a> {
    /// See [`cause_of`].
    pub text: String,
    pub failures: Vec<&'a Failure>,
}

/// The causes, the most frequent first.
pub fn by_cause(failures: &[Failure]) -> Vec<Cause<'_>> {
    let mut groups: BTreeMap<String, Vec<&Failure>> = BTreeMap::new();
    for failure in failures {
        groups.entry(cause_of(failure)).or_default().push(failure);
    }
    let mut causes: Vec<Cause<'_>> =
        groups.into_iter().map(|(text, failures)| Cause { text, failures }).collect();
    for cause in &mut causes {
        cause.failures.sort_by_key(|failure| (&failure.package, &failure.test, failure.seed));
    }
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.failures.len()));
    causes
}

/// The cause of one failure: its kind, and its [text](runner::cause_of).
pub fn cause_of(failure: &Failure) -> String {
    let text = runner::cause_of(&failure.what);
    // Reports of runs begin with their kind.
    if text.starts_with(&failure.kind) { text } else { format!("{}: {text}", failure.kind) }
}
