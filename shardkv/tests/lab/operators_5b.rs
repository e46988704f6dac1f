//! What operators do wrong, and what they can do about it: groups that do not exist, changes that
//! have to be taken back, groups that lost their disks.

use std::time::Duration;

use kvapi::{Clerk as _, Version};
use shardkv::{Change, ConfigNum, ControllerError, Gid, ShardId};
use tester::lab_test;

use crate::harness::{STORE, Sharded, background, connect, group, within};

/// A group that nobody starts, as after a typing error.
const NOBODY: u64 = 9;

/// The operator joins a group that does not exist. All keys stay available, the operator can see
/// what the change waits for, and takes it back; the next change is made.
#[test]
fn a_group_that_does_not_exist_takes_nothing_down_5b() {
    lab_test!(|| {
        let s = Sharded::new("Test (5B): a group that does not exist ...", true, None);
        let ck = s.kv.make_clerk();
        let spread = s.spread_puts(&ck);
        let (joins, sck) = (s.clone(), s.controller().0);
        let joined = background(move || joins.join(&sck, NOBODY));
        labrt::sleep(Duration::from_secs(10));
        s.check_all(&ck, &spread);
        let progress = s.sck.progress().unwrap().expect("a change is under way");
        assert_eq!(progress.waits_for, [Gid::new(NOBODY)]);
        assert!(progress.can_be_withdrawn && progress.config.is_member(Gid::new(NOBODY)));
        assert_eq!(s.sck.withdraw(), Ok(()));
        assert_eq!(s.sck.progress(), Ok(None));
        assert_eq!(joined.recv(), Ok(Change::Superseded));
        let gid = s.new_gid();
        assert!(s.join_groups(&s.sck, &[gid]));
        s.check_all(&ck, &spread);
        s.finish();
    });
}

/// The same, and the operator does not know about taking changes back: another change replaces the
/// one that waits for nobody. A change whose groups are all there is not replaced.
#[test]
fn a_change_that_waits_for_nobody_is_replaced_5b() {
    lab_test!(|| {
        let s = Sharded::new("Test (5B): a change that waits for nobody ...", true, None);
        let ck = s.kv.make_clerk();
        let spread = s.spread_puts(&ck);
        let (joins, sck) = (s.clone(), s.controller().0);
        let stuck = background(move || joins.join(&sck, NOBODY));
        labrt::sleep(Duration::from_secs(5));
        let gid = s.new_gid();
        s.start_group(gid);
        assert_eq!(s.join(&s.sck, gid), Change::Done);
        assert_eq!(stuck.recv(), Ok(Change::Superseded));
        assert!(s.is_member(&s.sck, gid) && !s.is_member(&s.sck, NOBODY));
        s.check_all(&ck, &spread);
        s.finish();
    });
}

/// A change has frozen its first shard and its controller is gone. Taken back, every shard is
/// served again where it was, under a number that late requests of the change do not reach.
#[test]
fn a_withdrawn_change_gives_shards_back_5b() {
    lab_test!(|| {
        let s = Sharded::new("Test (5B): a change is taken back ...", true, None);
        let ck = s.kv.make_clerk();
        let spread = s.spread_puts(&ck);
        let before = s.sck.query().unwrap();
        let gid = s.new_gid();
        s.start_group(gid);
        let mut change = before.clone();
        change.join_balance(group(gid)).unwrap();
        let moved = ShardId::all().find(|shard| change.gid_of(*shard) != Gid::FIRST).unwrap();
        // What a controller leaves behind that ends in the middle of the change.
        let client = s.kv.cluster().make_client();
        let store = kvsrv::Clerk::new(connect(&client)(STORE));
        let (text, version) = store.get("shard-configuration").unwrap();
        let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
        record["next"] = serde_json::json!({ "config": change, "phase": "Freezing" });
        store.put("shard-configuration", &record.to_string(), version).unwrap();
        let servers = client.ends_to(&s.kv.cluster().group(1).server_names());
        let clerk = shardkv::group::GroupClerk::new(servers);
        let second = Duration::from_secs(1);
        assert_eq!(clerk.freeze_shard(second, moved, change.num()), Ok(Ok(())));
        let frozen = spread.in_shards(|shard| shard == moved);
        let (reader, key) = (s.kv.make_clerk(), frozen.keys[0].clone());
        let early = background(move || reader.get(&key));
        assert!(within(second, &early).is_none(), "a frozen shard is not served");

        assert!(s.sck.progress().unwrap().is_some_and(|progress| progress.can_be_withdrawn));
        assert_eq!(s.sck.withdraw(), Ok(()));
        s.check_all(&ck, &spread);
        let now = s.sck.query().unwrap();
        assert_eq!((now.num(), now.shards()), (ConfigNum::new(3), before.shards()));
        assert_eq!(
            clerk.freeze_shard(second, moved, change.num()),
            Ok(Err(kvapi::Error::WrongGroup))
        );
        assert_eq!(s.join(&s.sck, gid), Change::Done);
        assert_eq!(s.sck.withdraw(), Ok(()), "there is nothing to take back");
        s.check_all(&ck, &spread);
        s.finish();
    });
}

/// Once shards may have been installed, a change can only be finished.
#[test]
fn a_change_that_installs_is_not_withdrawn_5b() {
    lab_test!(|| {
        let s = Sharded::new("Test (5B): too late to take a change back ...", true, None);
        let gid = s.new_gid();
        s.start_group(gid);
        let mut change = s.sck.query().unwrap();
        change.join_balance(group(gid)).unwrap();
        let store = kvsrv::Clerk::new(connect(&s.kv.cluster().make_client())(STORE));
        let (text, version) = store.get("shard-configuration").unwrap();
        let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
        record["next"] = serde_json::json!({ "config": change, "phase": "Installing" });
        store.put("shard-configuration", &record.to_string(), version).unwrap();
        assert_eq!(s.sck.withdraw(), Err(ControllerError::TooLate(change.num())));
        assert_eq!(s.sck.init_controller(), Ok(()));
        assert_eq!(s.sck.query(), Ok(change));
        s.finish();
    });
}

/// The first group leaves, loses its disks, and comes back under its number. A clerk that was away
/// still has the first configuration: it must not be served by a group that was given nothing. The
/// group can join again.
#[test]
fn a_group_that_comes_back_empty_serves_nothing_5b() {
    lab_test!(|| {
        let s = Sharded::new("Test (5B): a group comes back with empty disks ...", true, None);
        let old = s.kv.make_clerk();
        assert_eq!(s.kv.put(&old, "x", "first", Version::ZERO), Ok(()));
        let gid = s.new_gid();
        assert!(s.join_groups(&s.sck, &[gid]));
        assert!(s.leave_groups(&s.sck, &[1]));
        let new = s.kv.make_clerk();
        assert_eq!(s.kv.put(&new, "x", "second", Version::new(1)), Ok(()));
        s.start_group(1);
        labrt::sleep(Duration::from_secs(2));
        s.kv.check_get(&old, "x", "second", Version::new(2));
        assert_eq!(s.kv.put(&old, "x", "third", Version::new(2)), Ok(()));
        assert_eq!(s.join(&s.sck, 1), Change::Done);
        assert!(s.leave_groups(&s.sck, &[gid]));
        s.kv.check_get(&new, "x", "third", Version::new(3));
        s.finish();
    });
}

/// A large shard moves once, in chunks: what the change sends is a small multiple of the data.
#[test]
fn a_large_shard_moves_once_5b() {
    lab_test!(|| {
        const VALUES: usize = 16;
        const VALUE: usize = 1 << 20;
        let s = Sharded::new("Test (5B): a large shard moves once ...", true, None);
        let ck = s.kv.make_clerk();
        let (shard, value) = (ShardId::of_key("k"), "v".repeat(VALUE));
        let keys: Vec<String> = (0..)
            .map(|i| format!("k{i}"))
            .filter(|key| ShardId::of_key(key) == shard)
            .take(VALUES)
            .collect();
        for key in &keys {
            ck.put(key, &value, Version::ZERO).unwrap();
        }
        let gid = s.new_gid();
        s.start_group(gid);
        labrt::sleep(Duration::from_secs(1));
        let before = s.kv.cluster().bytes_total();
        assert_eq!(s.join(&s.sck, gid), Change::Done);
        assert_eq!(s.leave(&s.sck, 1), Change::Done);
        let sent = (s.kv.cluster().bytes_total() - before) as usize;
        // Copied to the controller, installed on the leader, and sent to its two followers.
        let data = VALUES * VALUE;
        assert!(sent < 6 * data, "{sent} bytes sent to move {data}");
        for key in &keys {
            let (got, version) = ck.get(key).unwrap();
            assert!(got == value && version == Version::new(1), "{key}");
        }
        s.finish();
    });
}
