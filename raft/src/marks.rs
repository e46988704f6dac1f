//! The marks of Raft's rules and of its disk, counted by labrt (see [`labrt::mark`]).

use std::sync::atomic::AtomicU64;

use raft_core::marks::{Mark, Marks};

labrt::marks! {
    /// What a restart may find on the disk.
    pub(crate) enum DiskMark in "raft" {
        TornWrite = "restart finds a torn last write",
        LogBehindSnapshot = "restart finds a log that overlaps its snapshot",
    }
}

const RULES: usize = Mark::ALL.len();

static TEXTS: [&str; RULES] = {
    let mut texts = [""; RULES];
    let mut at = 0;
    while at < RULES {
        texts[at] = Mark::ALL[at].text();
        at += 1;
    }
    texts
};
static COUNTS: [AtomicU64; RULES] = [const { AtomicU64::new(0) }; RULES];
static OF_RULES: labrt::mark::Marks = labrt::mark::Marks::new(&TEXTS, &COUNTS);

/// Makes all of them known, so that those never reached can be named.
pub(crate) fn declare() {
    OF_RULES.declare();
    DiskMark::declare();
}

/// Counts the marks that a step of the core has reached.
pub(crate) fn reach(marks: Marks) {
    marks.iter().for_each(|mark| OF_RULES.reach(mark as usize));
}
