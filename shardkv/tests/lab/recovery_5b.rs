//! Part 5B: groups that are down hold a change up, and controllers die half-way.

use std::time::Duration;

use tester::lab_test;

use crate::controllers_5c::partition_controller;
use crate::harness::{Sharded, background, within};

/// A change waits for a group that is down, and goes on when it is back.
#[test]
fn join_leave_5b() {
    lab_test!(|| {
        const WAIT: Duration = Duration::from_secs(2);
        let s = Sharded::new("Test (5B): Join/leave while a shardgrp is down...", true, None);
        let ck = s.kv.make_clerk();
        let spread = s.spread_puts(&ck);
        let before = s.sck.query().unwrap();

        s.shutdown(1);
        let (joins, gid) = (s.clone(), s.new_gid());
        let joined = background(move || joins.join_groups(&joins.sck, &[gid]));
        assert_eq!(within(WAIT, &joined), None, "a join ended without the group that gives");
        s.start_servers(1);
        assert_eq!(within(WAIT, &joined), Some(true), "the join has not ended within 2 s");
        assert_eq!(s.sck.query().unwrap().num(), before.num().next());

        s.shutdown(gid);
        let leaves = s.clone();
        let left = background(move || leaves.leave_groups(&leaves.sck, &[1]));
        assert_eq!(within(WAIT, &left), None, "a leave ended without the group that takes");
        s.start_servers(gid);
        assert_eq!(within(WAIT, &left), Some(true), "the leave has not ended within 2 s");
        s.check_all(&ck, &spread);
        s.finish();
    });
}

/// A new controller finishes what one has begun that is never seen again.
#[test]
fn recover_ctrler_5b() {
    lab_test!(|| {
        let s = Sharded::new("Test (5B): recover controller ...", true, None);
        let ck = s.kv.make_clerk();
        let spread = s.spread_puts(&ck);
        for _ in 0..5 {
            partition_controller(&s, &ck, &spread, false);
        }
        s.finish();
    });
}
