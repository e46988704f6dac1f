//! A leader that is cut off from its group, while clerks reach it.

use std::time::Duration;

use kvapi::{Clerk as _, Version};
use shardkv::Change;
use tester::lab_test;

use crate::harness::{Sharded, background, within};

/// What a call may take while a minority is cut off: an election, and the time that the old leader
/// keeps a request.
const LIMIT: Duration = Duration::from_secs(4);

/// The clerk's last leader is in the minority now, knows of no other, and answers nothing. Get, Put
/// and a change of the configuration are done by the majority, before anything heals.
#[test]
fn a_leader_that_is_cut_off_keeps_nobody_5a() {
    lab_test!(|| {
        let s = Sharded::new("Test (5A): the leader is cut off ...", true, None);
        let ck = s.kv.make_clerk();
        let spread = s.spread_puts(&ck);
        let gid = s.new_gid();
        s.start_group(gid);
        let group = s.kv.cluster().group(1);
        let (majority, minority) = group.make_partition(s.leader(1));
        group.partition(&majority, &minority);

        let (key, value) = (spread.keys[0].clone(), spread.values[0].clone());
        let (kv, getter, wanted) = (s.kv.clone(), ck.clone(), key.clone());
        let got = background(move || kv.check_get(&getter, &wanted, &value, Version::new(1)));
        assert!(within(LIMIT, &got).is_some(), "a Get waits for the leader that is cut off");

        // Another clerk begins with the same server, and a Put may be carried out twice.
        let other = s.kv.make_clerk();
        let put = background(move || other.put(&key, "new", Version::new(1)));
        assert!(within(LIMIT, &put).is_some(), "a Put waits for the leader that is cut off");

        let joins = s.clone();
        let joined = background(move || joins.join(&joins.sck, gid));
        assert_eq!(within(LIMIT, &joined), Some(Change::Done), "a change waits for it");
        group.connect_all();
        s.finish();
    });
}
