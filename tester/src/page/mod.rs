//! A run as one self-contained page.
//!
//! Servers and clerks are lanes over virtual time. On them lie roles and terms, saves, snapshots, crashes; between them the messages, each
//! from when it left to when it came, or to where it was lost; below them the operations of clerks, the contradicting ones marked. The
//! page opens at the failure. It needs no network and no server; what it can do is written under its `?`.
//!
//! ```text
//!   trace.jsonl ──▶ data.rs: calls, samples of states, marks, lines ──▶ JSON in page.html
//!   annotations, histories, the failure ─────┘        (bounded: what lies around the failure)
//! ```

mod data;

use crate::annotations::Annotation;
use crate::kv::Op;
use crate::trace::Event;

const PAGE: &str = include_str!("page.html");
/// Where the data goes in the page.
const PLACE: &str = "/*DATA*/null";

/// Bytes that the data of a page may take, about.
pub const LIMIT: usize = 6_000_000;

/// What is drawn.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Run {
    /// The heading: test and seed.
    pub title: String,
    /// `pass`, `fail` or `inconclusive`.
    pub verdict: String,
    /// What went wrong, in several lines.
    pub report: String,
    /// Faults and checks.
    pub annotations: Vec<Annotation>,
    /// Operations of recorded clerks.
    pub ops: Vec<Op>,
    /// Places in `ops` of those that contradict each other.
    pub marked: Vec<usize>,
    /// Where to open the page, in nanoseconds; else it shows everything.
    pub focus: Option<u64>,
    /// What ended the run, if something did.
    pub failure: Option<Failure>,
}

/// The moment a run was stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// When, in nanoseconds.
    pub t: u64,
    /// Where; empty if nowhere in particular.
    pub node: String,
    /// One line.
    pub what: String,
}

/// Draws a run from its events, of which the first `cut` are missing. Of a long one, what lies around its focus (else its end), in about `limit` bytes; the page says what is left out.
pub fn page(run: &Run, events: impl Iterator<Item = Event>, cut: u64, limit: usize) -> String {
    let data = data::json(run, events, cut, limit);
    let (before, after) = PAGE.split_once(PLACE).expect("the page has a place for its data");
    [before, &data, after].concat()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_has_one_place_for_its_data() {
        assert_eq!(super::PAGE.matches(super::PLACE).count(), 1);
    }
}
