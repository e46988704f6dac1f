//! Random small histories: overlapping intervals on few time stamps, answers that are mostly
//! plausible.

use porcupine::{Model, Operation, Step};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

pub(crate) type Dice = Xoshiro256PlusPlus;

/// What clients of a model see.
pub(crate) type History<M> = Vec<Operation<<M as Model>::Input, <M as Model>::Output>>;

pub(crate) fn dice(seed: u64) -> Dice {
    Dice::seed_from_u64(seed)
}

/// A history of up to `most` operations by a few clients.
///
/// The intervals are random and mostly long. A random instant in each is where the operation takes
/// effect, which gives its answer; so without corruption the history is linearizable. `answer` says
/// what the object answers in a state, `corrupt` makes up some other answer.
#[expect(clippy::type_complexity, reason = "three closures over one model's types")]
pub(crate) fn history<M: Model>(
    model: &M,
    dice: &mut Dice,
    most: usize,
    input: &mut dyn FnMut(&mut Dice) -> M::Input,
    answer: &mut dyn FnMut(&M::State, &M::Input, &mut Dice) -> M::Output,
    corrupt: &mut dyn FnMut(&M::Input, &mut Dice) -> M::Output,
) -> History<M> {
    let clients = dice.random_range(1..=5);
    let count = dice.random_range(1..=most);
    let stretch = dice.random_range(1..=12u64);
    let mut free = vec![0u64; clients];
    let mut planned = Vec::new();
    for _ in 0..count {
        let client = dice.random_range(0..clients);
        if free[client] == u64::MAX {
            continue; // its last call never returned
        }
        let call = free[client] + dice.random_range(0..3);
        let returned = call + dice.random_range(0..=stretch);
        let pending = dice.random_range(0..12) == 0;
        free[client] = if pending { u64::MAX } else { returned };
        let effect = dice.random_range(call..=returned);
        planned.push((effect, dice.random::<u32>(), client as i64, call, returned, pending));
    }
    planned.sort();
    let corruption = dice.random_range(0..4u32); // none, or a share of the answers
    let mut states: std::collections::BTreeMap<String, M::State> = Default::default();
    let mut history = Vec::new();
    for (_, _, client, call, returned, pending) in planned {
        let input = input(dice);
        let state =
            states.entry(model.partition(&input).into_owned()).or_insert_with(|| model.init());
        if pending {
            if dice.random_bool(0.5)
                && let Step::To(after) = model.step(state, &input, None)
            {
                *state = after;
            }
            history.push(Operation::pending(client, call, input));
            continue;
        }
        let mut output = answer(state, &input, dice);
        match model.step(state, &input, Some(&output)) {
            Step::Illegal => panic!("{input:?} -> {output:?} in {state:?} should be legal"),
            Step::To(after) => *state = after,
            Step::Unchanged | Step::Interrupted => {}
        }
        if corruption > 0 && dice.random_range(0..8) < corruption {
            output = corrupt(&input, dice);
        }
        history.push(Operation::new(client, call, input, returned, output));
    }
    // The order in the history is not the order in time.
    for at in (1..history.len()).rev() {
        history.swap(at, dice.random_range(0..=at));
    }
    history
}
