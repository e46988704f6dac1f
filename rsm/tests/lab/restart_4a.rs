//! Part 4A: after a restart the log is replayed, and completes no submit of the new life.

use std::time::Duration;

use tester::lab_test;

use crate::harness::Fixture;
use crate::submit_4a::shut_down_under_load;

const INCREMENTS: u64 = 100;

/// A hundred increments, a restart of all servers, one more.
fn increments_and_restart(f: &Fixture) {
    for i in 0..INCREMENTS {
        let value = f.inc();
        assert_eq!(value, i + 1, "expected {} instead of {value}", i + 1);
        f.check_counter(value, 3);
    }
    f.group().shutdown();
    labrt::sleep(Duration::from_secs(1));
    f.group().start_servers();
    let value = f.inc();
    assert_eq!(value, INCREMENTS + 1, "expected {} instead of {value}", INCREMENTS + 1);
    labrt::sleep(Duration::from_secs(1));
}

/// The replayed log gives the state back, once.
#[test]
fn restart_replay_4a() {
    lab_test!(|| {
        let f = Fixture::new("Test Restart", None);
        increments_and_restart(&f);
        f.check_counter(INCREMENTS + 1, 3);
        f.finish();
    });
}

/// The same, with submits under way at a second shutdown.
#[test]
fn restart_submit_4a() {
    lab_test!(|| {
        let f = Fixture::new("Test Restart and submit", None);
        increments_and_restart(&f);
        shut_down_under_load(&f);
        f.group().start_servers();
        let value = f.inc();
        f.check_counter(value, 3);
        f.finish();
    });
}
