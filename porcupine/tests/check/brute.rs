//! Wing and Gong's question asked in the most stupid way: try every order.
//!
//! Written from the definition and sharing nothing with the search but the trait; only
//! [`Model::init`] and [`Model::step`] are asked, no hints.

use porcupine::{Model, Operation, Step};

/// Whether some order of the operations is a linearization. For histories of a handful.
pub(crate) fn linearizable<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
) -> bool {
    let all: Vec<usize> = (0..history.len()).collect();
    // Locality: each partition on its own.
    let mut names: Vec<String> =
        history.iter().map(|op| model.partition(&op.input).into_owned()).collect();
    names.sort();
    names.dedup();
    names.iter().all(|name| {
        let left: Vec<usize> = all
            .iter()
            .copied()
            .filter(|at| model.partition(&history[*at].input) == name.as_str())
            .collect();
        order(model, history, &left, &model.init())
    })
}

fn order<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    left: &[usize],
    state: &M::State,
) -> bool {
    // What never returned may be left out.
    if left.iter().all(|at| history[*at].returned.is_none()) {
        return true;
    }
    left.iter().any(|at| {
        let first = &history[*at];
        if left.iter().any(|other| comes_before(history, *other, *at)) {
            return false;
        }
        let rest: Vec<usize> = left.iter().copied().filter(|other| other != at).collect();
        match model.step(state, &first.input, first.output()) {
            Step::Illegal => false,
            Step::Unchanged => order(model, history, &rest, state),
            Step::To(after) => order(model, history, &rest, &after),
            Step::Interrupted => panic!("no model here is interrupted"),
        }
    })
}

/// Whether `one` must come before `other`: it returned before the other was called, or it is an
/// earlier operation of the same client.
pub(crate) fn comes_before<I, O>(history: &[Operation<I, O>], one: usize, other: usize) -> bool {
    let Some(returned) = history[one].return_time() else { return false };
    if history[one].client != history[other].client {
        return returned < history[other].call;
    }
    let key = |at: usize| {
        let operation: &Operation<I, O> = &history[at];
        (operation.call, operation.return_time().unwrap_or(u64::MAX), at)
    };
    key(one) < key(other)
}
