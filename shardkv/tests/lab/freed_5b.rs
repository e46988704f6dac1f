//! What has moved is freed: in memory, also when the controller that moved it is gone before it
//! could say "delete".

use std::time::Duration;

use shardkv::Change;
use tester::lab_test;

use crate::harness::{KEYS, Sharded, Spread};

/// Bytes of all keys and values.
fn size(spread: &Spread) -> usize {
    spread.keys.iter().chain(&spread.values).map(String::len).sum()
}

/// Every server of every group holds what is its own, and nothing of what has moved; a group that
/// left holds nothing.
#[test]
fn moved_data_is_freed_5b() {
    lab_test!(|| {
        let s = Sharded::new("Test (5B): moved data is freed ...", true, None);
        let ck = s.kv.make_clerk();
        let spread = s.spread_puts(&ck);
        let gid = s.new_gid();
        assert!(s.join_groups(&s.sck, &[gid]));
        let config = s.sck.query().unwrap();
        for group in [1, gid] {
            let owned = spread.in_shards(|shard| config.gid_of(shard).get() == group);
            assert_eq!(s.data_bytes(group), [size(&owned); 3], "group {group}");
        }
        assert_eq!(s.leave(&s.sck, 1), Change::Done);
        labrt::sleep(Duration::from_millis(200)); // the followers, too
        assert_eq!(s.data_bytes(1), [0; 3], "group 1 has left");
        assert_eq!(s.data_bytes(gid), [size(&spread); 3]);
        s.check_all(&ck, &spread);
        s.finish();
    });
}

/// The disk follows although nobody writes any more: what has moved is not in the old group's
/// snapshot.
#[test]
fn moved_data_leaves_the_disk_5b() {
    lab_test!(|| {
        const MAX_RAFT_STATE: usize = 10_000;
        const VALUE: usize = 1000;
        let s =
            Sharded::new("Test (5B): moved data leaves the disk ...", true, Some(MAX_RAFT_STATE));
        let ck = s.kv.make_clerk();
        s.kv.spread_puts_size(&ck, KEYS, VALUE);
        let gid = s.new_gid();
        assert!(s.join_groups(&s.sck, &[gid]));
        assert_eq!(s.leave(&s.sck, 1), Change::Done);
        labrt::sleep(Duration::from_millis(200)); // the followers, too
        let disk = s.kv.cluster().group(1).snapshot_size();
        assert!(disk < MAX_RAFT_STATE, "group 1 has left and keeps a snapshot of {disk} bytes");
        s.finish();
    });
}

/// The group that gave is down when it should delete: the next controller has it done.
#[test]
fn deletion_is_made_up_for_5b() {
    lab_test!(|| {
        let s = Sharded::new("Test (5B): deletion is made up for ...", true, None);
        let ck = s.kv.make_clerk();
        let spread = s.spread_puts(&ck);
        let gid = s.new_gid();
        // The group that takes is down, so the change stands still after the first Freeze. Then the
        // group that gives goes down at about the time when it should delete; whenever that is,
        // nothing may be left in the end.
        s.start_group(gid);
        let (joins, sck) = (s.clone(), s.sck.clone());
        let joined = crate::harness::background(move || joins.join(&sck, gid));
        labrt::sleep(Duration::from_millis(labrt::random_range(0..60)));
        s.shutdown(1);
        labrt::sleep(Duration::from_secs(4));
        s.start_servers(1);
        assert_eq!(joined.recv(), Ok(Change::Done));
        s.controller().0.init_controller().unwrap();
        labrt::sleep(Duration::from_millis(200));
        let total = size(&spread);
        for i in 0..3 {
            assert_eq!(s.data_bytes(1)[i] + s.data_bytes(gid)[i], total, "server {i}");
        }
        s.check_all(&ck, &spread);
        s.finish();
    });
}
