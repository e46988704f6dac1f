//! The models beside the stores, the register, the queue, the set and the lock, against brute
//! force.

use std::collections::BTreeMap;
use std::sync::Arc;

use porcupine::models::{
    Bank, Counter, Keyed, Lease, ListAppend, MultiRegister, Mutex, PriorityQueue, ReentrantLock,
    Register, StringRegister, bank, counter, keyed, lease, list_append, multi_register, mutex,
    priority_queue, reentrant, register,
};
use rand::RngExt;

use crate::random::{Dice, history};
use crate::reference::compare;

#[test]
fn counter_agrees() {
    use counter::{Input, Output};
    for model in [Counter::new(), Counter::starting_at(3)] {
        compare(&model, |dice| {
            history(
                &model,
                dice,
                8,
                &mut |dice| match dice.random_range(0..3) {
                    0 => Input::Add(dice.random_range(-1..3)),
                    1 => Input::AddAndGet(dice.random_range(-1..3)),
                    _ => Input::Read,
                },
                &mut |sum, input, _| match input {
                    Input::Add(_) => Output::Done,
                    Input::AddAndGet(n) => Output::Value(sum + n),
                    Input::Read => Output::Value(*sum),
                },
                &mut |_, dice| Output::Value(dice.random_range(-2..8)),
            )
        });
    }
}

#[test]
fn mutex_agrees() {
    use mutex::{Input, Output};
    for model in [Mutex::new(), Mutex::held()] {
        compare(&model, |dice| {
            let refuses = dice.random_bool(0.5);
            history(
                &model,
                dice,
                8,
                &mut |dice| if dice.random_bool(0.5) { Input::Acquire } else { Input::Release },
                &mut |held, input, _| {
                    if (*input == Input::Acquire) != *held { Output::Done } else { Output::Refused }
                },
                &mut |_, dice| {
                    if refuses && dice.random_bool(0.5) { Output::Refused } else { Output::Done }
                },
            )
        });
    }
}

#[test]
fn reentrant_lock_agrees() {
    use porcupine::{Model, Step};
    use reentrant::{Input, Output};
    for model in [ReentrantLock::new(), ReentrantLock::at_most(2)] {
        compare(&model, |dice| {
            history(
                &model,
                dice,
                8,
                &mut |dice| {
                    let owner = dice.random_range(0..2);
                    if dice.random_bool(0.6) {
                        Input::Acquire(owner)
                    } else {
                        Input::Release(owner)
                    }
                },
                &mut |held, input, _| match model.step(held, input, Some(&Output::Done)) {
                    Step::Illegal => Output::Refused,
                    _ => Output::Done,
                },
                &mut |_, dice| if dice.random_bool(0.5) { Output::Done } else { Output::Refused },
            )
        });
    }
}

#[test]
fn lease_agrees() {
    use lease::{Input, Output};
    compare(&Lease, |dice| {
        history(
            &Lease,
            dice,
            8,
            &mut |dice| match dice.random_range(0..4) {
                0 | 1 => Input::Acquire,
                2 => Input::Renew(dice.random_range(1..4)),
                _ => Input::Release(dice.random_range(1..4)),
            },
            &mut |state, input, dice| match *input {
                Input::Acquire if state.runs && dice.random_bool(0.5) => Output::Refused,
                Input::Acquire => Output::Granted(state.token + 1),
                Input::Renew(token) | Input::Release(token) => {
                    let runs = state.runs && token == state.token;
                    if runs && dice.random_bool(0.8) { Output::Done } else { Output::Refused }
                }
            },
            &mut |input, dice| match input {
                Input::Acquire => Output::Granted(dice.random_range(1..5)),
                _ => Output::Done,
            },
        )
    });
}

#[test]
fn priority_queue_agrees() {
    use priority_queue::{Input, Output};
    let model = PriorityQueue::new();
    compare(&model, |dice| {
        let values = dice.random_range(1..=4i64);
        history(
            &model,
            dice,
            8,
            &mut |dice| match dice.random_range(0..5) {
                0 | 1 => Input::Insert(dice.random_range(0..values)),
                2 | 3 => Input::RemoveMin,
                _ => Input::Min,
            },
            &mut |state, input, _| match (input, state.first()) {
                (Input::Insert(_), _) => Output::Done,
                (_, Some(value)) => Output::Value(*value),
                (_, None) => Output::Empty,
            },
            &mut |input, dice| match input {
                Input::Insert(_) => Output::Done,
                _ if dice.random_bool(0.3) => Output::Empty,
                _ => Output::Value(dice.random_range(0..values)),
            },
        )
    });
}

#[test]
fn multi_register_agrees() {
    use multi_register::Access;
    for model in
        [MultiRegister::new(), MultiRegister::starting_at(BTreeMap::from([(0, 0), (1, 2)]))]
    {
        compare(&model, |dice| {
            history(
                &model,
                dice,
                7,
                &mut |dice| {
                    let steps = dice.random_range(1..=3);
                    let step = |dice: &mut Dice| {
                        let key = dice.random_range(0..2i64);
                        if dice.random_bool(0.5) {
                            Access::Read(key)
                        } else {
                            Access::Write(key, dice.random_range(0..3i64))
                        }
                    };
                    (0..steps).map(|_| step(dice)).collect()
                },
                &mut |state, input, _| {
                    let mut state = state.clone();
                    let mut found = Vec::new();
                    for access in input {
                        match access {
                            Access::Read(key) => found.push(state.get(key).copied()),
                            Access::Write(key, value) => {
                                state.insert(*key, *value);
                            }
                        }
                    }
                    found
                },
                &mut |input, dice| {
                    let reads = input.iter().filter(|access| matches!(access, Access::Read(_)));
                    let value =
                        |dice: &mut Dice| dice.random_bool(0.8).then(|| dice.random_range(0..3i64));
                    reads.map(|_| value(dice)).collect()
                },
            )
        });
    }
}

#[test]
fn list_append_agrees() {
    list_append_with(ListAppend::new(), 2);
}

#[test]
fn list_append_list_by_list_agrees() {
    list_append_with(ListAppend::one_list_each(), 1);
}

/// With transactions on up to so many lists.
fn list_append_with(model: ListAppend, lists: i64) {
    use list_append::Access;
    compare(&model, |dice| {
        history(
            &model,
            dice,
            7,
            &mut |dice| {
                let only = dice.random_range(0..2i64);
                let step = |dice: &mut Dice| {
                    let key = if lists == 1 { only } else { dice.random_range(0..lists) };
                    if dice.random_bool(0.5) {
                        Access::Read(key)
                    } else {
                        Access::Append(key, dice.random_range(0..3i64))
                    }
                };
                (0..dice.random_range(1..=2)).map(|_| step(dice)).collect()
            },
            &mut |state, input, _| {
                let mut state = state.clone();
                let mut found = Vec::new();
                for access in input {
                    let list = state.entry(*access.key()).or_default();
                    match access {
                        Access::Read(_) => found.push(list.to_vec()),
                        Access::Append(_, value) => Arc::make_mut(list).push(*value),
                    }
                }
                found
            },
            &mut |input, dice| {
                let reads = input.iter().filter(|access| matches!(access, Access::Read(_)));
                let list = |dice: &mut Dice| {
                    (0..dice.random_range(0..3)).map(|_| dice.random_range(0..3i64)).collect()
                };
                reads.map(|_| list(dice)).collect()
            },
        )
    });
}

#[test]
fn bank_agrees() {
    use bank::{Input, Output};
    let initial = BTreeMap::from([(0, 4), (1, 0), (2, 1)]);
    for model in [Bank::new(initial.clone()), Bank::new(initial.clone()).with_overdraft()] {
        let overdraft = format!("{model:?}").contains("overdraft: true");
        compare(&model, |dice| {
            history(
                &model,
                dice,
                7,
                &mut |dice| {
                    if dice.random_bool(0.4) {
                        return Input::Read;
                    }
                    let accounts = if dice.random_bool(0.1) { 4 } else { 3 };
                    Input::Transfer {
                        from: dice.random_range(0..3),
                        to: dice.random_range(0..accounts),
                        amount: dice.random_range(0..4),
                    }
                },
                &mut |state, input, _| match input {
                    Input::Read => Output::Balances(state.clone()),
                    Input::Transfer { from, to, amount } => {
                        let covered = overdraft || state[from] >= *amount;
                        if covered && *to < 3 { Output::Done } else { Output::Refused }
                    }
                },
                &mut |input, dice| match input {
                    Input::Read => {
                        let (a, b) = (dice.random_range(0..6), dice.random_range(0..6));
                        Output::Balances(BTreeMap::from([(0, a), (1, b), (2, 5 - a - b)]))
                    }
                    Input::Transfer { .. } if dice.random_bool(0.5) => Output::Done,
                    Input::Transfer { .. } => Output::Refused,
                },
            )
        });
    }
}

#[test]
fn string_register_agrees() {
    use register::{Input, Output};
    let value = |dice: &mut Dice| Arc::<str>::from(["", "a", "ab"][dice.random_range(0..3)]);
    for model in [StringRegister::new(), StringRegister::starting_at("a".into())] {
        compare(&model, |dice| {
            let distinct = dice.random_bool(0.3);
            let mut fresh = 0;
            history(
                &model,
                dice,
                8,
                &mut |dice| {
                    let written = |dice: &mut Dice, fresh: &mut u32| -> Arc<str> {
                        *fresh += 1;
                        if distinct { fresh.to_string().into() } else { value(dice) }
                    };
                    match dice.random_range(0..3) {
                        0 => Input::Read,
                        1 if !distinct => Input::Cas(value(dice), value(dice)),
                        _ => Input::Write(written(dice, &mut fresh)),
                    }
                },
                &mut |state, input, _| match input {
                    Input::Read => Output::Value(state.clone()),
                    Input::Cas(old, _) if state.as_ref() != Some(old) => Output::Differs,
                    Input::Write(_) | Input::Cas(..) => Output::Done,
                },
                &mut |input, dice| match input {
                    Input::Read if distinct => {
                        Output::Value(Some(dice.random_range(1..5).to_string().into()))
                    }
                    Input::Read => Output::Value(dice.random_bool(0.8).then(|| value(dice))),
                    _ => Output::Differs,
                },
            )
        });
    }
}

/// A register for each of two keys.
#[test]
fn keyed_agrees() {
    use register::{Input, Output};
    let model = Keyed(Register::starting_at(0));
    let keys: [Arc<str>; 2] = ["a".into(), "b".into()];
    compare(&model, |dice| {
        history(
            &model,
            dice,
            8,
            &mut |dice| {
                let input = match dice.random_range(0..3) {
                    0 => Input::Read,
                    1 => Input::Cas(dice.random_range(0..3), dice.random_range(0..3)),
                    _ => Input::Write(dice.random_range(0..3)),
                };
                keyed::Input { key: keys[dice.random_range(0..2)].clone(), input }
            },
            &mut |state, input, _| match &input.input {
                Input::Read => Output::Value(*state),
                Input::Cas(old, _) if state.as_ref() != Some(old) => Output::Differs,
                Input::Write(_) | Input::Cas(..) => Output::Done,
            },
            &mut |input, dice| match input.input {
                Input::Read => {
                    Output::Value(dice.random_bool(0.8).then(|| dice.random_range(0..3)))
                }
                _ => Output::Differs,
            },
        )
    });
}
