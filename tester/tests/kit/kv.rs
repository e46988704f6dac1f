//! The key/value harness: recording, workloads, verdicts, files.

use std::time::Duration;

use kvapi::{Error, Version};
use labrt::Instant;
use tester::kv::{
    Answer, ClientResult, Entry, GenericTest, KvHarness, Legality, Op, Request, judge_history,
};
use tester::{Backend, TestOptions, lab_test, randstring};

use super::service::{Flaw, KvClerk, kv_cluster};

fn harness(reliable: bool) -> KvHarness {
    KvHarness::new(kv_cluster(reliable, Flaw::None), KvClerk::new, false)
}

fn op(client: i64, call: u64, end: u64, request: Request, answer: Answer) -> Op {
    let returned = Some((Instant::from_nanos(end), answer));
    Op { client, request, call: Instant::from_nanos(call), returned }
}

fn get(value: &str, version: u64) -> (Request, Answer) {
    let answer = Answer::Value(value.to_owned(), Version::new(version));
    (Request::Get { key: "k".to_owned() }, answer)
}

fn put(value: &str, version: u64, answer: Answer) -> (Request, Answer) {
    let (key, value, version) = ("k".to_owned(), value.to_owned(), Version::new(version));
    (Request::Put { key, value, version }, answer)
}

fn sequential(steps: &[(Request, Answer)]) -> Legality {
    let ops: Vec<Op> = (0_u64..)
        .zip(steps)
        .map(|(at, (request, answer))| op(0, 10 * at, 10 * at + 5, request.clone(), answer.clone()))
        .collect();
    judge_history(&ops)
}

#[test]
fn judgements() {
    let failed = Answer::Failed;
    assert_eq!(sequential(&[put("a", 0, Answer::Done), get("a", 1)]), Legality::Legal);
    let missing = (get("", 0).0, failed(Error::NoKey));
    assert_eq!(sequential(&[missing.clone(), put("a", 0, Answer::Done)]), Legality::Legal);
    let illegal = |steps: &[_]| assert!(matches!(sequential(steps), Legality::Illegal(_)));
    illegal(&[put("a", 0, Answer::Done), missing]);
    // Stricter than the course's model: the version of a get counts.
    illegal(&[put("a", 0, Answer::Done), get("a", 2)]);
    illegal(&[put("a", 0, Answer::Done), put("b", 1, failed(Error::Version))]);
    illegal(&[put("a", 0, failed(Error::WrongLeader))]);
    illegal(&[put("a", 0, failed(Error::Version)), get("a", 1)]);
    // A put whose version matches takes effect: "maybe" leaves open only whether it matched.
    let maybe = put("b", 1, failed(Error::Maybe));
    assert_eq!(
        sequential(&[put("a", 0, Answer::Done), maybe.clone(), get("b", 2)]),
        Legality::Legal
    );
    illegal(&[put("a", 0, Answer::Done), maybe, get("a", 1)]);
    let refused = put("b", 0, failed(Error::Maybe));
    assert_eq!(sequential(&[put("a", 0, Answer::Done), refused, get("a", 1)]), Legality::Legal);
}

/// What cannot be judged is undecided, never legal.
#[test]
fn a_client_that_overlaps_itself_is_undecided() {
    let (request, answer) = put("a", 0, Answer::Done);
    let (read, seen) = get("a", 1);
    let ops = [op(3, 0, 10, request, answer), op(3, 5, 15, read, seen)];
    assert!(matches!(judge_history(&ops), Legality::Undecided(_)));
}

/// A put that never returned may have taken effect at any time since, or not at all.
#[test]
fn an_open_put_may_have_taken_effect() {
    let (request, _) = put("a", 0, Answer::Done);
    let open = Op { client: 1, request, call: Instant::from_nanos(0), returned: None };
    let (read, seen) = get("a", 1);
    let later = op(0, 1_000, 1_001, read.clone(), seen);
    assert_eq!(judge_history(&[open.clone(), later]), Legality::Legal);
    let not_seen = op(0, 1_000, 1_001, read, Answer::Failed(Error::NoKey));
    assert_eq!(judge_history(&[open, not_seen]), Legality::Legal);
}

#[test]
fn a_history_in_a_file_is_the_same_history() {
    lab_test!(|| {
        let harness = harness(true);
        let clerk = harness.make_clerk();
        let mut version = Version::ZERO;
        assert_eq!(harness.get(&clerk, "x"), Err(Error::NoKey));
        for value in ["plain", "", "quote \" and\nbreak", "ü"] {
            version = harness.put_at_least_once(&clerk, "x", value, version);
            harness.check_get(&clerk, "x", value, version);
        }
        assert_eq!(harness.put(&clerk, "x", "late", Version::ZERO), Err(Error::Version));
        let path = std::env::temp_dir().join(format!("history-{}.jsonl", std::process::id()));
        harness.log().write_json_lines(&path).unwrap();
        let read = Op::read_json_lines(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read, harness.log().ops());
        harness.cleanup();
    });
}

#[test]
fn bad_history_files_name_the_line() {
    let path = std::env::temp_dir().join(format!("bad-history-{}.jsonl", std::process::id()));
    let error = |line: &str| {
        let good = r#"{"client":1,"op":"put","key":"k","value":"v","version":0,"err":"OK","call":1,"return":2,"new":3}"#;
        std::fs::write(&path, format!("{good}\n\n{line}\n")).unwrap();
        Op::read_json_lines(&path).unwrap_err().to_string()
    };
    assert!(error("{").starts_with("line 3: "));
    assert!(error(r#"{"client":1,"op":"add","key":"k","call":1}"#).contains("\"add\""));
    assert!(
        error(r#"{"client":1,"op":"get","key":"k","call":5,"return":4}"#)
            .contains("before its call")
    );
    std::fs::remove_file(&path).unwrap();
}

/// The course's workload on a network that loses messages: what was counted agrees with the final
/// version, and #Ops with the history.
#[test]
fn competing_clients() {
    for reliable in [true, false] {
        let body = move || {
            let harness = harness(reliable);
            harness.cluster().begin("Test: competing clients");
            let keys = tester::kv::make_keys(1);
            let theirs = harness.clone();
            let results = harness.spawn_clients_and_wait(
                4,
                Duration::from_secs(1),
                move |me, clerk, done| theirs.one_client_put(me as i64, clerk, &keys, done),
            );
            assert_eq!(results.len(), 4);
            assert!(results.iter().all(|result| result.ok > 0), "{results:?}");
            let maybe: u64 = results.iter().map(|result| result.maybe).sum();
            assert_eq!(maybe > 0, !reliable, "{results:?}");
            let clerk = harness.make_clerk();
            let mut total = ClientResult::default();
            harness.check_put_concurrent(&clerk, "k0", &results, &mut total, reliable);
            harness.cleanup();
        };
        let outcome = tester::run(Backend::Sim, 1, &TestOptions::default(), body);
        assert!(outcome.verdict.is_pass(), "{}", outcome.verdict.report());
        let shown: u64 = outcome
            .output
            .split("#Ops")
            .nth(1)
            .unwrap()
            .trim_start()
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(shown, outcome.ops);
        assert!(outcome.ops > 100);
    }
}

/// One put too many, or a wrong entry, does not get past the checks.
#[test]
fn the_checks_can_fail() {
    let report = |body: fn(&KvHarness)| {
        let run =
            tester::run(Backend::Sim, 1, &TestOptions::default(), move || body(&harness(true)));
        run.verdict.report().to_owned()
    };
    let entry = |version| serde_json::to_string(&Entry { id: 1, version }).unwrap();
    assert_eq!(entry(7), r#"{"Id":1,"V":7}"#);
    let counted = report(|harness| {
        let clerk = harness.make_clerk();
        let put = Entry { id: 1, version: 0 };
        harness.put_json(&clerk, "k", &put, Version::ZERO).unwrap();
        let one = ClientResult { ok: 2, maybe: 0 };
        harness.check_put_concurrent(&clerk, "k", &[one], &mut ClientResult::default(), true);
    });
    assert!(counted.contains("k has version 1, but 2 puts were OK"), "{counted}");
    let too_many = report(|harness| {
        let clerk = harness.make_clerk();
        let put = Entry { id: 1, version: 0 };
        harness.put_json(&clerk, "k", &put, Version::ZERO).unwrap();
        harness.put_json(&clerk, "k", &put, Version::new(1)).unwrap();
        let one = ClientResult { ok: 1, maybe: 0 };
        harness.check_put_concurrent(&clerk, "k", &[one], &mut ClientResult::default(), false);
    });
    assert!(too_many.contains("k has version 2, but only 1 + 0"), "{too_many}");
    let wrong = report(|harness| {
        let clerk = harness.make_clerk();
        harness.put(&clerk, "k", "a", Version::ZERO).unwrap();
        harness.check_get(&clerk, "k", "a", Version::new(2));
    });
    assert!(wrong.contains("expected \"a\" at version 2"), "{wrong}");
}

#[test]
fn spread_puts_are_recorded_but_not_counted() {
    let outcome = tester::run(Backend::Sim, 1, &TestOptions::default(), || {
        let harness = harness(true);
        let clerk = harness.make_clerk();
        let (keys, values) = harness.spread_puts(&clerk, 10);
        assert_eq!((keys.len(), values[3].len()), (10, 20));
        assert_eq!(harness.log().len(), 20);
        harness.cleanup();
    });
    assert!(outcome.verdict.is_pass(), "{}", outcome.verdict.report());
    assert_eq!(outcome.ops, 10);
}

/// Two tasks with one clerk would overlap as one client; the history keeps them apart.
#[test]
fn one_clerk_in_two_tasks() {
    lab_test!(|| {
        let harness = harness(true);
        let clerk = harness.make_clerk();
        let tasks: Vec<_> = (0..5)
            .map(|i| {
                let (harness, clerk) = (harness.clone(), clerk.clone());
                tester::spawn(move || harness.put(&clerk, &format!("k{i}"), "v", Version::ZERO))
            })
            .collect();
        for task in tasks {
            task.join().unwrap().unwrap();
        }
        harness.cleanup();
    });
}

#[test]
fn lists_that_clients_append_to() {
    lab_test!(|| {
        let harness = harness(true);
        let clerk = harness.make_clerk();
        harness.put(&clerk, "k", "[]", Version::ZERO).unwrap();
        let theirs = harness.clone();
        let results = harness.spawn_clients_and_wait(
            3,
            Duration::from_millis(100),
            move |me, clerk, done| theirs.one_client_append(me, clerk, done),
        );
        let (version, list) = harness.get_json::<Vec<_>>(&clerk, "k");
        harness.check_appends(&list, 3, &results, version);
        harness.cleanup();
    });
}

#[test]
fn titles() {
    let basic = GenericTest::new("4B basic");
    assert_eq!(basic.title(), "Test: one client (4B basic)");
    let everything = GenericTest {
        clients: 15,
        crash: true,
        partitions: true,
        random_keys: true,
        max_raft_state: Some(1000),
        ..GenericTest::new("4C x")
    };
    let title = "Test: restarts, partitions, snapshots, random keys, many clients (4C x)";
    assert_eq!(everything.title(), title);
    let rpc = GenericTest {
        clients: 0,
        max_raft_state: Some(1000),
        ..GenericTest::new("4C SnapshotsRPC")
    };
    assert_eq!(rpc.title(), "Test: snapshots, one client (4C SnapshotsRPC)");
}

#[test]
fn random_strings() {
    lab_test!(|| {
        let one = randstring(20);
        assert_eq!(one.len(), 20);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_ne!(one, randstring(20));
        assert_eq!(randstring(0), "");
        assert!(tester::kv::rand_value(50).bytes().all(|byte| byte.is_ascii_alphabetic()));
    });
}
