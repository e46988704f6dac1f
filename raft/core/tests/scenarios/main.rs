//! Scenarios: short scripts that a group of servers plays on the pure core, with recorded output.
//!
//! Each file of `scripts/` is a scenario, readable without knowing Rust; `README.md` lists the
//! commands. After every command the runner checks the properties of Figure 3, so a recorded output
//! can never contain an unsafe run. This rewrites the recorded output; read the diff afterwards:
//!
//! ```console
//! $ UPDATE_GOLDENFILES=1 cargo test -p raft-core --test scenarios
//! ```

mod commands;
mod group;
mod show;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use commands::Script;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/scripts")
}

/// Declares one test for each script and remembers the names.
macro_rules! scenarios {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        fn $name() -> std::io::Result<()> {
            let script = folder().join(concat!(stringify!($name), ".txt"));
            goldenscript::run(&mut Script::default(), script)
        })*
    };
}

scenarios! {
    election
    split_vote
    one_vote_a_term
    vote_needs_an_up_to_date_log
    replication
    lost_messages
    duplicates_and_reordering
    deposed_leader
    old_leader_returns
    returning_server_starts_an_election
    pre_vote_spares_the_leader
    check_quorum_ends_a_leadership
    back_up_past_a_short_log
    back_up_over_an_unknown_term
    back_up_to_a_known_term
    figure_7
    figure_8_commit_waits
    figure_8_entry_overwritten
    figure_8_own_term_commits
    snapshot_for_a_slow_follower
    snapshot_over_a_conflicting_log
    no_snapshot_for_a_lost_answer
    snapshot_that_is_not_newer
    crash_between_two_saves
    crash_before_a_vote_is_saved
    read_confirmed_by_a_majority
    read_of_a_new_leader
    read_of_a_deposed_leader
    single_server
}

#[test]
fn every_script_is_played() {
    let files = std::fs::read_dir(folder()).expect("the folder of the scripts");
    let names: BTreeSet<String> = files
        .map(|file| file.expect("a file").path())
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, NAMES.iter().map(|name| (*name).to_owned()).collect());
}
