//! What a failing test prints and leaves behind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use labrt::events::{Cluster, Event, Record, Rpc, rpc};
use runner::{Judgement, Mode, Settings, TestId, TestOptions};
use tester::ServerName;
use tester::kv::KvHarness;

use super::service::{Count, Flaw, KvClerk, counter_cluster, kv_cluster};

fn judge(name: &str, seed: u64, body: impl Fn() + Clone + Send + Sync + 'static) -> Judgement {
    let mut settings = Settings::default();
    settings.seed = Some(seed);
    runner::judge(&TestId::new(name, "tester"), &TestOptions::default(), &settings, body)
}

/// The file that the report names as `what`.
fn file(judgement: &Judgement, what: &str) -> PathBuf {
    let prefix = format!("  {what}: ");
    let line = judgement.text.lines().find_map(|line| line.strip_prefix(&prefix));
    PathBuf::from(line.unwrap_or_else(|| panic!("no {what} in\n{}", judgement.text)))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn report_files_and_the_command_that_repeats() {
    let judgement = judge("deliberate_failure", 17, || {
        let (cluster, _) = counter_cluster(3);
        cluster.begin("Test: deliberate failure");
        cluster.group(0).disconnect_all(1);
        let client = cluster.make_client();
        labrt::sleep(Duration::from_secs(2));
        let count = client.call::<Count>(ServerName::new(0, 2), &()).unwrap();
        if count == 1 {
            tester::fatal!("the count is {count}");
        }
    });
    assert!(!judgement.passed);
    let lines: Vec<&str> = judgement.text.lines().collect();
    assert_eq!(lines[0], "Test: deliberate failure (reliable network)...");
    assert_eq!(lines[1], "Fatal: the count is 1");
    assert!(lines[2].contains("failure.rs:"), "{}", lines[2]);
    let report = "FAIL deliberate_failure (seed 17): task panic at 2.0";
    assert!(lines[3].starts_with(report), "{}", lines[3]);
    let last = "repeat with: LAB_SEED=17 cargo test -p tester deliberate_failure";
    assert_eq!(*lines.last().unwrap(), last);
    assert!(!judgement.text.contains("NOT REPEATABLE"));
    assert!(!judgement.text.contains("Passed"));

    let log = file(&judgement, "log");
    assert!(log.ends_with("lab/deliberate_failure-17/log.txt"), "{}", log.display());
    let log = read(&log);
    assert!(log.contains("test/root#"), "{log}");
    assert!(log.contains(" INFO tester begin Test: deliberate failure\n"), "{log}");
    let annotations = read(&file(&judgement, "annotations"));
    assert!(annotations.contains("partition = [1] [0 2]"), "{annotations}");
    // The trace has the same events, as objects.
    let records = view::trace::Records::open(&file(&judgement, "trace")).unwrap();
    assert_eq!(records.cut(), 0);
    let records: Vec<Record> = records.map(Result::unwrap).collect();
    assert_eq!(records.len(), log.lines().count());
    let started = Event::Cluster(Cluster::Started { node: "server-0-1".to_owned() });
    let started = records.iter().find(|record| record.event == started).unwrap();
    assert_eq!((&*started.node, started.about()), ("test", "server-0-1"));
    let answered = |record: &&Record| {
        matches!(&record.event, Event::Rpc(Rpc { what: rpc::What::Answered { .. }, .. }))
    };
    assert_eq!(records.iter().filter(answered).count(), 1);
    // The same again, under make.
    let mut settings = Settings::default();
    settings.repeat = Some("make test-tester TEST={test} SEED={seed}".to_owned());
    let test = TestId::new("deliberate_failure", "tester");
    let again = runner::judge(&test, &TestOptions::default(), &settings, || panic!("again"));
    let last = again.text.lines().last().unwrap();
    assert_eq!(last, "repeat with: make test-tester TEST=deliberate_failure SEED=1");
}

#[test]
fn an_illegal_history_is_found_and_written() {
    let judgement = judge("illegal_history", 1, || {
        let cluster = kv_cluster(true, Flaw::StaleVersions);
        let harness = KvHarness::new(cluster.clone(), KvClerk::new, false);
        cluster.begin("Test: a wrong version");
        let clerk = harness.make_clerk();
        for i in 0..20 {
            let value = i.to_string();
            harness.put(&clerk, "k", &value, kvapi::Version::new(i)).unwrap();
            harness.get(&clerk, "k").unwrap();
        }
        harness.cleanup();
    });
    assert!(!judgement.passed);
    assert!(judgement.text.contains("Fatal: history is not linearizable"), "{}", judgement.text);
    assert!(judgement.text.contains("get('k') -> ('9', '9', 'OK')"), "{}", judgement.text);
    let ops = tester::kv::Op::read_json_lines(&file(&judgement, "history")).unwrap();
    assert_eq!(ops.len(), 40);
    assert!(matches!(tester::kv::judge_history(&ops), tester::kv::Legality::Illegal(_)));
}

/// One client, and a service that answers the first get after each put with the old value. Where
/// the clock stands, the put's return and the get's call are at one instant; the get still comes
/// after it.
#[test]
fn a_get_that_misses_its_clients_last_put_fails_under_every_seed() {
    for seed in 1..=20 {
        let judgement = judge("old_once", seed, || {
            let test = tester::kv::GenericTest::new("4B basic");
            let cluster = kv_cluster(true, Flaw::OldOnce);
            cluster.begin(&test.title());
            test.run(&KvHarness::new(cluster, KvClerk::new, false));
        });
        assert!(!judgement.passed, "seed {seed}");
        let text = &judgement.text;
        assert!(text.contains("Fatal: history is not linearizable"), "seed {seed}: {text}");
    }
}

#[test]
fn a_run_that_cannot_be_repeated_says_so() {
    let calls = Arc::new(AtomicU64::new(0));
    let judgement = judge("state_outlives_the_run", 1, move || {
        // What a test must not do: share something between runs.
        let extra = calls.fetch_add(1, Ordering::SeqCst);
        labrt::sleep(Duration::from_millis(extra));
        panic!("always");
    });
    assert!(
        judgement.text.contains("  NOT REPEATABLE: the same seed took another path"),
        "{}",
        judgement.text
    );
}

fn replay(
    name: &str,
    expect: Option<u64>,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> Judgement {
    let mut settings = Settings::default();
    settings.seed = Some(5);
    settings.mode = Mode::Replay { expect };
    runner::judge(&TestId::new(name, "tester"), &TestOptions::default(), &settings, body)
}

#[test]
fn a_replay_writes_everything_of_a_passing_run() {
    let body = || {
        let (cluster, _) = counter_cluster(3);
        cluster.begin("Test: replayed");
        cluster.make_client().call::<Count>(ServerName::new(0, 0), &()).unwrap();
        cluster.end();
    };
    let judgement = replay("replayed", None, body);
    assert!(judgement.passed, "{}", judgement.text);
    assert!(
        judgement.text.contains("replayed seed 5: pass, twice the same run"),
        "{}",
        judgement.text
    );
    assert!(read(&file(&judgement, "log")).contains(" INFO tester begin Test: replayed\n"));
    assert!(file(&judgement, "annotations").is_file());
    // The sweep's hash is checked, too.
    let outcome = tester::run(tester::Backend::Sim, 5, &TestOptions::default(), body);
    let judgement = replay("replayed", outcome.trace_hash, body);
    assert!(judgement.passed, "{}", judgement.text);
    let judgement = replay("replayed", Some(1), body);
    assert!(!judgement.passed);
    assert!(judgement.text.contains("NOT THE SAME RUN: trace 0000000000000001 was expected"));
}

#[test]
fn a_replay_that_diverges_names_the_first_event() {
    let calls = Arc::new(AtomicU64::new(0));
    let judgement = replay("diverging", None, move || {
        let extra = calls.fetch_add(1, Ordering::SeqCst);
        labrt::sleep(Duration::from_millis(1));
        labrt::sim::message("count", &extra.to_le_bytes());
    });
    assert!(!judgement.passed);
    let expected = "seed 5 gave two different runs: event 3 was message count with bytes";
    assert!(judgement.text.contains(expected), "{}", judgement.text);
    assert!(judgement.text.contains("The code under test is not deterministic; usual causes are"));
}

#[test]
fn a_hang_is_a_report() {
    let judgement = judge("hang", 1, || {
        let (_sender, receiver) = labrt::channel::unbounded::<()>();
        let _ = receiver.recv();
    });
    assert!(judgement.text.contains("FAIL hang (seed 1): deadlock"), "{}", judgement.text);
    assert!(judgement.text.contains("waits to receive"), "{}", judgement.text);
}

/// As a `#[test]` sees it: the report was printed, the panic adds nothing that would stand below
/// the command.
#[test]
#[should_panic(expected = "a_failing_lab_test failed")]
fn a_failing_lab_test() {
    let failing = || assert_eq!(1 + 1, 3);
    tester::lab_test!(failing);
}

#[test]
fn a_test_is_named_after_its_function() {
    fn here() {}
    let inside_a_closure = || {
        fn here() {}
        TestId::enclosing(&here, "p")
    };
    assert_eq!(TestId::enclosing(&here, "p").name(), "a_test_is_named_after_its_function");
    assert_eq!(inside_a_closure().name(), "a_test_is_named_after_its_function");
}
