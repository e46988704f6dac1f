//! The same verdict as the brute-force reference, on many small histories of every model.
//!
//! `PORCUPINE_CASES` says how many of each (20,000; CI and the closing runs take 100,000).

use porcupine::models::AppendKv;
use porcupine::models::versioned_kv::{self, VersionedKv};
use porcupine::{
    Method, Model, Operation, Options, Verdict, check_operations, check_operations_verbose,
};
use rand::RngExt;

use crate::brute::{comes_before, linearizable};
use crate::random::{Dice, History, dice, history};

pub(crate) fn cases() -> u64 {
    std::env::var("PORCUPINE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000)
}

pub(crate) fn compare<M: Model>(model: &M, mut make: impl FnMut(&mut Dice) -> History<M>) {
    let (mut yes, mut no) = (0, 0);
    for seed in 0..cases() {
        let history = make(&mut dice(seed));
        let expected = if linearizable(model, &history) { Verdict::Ok } else { Verdict::Illegal };
        for method in [Method::Auto, Method::BreadthFirst, Method::DepthFirst] {
            let options = Options { method, ..Options::default() };
            let report = check_operations(model, &history, &options).unwrap();
            assert_eq!(report.verdict(), expected, "seed {seed}, {method:?}: {history:#?}");
        }
        let verbose = check_operations_verbose(model, &history, &Options::default()).unwrap();
        assert_eq!(verbose.verdict(), expected, "seed {seed}, verbose: {history:#?}");
        for part in verbose.partitions() {
            for order in &part.linearizations {
                let context = format!("seed {seed}: {history:#?}");
                is_linearization(model, &history, &part.operations, order, &context);
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
    partition: &[usize],
    order: &[usize],
    context: &str,
) {
    let mut state = model.init();
    let mut left = partition.to_vec();
    for at in order {
        let operation = &history[*at];
        assert!(left.contains(at), "{at} is twice in {order:?}; {context}");
        left.retain(|other| other != at);
        for other in &left {
            let early = comes_before(history, *other, *at);
            assert!(!early, "{other} must come before {at} in {order:?}; {context}");
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

#[test]
fn register_agrees() {
    use porcupine::models::register::{Input, Output, Register};
    let model = Register::new();
    compare(&model, |dice| {
        let value = |dice: &mut Dice| dice.random_range(0..3i64);
        history(
            &model,
            dice,
            8,
            &mut |dice| match dice.random_range(0..3) {
                0 => Input::Read,
                1 => Input::Write(value(dice)),
                _ => Input::Cas(value(dice), value(dice)),
            },
            &mut |state, input, _| match input {
                Input::Read => Output::Value(*state),
                Input::Cas(old, _) if *state != Some(*old) => Output::Differs,
                Input::Write(_) | Input::Cas(..) => Output::Done,
            },
            &mut |_, dice| match dice.random_range(0..4) {
                0 => Output::Done,
                1 => Output::Differs,
                _ => Output::Value(dice.random_bool(0.8).then(|| value(dice))),
            },
        )
    });
}

#[test]
fn set_agrees() {
    use porcupine::models::set::{Input, Output, Set};
    let model = Set::new();
    compare(&model, |dice| {
        let value = |dice: &mut Dice| dice.random_range(0..3i64);
        history(
            &model,
            dice,
            7,
            &mut |dice| match dice.random_range(0..4) {
                0 => Input::Add(value(dice)),
                1 => Input::Remove(value(dice)),
                2 => Input::Contains(value(dice)),
                _ => Input::Members,
            },
            &mut |state, input, dice| match input {
                Input::Add(_) | Input::Remove(_) if dice.random_bool(0.5) => Output::Done,
                Input::Add(value) => Output::Changed(!state.contains(value)),
                Input::Remove(value) => Output::Changed(state.contains(value)),
                Input::Contains(value) => Output::Is(state.contains(value)),
                Input::Members => Output::Members(state.clone()),
            },
            &mut |input, dice| match input {
                Input::Add(_) | Input::Remove(_) => Output::Changed(dice.random_bool(0.5)),
                Input::Contains(_) => Output::Is(dice.random_bool(0.5)),
                Input::Members => {
                    Output::Members((0..3).filter(|_| dice.random_bool(0.5)).collect())
                }
            },
        )
    });
}

#[test]
fn queue_agrees() {
    use porcupine::models::queue::{Input, Output, Queue};
    let model = Queue::new();
    compare(&model, |dice| {
        let values = dice.random_range(1..=4i64);
        history(
            &model,
            dice,
            8,
            &mut |dice| match dice.random_range(0..2) {
                0 => Input::Enqueue(dice.random_range(0..values)),
                _ => Input::Dequeue,
            },
            &mut |state, input, _| match (input, state.front()) {
                (Input::Enqueue(_), _) => Output::Done,
                (Input::Dequeue, Some(value)) => Output::Value(*value),
                (Input::Dequeue, None) => Output::Empty,
            },
            &mut |input, dice| match input {
                Input::Dequeue if dice.random_bool(0.3) => Output::Empty,
                Input::Dequeue => Output::Value(dice.random_range(0..values)),
                Input::Enqueue(_) => Output::Done,
            },
        )
    });
}

/// Histories for which the model has a decision procedure: most of them differ from the search.
#[test]
fn queue_with_distinct_values_agrees() {
    use porcupine::models::queue::{Input, Output, Queue};
    let model = Queue::new();
    compare(&model, |dice| {
        let mut next = 0;
        let enqueues = dice.random_range(2..=4);
        history(
            &model,
            dice,
            9,
            &mut |dice| match dice.random_range(0..5) {
                kind if kind < enqueues => {
                    next += 1;
                    Input::Enqueue(next)
                }
                _ => Input::Dequeue,
            },
            &mut |state, input, _| match (input, state.front()) {
                (Input::Enqueue(_), _) => Output::Done,
                (Input::Dequeue, Some(value)) => Output::Value(*value),
                (Input::Dequeue, None) => Output::Empty,
            },
            &mut |input, dice| match input {
                Input::Dequeue if dice.random_bool(0.5) => Output::Empty,
                Input::Dequeue => Output::Value(dice.random_range(1..6)),
                Input::Enqueue(_) => Output::Done,
            },
        )
    });
}

#[test]
fn register_with_distinct_values_agrees() {
    use porcupine::models::register::{Input, Output, Register};
    let model = Register::new();
    compare(&model, |dice| {
        let mut next = 0;
        history(
            &model,
            dice,
            9,
            &mut |dice| match dice.random_range(0..5) {
                0 | 1 => {
                    next += 1;
                    Input::Write(next)
                }
                _ => Input::Read,
            },
            &mut |state, input, _| match input {
                Input::Read => Output::Value(*state),
                Input::Write(_) | Input::Cas(..) => Output::Done,
            },
            &mut |input, dice| match input {
                Input::Read => {
                    Output::Value(dice.random_bool(0.8).then(|| dice.random_range(1..5)))
                }
                Input::Write(_) | Input::Cas(..) => Output::Done,
            },
        )
    });
}

/// Without removes, and with reads of all members.
#[test]
fn set_that_grows_agrees() {
    use porcupine::models::set::{Input, Output, Set};
    let model = Set::new();
    compare(&model, |dice| {
        let value = |dice: &mut Dice| dice.random_range(0..4i64);
        let told = dice.random_range(0..=2);
        history(
            &model,
            dice,
            8,
            &mut |dice| match dice.random_range(0..5) {
                0 | 1 => Input::Add(value(dice)),
                2 => Input::Contains(value(dice)),
                _ => Input::Members,
            },
            &mut |state, input, dice| match input {
                Input::Add(_) | Input::Remove(_) if dice.random_range(0..2) >= told => Output::Done,
                Input::Add(value) => Output::Changed(!state.contains(value)),
                Input::Remove(value) => Output::Changed(state.contains(value)),
                Input::Contains(value) => Output::Is(state.contains(value)),
                Input::Members => Output::Members(state.clone()),
            },
            &mut |input, dice| match input {
                Input::Add(_) | Input::Remove(_) => Output::Changed(dice.random_bool(0.5)),
                Input::Contains(_) => Output::Is(dice.random_bool(0.5)),
                Input::Members => {
                    Output::Members((0..4).filter(|_| dice.random_bool(0.5)).collect())
                }
            },
        )
    });
}

#[test]
fn lock_agrees() {
    use porcupine::models::lock::{Input, Lock, Output};
    compare(&Lock, |dice| {
        history(
            &Lock,
            dice,
            8,
            &mut |dice| match dice.random_range(0..2) {
                0 => Input::Acquire(dice.random_range(0..2)),
                _ => Input::Release(dice.random_range(0..2)),
            },
            &mut |holder, input, _| {
                let possible = match input {
                    Input::Acquire(_) => holder.is_none(),
                    Input::Release(owner) => *holder == Some(*owner),
                };
                if possible { Output::Done } else { Output::Refused }
            },
            &mut |_, dice| if dice.random_bool(0.5) { Output::Done } else { Output::Refused },
        )
    });
}

#[test]
fn append_kv_agrees() {
    append_kv(AppendKv::new());
}

/// With values that differ, gets give away the order of the writes.
#[test]
fn append_kv_with_distinct_values_agrees() {
    use porcupine::models::append_kv::{Input, Output};
    for model in [AppendKv::new(), AppendKv::whole()] {
        compare(&model, |dice| {
            let keys = dice.random_range(1..=2);
            let mut values = "abcdefgh".split("").skip(1);
            history(
                &model,
                dice,
                8,
                &mut |dice| {
                    let key = ["k", "l"][dice.random_range(0..keys)];
                    match dice.random_range(0..5) {
                        0 => Input::put(key, values.next().unwrap()),
                        1 | 2 => Input::append(key, values.next().unwrap()),
                        _ => Input::get(key),
                    }
                },
                &mut |state, input, _| match input {
                    Input::Get { key } => Output::value(state.get(key)),
                    Input::Put { .. } | Input::Append { .. } => Output::Done,
                },
                &mut |input, dice| match input {
                    Input::Get { .. } => {
                        let text: String =
                            "abcdef".chars().filter(|_| dice.random_bool(0.3)).collect();
                        Output::value(&text)
                    }
                    Input::Put { .. } | Input::Append { .. } => Output::Done,
                },
            )
        });
    }
}

#[test]
fn append_kv_whole_agrees() {
    append_kv(AppendKv::whole());
}

fn append_kv(model: AppendKv) {
    use porcupine::models::append_kv::{Input, Output};
    let value = |dice: &mut Dice| ["x", "y"][dice.random_range(0..2)];
    compare(&model, |dice| {
        let keys = dice.random_range(1..=2);
        history(
            &model,
            dice,
            7,
            &mut |dice| {
                let key = ["a", "b"][dice.random_range(0..keys)];
                match dice.random_range(0..4) {
                    0 => Input::put(key, value(dice)),
                    1 => Input::append(key, value(dice)),
                    _ => Input::get(key),
                }
            },
            &mut |state, input, _| match input {
                Input::Get { key } => Output::value(state.get(key)),
                Input::Put { .. } | Input::Append { .. } => Output::Done,
            },
            &mut |input, dice| match input {
                Input::Get { .. } => {
                    let length = dice.random_range(0..3);
                    let text: String = (0..length).map(|_| value(dice)).collect();
                    Output::value(&text)
                }
                Input::Put { .. } | Input::Append { .. } => Output::Done,
            },
        )
    });
}
