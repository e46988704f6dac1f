//! Explanations: small, right, and in words.

use porcupine::models::register::{self, Register};
use porcupine::models::versioned_kv::{Input, Output, VersionedKv};
use porcupine::{Operation, Options, Verdict, check_operations, explain, is_smallest};
use rand::RngExt;

use crate::random::{dice, history};

/// A get of an overwritten value: the get, and the put (or a get of its value) that had overwritten
/// it.
#[test]
fn a_stale_get_is_explained_by_what_it_should_have_seen() {
    let history = [
        Operation::new(1, 0, Input::put("k", "x", 0), 10, Output::Done),
        Operation::new(1, 20, Input::get("k"), 30, Output::value("x", 1)),
        Operation::new(2, 40, Input::put("k", "y", 1), 50, Output::Done),
        Operation::new(3, 45, Input::put("k", "z", 1), 70, Output::Version),
        Operation::new(1, 60, Input::get("k"), 90, Output::value("x", 1)),
    ];
    let found = explain(&VersionedKv, &history, &Options::default()).unwrap().unwrap();
    assert_eq!(found.operations, [2, 4]);
    assert!(found.smallest);
    assert_eq!(found.given_before, None);
    assert_eq!(found.partition, "k");
    let lines: Vec<&str> = found.text.lines().collect();
    assert_eq!(lines[1], "  [40, 50] client 2: put('k', 'y', '1') -> ('OK')");
    assert_eq!(lines[2], "  [60, 90] client 1: get('k') -> ('x', '1', 'OK')");
    assert!(found.text.contains("before it: 'y' at version 2"), "{}", found.text);
}

#[test]
fn a_linearizable_history_has_no_explanation() {
    let history = [Operation::new(1, 0, Input::get("k"), 10, Output::NoKey)];
    assert_eq!(explain(&VersionedKv, &history, &Options::default()).unwrap(), None);
}

/// On random histories: the set contradicts itself, and without any one of its answers it does not.
#[test]
fn explanations_are_smallest() {
    let model = Register::new();
    let mut illegal = 0;
    for seed in 0..3000 {
        let mut dice = dice(seed);
        let history = history(
            &model,
            &mut dice,
            14,
            &mut |dice| match dice.random_range(0..3) {
                0 => register::Input::Write(dice.random_range(0..3)),
                1 => register::Input::Cas(dice.random_range(0..3), dice.random_range(0..3)),
                _ => register::Input::Read,
            },
            &mut |state, input, _| match input {
                register::Input::Read => register::Output::Value(*state),
                register::Input::Cas(old, _) if *state != Some(*old) => register::Output::Differs,
                _ => register::Output::Done,
            },
            &mut |_, dice| register::Output::Value(Some(dice.random_range(0..3))),
        );
        let options = Options::default();
        let verdict = check_operations(&model, &history, &options).unwrap().verdict();
        let explanation = explain(&model, &history, &options).unwrap();
        assert_eq!(explanation.is_some(), verdict == Verdict::Illegal, "seed {seed}");
        if let Some(explanation) = explanation {
            illegal += 1;
            assert!(explanation.smallest, "seed {seed}");
            let right = is_smallest(&model, &history, &explanation, &options).unwrap();
            assert!(right, "seed {seed}: {explanation:#?} of {history:#?}");
        }
    }
    assert!(illegal > 500, "only {illegal} illegal histories");
}
