//! Failures of one cause, and of different ones.

use runner::cause_of;

#[test]
fn what_differs_from_run_to_run_makes_no_cause() {
    let report = "invariant broken at 1.700401 s (seed 1) in task #119 server-0-1/raft-call: \
                  commit rule: group 0, S1: T3 \"x\"\n  #0 …";
    let cause = "invariant broken at # s (seed #): commit rule: group #, S#: T# \"…\"";
    assert_eq!(cause_of(report), cause);
    let report = "task panic at 5.7 s (seed 1) in task #0 test/root: \
                  no order of \"k1\" explains it; at client 0: get('k1')";
    assert_eq!(cause_of(report), "task panic at # s (seed #): no order of \"…\" explains it");
    assert_eq!(cause_of("trace 081e8e74061d2d52 ends at 3."), "trace # ends at #.");
    assert_eq!(cause_of("a face, a decade; größer"), "a face, a decade; größer");
    assert_eq!(cause_of("an open \" quote"), "an open \" quote");
    assert_eq!(cause_of(""), "");
    assert!(cause_of(&"x".repeat(10_000)).chars().count() < 310);
}

#[test]
fn different_failures_have_different_causes() {
    let election = "invariant broken at 1.7 s (seed 1) in task #1 x/y: election safety: T3";
    let commit = "invariant broken at 1.7 s (seed 1) in task #1 x/y: commit rule: T3";
    assert_ne!(cause_of(election), cause_of(commit));
    assert_ne!(cause_of("deadlock at 1 s: a"), cause_of("time limit at 1 s: a"));
}
