//! Histories of queues, sets, registers and append stores as many clients see them, some of which
//! crash: each is answered with few steps.
//!
//! The bench `answers` measures the same histories in time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

use porcupine::models::{append_kv, queue, register, set};
use porcupine::{Operation, Returned};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

type Rng = Xoshiro256PlusPlus;

/// How many clients do how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) clients: usize,
    pub(crate) operations: usize,
    /// Share of the calls that never return. Half of them take effect.
    pub(crate) crashed: f64,
    pub(crate) violated: bool,
    pub(crate) seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Call,
    Effect,
    Return,
}

type History<I, O> = Vec<Operation<I, O>>;

/// Plays clients that call one after the other. Each operation takes effect at a random instant of
/// its interval. A client whose call never returns goes on under another number.
fn simulate<I, O>(
    shape: &Shape,
    mut input: impl FnMut(&mut Rng, usize) -> I,
    mut effect: impl FnMut(&I) -> O,
) -> History<I, O> {
    let mut rng = Rng::seed_from_u64(shape.seed);
    let mut agenda = BinaryHeap::new();
    for client in 0..shape.clients {
        agenda.push(Reverse((rng.random_range(0..1_000_000u64), Stage::Call, client, 0)));
    }
    let mut number: Vec<usize> = (0..shape.clients).collect();
    let mut history: History<I, O> = Vec::new();
    let mut answers: Vec<Option<O>> = Vec::new();
    while let Some(Reverse((now, stage, client, operation))) = agenda.pop() {
        match stage {
            Stage::Call if history.len() == shape.operations => {}
            Stage::Call => {
                let at = history.len();
                let asked = input(&mut rng, at);
                history.push(Operation::pending(number[client] as i64, now, asked));
                answers.push(None);
                let length = (1e6 * (0.3 + 1.4 * rng.random::<f64>().powi(2))) as u64;
                let takes = now + rng.random_range(1..length);
                if rng.random_bool(shape.crashed) {
                    if rng.random_bool(0.5) {
                        agenda.push(Reverse((takes, Stage::Effect, client, at)));
                    }
                    number[client] += shape.clients;
                    agenda.push(Reverse((now + length, Stage::Call, client, 0)));
                } else {
                    agenda.push(Reverse((takes, Stage::Effect, client, at)));
                    agenda.push(Reverse((now + length, Stage::Return, client, at)));
                }
            }
            Stage::Effect => answers[operation] = Some(effect(&history[operation].input)),
            Stage::Return => {
                let output = answers[operation].take().expect("its effect comes before its return");
                history[operation].returned = Some(Returned { time: now, output });
                let pause = rng.random_range(1..100_000);
                agenda.push(Reverse((now + pause, Stage::Call, client, 0)));
            }
        }
    }
    history
}

/// Changes the answer of one operation after the middle, the first for which `change` finds another.
fn violate<I, O>(
    shape: &Shape,
    history: &mut History<I, O>,
    change: impl Fn(&History<I, O>, usize) -> Option<O>,
) -> bool {
    if !shape.violated {
        return true;
    }
    for at in history.len() / 2..history.len() {
        if history[at].returned.is_some()
            && let Some(output) = change(history, at)
        {
            history[at].returned.as_mut().expect("it returned").output = output;
            return true;
        }
    }
    false
}

/// The operations that returned before this one was called.
fn before<I, O>(history: &History<I, O>, at: usize) -> impl Iterator<Item = &Operation<I, O>> {
    let call = history[at].call;
    history.iter().filter(move |op| op.return_time().is_some_and(|time| time < call))
}

/// A dequeue gives a value that another dequeue gave before; all values differ.
pub(crate) fn queue(shape: &Shape) -> Option<History<queue::Input, queue::Output>> {
    use queue::{Input, Output};
    let mut held = VecDeque::new();
    let mut history = simulate(
        shape,
        |rng, at| if rng.random_bool(0.5) { Input::Enqueue(at as i64) } else { Input::Dequeue },
        |input| match input {
            Input::Enqueue(value) => {
                held.push_back(*value);
                Output::Done
            }
            Input::Dequeue => held.pop_front().map_or(Output::Empty, Output::Value),
        },
    );
    // Two dequeues, one after the other, of values that were enqueued one after the other.
    let swapped = !shape.violated || swap_dequeues(&mut history);
    swapped.then_some(history)
}

fn swap_dequeues(history: &mut History<queue::Input, queue::Output>) -> bool {
    use queue::{Input, Output};
    let mut enqueued = BTreeMap::new();
    for op in history.iter() {
        if let Input::Enqueue(value) = op.input {
            enqueued.insert(value, (op.call, op.return_time().unwrap_or(u64::MAX)));
        }
    }
    for second in history.len() / 2..history.len() {
        let Some(Output::Value(b)) = history[second].output().cloned() else { continue };
        for first in (0..second).rev().take(200) {
            let Some(Output::Value(a)) = history[first].output().cloned() else { continue };
            let apart = history[first].return_time().is_some_and(|end| end < history[second].call);
            if apart && enqueued[&a].1 < enqueued[&b].0 {
                history[first].returned.as_mut().expect("it did").output = Output::Value(b);
                history[second].returned.as_mut().expect("it did").output = Output::Value(a);
                return true;
            }
        }
    }
    false
}

/// A contains misses a value that was added long ago, or, with `members`, a read of all does.
pub(crate) fn set(shape: &Shape, members: bool) -> Option<History<set::Input, set::Output>> {
    use set::{Input, Output};
    let mut held = BTreeSet::new();
    let mut history = simulate(
        shape,
        |rng, at| match rng.random_range(0..10) {
            0..5 if members => Input::Add(at as i64),
            0..3 => Input::Add(rng.random_range(0..20)),
            3..5 => Input::Remove(rng.random_range(0..20)),
            _ if members && rng.random_bool(0.2) => Input::Members,
            _ if members => Input::Contains(rng.random_range(0..at.max(1) as i64)),
            _ => Input::Contains(rng.random_range(0..20)),
        },
        |input| match input {
            Input::Add(value) => Output::Changed(held.insert(*value)),
            Input::Remove(value) => Output::Changed(held.remove(value)),
            Input::Contains(value) => Output::Is(held.contains(value)),
            Input::Members => Output::Members(held.clone()),
        },
    );
    let done = violate(shape, &mut history, |history, at| match (&history[at].input, members) {
        (Input::Members, true) => {
            let Some(Output::Members(seen)) = history[at].output() else { return None };
            let mut seen = seen.clone();
            let added = before(history, at).find_map(|op| match &op.input {
                Input::Add(value) => Some(*value),
                _ => None,
            })?;
            seen.remove(&added).then_some(Output::Members(seen))
        }
        (Input::Contains(value), false) => {
            // The last change of it returned before, and nothing of it is open.
            let call = history[at].call;
            let touches = |op: &&Operation<Input, Output>| matches!(&op.input, Input::Add(v) | Input::Remove(v) if v == value);
            let overlaps = history.iter().filter(touches).any(|op| {
                op.return_time().is_none_or(|end| end >= call)
                    && op.call <= history[at].return_time().unwrap_or(u64::MAX)
            });
            match history[at].output() {
                Some(Output::Is(is)) if !overlaps => Some(Output::Is(!is)),
                _ => None,
            }
        }
        _ => None,
    });
    done.then_some(history)
}

/// A read gives a value that was overwritten long ago. With `few` values, there are five, and
/// compare-and-set as well.
pub(crate) fn register(
    shape: &Shape,
    few: bool,
) -> Option<History<register::Input, register::Output>> {
    use register::{Input, Output};
    let mut held: Option<i64> = None;
    let mut history = simulate(
        shape,
        |rng, at| match rng.random_range(0..10) {
            0..5 => Input::Read,
            5..8 if few => Input::Write(rng.random_range(0..5)),
            _ if few => Input::Cas(rng.random_range(0..5), rng.random_range(0..5)),
            _ => Input::Write(at as i64),
        },
        |input| match *input {
            Input::Read => Output::Value(held),
            Input::Write(value) => {
                held = Some(value);
                Output::Done
            }
            Input::Cas(old, new) if held == Some(old) => {
                held = Some(new);
                Output::Done
            }
            Input::Cas(..) => Output::Differs,
        },
    );
    let done = violate(shape, &mut history, |history, at| {
        if history[at].input != Input::Read {
            return None;
        }
        let mut old = before(history, at).filter(|op| op.input == Input::Read);
        let old = old.nth(history.len() / 16)?.output().cloned()?;
        (history[at].output() != Some(&old)).then_some(old)
    });
    done.then_some(history)
}

/// A get shows less than another get did that had returned before. With `gets`, half of the
/// operations are gets; without, one of twenty is.
pub(crate) fn append(
    shape: &Shape,
    gets: bool,
) -> Option<History<append_kv::Input, append_kv::Output>> {
    use append_kv::{Input, Output};
    let mut held = String::new();
    let mut history = simulate(
        shape,
        |rng, at| {
            let writes = if gets { 10 } else { 19 };
            match rng.random_range(0..20) {
                0 if gets => Input::put("k", &format!("{at};")),
                kind if kind < writes => Input::append("k", &format!("{at};")),
                _ => Input::get("k"),
            }
        },
        |input| match input {
            Input::Get { .. } => Output::value(&held),
            Input::Put { value, .. } => {
                held = value.to_string();
                Output::Done
            }
            Input::Append { value, .. } => {
                held += value;
                Output::Done
            }
        },
    );
    let done = violate(shape, &mut history, |history, at| {
        let is_get = matches!(history[at].input, Input::Get { .. });
        if !is_get {
            return None;
        }
        let seen = before(history, at).filter_map(|op| match op.output() {
            Some(Output::Value(value)) if value.matches(';').count() > 1 => Some(value),
            _ => None,
        });
        let seen = seen.last()?;
        let cut = seen[..seen.len() - 1].rfind(';')? + 1;
        Some(Output::value(&seen[..cut]))
    });
    done.then_some(history)
}
