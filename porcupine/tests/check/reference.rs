//! The same verdict as the brute-force reference, on many small histories of every model.
//!
//! `PORCUPINE_CASES` says how many of each (20,000; CI and the closing runs take 100,000).

use porcupine::models::versioned_kv::{self, VersionedKv};
use porcupine::{Model, Operation, Options, Verdict, check_operations, check_operations_verbose};
use rand::RngExt;

use crate::brute::linearizable;
use crate::random::{Dice, dice, history};

fn cases() -> u64 {
    std::env::var("PORCUPINE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000)
}

fn compare<M: Model>(
    model: &M,
    mut make: impl FnMut(&mut Dice) -> Vec<Operation<M::Input, M::Output>>,
) {
    let (mut yes, mut no) = (0, 0);
    for seed in 0..cases() {
        let history = make(&mut dice(seed));
        let expected = if linearizable(model, &history) { Verdict::Ok } else { Verdict::Illegal };
        let report = check_operations(model, &history, &Options::default()).unwrap();
        assert_eq!(report.verdict(), expected, "seed {seed}: {history:#?}");
        let verbose = check_operations_verbose(model, &history, &Options::default()).unwrap();
        assert_eq!(verbose.verdict(), expected, "seed {seed}, verbose: {history:#?}");
        for part in verbose.partitions() {
            for order in &part.linearizations {
                is_linearization(model, &history, order, &format!("seed {seed}: {history:#?}"));
                if part.verdict == Verdict::Ok {
                    let returned = |at: &&usize| history[**at].returned.is_some();
                    let all = part.operations.iter().filter(returned).count();
                    let placed = order.iter().filter(returned).count();
                    assert_eq!(all, placed, "seed {seed}: {order:?} of {history:#?}");
                }
            }
        }
        if expected == Verdict::Ok { yes += 1 } else { no += 1 }
    }
    // Otherwise the test says little.
    assert!(yes > cases() / 10 && no > cases() / 10, "{yes} linearizable, {no} not");
}

/// Real time and the model allow this order, and it leaves out nothing that returned before something
/// in it was called.
fn is_linearization<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    order: &[usize],
    context: &str,
) {
    let mut state = model.init();
    let part = order.first().map(|at| model.partition(&history[*at].input));
    let mut left: Vec<usize> = (0..history.len())
        .filter(|at| part.as_ref() == Some(&model.partition(&history[*at].input)))
        .collect();
    for at in order {
        let operation = &history[*at];
        assert!(left.contains(at), "{at} is twice in {order:?}; {context}");
        left.retain(|other| other != at);
        for other in &left {
            let early = history[*other].return_time().is_some_and(|time| time < operation.call);
            assert!(!early, "{other} had returned before {at} in {order:?}; {context}");
        }
        match model.step(&state, &operation.input, operation.output()) {
            porcupine::Step::To(after) => state = after,
            porcupine::Step::Unchanged => {}
            illegal => panic!("{at} is {illegal:?} in {state:?}, {order:?}; {context}"),
        }
    }
}

#[test]
fn versioned_kv_agrees() {
    use versioned_kv::{Input, Output};
    let value = |dice: &mut Dice| ["x", "y", "z"][dice.random_range(0..3)];
    compare(&VersionedKv, |dice| {
        let keys = dice.random_range(1..=2);
        let maybe = dice.random_range(0..4u32);
        history(
            &VersionedKv,
            dice,
            8,
            &mut |dice| {
                let key = ["a", "b"][dice.random_range(0..keys)];
                match dice.random_range(0..3) {
                    0 => Input::get(key),
                    _ => Input::put(key, value(dice), dice.random_range(0..3)),
                }
            },
            &mut |state, input, dice| match input {
                Input::Get { .. } if state.version == 0 => Output::NoKey,
                Input::Get { .. } => Output::value(&state.value, state.version),
                Input::Put { .. } if dice.random_range(0..4) < maybe => Output::Maybe,
                Input::Put { version, .. } if *version == state.version => Output::Done,
                Input::Put { .. } if state.version == 0 && dice.random_bool(0.5) => Output::NoKey,
                Input::Put { .. } => Output::Version,
            },
            &mut |input, dice| match input {
                Input::Get { .. } if dice.random_bool(0.2) => Output::NoKey,
                Input::Get { .. } => Output::value(value(dice), dice.random_range(0..4)),
                Input::Put { .. } => [Output::Done, Output::Version, Output::Maybe, Output::NoKey]
                    [dice.random_range(0..4)]
                .clone(),
            },
        )
    });
}
