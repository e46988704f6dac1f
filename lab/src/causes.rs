//! Failures by cause.

use std::collections::BTreeMap;

use runner::Cause;

use crate::report::Failure;

/// The failures of each cause, those with the lowest seeds first; the most frequent cause first.
pub fn by_cause(failures: &[Failure]) -> Vec<(Cause, Vec<&Failure>)> {
    let mut groups: BTreeMap<Cause, Vec<&Failure>> = BTreeMap::new();
    for failure in failures {
        groups.entry(failure.cause()).or_default().push(failure);
    }
    let mut causes: Vec<(Cause, Vec<&Failure>)> = groups.into_iter().collect();
    for (_, failures) in &mut causes {
        failures.sort_by_key(|failure| (&failure.package, &failure.test, failure.seed));
    }
    causes.sort_by_key(|(_, failures)| std::cmp::Reverse(failures.len()));
    causes
}
