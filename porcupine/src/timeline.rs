//! From a history to one time line of calls and returns for each partition.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::hash::FoldBuilder;
use crate::history::{HistoryError, Operation};
use crate::model::Model;

/// No position: a return that never happens, a slot that is not taken.
pub(crate) const NONE: u32 = u32::MAX;

/// The operations of one partition and what happens to them, in the order of time.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// What [`Model::partition`] calls it.
    pub(crate) name: String,
    /// Positions in the history, in the order of the calls.
    pub(crate) operations: Vec<u32>,
    /// Calls and returns, in the order of time.
    pub(crate) events: Vec<Happening>,
    /// For each operation the position of its return in `events`; [`NONE`] when it never returns.
    pub(crate) returns: Vec<u32>,
}

/// One call or return of the operation at some position of [`Timeline::operations`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happening(u32);

impl Happening {
    fn call(operation: usize) -> Self {
        Happening((operation as u32) << 1)
    }

    fn ret(operation: u32) -> Self {
        Happening(operation << 1 | 1)
    }

    pub(crate) fn operation(self) -> usize {
        (self.0 >> 1) as usize
    }

    pub(crate) fn is_return(self) -> bool {
        self.0 & 1 != 0
    }
}

/// Checks that `history` can be one and splits it.
///
/// Equal time stamps: calls come before returns, so that touching intervals overlap; otherwise the
/// order in the history decides, which no verdict depends on.
pub(crate) fn split<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
) -> Result<Vec<Timeline>, HistoryError> {
    if history.len() > (u32::MAX >> 1) as usize {
        return Err(HistoryError::TooLong { operations: history.len() });
    }
    let order = in_call_order(history);
    validate(history, order.as_deref())?;

    let mut names: Vec<Cow<'_, str>> = Vec::new();
    let mut members: Vec<Vec<u32>> = Vec::new();
    #[expect(
        clippy::disallowed_types,
        reason = "its order cannot show: partitions are sorted by name below"
    )]
    let mut known: std::collections::HashMap<Cow<'_, str>, usize, FoldBuilder> = Default::default();
    for at in 0..history.len() {
        let index = order.as_ref().map_or(at, |order| order[at] as usize);
        let name = model.partition(&history[index].input);
        let part = if names.len() == 1 && names[0] == name {
            0
        } else if let Some(&part) = known.get(&name) {
            part
        } else {
            known.insert(name.clone(), names.len());
            names.push(name);
            members.push(Vec::new());
            names.len() - 1
        };
        members[part].push(index as u32);
    }

    let mut parts: Vec<(Cow<'_, str>, Vec<u32>)> = names.into_iter().zip(members).collect();
    parts.sort_by(|a, b| a.0.cmp(&b.0));
    let mut open = BinaryHeap::new();
    Ok(parts
        .into_iter()
        .map(|(name, operations)| lay_out(name.into_owned(), operations, history, &mut open))
        .collect())
}

/// Positions in the order of the calls, or `None` when the history has that order already.
///
/// Of equal calls the one that returns first comes first: a client may call again at the instant at
/// which it was answered.
fn in_call_order<I, O>(history: &[Operation<I, O>]) -> Option<Vec<u32>> {
    let interval =
        |operation: &Operation<I, O>| (operation.call, operation.return_time().unwrap_or(u64::MAX));
    if history.is_sorted_by_key(interval) {
        return None;
    }
    let mut order: Vec<u32> = (0..history.len() as u32).collect();
    order.sort_by_key(|index| interval(&history[*index as usize]));
    Some(order)
}

/// Each return after its call, one operation of a client at a time.
fn validate<I, O>(history: &[Operation<I, O>], order: Option<&[u32]>) -> Result<(), HistoryError> {
    for (entry, operation) in history.iter().enumerate() {
        if let Some(returned) = operation.return_time()
            && returned < operation.call
        {
            return Err(HistoryError::ReturnBeforeCall { entry, call: operation.call, returned });
        }
    }
    // Clients are mostly small numbers; the others go through a map.
    let mut small: Vec<u32> = Vec::new();
    let mut large = std::collections::BTreeMap::new();
    for at in 0..history.len() {
        let entry = order.map_or(at, |order| order[at] as usize);
        let operation = &history[entry];
        let last = match usize::try_from(operation.client) {
            Ok(client) if client < 1024 => {
                if client >= small.len() {
                    small.resize(client + 1, NONE);
                }
                std::mem::replace(&mut small[client], entry as u32)
            }
            _ => large.insert(operation.client, entry as u32).unwrap_or(NONE),
        };
        if last == NONE {
            continue;
        }
        let free = history[last as usize].return_time();
        if free.is_none_or(|free| free > operation.call) {
            let client = operation.client;
            return Err(HistoryError::Overlap { entry, earlier: last as usize, client });
        }
    }
    Ok(())
}

/// Merges calls and returns. The heap holds the returns of open operations, so it stays as small as
/// the window.
fn lay_out<I, O>(
    name: String,
    operations: Vec<u32>,
    history: &[Operation<I, O>],
    open: &mut BinaryHeap<Reverse<(u64, u32)>>,
) -> Timeline {
    let mut events = Vec::with_capacity(2 * operations.len());
    let mut returns = vec![NONE; operations.len()];
    open.clear();
    for (at, index) in operations.iter().enumerate() {
        let operation = &history[*index as usize];
        while let Some(Reverse((time, first))) = open.peek().copied()
            && time < operation.call
        {
            open.pop();
            returns[first as usize] = events.len() as u32;
            events.push(Happening::ret(first));
        }
        events.push(Happening::call(at));
        if let Some(time) = operation.return_time() {
            open.push(Reverse((time, at as u32)));
        }
    }
    while let Some(Reverse((_, first))) = open.pop() {
        returns[first as usize] = events.len() as u32;
        events.push(Happening::ret(first));
    }
    Timeline { name, operations, events, returns }
}
