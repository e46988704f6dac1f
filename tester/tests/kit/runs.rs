//! Runs and sweeps: determinism, back ends, verdicts, what is written on request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tester::kv::{GenericTest, KvHarness};
use tester::{Backend, Settings, TestId, TestOptions, Verdict};

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

/// On threads nothing stops the process when a client panics: it must still fail the test, joined or not.
#[test]
fn a_panic_in_a_client_fails_the_test_on_threads() {
    let outcome = tester::run(Backend::Threads, 0, &TestOptions::default(), || {
        let client = tester::spawn(|| panic!("a client that fails"));
        while !client.is_finished() {
            labrt::sleep(Duration::from_millis(1));
        }
    });
    assert_eq!(outcome.verdict, Verdict::Fail("a task of the test panicked".to_owned()));
    let outcome = tester::run(Backend::Threads, 0, &TestOptions::default(), || {
        let client = tester::spawn(|| tester::fatal!("found {}", "it"));
        let _ = client.join();
    });
    assert_eq!(outcome.verdict, Verdict::Fail("found it".to_owned()));
    assert!(outcome.output.starts_with("Fatal: found it\n        "), "{}", outcome.output);
}

/// As in a simulation: a report of all tasks. Their threads are left behind.
#[test]
fn a_hang_on_threads_is_a_failure_that_names_the_tasks() {
    let options = TestOptions::default().hang_after(Duration::from_millis(300));
    let outcome = tester::run(Backend::Threads, 0, &options, || {
        let lock = Arc::new(labrt::Mutex::new(()));
        let held = lock.lock();
        let his = Arc::clone(&lock);
        // It waits for a lock that is held by one that waits for it.
        tester::spawn(move || drop(his.lock())).join().unwrap();
        drop(held);
    });
    assert_eq!(outcome.kind, Some(labrt::sim::FailureKind::Deadlock));
    let report = outcome.verdict.report();
    assert!(report.starts_with("deadlock at "), "{report}");
    assert!(report.contains("main/client: waits for the lock of "), "{report}");
    assert!(report.contains("main/test: waits for a task to end at "), "{report}");
}

/// A check without an answer is its own verdict, and no pass, on either back end.
#[test]
fn inconclusive_is_not_a_pass() {
    for backend in [Backend::Sim, Backend::Threads] {
        let body = || tester::inconclusive("the search gave up");
        let outcome = tester::run(backend, 1, &TestOptions::default(), body);
        assert_eq!(outcome.verdict, Verdict::Inconclusive("the search gave up".to_owned()));
        assert!(!outcome.verdict.is_pass());
        assert_eq!(outcome.output, "Inconclusive: the search gave up\n");
    }
    let test = TestId::new("undecided", "tester");
    let settings = Settings::default();
    let judged = tester::judge(&test, &TestOptions::default(), &settings, || {
        tester::inconclusive("the search gave up")
    });
    assert!(!judged.passed);
    assert!(judged.text.contains("INCONCLUSIVE undecided (seed 1): the search gave up"));
}

fn settings(seed: u64, seeds: u64) -> Settings {
    let number = |name: &str| match name {
        "LAB_SEED" => Some(seed.to_string()),
        "LAB_SEEDS" => Some(seeds.to_string()),
        _ => None,
    };
    Settings::from_lookup(|name| Ok(number(name))).unwrap()
}

#[test]
fn a_sweep_runs_every_seed_once() {
    let sum = Arc::new(AtomicU64::new(0));
    let theirs = Arc::clone(&sum);
    let body = move || {
        theirs.fetch_add(1, Ordering::SeqCst);
        busy();
    };
    let test = TestId::new("some_test", "tester");
    let report = tester::sweep(&test, &TestOptions::default(), &settings(10, 6), body);
    assert_eq!((report.runs, report.passed, report.failed), (6, 6, 0));
    assert_eq!(sum.load(Ordering::SeqCst), 6);
    assert!(report.rpcs > 600 && report.time > Duration::from_secs(18));
    assert!(report.text.starts_with("some_test: 6 seeds, 6 passed; "), "{}", report.text);
    assert_eq!(report.text.lines().count(), 1);
}

#[test]
fn a_sweep_names_the_seeds_that_fail() {
    let body = || {
        // Drawn from the seed: some seeds fail, always the same ones.
        if labrt::random_range(0..4_u32) == 0 {
            panic!("bad luck");
        }
    };
    let failing: Vec<u64> = (1..=12).filter(|&seed| !run(seed, body).verdict.is_pass()).collect();
    assert!(!failing.is_empty() && failing.len() < 12, "{failing:?}");
    let test = TestId::new("unlucky_test", "tester");
    let report = tester::sweep(&test, &TestOptions::default(), &settings(1, 12), body);
    assert_eq!(report.failures.keys().copied().collect::<Vec<_>>(), failing);
    let lines: Vec<&str> = report.text.lines().collect();
    assert!(lines[0].starts_with(&format!("unlucky_test seed {}: fail: task panic", failing[0])));
    assert!(lines[failing.len()].contains(&format!("{} FAILED", failing.len())), "{}", report.text);
    let last = format!("repeat with: LAB_SEED={} cargo test -p tester unlucky_test", failing[0]);
    assert_eq!(*lines.last().unwrap(), last);
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
        assert!(tester::judge(&test, &TestOptions::default(), &settings, busy).passed);
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
