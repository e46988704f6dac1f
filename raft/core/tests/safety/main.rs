//! Cores in a world that loses, repeats and reorders what they say, and crashes them at the worst
//! moments; after every step the five properties of the paper's Figure 3 are checked.
//!
//! Everything is drawn from one seed. A failure prints it; `LAB_SEED=n cargo test -p raft --test
//! safety` runs that one alone, `LAB_SEEDS=n` the first n.

#![forbid(unsafe_code)]
#![allow(unreachable_pub, reason = "the parts of one test binary")]

mod chance;
#[path = "../figure2/disk.rs"]
mod disk;
mod figure3_properties;
mod random_orders;
