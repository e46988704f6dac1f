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
    /// For each operation the one of the same client that must come before it although `events` has
    /// them overlap, or [`NONE`]. Empty when there is no such operation.
    pub(crate) after: Vec<u32>,
    /// Whether returns of one instant need not be in the order of their calls.
    pub(crate) untangled: bool,
    /// The operations that are in [`Timeline::after`] on either side. Empty like it.
    linked: Vec<bool>,
}

impl Timeline {
    /// Whether [`Timeline::after`] orders this operation and another one.
    #[inline]
    pub(crate) fn is_linked(&self, operation: u32) -> bool {
        self.linked.get(operation as usize).is_some_and(|linked| *linked)
    }

    /// The operation that must come before `operation` although they overlap in
    /// [`Timeline::events`].
    #[inline]
    pub(crate) fn before(&self, operation: usize) -> Option<u32> {
        self.after.get(operation).copied().filter(|before| *before != NONE)
    }
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
/// Equal instants: the operations of one client keep their order, and touching intervals of
/// different clients overlap.
///
/// ```text
///   client 1   ├── a ──┤── b ──┤       a before b, c before d; a and d overlap, c and b overlap
///   client 2   ├── c ──┤── d ──┤
/// ```
///
/// No sequence of calls and returns says all four. The calls at an instant therefore come before
/// the returns, and [`Timeline::after`] has the order of a client's operations that this loses.
/// Where only one client touches itself at an instant, which is the usual case, a sequence exists
/// (see [`Part::untangle`]).
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
    /// Operations called at the instant of their client's last return, and the one that returned.
    touching: Vec<(u32, u32)>,
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
        let mut touches = false;
        if let Some(earlier) = self.last_entry.replace(client, entry as u32) {
            match self.history[earlier].return_time() {
                Some(free) if free < call => {}
                Some(free) if free == call => touches = true,
                _ => return Err(HistoryError::Overlap { entry, earlier, client }),
            }
        }
        let name = self.model.partition(&operation.input);
        let at = match &*self.parts {
            [only] if only.name == name => 0,
            _ => match self.known.get(&name) {
                Some(at) => *at,
                None => {
                    self.known.insert(name.clone(), self.parts.len());
                    self.parts.push(Part {
                        name,
                        operations: vec![],
                        events: vec![],
                        open: BinaryHeap::new(),
                        touching: vec![],
                    });
                    self.parts.len() - 1
                }
            },
        };
        let part = &mut self.parts[at];
        part.return_until(call);
        let number = part.operations.len() as u32;
        if touches {
            let before = part.last_return_of(client, call, self.history);
            part.touching.extend(before.map(|before| (number, before)));
        }
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
                let untangled = !part.touching.is_empty();
                let after = part.untangle(self.history);
                let mut linked = vec![false; after.len()];
                for (operation, before) in after.iter().enumerate().filter(|(_, at)| **at != NONE) {
                    linked[operation] = true;
                    linked[*before as usize] = true;
                }
                Timeline {
                    name: part.name.into_owned(),
                    operations: part.operations,
                    events: part.events,
                    after,
                    untangled,
                    linked,
                }
            })
            .collect()
    }
}

impl Part<'_> {
    /// The last operation of `client` here that returns at `time`.
    fn last_return_of<I, O>(
        &self,
        client: i64,
        time: u64,
        history: &[Operation<I, O>],
    ) -> Option<u32> {
        let its =
            |number: &u32| history[self.operations[*number as usize] as usize].client == client;
        let open = self.open.iter().map(|Reverse(open)| *open);
        open.filter(|(end, _)| *end == time).map(|(_, number)| number).filter(its).max()
    }

    /// Puts events of one instant in an order that says what [`split`] promises, where there is
    /// one; [`Timeline::after`] for the other instants.
    ///
    /// With one touching client: the calls of the others, the returns and calls of this one in
    /// their order, the returns of the others.
    fn untangle<I, O>(&mut self, history: &[Operation<I, O>]) -> Vec<u32> {
        let mut after = Vec::new();
        let touching = std::mem::take(&mut self.touching);
        if touching.is_empty() {
            return after;
        }
        let of = |number: u32| &history[self.operations[number as usize] as usize];
        let time = |event: Happening| {
            let operation = of(event.operation() as u32);
            match operation.return_time() {
                Some(end) if event.is_return() => end,
                _ => operation.call,
            }
        };
        let mut at = 0;
        for same in touching.chunk_by(|a, b| of(a.0).call == of(b.0).call) {
            let instant = of(same[0].0).call;
            let client = of(same[0].0).client;
            if same.iter().any(|(number, _)| of(*number).client != client) {
                after.resize(self.operations.len(), NONE);
                for (number, before) in same {
                    after[*number as usize] = *before;
                }
                continue;
            }
            at += self.events[at..].partition_point(|event| time(*event) < instant);
            let end = at + self.events[at..].partition_point(|event| time(*event) == instant);
            // Numbers are in the order of calls, so they are in the order of the client's
            // operations.
            self.events[at..end].sort_by_key(|event| {
                let number = event.operation() as u32;
                match (of(number).client == client, event.is_return()) {
                    (false, false) => (0, 0, false),
                    (true, is_return) => (1, number, is_return),
                    (false, true) => (2, 0, true),
                }
            });
            at = end;
        }
        after
    }

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

/// The last operation of each client. Clients are mostly small numbers; the others go through a
/// map.
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
