//! Moves while servers crash, groups are partitioned and controllers are cut off half-way, with
//! snapshots: nothing is lost, doubled or served stale.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kvapi::{Error, GetArgs};
use shardkv::group::GroupClerk;
use shardkv::{Gid, ShardController};
use tester::kv::make_keys;
use tester::nemesis::{self, Limits, Nemesis};
use tester::{fatal, lab_test};

use crate::harness::{KEYS, SERVERS, Sharded, background, group};

/// The groups. None is ever given up; they join and leave with the disks they have.
const GIDS: [u64; 3] = [1, 2, 3];

fn pause(most_millis: u64) {
    labrt::sleep(Duration::from_millis(labrt::random_range(0..most_millis)));
}

/// Makes one server of one group fail in one way for a while.
fn one_fault(s: &Sharded) {
    let gid = GIDS[labrt::random_range(0..GIDS.len())];
    let (group, i) = (s.kv.cluster().group(gid), labrt::random_range(0..SERVERS));
    if labrt::random_bool(0.5) {
        // On threads nothing can be stopped where it stands.
        if group.crash_server(i).is_err() {
            group.shutdown_server(i);
        }
        pause(300);
        group.start_server(i);
    } else {
        group.disconnect_all(i);
        pause(600);
    }
    group.connect_one(i);
}

/// One group joins or leaves, never the last one. Whether that comes to anything is not looked at:
/// others do the same.
fn one_change(sck: &ShardController) {
    sck.init_controller().unwrap();
    let mut config = sck.query().unwrap();
    let gid = GIDS[labrt::random_range(0..GIDS.len())];
    if config.groups().contains_key(&Gid::new(gid)) {
        if config.groups().len() == 1 {
            return;
        }
        config.leave_balance(&[Gid::new(gid)]).unwrap();
    } else {
        config.join_balance(group(gid)).unwrap();
    }
    let _ = sck.change_config_to(&config).unwrap();
}

/// For how long there are faults, changes and clients.
const TIME: Duration = Duration::from_secs(10);

/// One server after the other fails in one way for a while. What is returned ends that.
fn random_faults(s: &Sharded) -> impl FnOnce() + use<> {
    let stop = Arc::new(AtomicBool::new(false));
    let (faulty, stopped) = (s.clone(), Arc::clone(&stop));
    let failing = background(move || {
        while !stopped.load(Ordering::SeqCst) {
            one_fault(&faulty);
            pause(200);
        }
    });
    move || {
        stop.store(true, Ordering::SeqCst);
        failing.recv().expect("the faults end");
    }
}

/// What the seed draws befalls one group, and the network of all.
fn drawn_faults(s: &Sharded) -> impl FnOnce() + use<> {
    let mut limits = Limits::default();
    limits.servers = vec![SERVERS];
    limits.duration_ms = 6000..=9500;
    let schedule = nemesis::schedule(&limits);
    let gid = GIDS[labrt::random_range(0..GIDS.len())];
    let watched = s.clone();
    let leader = move || watched.leading(gid);
    let nemesis = Nemesis::start_on(s.kv.cluster(), gid, &schedule, leader);
    move || nemesis.finish()
}

fn moves_under_faults<End: FnOnce()>(reliable: bool, faults: impl FnOnce(&Sharded) -> End) {
    const CLIENTS: usize = 5;
    const MAX_RAFT_STATE: usize = 2000;
    let title = "Test (5C): moves under crashes and partitions ...";
    let s = Sharded::with_random_keys(title, reliable, Some(MAX_RAFT_STATE));
    GIDS[1..].iter().for_each(|gid| s.start_group(*gid));
    let first = s.sck.query().unwrap().num();
    let keys = make_keys(KEYS);

    let (kv, theirs) = (s.kv.clone(), keys.clone());
    let writing = background(move || {
        let harness = kv.clone();
        kv.spawn_clients_and_wait(CLIENTS, TIME, move |me, ck, done| {
            harness.one_client_put(me as i64, ck, &theirs, done)
        })
    });
    let end_faults = faults(&s);
    // Controllers, each cut off before it is done, perhaps; they come back when the others have
    // gone on.
    let mut controllers = Vec::new();
    let begin = labrt::now();
    while begin.elapsed() < TIME {
        let (sck, client) = s.controller();
        let changing = background(move || one_change(&sck));
        pause(1500);
        client.disconnect_all();
        pause(400);
        controllers.push((client, changing));
        if controllers.len() > 2 {
            controllers[labrt::random_range(0..2)].0.connect_all();
        }
    }
    end_faults();
    controllers.iter().for_each(|(client, _)| client.connect_all());
    for (_, changing) in controllers {
        changing.recv().expect("a controller has failed");
    }
    s.sck.init_controller().unwrap();
    // Only now: a client may have waited for a shard that nobody was left to move.
    let results = writing.recv().expect("the clients end");

    let changes = s.sck.query().unwrap().num().get() - first.get();
    assert!(changes >= 2, "only {changes} changes were made");
    // A client on a bad network may only ever hear that its Puts may be done.
    let wrote = results.iter().all(|result| result.ok + result.maybe > 0);
    assert!(wrote, "a client could write nothing: {results:?}");
    // Everything is held once.
    let ck = s.kv.make_clerk();
    let mut size = 0;
    for key in &keys {
        match s.kv.get(&ck, key) {
            Ok((value, _)) => size += key.len() + value.len(),
            Err(Error::NoKey) => {}
            Err(error) => fatal!("Get({key}) gave {error}"),
        }
    }
    // A group that nobody asks any more executes what an earlier leader has left in its log only
    // with the next request (§5.4.2).
    for gid in GIDS {
        let client = s.kv.cluster().make_client();
        let clerk = GroupClerk::new(client.ends_to(&s.kv.cluster().group(gid).server_names()));
        let args = GetArgs { key: keys[0].clone() };
        assert!(clerk.get(Duration::from_secs(5), &args).is_ok(), "group {gid} does not answer");
    }
    labrt::sleep(Duration::from_secs(1)); // followers hear of it, too
    let held: Vec<_> = GIDS.iter().map(|gid| s.data_bytes(*gid)).collect();
    for i in 0..SERVERS {
        let sum: usize = held.iter().map(|group| group[i]).sum();
        assert_eq!(sum, size, "bytes held by servers {i} of all groups: {held:?}");
    }
    s.finish();
}

/// On a network that loses nothing between servers that are up.
#[test]
fn moves_under_faults_reliable_5c() {
    lab_test!(|| moves_under_faults(true, random_faults));
}

/// On one that loses messages besides.
#[test]
fn moves_under_faults_unreliable_5c() {
    lab_test!(|| moves_under_faults(false, random_faults));
}

/// Under a schedule of faults drawn from the seed (see docs/TESTING.md), which strikes one of the
/// groups.
#[test]
fn nemesis_5c() {
    lab_test!(|| moves_under_faults(true, drawn_faults));
}
