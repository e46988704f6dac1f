//! Weaker conditions against brute force, and examples that tell them apart.

use std::collections::BTreeMap;

use porcupine::models::register::{Input, Output, Register};
use porcupine::models::versioned_kv::{self, VersionedKv};
use porcupine::{
    Model, Operation, Options, Step, Verdict, check_monotonic_reads, check_operations,
    check_read_your_writes, check_sequential,
};
use rand::RngExt;

use crate::random::{Dice, History, dice, history};
use crate::reference::cases;

/// Each client's operations, in order.
fn clients<I, O>(history: &[Operation<I, O>]) -> Vec<Vec<usize>> {
    let mut clients: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (at, operation) in history.iter().enumerate() {
        clients.entry(operation.client).or_default().push(at);
    }
    let end = |at: usize| history[at].return_time().unwrap_or(u64::MAX);
    for own in clients.values_mut() {
        own.sort_by_key(|at| (history[*at].call, end(*at), *at));
    }
    clients.into_values().collect()
}

/// Every order that keeps the clients' own.
fn sequential<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    clients: &[Vec<usize>],
    next: &mut [usize],
    states: &BTreeMap<String, M::State>,
) -> bool {
    let left = |next: &[usize]| {
        clients
            .iter()
            .zip(next)
            .any(|(own, next)| own.get(*next).is_some_and(|at| history[*at].returned.is_some()))
    };
    if !left(next) {
        return true;
    }
    for client in 0..clients.len() {
        let Some(at) = clients[client].get(next[client]) else { continue };
        let operation = &history[*at];
        let part = model.partition(&operation.input).into_owned();
        let state = states.get(&part).cloned().unwrap_or_else(|| model.init());
        let after = match model.step(&state, &operation.input, operation.output()) {
            Step::To(after) => after,
            Step::Unchanged => state,
            _ => continue,
        };
        let mut states = states.clone();
        states.insert(part, after);
        next[client] += 1;
        let found = sequential(model, history, clients, next, &states);
        next[client] -= 1;
        if found {
            return true;
        }
    }
    false
}

/// Whether `needed` can happen in this order, with any of `others` in between, each once.
fn explained<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    needed: &[usize],
    others: &[usize],
    state: &M::State,
) -> bool {
    let Some((first, rest)) = needed.split_first() else { return true };
    let after = |at: usize, output| match model.step(state, &history[at].input, output) {
        Step::To(after) => Some(after),
        Step::Unchanged => Some(state.clone()),
        _ => None,
    };
    if let Some(state) = after(*first, history[*first].output())
        && explained(model, history, rest, others, &state)
    {
        return true;
    }
    others.iter().any(|other| {
        let left: Vec<usize> = others.iter().copied().filter(|at| at != other).collect();
        after(*other, None).is_some_and(|state| explained(model, history, needed, &left, &state))
    })
}

/// Read your writes and monotonic reads, by their definitions.
fn sessions<M: Model>(model: &M, history: &[Operation<M::Input, M::Output>]) -> (bool, bool) {
    let is_read = |at: usize| model.read_only(&history[at].input, history[at].output());
    let (mut own_writes, mut monotonic) = (true, true);
    let mut parts: Vec<String> =
        history.iter().map(|operation| model.partition(&operation.input).into_owned()).collect();
    parts.sort();
    parts.dedup();
    for part in &parts {
        for own in clients(history) {
            let own: Vec<usize> = own
                .into_iter()
                .filter(|at| history[*at].returned.is_some())
                .filter(|at| model.partition(&history[*at].input) == part.as_str())
                .collect();
            let others = |needed: &[usize]| -> Vec<usize> {
                (0..history.len())
                    .filter(|at| !is_read(*at) && !needed.contains(at))
                    .filter(|at| model.partition(&history[*at].input) == part.as_str())
                    .collect()
            };
            let init = model.init();
            for (place, read) in own.iter().enumerate().filter(|(_, at)| is_read(**at)) {
                let mut needed: Vec<usize> =
                    own[..place].iter().copied().filter(|at| !is_read(*at)).collect();
                needed.push(*read);
                own_writes &= explained(model, history, &needed, &others(&needed), &init);
            }
            let reads: Vec<usize> = own.iter().copied().filter(|at| is_read(*at)).collect();
            monotonic &= explained(model, history, &reads, &others(&reads), &init);
        }
    }
    (own_writes, monotonic)
}

fn compare<M: Model>(model: &M, mut make: impl FnMut(&mut Dice) -> History<M>)
where
    M::Input: Clone,
    M::Output: Clone,
{
    let options = Options::default();
    let verdict = |holds: bool| if holds { Verdict::Ok } else { Verdict::Illegal };
    let mut violated = [0; 4];
    for seed in 0..cases() / 4 {
        let history = make(&mut dice(seed));
        let clients = clients(&history);
        let holds =
            sequential(model, &history, &clients, &mut vec![0; clients.len()], &BTreeMap::new());
        let found = check_sequential(model, &history, &options).unwrap();
        assert_eq!(found, verdict(holds), "seed {seed}: {history:#?}");
        let (own_writes, monotonic) = sessions(model, &history);
        let found = check_read_your_writes(model, &history, &options).unwrap();
        assert_eq!(found, verdict(own_writes), "seed {seed}, own writes: {history:#?}");
        let found = check_monotonic_reads(model, &history, &options).unwrap();
        assert_eq!(found, verdict(monotonic), "seed {seed}, monotonic: {history:#?}");
        let linearizable = check_operations(model, &history, &options).unwrap().verdict();
        if linearizable == Verdict::Ok {
            assert!(own_writes && monotonic, "seed {seed}: {history:#?}");
            // Checks of single partitions do not see that calls at one instant to several of them
            // have an order, if their clients are the same.
            let end = |at: usize| history[at].return_time();
            let touches = clients
                .iter()
                .any(|own| own.windows(2).any(|pair| end(pair[0]) == Some(history[pair[1]].call)));
            assert!(holds || touches, "seed {seed}: {history:#?}");
        }
        let all = [linearizable == Verdict::Ok, holds, own_writes, monotonic];
        for (count, holds) in violated.iter_mut().zip(all) {
            *count += u64::from(!holds);
        }
    }
    // Each of them is violated, and the weaker ones less often.
    assert!(
        violated[0] > violated[1] && violated[1] > violated[2].max(violated[3]),
        "{violated:?}"
    );
    assert!(violated.iter().all(|count| *count > cases() / 400), "{violated:?}");
}

#[test]
fn registers_agree() {
    let model = Register::new();
    compare(&model, |dice| {
        history(
            &model,
            dice,
            7,
            &mut |dice| match dice.random_range(0..5) {
                0 | 1 => Input::Read,
                2 => Input::Cas(dice.random_range(0..3), dice.random_range(0..3)),
                _ => Input::Write(dice.random_range(0..3)),
            },
            &mut |state, input, _| match input {
                Input::Read => Output::Value(*state),
                Input::Cas(old, _) if state.as_ref() != Some(old) => Output::Differs,
                Input::Write(_) | Input::Cas(..) => Output::Done,
            },
            &mut |input, dice| match input {
                Input::Read => {
                    Output::Value(dice.random_bool(0.8).then(|| dice.random_range(0..3)))
                }
                _ => Output::Differs,
            },
        )
    });
}

/// Two objects, which may each have an order and not both together.
#[test]
fn stores_agree() {
    use versioned_kv::{Input, Output};
    compare(&VersionedKv, |dice| {
        history(
            &VersionedKv,
            dice,
            7,
            &mut |dice| {
                let key = ["a", "b"][dice.random_range(0..2)];
                match dice.random_range(0..2) {
                    0 => Input::get(key),
                    _ => Input::put(key, "x", dice.random_range(0..2)),
                }
            },
            &mut |state, input, _| match input {
                Input::Get { .. } if state.version == 0 => Output::NoKey,
                Input::Get { .. } => Output::value(&state.value, state.version),
                Input::Put { version, .. } if *version == state.version => Output::Done,
                Input::Put { .. } => Output::Version,
            },
            &mut |input, dice| match input {
                Input::Get { .. } if dice.random_bool(0.4) => Output::NoKey,
                Input::Get { .. } => Output::value("x", dice.random_range(1..3)),
                Input::Put { .. } => Output::Version,
            },
        )
    });
}

fn write(client: i64, call: u64, value: i64) -> Operation<Input, Output> {
    Operation::new(client, call, Input::Write(value), call + 5, Output::Done)
}

fn read(client: i64, call: u64, value: Option<i64>) -> Operation<Input, Output> {
    Operation::new(client, call, Input::Read, call + 5, Output::Value(value))
}

/// Linearizable, sequential, read your writes, monotonic reads.
#[track_caller]
fn expect(history: &[Operation<Input, Output>], expected: [Verdict; 4]) {
    let (model, options) = (Register::new(), Options::default());
    let found = [
        check_operations(&model, history, &options).unwrap().verdict(),
        check_sequential(&model, history, &options).unwrap(),
        check_read_your_writes(&model, history, &options).unwrap(),
        check_monotonic_reads(&model, history, &options).unwrap(),
    ];
    assert_eq!(found, expected);
}

#[test]
fn examples_tell_the_conditions_apart() {
    use Verdict::{Illegal, Ok};
    // Another client's write is seen late.
    expect(&[write(1, 0, 1), read(2, 10, None), read(2, 20, Some(1))], [Illegal, Ok, Ok, Ok]);
    // One's own write is not seen.
    expect(&[write(1, 0, 1), read(1, 10, None)], [Illegal, Illegal, Illegal, Ok]);
    // A value is seen, and then no more.
    let back = [write(1, 0, 1), read(2, 10, Some(1)), read(2, 20, None)];
    expect(&back, [Illegal, Illegal, Ok, Illegal]);
    // Two clients see two writes in different orders: each session is fine.
    let split = [
        write(1, 0, 1),
        write(2, 0, 2),
        read(3, 10, Some(1)),
        read(4, 10, Some(2)),
        read(3, 20, Some(2)),
        read(4, 20, Some(1)),
    ];
    expect(&split, [Illegal, Illegal, Ok, Ok]);
}

#[test]
fn a_budget_ends_the_search_for_an_order() {
    let mut history: Vec<_> = (0..12).map(|client| write(client, 0, client)).collect();
    history.push(read(50, 10, Some(99)));
    let budget = porcupine::Budget { steps: Some(1_000), ..Default::default() };
    let options = Options { budget, ..Options::default() };
    assert_eq!(check_sequential(&Register::new(), &history, &options), Ok(Verdict::Unknown));
}
