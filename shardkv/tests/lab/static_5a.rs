//! Part 5A: the configuration alone, and one group.

use std::collections::BTreeMap;

use shardkv::{ConfigNum, Gid, ShardConfig, ShardId};
use tester::lab_test;

use crate::harness::Sharded;

/// The first configuration can be stored and read.
#[test]
fn init_query_5a() {
    lab_test!(|| {
        let s = Sharded::bare("Test (5A): Init and Query ...", true);
        let mut config = ShardConfig::new();
        config.join_balance(BTreeMap::from([(Gid::FIRST, vec!["xxx".to_owned()])])).unwrap();
        s.sck.init_config(&config).unwrap();
        let got = s.sck.query().unwrap();
        assert_eq!(got.num(), ConfigNum::new(1));
        assert_eq!(got.gid_of(ShardId::new(0).unwrap()), Gid::FIRST);
        assert_eq!(got, config);
        s.finish();
    });
}

/// One group serves everything, also without its leader.
#[test]
fn static_one_shard_group_5a() {
    lab_test!(|| {
        let s = Sharded::new("Test (5A): one shard group ...", true, None);
        let ck = s.kv.make_clerk();
        let spread = s.spread_puts(&ck);
        s.check_all(&ck, &spread);
        s.shutdown_leader(1);
        s.check_all(&ck, &spread);
        s.finish();
    });
}
