//! Part 5A: what does not move stays available.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kvapi::Version;
use shardkv::Gid;
use tester::lab_test;

use crate::harness::{Sharded, background, group, within};

/// Two of five groups are down: keys of others are served as ever.
#[test]
fn progress_shutdown_5a() {
    lab_test!(|| {
        let s = Sharded::new("Test (5A): progress ...", true, None);
        let ck = s.kv.make_clerk();
        let spread = s.spread_puts(&ck);
        let gids = s.new_gids(4);
        assert!(s.join_groups(&s.sck, &gids));
        s.shutdown(gids[0]);
        s.shutdown(gids[1]);
        let config = s.sck.query().unwrap();
        let alive = [Gid::new(gids[2]), Gid::new(gids[3])];
        let served = spread.in_shards(|shard| alive.contains(&config.gid_of(shard)));
        assert_eq!(served.keys.len(), 22);
        let checks = s.clone();
        let done = background(move || checks.check_all(&ck, &served));
        let in_time = within(Duration::from_secs(2), &done);
        assert!(in_time.is_some(), "Gets of groups that are up took more than 2 s");
        s.finish();
    });
}

/// A group joins and leaves all the time: keys that stay are served, by groups that take part in
/// the changes. Counted: how many Gets are done, and how long the slowest took.
#[test]
fn progress_join_5a() {
    lab_test!(|| {
        const TIME: Duration = Duration::from_secs(4);
        const JOINING: u64 = 7;
        let s = Sharded::new("Test (5A): progress ...", true, None);
        let ck = s.kv.make_clerk();
        let spread = s.spread_puts(&ck);
        assert!(s.join_groups(&s.sck, &s.new_gids(4)));
        let mut with = s.sck.query().unwrap();
        with.join_balance(group(JOINING)).unwrap();
        let mut without = with.clone();
        without.leave_balance(&[Gid::new(JOINING)]).unwrap();
        let stays = |shard| with.gid_of(shard) == without.gid_of(shard);
        let takes_part = |gid| {
            shardkv::ShardId::all().any(|shard| !stays(shard) && without.gid_of(shard) == gid)
        };
        let stable = spread.in_shards(|shard| stays(shard) && takes_part(without.gid_of(shard)));
        assert_eq!(stable.keys.len(), 22);

        let stop = Arc::new(AtomicBool::new(false));
        let (changes, stopped) = (s.clone(), Arc::clone(&stop));
        let changing = background(move || {
            let mut rounds = 0;
            while !stopped.load(Ordering::SeqCst) {
                assert!(changes.join_groups(&changes.sck, &[JOINING]), "{JOINING} has not joined");
                assert!(changes.leave_groups(&changes.sck, &[JOINING]), "{JOINING} has not left");
                rounds += 1;
            }
            rounds
        });
        let (gets, kv) = (stable.clone(), s.kv.clone());
        let getting = background(move || {
            let (begin, mut count, mut slowest) = (labrt::now(), 0_u64, Duration::ZERO);
            while begin.elapsed() < TIME {
                for (key, value) in gets.keys.iter().zip(&gets.values) {
                    let start = labrt::now();
                    kv.check_get(&ck, key, value, Version::new(1));
                    slowest = slowest.max(start.elapsed());
                    count += 1;
                }
            }
            (count, slowest)
        });
        let done = within(2 * TIME, &getting);
        let (count, slowest) = done.expect("Gets of shards that stay took twice their time");
        assert!(count >= 100, "only {count} Gets of shards that stay");
        // Much less than one change, which takes 200 ms at least: nothing waits for it.
        if labrt::is_simulated() {
            assert!(
                slowest < Duration::from_millis(150),
                "a Get of a shard that stays took {slowest:?}"
            );
        }
        stop.store(true, Ordering::SeqCst);
        assert!(changing.recv().expect("the changes end") >= 2, "hardly any change was made");
        s.finish();
    });
}
