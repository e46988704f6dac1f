//! Part 4A: submitting, with leaders that fail or are cut off.

use std::time::Duration;

use tester::lab_test;

use crate::counter::Request;
use crate::harness::{Fixture, PATIENCE, when_done};

/// Ten increments, one after the other, on all servers.
#[test]
fn basic_4a() {
    lab_test!(|| {
        let f = Fixture::new("Test RSM basic", None);
        for i in 0..10 {
            let value = f.inc();
            assert_eq!(value, i + 1, "expected {} instead of {value}", i + 1);
            f.check_counter(value, 3);
        }
        f.finish();
    });
}

/// Fifty submits at once, each executed exactly once.
#[test]
fn concurrent_4a() {
    lab_test!(|| {
        let f = Fixture::new("Test concurrent submit", None);
        for task in f.spawn(50, |f| {
            f.inc();
        }) {
            task.join().unwrap();
        }
        f.check_counter(50, 3);
        f.finish();
    });
}

/// The leader is cut off and comes back.
#[test]
fn leader_failure_4a() {
    lab_test!(|| {
        let f = Fixture::new("Test Leader Failure", None);
        let value = f.inc();
        f.check_counter(value, 3);
        let leader = f.disconnect_leader();
        let value = f.inc();
        f.check_counter(value, 2);
        f.group().connect_one(leader);
        f.check_counter(value, 3);
        f.finish();
    });
}

/// A leader in a minority keeps its callers waiting, and gives them up as soon as it hears of the
/// new term.
#[test]
fn leader_partition_4a() {
    lab_test!(|| {
        let f = Fixture::new("Test Leader Partition", None);
        let value = f.inc();
        f.check_counter(value, 3);
        let leader = f.raft_leader();
        let (majority, minority) = f.group().make_partition(leader);
        f.group().partition(&majority, &minority);
        let done = when_done(f.spawn(100, move |f| {
            let outcome = f.server(leader).submit(Request::Dec);
            assert!(outcome.is_err(), "submit in a minority succeeded");
        }));
        labrt::sleep(Duration::from_millis(10));
        let Some(crate::counter::Reply::Inc(value)) = f.one(Request::Inc, &majority) else {
            panic!("no increment in the majority");
        };
        let early = done.recv_timeout(Duration::from_secs(1));
        assert!(early.is_err(), "all submits in the minority returned while it was still cut off");
        f.group().connect_one(leader);
        let late = done.recv_timeout(Duration::from_secs(1));
        assert!(late.is_ok(), "submits still wait 1 s after the partition healed");
        f.check_counter(value, 3);
        f.finish();
    });
}

/// A shutdown ends a hundred submits.
#[test]
fn shutdown_4a() {
    lab_test!(|| {
        let f = Fixture::new("Test Shutdown", None);
        shut_down_under_load(&f);
        f.finish();
    });
}

/// A hundred submits, then a shutdown 20 ms later: all of them end in time.
pub fn shut_down_under_load(f: &Fixture) {
    let done = when_done(f.spawn(100, Fixture::null));
    labrt::sleep(Duration::from_millis(20));
    f.group().shutdown();
    let in_time = done.recv_timeout(PATIENCE + Duration::from_secs(1));
    assert!(in_time.is_ok(), "submits have not ended 11 s after the shutdown");
}
