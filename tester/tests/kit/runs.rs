//! Runs of clusters: determinism, back ends, and the files that are written on request.

use std::time::Duration;

use runner::{Settings, TestId};
use tester::kv::{GenericTest, KvHarness};
use tester::{Backend, TestOptions};

use super::service::{Flaw, KvClerk, kv_cluster};

/// A little of everything: clients, losses, restarts.
fn busy() {
    let test = GenericTest { clients: 3, servers: 1, reliable: false, ..GenericTest::new("kit") };
    let cluster = kv_cluster(test.reliable, Flaw::None);
    let harness = KvHarness::new(cluster.clone(), KvClerk::new, false);
    cluster.begin(&test.title());
    test.run(&harness);
}

fn run(seed: u64, body: impl Fn() + Clone + Send + Sync + 'static) -> tester::Outcome {
    tester::run(Backend::Sim, seed, &TestOptions::default(), body)
}

#[test]
fn a_seed_decides_everything() {
    let mut hashes = std::collections::BTreeSet::new();
    for seed in 1..=5 {
        let (one, two) = (run(seed, busy), run(seed, busy));
        assert!(one.verdict.is_pass(), "{}", one.verdict.report());
        let facts = |run: &tester::Outcome| {
            (run.trace_hash, run.rpcs, run.bytes, run.ops, run.time, run.switches)
        };
        assert_eq!(facts(&one), facts(&two));
        assert!(one.rpcs > 100 && one.ops > 100);
        hashes.insert(one.trace_hash);
    }
    assert_eq!(hashes.len(), 5);
}

#[test]
fn the_same_body_on_threads() {
    let body = || {
        let cluster = kv_cluster(true, Flaw::None);
        let harness = KvHarness::new(cluster.clone(), KvClerk::new, false);
        cluster.begin("Test: threads");
        let keys = tester::kv::make_keys(1);
        let theirs = harness.clone();
        let results =
            harness.spawn_clients_and_wait(3, Duration::from_millis(50), move |me, clerk, done| {
                theirs.one_client_put(me as i64, clerk, &keys, done)
            });
        assert!(results.iter().all(|result| result.ok > 0));
        let clerk = harness.make_clerk();
        harness.check_put_concurrent(&clerk, "k0", &results, &mut Default::default(), true);
        harness.cleanup();
    };
    let outcome = tester::run(Backend::Threads, 0, &TestOptions::default(), body);
    assert!(outcome.verdict.is_pass(), "{}", outcome.verdict.report());
    assert_eq!((outcome.seed, outcome.trace_hash), (None, None));
    assert!(!outcome.output.contains("virtual"), "{}", outcome.output);
}

#[test]
fn summaries_and_histories_are_written_on_request() {
    let folder = std::env::temp_dir().join(format!("lab-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut settings = Settings::default();
    settings.summary = Some(folder.join("summary.jsonl"));
    settings.history = Some(folder.join("histories"));
    let test = TestId::new("some_test", "tester");
    for seed in [4, 5] {
        settings.seed = Some(seed);
        assert!(runner::judge(&test, &TestOptions::default(), &settings, busy).passed);
    }
    let summary = std::fs::read_to_string(folder.join("summary.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> =
        summary.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["seed"], 5);
    assert_eq!(lines[1]["crate"], "tester");
    assert_eq!(lines[1]["verdict"], "pass");
    let hash = run(5, busy).trace_hash.unwrap();
    assert_eq!(lines[1]["trace_hash"], format!("{hash:016x}"));
    let history = tester::kv::Op::read_json_lines(&folder.join("histories/some_test-4.jsonl"));
    let history = history.unwrap();
    assert!(history.len() > 100);
    assert_eq!(tester::kv::judge_history(&history), tester::kv::Legality::Legal);
    std::fs::remove_dir_all(&folder).unwrap();
}
