//! What a traced run leaves behind, on a service with everything below it.

use std::collections::BTreeMap;
use std::path::Path;

use tester::kv::GenericTest;
use tester::trace::{Event, Events};
use tester::{Settings, TestId, TestOptions};

use crate::harness::{MAX_RAFT_STATE, generic};

/// Losses, partitions, restarts and snapshots.
fn busy() {
    generic(&GenericTest {
        clients: 3,
        servers: 5,
        reliable: false,
        crash: true,
        partitions: true,
        max_raft_state: Some(MAX_RAFT_STATE),
        ..GenericTest::new("traced")
    });
}

/// The run is made twice, without a trace and with it: the replay fails if the hashes of the two differ.
#[test]
fn a_traced_run_takes_the_same_path() {
    for seed in 1..=3 {
        let mut settings = Settings::default();
        settings.seed = Some(seed);
        settings.replay = true;
        let test = TestId::new("traced", "kvraft");
        let judgement = tester::judge(&test, &TestOptions::default(), &settings, busy);
        assert!(judgement.passed, "{}", judgement.text);
        assert!(judgement.text.contains("twice the same run"), "{}", judgement.text);
        let path = judgement.text.lines().find_map(|line| line.trim().strip_prefix("trace: "));
        let events = Events::open(Path::new(path.unwrap())).unwrap();
        check(&events.map(Result::unwrap).collect::<Vec<_>>());
    }
}

/// Time never goes back, every part has its say, and a reply arrives only where a request did.
fn check(events: &[Event]) {
    assert!(events.is_sorted_by_key(|event| event.t));
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    let mut calls: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for event in events {
        *lines.entry(&event.target).or_default() += 1;
        if let (Some(call), Some(what)) = (event.fields.call, &event.fields.event) {
            calls.entry(call).or_default().push(what);
        }
        // A log begins at its snapshot, and what is committed lies in it.
        if let (Some(last), Some(commit), Some(base)) =
            (event.fields.last, event.fields.commit, event.fields.base)
        {
            assert!(base <= commit && commit <= last, "{event:?}");
        }
    }
    for target in ["raft::election", "raft::append", "raft::snapshot", "rpc", "rsm", "kv", "tester"]
    {
        assert!(lines.contains_key(target), "nothing of {target}: {lines:?}");
    }
    for (call, stations) in &calls {
        assert!(matches!(stations[0], "sent" | "lost" | "nobody"), "{call}: {stations:?}");
        if stations.contains(&"answered") {
            let expected = ["arrives", "handled"];
            assert!(expected.iter().all(|it| stations.contains(it)), "{call}: {stations:?}");
        }
    }
    let lost = calls.values().filter(|stations| stations[0] == "lost").count();
    let late = calls.values().filter(|stations| stations.contains(&"reply lost")).count();
    assert!(lost > 0 && late > 0 && calls.len() > 500);
}
