//! What failures of one cause have in common.

/// The first line of a failure's report without what differs from run to run: numbers become `#`,
/// quoted texts `"…"`, and the task and what follows a semicolon are left out. Two failures with
/// the same cause fail in the same way. At most some 300 characters.
#[must_use]
pub fn cause_of(report: &str) -> String {
    const LONGEST: usize = 300;
    let line = report.lines().next().unwrap_or_default();
    let (what, why) = match line.split_once(" in task #") {
        Some((what, rest)) => (what, rest.split_once(": ").map_or("", |(_, why)| why)),
        None => (line, ""),
    };
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    let text = what.to_owned() + why.split("; ").next().unwrap_or_default();
    let mut cause = String::new();
    let mut left = text.as_str();
    while let Some(first) = left.chars().next() {
        if cause.len() > LONGEST {
            cause.push('…');
            break;
        }
        let hex = left.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(left.len());
        let quoted = left.strip_prefix('"').and_then(|rest| rest.split_once('"'));
        if let Some((_, rest)) = quoted {
            cause.push_str("\"…\"");
            left = rest;
        } else if hex >= 12 && left[..hex].bytes().any(|byte| byte.is_ascii_digit()) {
            cause.push('#'); // a hash
            left = &left[hex..];
        } else if first.is_ascii_digit() {
            cause.push('#');
            let rest = left.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            // A full stop at the end of a number ends a sentence.
            let stop = left[..left.len() - rest.len()].ends_with('.');
            left = &left[left.len() - rest.len() - usize::from(stop)..];
        } else {
            cause.push(first);
            left = &left[first.len_utf8()..];
        }
    }
    cause
}
