//! A model with choice against the same brute force.

use porcupine::{NondeterministicModel, PowerSet};
use rand::RngExt;

use crate::random::{Dice, history};
use crate::reference::compare;

/// A counter whose add may count double.
struct Stutter;

#[derive(Clone, Debug, PartialEq)]
enum Call {
    Add(u8),
    Read,
}

impl NondeterministicModel for Stutter {
    type State = u8;
    type Input = Call;
    type Output = u8;

    fn init(&self) -> Vec<u8> {
        vec![0]
    }

    fn step(&self, sum: &u8, call: &Call, output: Option<&u8>) -> Vec<u8> {
        match (call, output) {
            (Call::Add(n), _) => vec![sum.wrapping_add(2 * n), sum.wrapping_add(*n)],
            (Call::Read, Some(seen)) if seen != sum => vec![],
            (Call::Read, _) => vec![*sum],
        }
    }
}

#[test]
fn power_set_agrees() {
    let model = PowerSet(Stutter);
    compare(&model, |dice: &mut Dice| {
        history(
            &model,
            dice,
            7,
            &mut |dice| match dice.random_range(0..2) {
                0 => Call::Add(dice.random_range(0..3)),
                _ => Call::Read,
            },
            &mut |states, call, dice| match call {
                Call::Add(_) => 0,
                Call::Read => states[dice.random_range(0..states.len())],
            },
            &mut |call, dice| match call {
                Call::Add(_) => 0,
                Call::Read => dice.random_range(0..8),
            },
        )
    });
}
