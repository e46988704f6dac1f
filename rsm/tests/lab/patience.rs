//! Callers that do not wait for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rsm::SubmitError;
use tester::{Backend, TestOptions, lab_test};

use crate::counter::{Reply, Request};
use crate::harness::Fixture;

/// A leader that is cut off cannot know of another one. It lets its callers go when their time is over, and forgets them.
#[test]
fn a_caller_of_a_leader_that_is_cut_off_is_let_go() {
    lab_test!(|| {
        const PATIENCE: Duration = Duration::from_millis(500);
        let f = Fixture::new("Test submit with patience", None);
        f.inc();
        let leader = f.raft_leader();
        let (majority, minority) = f.group().make_partition(leader);
        f.group().partition(&majority, &minority);
        let begun = labrt::now();
        let outcome = f.server(leader).submit_within(PATIENCE, Request::Dec);
        assert_eq!(outcome, Err(SubmitError::TimedOut));
        assert!(begun.elapsed() >= PATIENCE, "it gave up after {:?}", begun.elapsed());
        assert!(begun.elapsed() < 2 * PATIENCE, "it took {:?}", begun.elapsed());
        // The entry is overwritten; the same place in the log then belongs to another caller.
        let Some(Reply::Inc(value)) = f.one(Request::Inc, &majority) else {
            panic!("no increment in the majority");
        };
        f.group().connect_all();
        f.check_counter(value, 3);
        assert_eq!(f.inc(), value + 1);
        f.finish();
    });
}

/// Callers wait without a task and without a thread each: on threads, ten thousand of them on a leader
/// that is cut off cost a few threads. All of them are told when the server goes down.
#[test]
fn ten_thousand_callers_wait_without_threads() {
    const CALLERS: usize = 10_000;
    const THREADS: usize = 64;
    // Where the system does not show them, nothing is measured.
    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    let outcome = tester::run(Backend::Threads, 1, &TestOptions::default(), move || {
        let f = Fixture::new("Test many callers that wait", None);
        f.inc();
        let leader = f.raft_leader();
        f.group().disconnect_all(leader);
        let server = f.server(leader);
        let told = Arc::new(AtomicUsize::new(0));
        let before = threads();
        for _ in 0..CALLERS {
            let told = Arc::clone(&told);
            server.submit_then(None, Request::Null, move |outcome| {
                assert!(outcome.is_err(), "a leader that is cut off has executed something");
                told.fetch_add(1, Ordering::SeqCst);
            });
        }
        let more = threads().saturating_sub(before);
        assert!(more < THREADS, "{more} more threads with {CALLERS} callers");
        server.kill();
        let begun = labrt::now();
        while told.load(Ordering::SeqCst) < CALLERS && begun.elapsed() < Duration::from_secs(10) {
            labrt::sleep(Duration::from_millis(10));
        }
        assert_eq!(told.load(Ordering::SeqCst), CALLERS, "callers that were told");
        f.finish();
    });
    assert!(outcome.verdict.is_pass(), "{}", outcome.verdict.report());
}
