//! Errors of use: one, before anything is built, in the words that the user typed.

use super::{command, text};

/// `make`: whether a target of the Makefile runs the command.
fn error(make: bool, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = command(make, arguments);
    // A build would fail, and say so.
    let output = command.envs(variables.iter().copied()).env("CARGO", "/bin/false").output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output));
    let text = text(&output);
    assert_eq!(text.lines().count(), 1, "{text}");
    text.trim_end().to_owned()
}

#[test]
fn values_without_a_meaning() {
    let range = |least| format!("must be a whole number from {least} to 18446744073709551615");
    let made = |arguments: &[&str]| error(true, arguments, &[]);
    assert_eq!(made(&["test", "3a", "--seed", "abc"]), format!("SEED=abc: {}", range(0)));
    assert_eq!(made(&["test", "3a", "--seeds", "0"]), format!("SEEDS=0: {}", range(1)));
    let threads = "BACKEND=thread: must be sim or threads";
    assert_eq!(made(&["test", "3a", "--backend", "thread"]), threads);
    assert_eq!(made(&["sweep", "--lab", "3a", "--backend", "thread"]), threads);
    let typed = error(false, &["test", "3a", "--seed", "abc"], &[]);
    assert_eq!(typed, format!("--seed abc: {}", range(0)));
    let minutes = made(&["sweep", "--lab", "3a", "--minutes", "-1"]);
    assert_eq!(minutes, "MINUTES=-1: must be a number, not less than 0");
    let part = made(&["sweep", "--lab", "3a", "--part", "3/2"]);
    assert_eq!(part, "PART=3/2: must be like 2/8, from 1/8 to 8/8");
    let beyond = "FIRST=18446744073709551615 with SEEDS=100 goes beyond the largest seed";
    assert_eq!(made(&["sweep", "--lab", "3a", "--first", "18446744073709551615"]), beyond);
}

#[test]
fn parts_that_do_not_exist() {
    let parts = "2, 3a, 3b, 3c, 3d, 4a, 4b, 4c, 5a, 5b, 5c, kv3a, kv3b, kvlimit1, nemesis or all";
    let unknown = error(true, &["sweep", "--lab", "9"], &[]);
    assert_eq!(
        unknown,
        format!("LAB=9: there is no part 9: take one of {parts}, a range or a list")
    );
    let empty = error(false, &["sweep", "--lab", "4c-3a"], &[]);
    assert_eq!(empty, "--lab 4c-3a: 4c-3a is an empty range");
    assert_eq!(error(false, &["sweep"], &[]), format!("which tests? Give --lab {parts}"));
    let merge = error(true, &["merge", "/nonexistent.json"], &[]);
    assert!(merge.starts_with("cannot read /nonexistent.json"), "{merge}");
}

/// The Makefile knows the parts and the crates, to find a mistake before anything is built.
#[test]
fn the_makefile_names_all_parts_and_crates() {
    let output = command(true, &["test", "9z"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output);
    let makefile = include_str!("../../../Makefile");
    let words = |name: &str| {
        let line = makefile.lines().find_map(|line| line.strip_prefix(name));
        let mut words: Vec<&str> = line.unwrap().split(' ').filter(|it| !it.is_empty()).collect();
        words.sort_unstable();
        words.join(", ")
    };
    let list = |before: &str, after: &str| {
        let list = error.split(before).nth(1).unwrap().split(after).next().unwrap().trim();
        let mut names: Vec<&str> = list.split(", ").filter(|name| *name != "benches").collect();
        names.sort_unstable();
        names.join(", ")
    };
    assert_eq!(words("PARTS := "), list("take one of ", " or all"));
    assert_eq!(words("CRATES := "), list("or a crate: ", "\n"));
}

#[test]
fn outputs_that_cannot_be_written() {
    let json = error(true, &["sweep", "--lab", "3a", "--json", "/nonexistent/x.json"], &[]);
    assert!(json.starts_with("cannot write /nonexistent/x.json: "), "{json}");
    let summary = [("LAB_SUMMARY", "/nonexistent/x.jsonl")];
    let summary = error(true, &["test", "3a"], &summary);
    assert!(
        summary.starts_with("LAB_SUMMARY=/nonexistent/x.jsonl: cannot be written"),
        "{summary}"
    );
    let seed = error(true, &["test", "3a"], &[("LAB_SEED", "x")]);
    assert!(seed.starts_with("LAB_SEED must be a whole number"), "{seed}");
}

/// A build that fails is the last word.
#[test]
fn a_build_error_is_no_pass() {
    let build = error(true, &["test", "3a"], &[]);
    assert_eq!(build, "the tests could not be built");
}

/// The Makefile finds most mistakes itself, and hands values on as single words.
#[test]
fn make_checks_and_quotes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let make = |arguments: &[&str]| {
        let mut make = std::process::Command::new("make");
        make.args(["-C", folder, "--no-print-directory"]).args(arguments);
        make.env_remove("MAKELEVEL").env_remove("MAKEFLAGS");
        make.output().ok().map(|output| (output.status.success(), text(&output)))
    };
    if make(&["--version"]).is_none() {
        eprintln!("skipped: there is no make");
        return;
    }
    for (arguments, expected) in [
        (["test-9z", ""], "there is no part or crate \"9z\": take one of 2 3a 3b "),
        (["test-3a", "SEED=abc"], "SEED must be a whole number, not \"abc\""),
        (["test-3a", "SEEDS=0"], "SEEDS must be at least 1, not 0"),
        (["test-3a", "BACKEND=thread"], "BACKEND must be sim or threads, not \"thread\""),
        (["sweep", "JOBS=x"], "JOBS must be a whole number, not \"x\""),
    ] {
        let arguments: Vec<&str> = arguments.into_iter().filter(|it| !it.is_empty()).collect();
        let (success, text) = make(&arguments).unwrap();
        assert!(!success && text.contains(expected), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    let (_, text) = make(&["-n", "test-3a", "TEST=it's; exit", "SEED=7"]).unwrap();
    assert_eq!(
        text.split_whitespace().collect::<Vec<_>>().join(" "),
        r"cargo run --quiet --package lab -- test 3a --test 'it'\''s; exit' --seed '7'"
    );
}
