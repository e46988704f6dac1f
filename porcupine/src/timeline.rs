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
}

/// One call or return of the operation at some position of [`Timeline::operations`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happening(u32);

impl Happening {
    fn call(operation: u32) -> Self {
        Happening(operation << 1)
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

/// Checks that `history` can be one and splits it, in one pass: a long history does not fit into a
/// cache.
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
    let mut splitter = Splitter {
        model,
        history,
        last_entry: LastEntry::default(),
        parts: Vec::new(),
        known: Default::default(),
    };
    let mut before = (0, 0);
    for (index, operation) in history.iter().enumerate() {
        let now = interval(operation);
        if now < before {
            // Not in the order of calls: sort, and once more from the beginning.
            splitter.clear();
            let mut order: Vec<u32> = (0..history.len() as u32).collect();
            order.sort_by_key(|index| interval(&history[*index as usize]));
            for index in order {
                splitter.add(index as usize)?;
            }
            break;
        }
        before = now;
        splitter.add(index)?;
    }
    Ok(splitter.finish())
}

/// Of equal calls the one that returns first comes first: a client may call again at the instant at
/// which it was answered.
fn interval<I, O>(operation: &Operation<I, O>) -> (u64, u64) {
    (operation.call, operation.return_time().unwrap_or(u64::MAX))
}

#[expect(clippy::disallowed_types, reason = "its order cannot show: partitions are sorted by name")]
type PartsByName<'a> = std::collections::HashMap<Cow<'a, str>, usize, FoldBuilder>;

struct Splitter<'a, M: Model> {
    model: &'a M,
    history: &'a [Operation<M::Input, M::Output>],
    last_entry: LastEntry,
    parts: Vec<Part<'a>>,
    known: PartsByName<'a>,
}

/// A time line in the making.
struct Part<'a> {
    name: Cow<'a, str>,
    operations: Vec<u32>,
    events: Vec<Happening>,
    /// Returns of the operations that are open; as small as the window.
    open: BinaryHeap<Reverse<(u64, u32)>>,
}

impl<'a, M: Model> Splitter<'a, M> {
    fn clear(&mut self) {
        self.last_entry = LastEntry::default();
        self.parts.clear();
        self.known.clear();
    }

    /// Takes the next operation in the order of calls.
    fn add(&mut self, entry: usize) -> Result<(), HistoryError> {
        let operation = &self.history[entry];
        let (call, end) = interval(operation);
        if end < call {
            return Err(HistoryError::ReturnBeforeCall { entry, call, returned: end });
        }
        let client = operation.client;
        if let Some(earlier) = self.last_entry.replace(client, entry as u32)
            && self.history[earlier].return_time().is_none_or(|free| free > call)
        {
            return Err(HistoryError::Overlap { entry, earlier, client });
        }
        let name = self.model.partition(&operation.input);
        let at = match &*self.parts {
            [only] if only.name == name => 0,
            _ => match self.known.get(&name) {
                Some(at) => *at,
                None => {
                    self.known.insert(name.clone(), self.parts.len());
                    let open = BinaryHeap::new();
                    self.parts.push(Part { name, operations: vec![], events: vec![], open });
                    self.parts.len() - 1
                }
            },
        };
        let part = &mut self.parts[at];
        part.return_until(call);
        let number = part.operations.len() as u32;
        part.events.push(Happening::call(number));
        part.operations.push(entry as u32);
        if operation.returned.is_some() {
            part.open.push(Reverse((end, number)));
        }
        Ok(())
    }

    fn finish(mut self) -> Vec<Timeline> {
        self.parts.sort_by(|a, b| a.name.cmp(&b.name));
        self.parts
            .into_iter()
            .map(|mut part| {
                part.return_until(u64::MAX);
                while let Some(Reverse((_, number))) = part.open.pop() {
                    part.events.push(Happening::ret(number)); // at the last instant there is
                }
                Timeline {
                    name: part.name.into_owned(),
                    operations: part.operations,
                    events: part.events,
                }
            })
            .collect()
    }
}

impl Part<'_> {
    /// Operations that return before `time` do so now.
    fn return_until(&mut self, time: u64) {
        while let Some(Reverse((end, number))) = self.open.peek().copied()
            && end < time
        {
            self.open.pop();
            self.events.push(Happening::ret(number));
        }
    }
}

/// The last operation of each client. Clients are mostly small numbers; the others go through a map.
#[derive(Default)]
struct LastEntry {
    small: Vec<u32>,
    large: std::collections::BTreeMap<i64, u32>,
}

impl LastEntry {
    fn replace(&mut self, client: i64, entry: u32) -> Option<usize> {
        let last = match usize::try_from(client) {
            Ok(client) if client < 1024 => {
                if client >= self.small.len() {
                    self.small.resize(client + 1, NONE);
                }
                std::mem::replace(&mut self.small[client], entry)
            }
            _ => self.large.insert(client, entry).unwrap_or(NONE),
        };
        (last != NONE).then_some(last as usize)
    }
}
