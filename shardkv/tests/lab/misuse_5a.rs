//! What controllers and groups say to callers who are wrong.

use shardkv::{Change, ControllerError, Gid, ShardConfig, ShardId};
use tester::lab_test;

use crate::harness::{Sharded, group};

/// A first configuration twice, or with shards elsewhere, or none at all.
#[test]
fn first_configuration_5a() {
    lab_test!(|| {
        let s = Sharded::bare("Test (5A): first configuration ...", true);
        assert_eq!(s.sck.query(), Err(ControllerError::NotInitialised));
        assert_eq!(s.sck.init_controller(), Err(ControllerError::NotInitialised));
        let mut config = ShardConfig::new();
        config.join_balance(group(2)).unwrap();
        let first_shard = ShardId::new(0).unwrap();
        let elsewhere = ControllerError::NotInFirstGroup(first_shard);
        assert_eq!(s.sck.init_config(&config), Err(elsewhere));
        let mut config = ShardConfig::new();
        config.join_balance(group(1)).unwrap();
        assert_eq!(s.sck.init_config(&config), Ok(()));
        assert_eq!(s.sck.init_config(&config), Err(ControllerError::Initialised));
        s.finish();
    });
}

/// A change computed from an old configuration has no effect; one that leaves data without a home
/// is refused.
#[test]
fn changes_that_cannot_be_made_5a() {
    lab_test!(|| {
        let s = Sharded::new("Test (5A): changes that cannot be made ...", true, None);
        let ck = s.kv.make_clerk();
        let spread = s.spread_puts(&ck);
        let stale = s.sck.query().unwrap();
        assert!(s.join_groups(&s.sck, &[s.new_gid()]));
        let now = s.sck.query().unwrap();
        let mut late = stale.clone();
        late.join_balance(group(9)).unwrap();
        assert_eq!(s.sck.change_config_to(&late), Ok(Change::Superseded));
        assert_eq!(s.sck.change_config_to(&stale), Ok(Change::Superseded));
        assert_eq!(s.sck.change_config_to(&now), Ok(Change::Done), "it is made already");
        let mut empty = now.clone();
        empty.leave_balance(&[Gid::new(1), Gid::new(2)]).unwrap();
        let homeless = ControllerError::Homeless(ShardId::new(0).unwrap());
        assert_eq!(s.sck.change_config_to(&empty), Err(homeless));
        assert_eq!(s.sck.query().unwrap(), now);
        s.check_all(&ck, &spread);
        s.finish();
    });
}

/// A group whose disks were lost cannot give what it should have: the controller says so.
#[test]
fn a_group_that_lost_its_disks_5a() {
    lab_test!(|| {
        let s = Sharded::new("Test (5A): a group that lost its disks ...", true, None);
        let gid = s.new_gid();
        assert!(s.join_groups(&s.sck, &[gid]));
        s.kv.cluster().exit_group(gid);
        s.start_group(gid);
        let mut config = s.sck.query().unwrap();
        config.leave_balance(&[Gid::new(gid)]).unwrap();
        let answer = s.sck.change_config_to(&config);
        let refused =
            matches!(answer, Err(ControllerError::Refused { gid: at, .. }) if at.get() == gid);
        assert!(refused, "{answer:?}");
        // Other changes need not wait for ever: this one can be taken back.
        assert_eq!(s.sck.withdraw(), Ok(()));
        assert_eq!(s.sck.progress(), Ok(None));
        s.finish();
    });
}
