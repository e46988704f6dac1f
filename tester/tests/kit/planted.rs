//! Violations planted into recorded runs: the verdict finds every one.

use kvapi::{Error, Version};
use runner::{Settings, TestId, TestOptions};
use tester::kv::{Answer, KvHarness, Legality, Op, Request, judge_history};

use super::service::{Flaw, KvClerk, kv_cluster};

/// One answer of a run made wrong.
#[derive(Clone, Copy, Debug)]
enum Planted {
    /// A client's get after its own put answers what the key held before that put.
    MissesOwnPut,
    /// A get answers an older version than the same client's get before it.
    GoesBack,
    /// A get answers the right version with the value of another one.
    OtherValue,
    /// A put that was refused says that it took effect.
    RefusedIsDone,
}

const ALL: [Planted; 4] =
    [Planted::MissesOwnPut, Planted::GoesBack, Planted::OtherValue, Planted::RefusedIsDone];

/// The version a put made, if it certainly took effect.
fn made(op: &Op) -> Option<Version> {
    match (&op.request, &op.returned) {
        (Request::Put { version, .. }, Some((_, Answer::Done))) => Some(version.next()),
        _ => None,
    }
}

/// The value and version that a get was answered.
fn seen(op: &Op) -> Option<(&str, Version)> {
    match (&op.request, &op.returned) {
        (Request::Get { .. }, Some((_, Answer::Value(value, version)))) => Some((value, *version)),
        _ => None,
    }
}

/// The value of a version, as the put that made it has it.
fn value_of(ops: &[Op], wanted: Version) -> Option<String> {
    ops.iter().find(|op| made(op) == Some(wanted)).and_then(|op| match &op.request {
        Request::Put { value, .. } => Some(value.clone()),
        _ => None,
    })
}

/// A wrong answer for the operation at `at`, if there is one of this kind.
fn wrong_answer(ops: &[Op], at: usize, kind: Planted) -> Option<Answer> {
    let op = &ops[at];
    let last_of_client = ops[..at].iter().rfind(|earlier| earlier.client == op.client);
    match kind {
        Planted::MissesOwnPut => {
            seen(op)?;
            let Request::Put { version, .. } =
                &last_of_client.filter(|op| made(op).is_some())?.request
            else {
                return None;
            };
            Some(Answer::Value(value_of(ops, *version)?, *version))
        }
        Planted::GoesBack => {
            seen(op)?;
            let mut gets = ops[..at].iter().filter(|other| other.client == op.client);
            let (_, last) = gets.rfind(|other| seen(other).is_some()).and_then(seen)?;
            let older = Version::new(last.get().checked_sub(1).filter(|version| *version > 0)?);
            Some(Answer::Value(value_of(ops, older)?, older))
        }
        Planted::OtherValue => {
            let (value, version) = seen(op)?;
            let other = value_of(ops, Version::new(version.get().checked_sub(1)?))?;
            (other != value).then_some(Answer::Value(other, version))
        }
        Planted::RefusedIsDone => {
            let Request::Put { version, .. } = &op.request else { return None };
            let refused = matches!(&op.returned, Some((_, Answer::Failed(Error::Version))));
            // Another put took effect at this version.
            (refused && value_of(ops, version.next()).is_some()).then_some(Answer::Done)
        }
    }
}

/// The same run with one answer wrong, near its middle.
fn plant(ops: &[Op], kind: Planted) -> Option<Vec<Op>> {
    let middle = ops.len() / 2;
    let (at, answer) =
        (middle..ops.len()).find_map(|at| Some((at, wrong_answer(ops, at, kind)?)))?;
    let mut planted = ops.to_vec();
    planted[at].returned.as_mut()?.1 = answer;
    Some(planted)
}

/// Clients put and get for a second; the clock of the run stands while nobody sleeps.
#[test]
fn all_of_56_planted_violations_are_found() {
    for seed in 1..=14 {
        let mut settings = Settings::default();
        settings.seed = Some(seed);
        let id = TestId::new("planted", "tester");
        let judgement = runner::judge(&id, &TestOptions::default(), &settings, move || {
            let cluster = kv_cluster(true, Flaw::None);
            cluster.begin("Test: runs to plant violations into");
            let harness = KvHarness::new(cluster, KvClerk::new, false);
            let clients = harness.clone();
            let time = std::time::Duration::from_secs(1);
            harness.spawn_clients_and_wait(
                1 + seed as usize % 5 * 2,
                time,
                move |me, clerk, done| {
                    clients.one_client_put(me as i64, clerk, &["k".to_owned()], done)
                },
            );
            // Somebody is always refused.
            let clerk = harness.make_clerk();
            for at in 0..3 {
                let _ = harness.put(&clerk, "k", &format!("refused {at}"), Version::new(1));
            }
            let ops = harness.log().ops();
            assert_eq!(judge_history(&ops), Legality::Legal);
            for kind in ALL {
                let planted = plant(&ops, kind).unwrap_or_else(|| panic!("no place for {kind:?}"));
                let verdict = judge_history(&planted);
                assert!(matches!(verdict, Legality::Illegal(_)), "{kind:?}: {verdict:?}");
            }
            harness.cleanup();
        });
        assert!(judgement.passed, "seed {seed}: {}", judgement.text);
    }
}
