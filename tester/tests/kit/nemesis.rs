//! Schedules: generated, written, read, carried out, reduced.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use runner::{Judgement, Settings, TestId, judge as judge_test};
use tester::ServerName;
use tester::TestOptions;
use tester::nemesis::{self, FaultKind, Limits, Nemesis, Schedule, Target};

use super::service::{Count, counter_cluster};

fn judge(settings: &Settings, body: impl Fn() + Clone + Send + Sync + 'static) -> Judgement {
    judge_test(&TestId::new("scheduled", "tester"), &TestOptions::default(), settings, body)
}

#[test]
fn a_seed_draws_one_schedule_and_json_keeps_it() {
    let limits = Limits::default().client_duplicates(true);
    for seed in 0..2000 {
        let generated = Schedule::generate(seed, &limits);
        assert_eq!(generated, Schedule::generate(seed, &limits));
        assert_eq!(Schedule::from_json(&generated.to_json()).unwrap(), generated, "seed {seed}");
    }
    let sizes: std::collections::BTreeSet<usize> =
        (0..100).map(|seed| Schedule::generate(seed, &limits).faults.len()).collect();
    assert!(sizes.len() > 10, "seeds differ: {sizes:?}");
}

#[test]
fn what_no_run_can_follow_is_refused() {
    let refusal = |text: &str| Schedule::from_json(text).unwrap_err().to_string();
    let with = |servers: usize, fault: &str| {
        format!(
            r#"{{"seed":1,"servers":{servers},"clients":1,"operations":1,"duration_ms":1000,"faults":[{fault}]}}"#
        )
    };
    assert!(refusal("{").starts_with("not a schedule: "));
    assert!(
        refusal(&with(3, r#"{"at_ms":1,"lasts_ms":1,"kind":"tea-break"}"#)).contains("tea-break")
    );
    assert!(refusal(&with(0, "")).contains("1 to 99 servers, not 0"));
    let crash = r#"{"at_ms":1,"lasts_ms":1,"kind":"crash","who":{"server":3}}"#;
    assert_eq!(refusal(&with(3, crash)), "fault 0 names server 3, but there are 3: count from 0");
    let loss = r#"{"at_ms":1,"lasts_ms":1,"kind":"links","loss":101}"#;
    assert_eq!(refusal(&with(3, loss)), "fault 0: a probability is at most 100 percent");
    let flap = r#"{"at_ms":1,"lasts_ms":1,"kind":"flap","who":"leader","period_ms":0}"#;
    assert!(refusal(&with(3, flap)).contains("0 ms"));
    let crash = with(4, crash);
    assert_eq!(Schedule::from_json(&crash).unwrap().faults.len(), 1);
    let path = std::env::temp_dir().join(format!("no-schedule-{}.json", std::process::id()));
    let mut settings = Settings::default();
    settings.input = Some(path);
    let judgement = judge(&settings, || {});
    assert!(
        !judgement.passed && judgement.text.starts_with("FAIL LAB_SCHEDULE="),
        "{}",
        judgement.text
    );
}

/// Server 1 is down from 100 to 300 ms, server 0 does not hear from server 2 between 150 and 250
/// ms; before and after all is well.
const TWO_FAULTS: &str = r#"{"seed":5,"servers":3,"clients":1,"operations":1,"duration_ms":400,"faults":[
    {"at_ms":100,"lasts_ms":200,"kind":"crash","who":{"server":1}},
    {"at_ms":150,"lasts_ms":100,"kind":"cut","pairs":[[2,0]]},
    {"at_ms":150,"lasts_ms":100,"kind":"clients","held_up":100,"patience_ms":20}]}"#;

#[test]
fn faults_begin_and_end_as_written() {
    let run = tester::run(tester::Backend::Sim, 5, &nemesis::replay(TWO_FAULTS), || {
        let schedule = nemesis::schedule(&Limits::default());
        let (cluster, _) = counter_cluster(schedule.servers);
        let group = cluster.group(0);
        let nemesis = Nemesis::start(&cluster, &schedule, || None);
        let client = cluster.make_client();
        let answers = |server| client.call::<Count>(ServerName::new(0, server), &()).is_ok();
        let at = |ms: u64| labrt::sleep_until(labrt::Instant::from_nanos(ms * 1_000_000));
        at(50);
        assert!(group.is_running(1) && answers(0));
        at(120);
        assert!(!group.is_running(1) && answers(0));
        at(160);
        let asked = labrt::now();
        assert!(!answers(0), "held up for longer than the client waits");
        assert_eq!(asked.elapsed(), Duration::from_millis(20));
        at(310);
        assert!(group.is_running(1) && answers(0) && answers(1));
        nemesis.finish();
        assert!(labrt::now().as_nanos() >= 400_000_000);
    });
    assert!(run.verdict.is_pass(), "{}", run.verdict.report());
}

/// The bug: nothing survives the crash of a server by its number.
fn buggy() {
    let schedule = nemesis::schedule(&Limits::default());
    let (cluster, _) = counter_cluster(schedule.servers);
    Nemesis::start(&cluster, &schedule, || None).finish();
    let mut kinds = schedule.faults.iter().map(|fault| &fault.kind);
    if kinds.any(|kind| matches!(kind, FaultKind::Crash { who: Target::Server(_) })) {
        tester::fatal!("{} clients have seen it", schedule.clients);
    }
}

/// A failing run shows its schedule and leaves a small one that fails in the same way; with that
/// file, the test fails again.
#[test]
fn a_failing_schedule_is_reduced_written_and_replayed() {
    let seed = (1..).find(|&seed| {
        let kinds = Schedule::generate(seed, &Limits::default()).faults.into_iter().map(|f| f.kind);
        kinds.filter(|kind| matches!(kind, FaultKind::Crash { who: Target::Server(_) })).count() > 2
    });
    let mut settings = Settings::default();
    settings.seed = seed;
    let judgement = judge(&settings, buggy);
    assert!(!judgement.passed);
    assert!(judgement.text.contains("  schedule (seed "), "{}", judgement.text);
    assert!(judgement.text.contains(" faults to 1 in "), "{}", judgement.text);
    let line = judgement.text.lines().find_map(|line| line.strip_prefix("  schedule: ")).unwrap();
    let (path, command) = line.split_once(" (").unwrap();
    assert_eq!(command, format!("make replay SCHEDULE={path})"));
    let small = Schedule::from_json(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!((small.package.as_str(), small.test.as_str()), ("tester", "scheduled"));
    assert_eq!((small.faults.len(), small.clients, small.operations), (1, 1, 1));
    assert!(small.fails.contains("1 clients have seen it"), "{}", small.fails);

    let mut settings = Settings::default();
    settings.input = Some(PathBuf::from(path));
    let judgement = judge(&settings, buggy);
    assert!(!judgement.passed);
    assert!(
        judgement.text.contains("1 clients, 1 operations")
            || judgement.text.contains("1 clients with 1 operations")
    );
    assert_eq!(
        judgement.text.lines().last().unwrap(),
        format!("repeat with: make replay SCHEDULE={path}")
    );
    // The file is not rewritten, and a test with another name is not concerned.
    assert_eq!(Schedule::from_json(&std::fs::read_to_string(path).unwrap()).unwrap(), small);
    let seen: Arc<parking_lot::Mutex<Option<Schedule>>> = Arc::default();
    let seeing = Arc::clone(&seen);
    let other = move || *seeing.lock() = Some(nemesis::schedule(&Limits::default()));
    let other =
        judge_test(&TestId::new("other", "tester"), &TestOptions::default(), &settings, other);
    assert!(other.passed);
    assert_eq!(seen.lock().take(), Some(Schedule::generate(1, &Limits::default())));
}
