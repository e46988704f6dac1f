//! Histories of clients at work on a correct store, made from a seed, with or without one
//! violation.
//!
//! Each operation takes effect at a random instant between call and return. Clients of the
//! versioned store behave like the course's: put with the version they know, get, put again until
//! it is not refused, then another key. So with one key, most of them want the same version most of
//! the time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use porcupine::models::{append_kv, versioned_kv};
use porcupine::{Operation, Returned};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

#[derive(Clone, Copy)]
pub(crate) enum Corrupt {
    /// A get in the middle returns a value that was overwritten before it was called.
    Stale,
    /// A refused put in the middle claims to have taken effect.
    Lost,
    /// From the middle on, an old put has taken effect a second time.
    Dup,
}

#[derive(Clone, Copy)]
pub(crate) struct Family {
    pub(crate) clients: usize,
    pub(crate) keys: usize,
    pub(crate) operations: usize,
    /// Share of puts that answer `ErrMaybe`.
    pub(crate) maybe: f64,
    pub(crate) corrupt: Option<Corrupt>,
    pub(crate) seed: u64,
}

impl Default for Family {
    fn default() -> Self {
        Family { clients: 20, keys: 1, operations: 500, maybe: 0.0, corrupt: None, seed: 1 }
    }
}

/// What happens next to a client: it calls, its operation takes effect, it is answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Call,
    Effect,
    Return,
}

/// Plays all clients in the order of time. `step` is told what happens to which client; for a call
/// it says how many times longer than usual the operation lasts.
fn play(family: &Family, mut step: impl FnMut(Stage, usize, u64, &mut Xoshiro256PlusPlus) -> f64) {
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(family.seed);
    let mut agenda = BinaryHeap::new();
    for client in 0..family.clients {
        agenda.push(Reverse((dice.random_range(0..1_000_000u64), Stage::Call, client)));
    }
    let mut left = family.operations;
    while let Some(Reverse((now, stage, client))) = agenda.pop() {
        match stage {
            Stage::Call if left == 0 => {}
            Stage::Call => {
                left -= 1;
                let stretch = step(stage, client, now, &mut dice);
                // About a millisecond, sometimes much longer.
                let length = 1e6 * (0.3 + 1.4 * dice.random::<f64>().powi(2)) * stretch;
                let returned = now + length as u64;
                agenda.push(Reverse((dice.random_range(now + 1..returned), Stage::Effect, client)));
                agenda.push(Reverse((returned, Stage::Return, client)));
            }
            Stage::Effect => {
                step(stage, client, now, &mut dice);
            }
            Stage::Return => {
                step(stage, client, now, &mut dice);
                let pause = dice.random_range(1..100_000);
                agenda.push(Reverse((now + pause, Stage::Call, client)));
            }
        }
    }
}

/// One client of the versioned store.
#[derive(Clone, Default)]
struct Client {
    versions: BTreeMap<usize, u64>,
    key: Option<usize>,
    gets: bool,
    done: bool,
    count: u32,
    /// Position of its open operation.
    open: usize,
    maybe: bool,
}

pub(crate) fn versioned(
    family: &Family,
) -> Vec<Operation<versioned_kv::Input, versioned_kv::Output>> {
    use versioned_kv::{Input, Output};
    let keys: Vec<Arc<str>> = (0..family.keys).map(|key| format!("k{key}").into()).collect();
    let mut store: Vec<(Arc<str>, u64)> = vec![("".into(), 0); family.keys];
    let mut clients = vec![Client::default(); family.clients];
    let mut history: Vec<Operation<Input, Output>> = Vec::with_capacity(family.operations);
    let middle = family.operations / 2;
    // Puts that took effect on the first key, to repeat one.
    let mut applied: Vec<Arc<str>> = Vec::new();
    let mut repeated = !matches!(family.corrupt, Some(Corrupt::Dup));
    play(family, |stage, number, now, dice| {
        let client = &mut clients[number];
        match stage {
            Stage::Call => {
                let key = *client.key.get_or_insert_with(|| dice.random_range(0..family.keys));
                client.open = history.len();
                client.maybe = !client.gets && dice.random_bool(family.maybe);
                let input = if client.gets {
                    Input::Get { key: keys[key].clone() }
                } else {
                    client.count += 1;
                    let version = client.versions.get(&key).copied().unwrap_or(0);
                    let value = format!("c{number}.{}", client.count).into();
                    Input::Put { key: keys[key].clone(), value, version }
                };
                history.push(Operation::pending(number as i64, now, input));
                if client.maybe { 4.0 } else { 1.0 }
            }
            Stage::Effect => {
                let key = client.key.expect("it called");
                let (held, current) = &mut store[key];
                let output = match &history[client.open].input {
                    Input::Get { .. } if *current == 0 => Output::NoKey,
                    Input::Get { .. } => Output::Value { value: held.clone(), version: *current },
                    Input::Put { value, version, .. } => {
                        let takes = version == current;
                        if takes {
                            *held = value.clone();
                            *current += 1;
                            if key == 0 {
                                applied.push(value.clone());
                            }
                        }
                        match (client.maybe, takes) {
                            (true, _) => Output::Maybe,
                            (false, true) => Output::Done,
                            (false, false) => Output::Version,
                        }
                    }
                };
                history[client.open].returned = Some(Returned { time: now, output });
                if !repeated && history.len() > middle && applied.len() > 20 {
                    repeated = true;
                    let (held, current) = &mut store[0];
                    *held = applied[applied.len() - 10].clone();
                    *current += 1;
                }
                0.0
            }
            Stage::Return => {
                let key = client.key.expect("it called");
                let returned = history[client.open].returned.as_mut().expect("it took effect");
                returned.time = now;
                match &returned.output {
                    Output::Value { version, .. } => {
                        client.versions.insert(key, *version);
                    }
                    Output::NoKey => {}
                    other => client.done = *other != Output::Version,
                }
                if client.gets && std::mem::take(&mut client.done) {
                    client.key = None;
                }
                client.gets = !client.gets;
                0.0
            }
        }
    });
    // Effects of the last operations may be due after the last return was played; none is left
    // open.
    assert!(history.iter().all(|operation| operation.returned.is_some()));
    match family.corrupt {
        Some(Corrupt::Stale) => stale(&mut history, middle),
        Some(Corrupt::Lost) => {
            let refused = history[middle..]
                .iter_mut()
                .filter_map(|operation| operation.returned.as_mut())
                .find(|returned| returned.output == Output::Version);
            refused.expect("a refused put").output = Output::Done;
        }
        Some(Corrupt::Dup) | None => {}
    }
    history
}

/// Takes the answer of a get long before for the next get after the middle.
fn stale(history: &mut [Operation<versioned_kv::Input, versioned_kv::Output>], middle: usize) {
    use versioned_kv::Output;
    let value_at = |at: &usize| matches!(history[*at].output(), Some(Output::Value { .. }));
    let get = (middle..history.len()).find(value_at).expect("a get");
    let old = (middle / 4..middle / 2).rev().find(value_at).expect("an older get");
    let output = history[old].output().cloned().expect("it has a value");
    history[get].returned.as_mut().expect("it returned").output = output;
}

pub(crate) fn append(family: &Family) -> Vec<Operation<append_kv::Input, append_kv::Output>> {
    use append_kv::{Input, Output};
    let keys: Vec<Arc<str>> = (0..family.keys).map(|key| format!("k{key}").into()).collect();
    let mut store: BTreeMap<Arc<str>, String> = BTreeMap::new();
    let mut open = vec![0; family.clients];
    let mut history: Vec<Operation<Input, Output>> = Vec::with_capacity(family.operations);
    play(family, |stage, client, now, dice| {
        match stage {
            Stage::Call => {
                open[client] = history.len();
                let key = keys[dice.random_range(0..family.keys)].clone();
                let value = || format!("{client}.{};", history.len()).into();
                let input = match dice.random_range(0..100) {
                    0..50 => Input::Get { key },
                    50..95 => Input::Append { key, value: value() },
                    _ => Input::Put { key, value: value() },
                };
                history.push(Operation::pending(client as i64, now, input));
            }
            Stage::Effect => {
                let operation = &mut history[open[client]];
                let output = match &operation.input {
                    Input::Get { key } => {
                        Output::Value(store.get(key).map_or("", |held| held).into())
                    }
                    Input::Put { key, value } => {
                        store.insert(key.clone(), value.to_string());
                        Output::Done
                    }
                    Input::Append { key, value } => {
                        store.entry(key.clone()).or_default().push_str(value);
                        Output::Done
                    }
                };
                operation.returned = Some(Returned { time: now, output });
            }
            Stage::Return => {
                let returned = history[open[client]].returned.as_mut();
                returned.expect("it took effect").time = now;
            }
        }
        1.0
    });
    history
}
