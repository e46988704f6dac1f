//! Failures by cause: two first lines that differ in their numbers only are one cause.

use std::collections::BTreeMap;

use crate::report::Failure;

/// Failures of one cause, those with the lowest seeds first.
pub struct Cause<'a> {
    /// Kind and first line, numbers replaced.
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

/// What two failures of one cause have in common.
pub fn cause_of(failure: &Failure) -> String {
    let text = normalised(&failure.what);
    // Reports of runs begin with their kind.
    if text.starts_with(&failure.kind) { text } else { format!("{}: {text}", failure.kind) }
}

/// `text` with every number as `#`, so also the digits of a time, a seed or a hash. Bounded: a value can be very long.
fn normalised(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut out = String::new();
    let mut left = text;
    while let Some(first) = left.chars().next() {
        if out.len() > LONGEST {
            out.push('…');
            break;
        }
        let number = left.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(left.len());
        let word = &left[..number];
        let decimal = left.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(left.len());
        if number >= 12 && word.bytes().any(|byte| byte.is_ascii_digit()) {
            out.push('#');
            left = &left[number..];
        } else if first.is_ascii_digit() {
            out.push('#');
            // A full stop at the end of a number ends a sentence.
            left =
                left[..decimal].strip_suffix('.').map_or(&left[decimal..], |it| &left[it.len()..]);
        } else {
            out.push(first);
            left = &left[first.len_utf8()..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(test: &str, seed: u64, kind: &str, what: &str) -> Failure {
        Failure {
            package: "raft".to_owned(),
            test: test.to_owned(),
            lab: "3c".to_owned(),
            seed,
            kind: kind.to_owned(),
            what: what.to_owned(),
            detail: Vec::new(),
            trace_hash: None,
        }
    }

    #[test]
    fn numbers_do_not_make_a_cause() {
        assert_eq!(normalised("S1 T12 at 1.700401 s (seed 17)."), "S# T# at # s (seed #).");
        assert_eq!(normalised("trace 081e8e74061d2d52 ends at 3."), "trace # ends at #.");
        assert_eq!(normalised("a face, a decade"), "a face, a decade");
        assert_eq!(normalised("größer als 3"), "größer als #");
        assert!(normalised(&"x".repeat(10_000)).chars().count() < 310);
    }

    #[test]
    fn the_most_frequent_cause_comes_first() {
        let failures = [
            failure("a", 9, "deadlock", "deadlock at 1.0 s (seed 9): nothing can run"),
            failure("b", 5, "task panic", "task panic at 2.5 s (seed 5): index 7"),
            failure("a", 4, "task panic", "task panic at 0.1 s (seed 4): index 12"),
            failure("a", 4, "killed", "signal 6"),
        ];
        let causes = by_cause(&failures);
        let texts: Vec<&str> = causes.iter().map(|cause| cause.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "task panic at # s (seed #): index #",
                "deadlock at # s (seed #): nothing can run",
                "killed: signal #"
            ]
        );
        let seeds: Vec<u64> = causes[0].failures.iter().map(|failure| failure.seed).collect();
        assert_eq!(seeds, [4, 5]);
    }
}
