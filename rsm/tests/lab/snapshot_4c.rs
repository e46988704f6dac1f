//! Part 4C: the log stays short, and a restart goes on from the snapshot.

use tester::lab_test;

use crate::harness::Fixture;

/// Bytes at which servers take snapshots.
const MAX_RAFT_STATE: usize = 1000;

#[test]
fn snapshot_4c() {
    lab_test!(|| {
        let f = Fixture::new("Test creating and restoring snapshot", Some(MAX_RAFT_STATE));
        for _ in 0..100 {
            f.inc();
        }
        f.check_counter(100, 3);
        let size = f.group().log_size();
        assert!(
            size <= 2 * MAX_RAFT_STATE,
            "logs were not trimmed ({size} > {})",
            2 * MAX_RAFT_STATE
        );
        f.group().shutdown();
        f.group().start_servers();
        f.inc();
        f.check_counter(101, 3);
        f.finish();
    });
}
