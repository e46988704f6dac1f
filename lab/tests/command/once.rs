//! `lab test`.

use std::process::Output;

use super::{command, misbehaving, text};

/// `lab test` on the misbehaving tests.
fn test(filter: &str, arguments: &[&str]) -> (Output, String) {
    let this = std::env::current_exe().unwrap();
    let mut all = vec!["test", "--binary", this.to_str().unwrap(), "--test", filter];
    all.extend(arguments);
    let output = command(true, &all).output().unwrap();
    let text = text(&output);
    (output, text)
}

#[test]
fn a_pass() {
    let (output, text) = test("misbehaving::counts_its_runs", &["--seed", "3"]);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(text, "PASS: 1 tests passed, 0 failed; 0.0 s of cluster time, 0 RPCs\n");
}

#[test]
fn a_failure_ends_with_the_way_to_repeat_it() {
    let seed = super::bad_seeds()[0].to_string();
    let (output, text) = test("misbehaving::panics", &["--seed", &seed]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("FAIL panics (seed {seed}): task panic")), "{text}");
    assert!(text.contains(&format!("repeat with: make test TEST=panics SEED={seed}\n")), "{text}");
    assert!(text.contains("FAIL: 0 tests passed, 1 failed"), "{text}");
}

/// Code under test that ends its process, with whatever exit code, has not passed.
#[test]
fn a_process_that_ends_early_is_no_pass() {
    let (output, text) = test("misbehaving::exits_with_0", &[]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("before 1 tests had: exits_with_0"), "{text}");
    assert!(text.contains("FAIL: 0 tests passed, 1 failed"), "{text}");
    // A plain test is known to have begun only by what the test runner prints.
    let (output, text) = test("misbehaving::is_plain_and_exits_with_0", &[]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let expected = "(exit code 0) before 1 tests had: misbehaving::is_plain_and_exits_with_0";
    assert!(text.contains(expected), "{text}");
    // Nor if it prints what the test runner prints at the end of a success.
    let (output, text) = test("misbehaving::forges_a_result", &[]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("FAIL: 0 tests passed, 1 failed"), "{text}");
}

#[test]
fn a_filter_without_a_test_names_similar_ones() {
    let (output, text) = test("overflow_its_stack", &[]);
    assert_eq!(output.status.code(), Some(2), "{text}");
    let expected = "TEST=overflow_its_stack: no test has this in its name; \
                    similar: overflows_its_stack";
    assert!(text.starts_with(expected), "{text}");
    let (output, text) = test("$(exit 0) '\"", &[]);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("no test has this in its name; there are "), "{text}");
}

/// On threads, under many seeds.
#[test]
fn the_variables_reach_the_tests() {
    let (output, text) = test("misbehaving::prints_its_back_end", &["--backend", "threads"]);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("the seed is None\n"), "{text}");
    let (_, text) = test("misbehaving::prints_its_back_end", &["--seed", "77"]);
    assert!(text.contains("the seed is Some(77)\n"), "{text}");
    let (_, text) = test("misbehaving::prints_its_back_end", &["--seeds", "5"]);
    assert!(text.contains("prints_its_back_end: 5 seeds, 5 passed; 0 RPCs"), "{text}");
    assert_ne!(misbehaving::VARIABLE, "");
}
