//! A run as one self-contained page.
//!
//! Servers and clerks are lanes over virtual time. Lanes show roles and terms, saves, snapshots and
//! crashes. Arrows between lanes are messages, from sending to arrival or loss. Bars are operations
//! of clerks; operations that contradict each other are marked. The page opens at the failure. It
//! needs no network and no server; the key `?` lists its commands.
//!
//! ```text
//!   trace.jsonl ──▶ data.rs: calls, samples of states, marks, lines ──▶ JSON in page.html
//!   annotations, histories, the failure ─────┘        (bounded: what lies around the failure)
//! ```

mod data;

use events::Record;

use crate::Run;

const PAGE: &str = include_str!("page.html");
/// Where the data goes in the page.
const PLACE: &str = "/*DATA*/null";

/// Bytes that the data of a page may take, about.
pub const LIMIT: usize = 6_000_000;

/// The data of a page, as JSON: see [`page`].
pub fn data(run: &Run, records: impl Iterator<Item = Record>, cut: u64, limit: usize) -> String {
    data::json(run, records, cut, limit)
}

/// Draws a run from its events, of which the first `cut` are missing.
///
/// Of a long run, the page shows the part around its focus (else its end) that fits into about
/// `limit` bytes, and says what is left out.
pub fn page(run: &Run, records: impl Iterator<Item = Record>, cut: u64, limit: usize) -> String {
    let data = data::json(run, records, cut, limit);
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
