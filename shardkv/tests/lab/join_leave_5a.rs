//! Part 5A: groups join and leave.

use shardkv::{Change, Gid};
use tester::lab_test;

use crate::harness::{GROUPS, KEYS, Sharded, Spread};

/// Half of the keys move to a second group, and only half.
#[test]
fn join_basic_5a() {
    lab_test!(|| {
        let s = Sharded::new("Test (5A): a group joins...", true, None);
        let ck = s.kv.make_clerk();
        let spread = s.spread_puts(&ck);
        let before = s.sck.query().unwrap();
        let gid = s.new_gid();
        assert!(s.join_groups(&s.sck, &[gid]));
        let after = s.sck.query().unwrap();
        assert_eq!(after.num(), before.num().next());
        assert!(after.is_member(Gid::new(gid)));
        s.check_shutdown_sharding(1, &spread);
        s.check_all(&ck, &spread);
        s.check_shutdown_sharding(gid, &spread);
        s.check_all(&ck, &spread);
        s.finish();
    });
}

/// What has moved is gone from the disk of the group it left.
#[test]
fn delete_basic_5a() {
    lab_test!(|| {
        const MAX_RAFT_STATE: usize = 10_000;
        const VALUE: usize = 1000;
        let s = Sharded::new("Test (5A): delete ...", true, Some(MAX_RAFT_STATE));
        let ck = s.kv.make_clerk();
        let (keys, values) = s.kv.spread_puts_size(&ck, KEYS, VALUE);
        let spread = Spread { keys, values };
        let size = |gid| s.kv.cluster().group(gid).snapshot_size();
        let before = size(1);
        let gid = s.new_gid();
        assert!(s.join_groups(&s.sck, &[gid]));
        for _ in 0..5 {
            s.check_all(&ck, &spread);
        }
        let (after, limit) = (size(1) + size(gid), before + MAX_RAFT_STATE);
        assert!(after <= limit, "{after} bytes of snapshots, {limit} are allowed");
        s.finish();
    });
}

/// The first group leaves, goes down, and joins again with the disks it had.
#[test]
fn join_leave_basic_5a() {
    lab_test!(|| {
        let s = Sharded::new("Test (5A): basic groups join/leave ...", true, None);
        let ck = s.kv.make_clerk();
        let spread = s.spread_puts(&ck);
        let gid = s.new_gid();
        assert!(s.join_groups(&s.sck, &[gid]));
        s.check_shutdown_sharding(1, &spread);
        s.check_all(&ck, &spread);
        assert_eq!(s.leave(&s.sck, 1), Change::Done);
        assert!(!s.is_member(&s.sck, 1), "group 1 is a member after it left");
        s.shutdown(1);
        s.check_all(&ck, &spread);
        s.start_servers(1);
        assert_eq!(s.join(&s.sck, 1), Change::Done);
        s.check_all(&ck, &spread);
        s.check_shutdown_sharding(gid, &spread);
        s.finish();
    });
}

fn many_join_leave(reliable: bool) {
    let s = Sharded::new("Test (5A): many groups join/leave ...", reliable, None);
    let ck = s.kv.make_clerk();
    let spread = s.spread_puts(&ck);
    let gids = s.new_gids(GROUPS);
    assert!(s.join_groups(&s.sck, &gids));
    s.check_shutdown_sharding(gids[0], &spread);
    s.check_all(&ck, &spread);
    assert!(s.leave_groups(&s.sck, &gids));
    s.check_all(&ck, &spread);
    s.finish();
}

/// Eight groups come and go.
#[test]
fn many_join_leave_reliable_5a() {
    lab_test!(|| many_join_leave(true));
}

/// The same over a network that loses messages.
#[test]
fn many_join_leave_unreliable_5a() {
    lab_test!(|| many_join_leave(false));
}

/// All groups restart with what they had saved.
#[test]
fn shutdown_5a() {
    lab_test!(|| {
        let s = Sharded::new("Test (5A): shutdown ...", true, None);
        let ck = s.kv.make_clerk();
        let spread = s.spread_puts(&ck);
        let gids = s.new_gids(2);
        assert!(s.join_groups(&s.sck, &gids));
        s.check_shutdown_sharding(gids[0], &spread);
        s.check_all(&ck, &spread);
        let all = [1, gids[0], gids[1]];
        all.iter().for_each(|gid| s.shutdown(*gid));
        all.iter().for_each(|gid| s.start_servers(*gid));
        s.check_all(&ck, &spread);
        s.finish();
    });
}
