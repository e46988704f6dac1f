//! Runs and sweeps: back ends, verdicts, clean-ups, outputs.

use std::sync::Arc;
use std::time::Duration;

use runner::{Backend, Judgement, Settings, TestId, TestOptions, Verdict};

use super::settings::settings;

fn run(seed: u64, body: impl Fn() + Clone + Send + Sync + 'static) -> runner::Outcome {
    runner::run(Backend::Sim, seed, &TestOptions::default(), body)
}

fn sweep(
    name: &str,
    first: u64,
    seeds: u64,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> Judgement {
    let (first, seeds) = (first.to_string(), seeds.to_string());
    let settings = settings(&[("LAB_SEED", &first), ("LAB_SEEDS", &seeds)]).unwrap();
    runner::judge(&TestId::new(name, "runner"), &TestOptions::default(), &settings, body)
}

/// On threads nothing stops the process when a client panics: it must still fail the test, joined
/// or not.
#[test]
fn a_panic_in_a_client_fails_the_test_on_threads() {
    let outcome = runner::run(Backend::Threads, 0, &TestOptions::default(), || {
        let client = runner::spawn(|| panic!("a client that fails"));
        while !client.is_finished() {
            labrt::sleep(Duration::from_millis(1));
        }
    });
    assert_eq!(outcome.verdict, Verdict::Fail("a task of the test panicked".to_owned()));
    let outcome = runner::run(Backend::Threads, 0, &TestOptions::default(), || {
        let client = runner::spawn(|| runner::fatal!("found {}", "it"));
        let _ = client.join();
    });
    assert_eq!(outcome.verdict, Verdict::Fail("found it".to_owned()));
    assert!(outcome.output.starts_with("Fatal: found it\n        "), "{}", outcome.output);
}

/// As in a simulation: a report of all tasks. Their threads are left behind.
#[test]
fn a_hang_on_threads_is_a_failure_that_names_the_tasks() {
    let options = TestOptions::default().hang_after(Duration::from_millis(300));
    let outcome = runner::run(Backend::Threads, 0, &options, || {
        let lock = Arc::new(labrt::Mutex::new(()));
        let held = lock.lock();
        let his = Arc::clone(&lock);
        // It waits for a lock that is held by one that waits for it.
        runner::spawn(move || drop(his.lock())).join().unwrap();
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
        let body = || runner::inconclusive("the search gave up");
        let outcome = runner::run(backend, 1, &TestOptions::default(), body);
        assert_eq!(outcome.verdict, Verdict::Inconclusive("the search gave up".to_owned()));
        assert!(!outcome.verdict.is_pass());
        assert_eq!(outcome.output, "Inconclusive: the search gave up\n");
    }
    let test = TestId::new("undecided", "tester");
    let settings = Settings::default();
    let judged = runner::judge(&test, &TestOptions::default(), &settings, || {
        runner::inconclusive("the search gave up")
    });
    assert!(!judged.passed);
    assert!(judged.text.contains("INCONCLUSIVE undecided (seed 1): the search gave up"));
}

#[test]
fn a_sweep_runs_every_seed_once() {
    let seeds: Arc<parking_lot::Mutex<Vec<Option<u64>>>> = Arc::default();
    let theirs = Arc::clone(&seeds);
    let judgement = sweep("some_test", 10, 6, move || {
        let run = runner::current();
        theirs.lock().push(run.seed());
        run.add_traffic(100, 1);
        labrt::sleep(Duration::from_secs(3));
    });
    assert!(judgement.passed);
    assert_eq!((judgement.runs, judgement.rpcs), (6, 600));
    assert_eq!(judgement.time, Duration::from_secs(18));
    let mut seeds = std::mem::take(&mut *seeds.lock());
    seeds.sort_unstable();
    assert_eq!(seeds, (10..16).map(Some).collect::<Vec<_>>());
    let text = judgement.text;
    assert!(text.starts_with("some_test: 6 seeds, 6 passed; 600 RPCs, 18.0s virtual, "), "{text}");
    assert_eq!(text.lines().count(), 1);
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
    let judgement = sweep("unlucky_test", 1, 12, body);
    assert!(!judgement.passed);
    let lines: Vec<&str> = judgement.text.lines().collect();
    for (line, seed) in lines.iter().zip(&failing) {
        assert!(line.starts_with(&format!("unlucky_test seed {seed}: fail: task panic")), "{line}");
    }
    assert!(lines[failing.len()].contains(&format!("{} FAILED", failing.len())), "{lines:?}");
    let last = format!("repeat with: LAB_SEED={} cargo test -p runner unlucky_test", failing[0]);
    assert_eq!(*lines.last().unwrap(), last);
}

/// A sweep that fails again and again ends early.
#[test]
fn a_sweep_ends_after_twenty_failures() {
    let judgement = sweep("hopeless_test", 1, 1000, || panic!("always"));
    assert!((20..30).contains(&judgement.runs), "{}", judgement.runs);
    assert!(judgement.text.contains("hopeless_test: stopped after 2"), "{}", judgement.text);
}

/// What a test leaves running is cleaned up in the reverse order, once, on both back ends, also
/// after a panic on threads.
#[test]
fn clean_ups_run_when_the_body_has_ended() {
    for (backend, panics) in
        [(Backend::Sim, false), (Backend::Threads, false), (Backend::Threads, true)]
    {
        let order: Arc<parking_lot::Mutex<Vec<u32>>> = Arc::default();
        let theirs = Arc::clone(&order);
        let outcome = runner::run(backend, 1, &TestOptions::default(), move || {
            let registered: Vec<runner::CleanUp> = (0..3)
                .map(|number| {
                    let order = Arc::clone(&theirs);
                    runner::on_clean_up(move || order.lock().push(number))
                })
                .collect();
            runner::cancel_clean_up(registered[1]);
            theirs.lock().push(9);
            assert!(!panics, "before the clean-up");
        });
        assert_eq!(outcome.verdict.is_pass(), !panics);
        assert_eq!(*order.lock(), [9, 2, 0], "{backend}, panics: {panics}");
    }
}

/// An output that cannot be written is no pass.
#[test]
fn a_summary_that_cannot_be_written_fails_the_test() {
    for seeds in ["", "2"] {
        let variables = [("LAB_SUMMARY", "/nonexistent/summary.jsonl"), ("LAB_SEEDS", seeds)];
        let settings = settings(&variables).unwrap();
        let test = TestId::new("silent", "runner");
        let judgement = runner::judge(&test, &TestOptions::default(), &settings, || {});
        assert!(!judgement.passed);
        let start = "FAIL LAB_SUMMARY=/nonexistent/summary.jsonl: ";
        assert!(judgement.text.starts_with(start), "{}", judgement.text);
    }
}

/// A run that never yields, and one that stands still because it sleeps for real, are reported.
#[test]
fn loops_without_virtual_time_are_reported() {
    let short = Duration::from_millis(300);
    let limits = TestOptions::default().cpu_limits(short, Duration::from_secs(600));
    let outcome = runner::run(Backend::Sim, 1, &limits, || {
        loop {
            std::hint::spin_loop();
        }
    });
    assert_eq!(outcome.kind, Some(labrt::sim::FailureKind::Runaway));
    let report = outcome.verdict.report();
    assert!(report.contains("a task has run without a switch for "), "{report}");

    let limits = TestOptions::default().cpu_limits(Duration::from_secs(600), short);
    #[expect(clippy::disallowed_methods, reason = "the mistake that is to be reported")]
    let outcome = runner::run(Backend::Sim, 1, &limits, || {
        let lock = labrt::Mutex::new(());
        loop {
            drop(lock.lock());
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    assert_eq!(outcome.kind, Some(labrt::sim::FailureKind::Livelock));
    let report = outcome.verdict.report();
    assert!(report.contains("virtual time has not moved for "), "{report}");
    assert!(report.contains("runner/tests/runner/runs.rs:"), "{report}");
}
