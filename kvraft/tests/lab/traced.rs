//! What a traced run leaves behind, on a service with everything below it.

use std::collections::BTreeMap;
use std::path::Path;

use labrt::events::{Event, Record, raft, rpc};
use runner::{Mode, Settings, TestId, TestOptions};
use tester::kv::GenericTest;
use view::trace::Records;

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

/// The run is made twice, without a trace and with it: the replay fails if the hashes of the two
/// differ.
#[test]
fn a_traced_run_takes_the_same_path() {
    for seed in 1..=3 {
        let mut settings = Settings::default();
        settings.seed = Some(seed);
        settings.mode = Mode::Replay { expect: None };
        let test = TestId::new("traced", "kvraft");
        let judgement = runner::judge(&test, &TestOptions::default(), &settings, busy);
        assert!(judgement.passed, "{}", judgement.text);
        assert!(judgement.text.contains("twice the same run"), "{}", judgement.text);
        let path = judgement.text.lines().find_map(|line| line.trim().strip_prefix("trace: "));
        let records = Records::open(Path::new(path.unwrap())).unwrap();
        check(&records.map(Result::unwrap).collect::<Vec<_>>());
    }
}

/// Time never goes back, every part emits events, and a reply arrives only where a request did.
fn check(records: &[Record]) {
    assert!(records.is_sorted_by_key(|record| record.t));
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    let mut calls: BTreeMap<u64, Vec<&rpc::What>> = BTreeMap::new();
    for record in records {
        *lines.entry(record.event.target()).or_default() += 1;
        match &record.event {
            Event::Rpc(rpc) => calls.entry(rpc.call).or_default().push(&rpc.what),
            // A log begins at its snapshot, and what is committed lies in it.
            Event::Raft(event) => {
                if let raft::What::State { state, .. } = &event.what {
                    let (base, last) = (state.base.index, state.last.index);
                    assert!(base <= state.commit && state.commit <= last, "{record:?}");
                }
            }
            _ => {}
        }
    }
    for target in
        ["raft::election", "raft::append", "raft::snapshot", "rpc", "rsm", "kv", "tester", "mark"]
    {
        assert!(lines.contains_key(target), "nothing of {target}: {lines:?}");
    }
    let lost = |what: &&rpc::What| matches!(what, rpc::What::Sent { fate: rpc::Fate::Lost, .. });
    let reply_lost = |what: &&rpc::What| matches!(what, rpc::What::ReplyLost { .. });
    for (call, stations) in &calls {
        assert!(matches!(stations[0], rpc::What::Sent { .. }), "{call}: {stations:?}");
        if stations.iter().any(|what| matches!(what, rpc::What::Answered { .. })) {
            assert!(stations.contains(&&rpc::What::Delivered), "{call}: {stations:?}");
            assert!(stations.contains(&&rpc::What::Handled), "{call}: {stations:?}");
        }
    }
    let requests_lost = calls.values().filter(|stations| lost(&stations[0])).count();
    let replies_lost = calls.values().filter(|stations| stations.iter().any(reply_lost)).count();
    assert!(requests_lost > 0 && replies_lost > 0 && calls.len() > 500);
}
