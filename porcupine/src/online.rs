//! Checking while the test runs: calls and returns come in one by one.
//!
//! The search is that of the module `search` in its plainest form: nothing is ordered before some
//! operation must return; then all sequences of open operations that end with that one are tried,
//! and the configurations they lead to are kept side by side. What is behind is forgotten, so
//! memory depends on how many operations are open at once and not on how many there were.
//!
//! ```text
//!   call ──► waiting ──► open ──► gone         waiting: its outcome, or that of an earlier call,
//!            (FIFO)                                     is not known yet
//! ```
//!
//! What a call does may depend on its answer, which comes with its return. So events wait until the
//! outcomes of all calls before them are known. A call that takes too long is then taken for one
//! that never returns ([`Online::with_window`]); that can only make the check miss something, never
//! see a violation where there is none.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::check::Verdict;
use crate::hash::FoldBuilder;
use crate::history::{Event, EventKind, HistoryError};
use crate::model::{Model, Step};

/// Checks a history that is still being made.
///
/// ```
/// use porcupine::models::register::{Input, Output, Register};
/// use porcupine::{Online, Verdict};
///
/// let mut online = Online::new(Register::new());
/// // client, id of the call, what is asked
/// online.call(1, 10, Input::Write(5))?;
/// online.call(2, 11, Input::Read)?;
/// assert_eq!(online.returned(2, 11, Output::Value(Some(5)))?, Verdict::Ok);
/// assert_eq!(online.returned(1, 10, Output::Done)?, Verdict::Ok);
/// online.call(2, 12, Input::Read)?;
/// assert_eq!(online.returned(2, 12, Output::Value(None))?, Verdict::Illegal);
/// # Ok::<(), porcupine::HistoryError>(())
/// ```
#[derive(Debug)]
pub struct Online<M: Model> {
    model: M,
    parts: BTreeMap<String, Part<M>>,
    /// The part of each call that is open.
    calls: BTreeMap<u64, Called>,
    /// The open call of each client.
    busy: BTreeMap<i64, u64>,
    /// How many events came.
    events: usize,
    most_configurations: usize,
    window: usize,
    illegal: Option<Violation>,
}

/// Where a history that is checked online stopped being linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What [`Model::partition`] calls the partition.
    pub partition: String,
    /// The id of the call whose return nothing allows.
    pub id: u64,
    pub client: i64,
    /// The operation in words.
    pub operation: String,
}

#[derive(Debug)]
struct Called {
    part: String,
    client: i64,
    /// Position in the history of events.
    entry: usize,
}

/// What is waiting to be looked at.
#[derive(Debug)]
enum Waiting<I> {
    Call { id: u64, client: i64, input: I },
    Return { id: u64 },
}

#[derive(Debug)]
enum Outcome<O> {
    Known(O),
    /// May take effect at any later time, or never.
    Pending,
    DidNotHappen,
}

/// An operation in a slot of the configurations.
#[derive(Debug)]
struct Open<I, O> {
    client: i64,
    input: I,
    output: Option<O>,
    read_only: bool,
}

/// What some order of the past leads to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Configuration<S> {
    /// Slots of open operations that are done, as bits.
    done: Vec<u64>,
    state: S,
}

impl<S> Configuration<S> {
    fn is_done(&self, slot: usize) -> bool {
        self.done.get(slot / 64).is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }

    fn set(&mut self, slot: usize, to: bool) {
        if self.done.len() <= slot / 64 {
            self.done.resize(slot / 64 + 1, 0);
        }
        let bit = 1 << (slot % 64);
        if to {
            self.done[slot / 64] |= bit;
        } else {
            self.done[slot / 64] &= !bit;
        }
        // Equal sets have equal words.
        while self.done.last() == Some(&0) {
            self.done.pop();
        }
    }
}

#[derive(Debug)]
struct Part<M: Model> {
    waiting: VecDeque<Waiting<M::Input>>,
    outcomes: BTreeMap<u64, Outcome<M::Output>>,
    open: Vec<Option<Open<M::Input, M::Output>>>,
    slots: BTreeMap<u64, usize>,
    /// Calls that count as pending although an outcome may come yet.
    late: BTreeSet<u64>,
    configurations: Vec<Configuration<M::State>>,
    /// Too many configurations: nothing is known about this part any more.
    given_up: bool,
}

impl<M: Model> Online<M> {
    /// Begins with an empty history. Gives a partition up as unknown when it would take more than
    /// 100,000 configurations at once.
    pub fn new(model: M) -> Self {
        Online {
            model,
            parts: BTreeMap::new(),
            calls: BTreeMap::new(),
            busy: BTreeMap::new(),
            events: 0,
            most_configurations: 100_000,
            window: 10_000,
            illegal: None,
        }
    }

    /// Allows so many configurations at once for each partition.
    #[must_use]
    pub fn with_configurations(mut self, most: usize) -> Self {
        self.most_configurations = most.max(1);
        self
    }

    /// Lets at most so many events of a partition wait for an outcome. When there are more, the
    /// call that they wait for counts as one that never returns. The default is 10,000.
    #[must_use]
    pub fn with_window(mut self, events: usize) -> Self {
        self.window = events.max(2);
        self
    }

    /// A call was made.
    ///
    /// # Errors
    ///
    /// When the id was used by a call that is open, or the client has another call open.
    pub fn call(&mut self, client: i64, id: u64, input: M::Input) -> Result<Verdict, HistoryError> {
        let entry = self.events;
        self.events += 1;
        if self.calls.contains_key(&id) {
            return Err(HistoryError::DuplicateId { entry, id });
        }
        if let Some(earlier) = self.busy.get(&client) {
            let earlier = self.calls.get(earlier).map_or(entry, |called| called.entry);
            return Err(HistoryError::Overlap { entry, earlier, client });
        }
        self.busy.insert(client, id);
        let name = self.model.partition(&input).into_owned();
        let model = &self.model;
        let part = self.parts.entry(name.clone()).or_insert_with(|| Part::new(model));
        if !part.given_up {
            part.waiting.push_back(Waiting::Call { id, client, input });
        }
        self.calls.insert(id, Called { part: name.clone(), client, entry });
        self.settle(&name);
        Ok(self.verdict())
    }

    /// A call returned.
    ///
    /// # Errors
    ///
    /// When there is no such call, or it was another client's.
    pub fn returned(
        &mut self,
        client: i64,
        id: u64,
        output: M::Output,
    ) -> Result<Verdict, HistoryError> {
        self.outcome(client, id, Outcome::Known(output))
    }

    /// It is certain that a call did not happen and never will.
    ///
    /// # Errors
    ///
    /// When there is no such call, or it was another client's.
    pub fn did_not_happen(&mut self, client: i64, id: u64) -> Result<Verdict, HistoryError> {
        self.outcome(client, id, Outcome::DidNotHappen)
    }

    /// Nobody will ever know whether a call happened. Its client is free, but what it calls from
    /// now on counts as another client's.
    ///
    /// # Errors
    ///
    /// When there is no such call, or it was another client's.
    pub fn unknown(&mut self, client: i64, id: u64) -> Result<Verdict, HistoryError> {
        self.outcome(client, id, Outcome::Pending)
    }

    /// A call or a return.
    ///
    /// # Errors
    ///
    /// As for [`call`](Online::call) and [`returned`](Online::returned).
    pub fn event(&mut self, event: Event<M::Input, M::Output>) -> Result<Verdict, HistoryError> {
        match event.kind {
            EventKind::Call(input) => self.call(event.client, event.id, input),
            EventKind::Return(output) => self.returned(event.client, event.id, output),
        }
    }

    /// [`Verdict::Illegal`] as soon as a violation is certain, [`Verdict::Unknown`] when a
    /// partition was given up, else [`Verdict::Ok`]: no violation so far.
    pub fn verdict(&self) -> Verdict {
        if self.illegal.is_some() {
            Verdict::Illegal
        } else if self.parts.values().any(|part| part.given_up) {
            Verdict::Unknown
        } else {
            Verdict::Ok
        }
    }

    /// The first violation.
    pub fn violation(&self) -> Option<&Violation> {
        self.illegal.as_ref()
    }

    /// The verdict if nothing more comes: what is open never returned.
    pub fn finish(mut self) -> Verdict {
        let open: Vec<(u64, i64)> =
            self.calls.iter().map(|(id, called)| (*id, called.client)).collect();
        for (id, client) in open {
            // Each is open, so none of these fails.
            let _ = self.unknown(client, id);
        }
        self.verdict()
    }

    /// Configurations and waiting events that are kept now, of all partitions.
    pub fn size(&self) -> usize {
        self.parts.values().map(|part| part.configurations.len() + part.waiting.len()).sum()
    }

    fn outcome(
        &mut self,
        client: i64,
        id: u64,
        outcome: Outcome<M::Output>,
    ) -> Result<Verdict, HistoryError> {
        let entry = self.events;
        self.events += 1;
        let Some(called) = self.calls.get(&id) else {
            return Err(HistoryError::UnmatchedReturn { entry, id });
        };
        if called.client != client {
            return Err(HistoryError::OtherClient { entry, client, caller: called.client });
        }
        let Some(called) = self.calls.remove(&id) else {
            return Err(HistoryError::UnmatchedReturn { entry, id });
        };
        self.busy.remove(&client);
        if let Some(part) = self.parts.get_mut(&called.part)
            && !part.given_up
        {
            let returns = matches!(outcome, Outcome::Known(_));
            if !part.late.remove(&id) {
                part.outcomes.insert(id, outcome);
                if returns {
                    part.waiting.push_back(Waiting::Return { id });
                }
            }
        }
        self.settle(&called.part);
        Ok(self.verdict())
    }

    /// Looks at what need not wait any longer.
    fn settle(&mut self, name: &str) {
        let Some(part) = self.parts.get_mut(name) else { return };
        if part.given_up || self.illegal.is_some() {
            return;
        }
        while let Some(next) = part.waiting.front() {
            if let Waiting::Call { id, .. } = next
                && !part.outcomes.contains_key(id)
            {
                if part.waiting.len() <= self.window {
                    return;
                }
                part.outcomes.insert(*id, Outcome::Pending);
                part.late.insert(*id);
            }
            match part.waiting.pop_front() {
                Some(Waiting::Call { id, client, input }) => {
                    part.open(&self.model, id, client, input);
                }
                Some(Waiting::Return { id }) => {
                    match part.close(&self.model, id, self.most_configurations) {
                        Closed::Fine => {}
                        Closed::Impossible { client, operation } => {
                            let partition = name.to_owned();
                            self.illegal = Some(Violation { partition, id, client, operation });
                            return;
                        }
                        Closed::TooMany => {
                            part.give_up();
                            return;
                        }
                    }
                }
                None => return,
            }
        }
    }
}

enum Closed {
    Fine,
    /// No configuration allows this return.
    Impossible {
        client: i64,
        operation: String,
    },
    TooMany,
}

#[expect(clippy::disallowed_types, reason = "its order cannot show: it is never iterated over")]
type Seen<S> = std::collections::HashSet<Configuration<S>, FoldBuilder>;

impl<M: Model> Part<M> {
    fn new(model: &M) -> Self {
        Part {
            waiting: VecDeque::new(),
            outcomes: BTreeMap::new(),
            open: Vec::new(),
            slots: BTreeMap::new(),
            late: BTreeSet::new(),
            configurations: vec![Configuration { done: Vec::new(), state: model.init() }],
            given_up: false,
        }
    }

    fn give_up(&mut self) {
        *self = Part {
            waiting: VecDeque::new(),
            outcomes: BTreeMap::new(),
            open: Vec::new(),
            slots: BTreeMap::new(),
            late: BTreeSet::new(),
            configurations: Vec::new(),
            given_up: true,
        };
    }

    /// A call whose outcome is known.
    fn open(&mut self, model: &M, id: u64, client: i64, input: M::Input) {
        let output = match self.outcomes.remove(&id) {
            Some(Outcome::Known(output)) => Some(output),
            Some(Outcome::Pending) | None => None,
            Some(Outcome::DidNotHappen) => return,
        };
        let read_only = model.read_only(&input, output.as_ref());
        if read_only && output.is_none() {
            return; // without effect, whether it happens or not
        }
        let free = self.open.iter().position(Option::is_none);
        let slot = free.unwrap_or_else(|| {
            self.open.push(None);
            self.open.len() - 1
        });
        self.slots.insert(id, slot);
        self.open[slot] = Some(Open { client, input, output, read_only });
    }

    /// The operation with this id returns: orders up to it.
    fn close(&mut self, model: &M, id: u64, most: usize) -> Closed {
        let Some(&target) = self.slots.get(&id) else { return Closed::Fine };
        let mut seen: Seen<M::State> = Seen::default();
        let mut work = Vec::new();
        let mut after: Vec<Configuration<M::State>> = Vec::new();
        let mut kept: Seen<M::State> = Seen::default();
        for configuration in self.configurations.drain(..) {
            if seen.insert(configuration.clone()) {
                work.push(configuration);
            }
        }
        while let Some(mut configuration) = work.pop() {
            // Read-only operations at once, as far as they are legal here.
            for (slot, open) in self.open.iter().enumerate() {
                let Some(open) = open else { continue };
                if open.read_only
                    && !configuration.is_done(slot)
                    && model.step(&configuration.state, &open.input, open.output.as_ref())
                        == Step::Unchanged
                {
                    configuration.set(slot, true);
                }
            }
            if configuration.is_done(target) {
                configuration.set(target, false);
                if kept.insert(configuration.clone()) {
                    after.push(configuration);
                }
                continue;
            }
            for (slot, open) in self.open.iter().enumerate() {
                let Some(open) = open else { continue };
                if configuration.is_done(slot)
                    || open.read_only
                    || self.has_twin(slot, &configuration)
                {
                    continue;
                }
                let mut next = configuration.clone();
                match model.step(&configuration.state, &open.input, open.output.as_ref()) {
                    Step::Illegal => continue,
                    Step::Interrupted => return Closed::TooMany,
                    Step::Unchanged => {}
                    Step::To(state) => next.state = state,
                }
                next.set(slot, true);
                if seen.insert(next.clone()) {
                    work.push(next);
                }
            }
            if seen.len() + after.len() > most {
                return Closed::TooMany;
            }
        }
        self.configurations = after;
        self.slots.remove(&id);
        match self.open[target].take() {
            Some(closed) if self.configurations.is_empty() => Closed::Impossible {
                client: closed.client,
                operation: model.describe_operation(&closed.input, closed.output.as_ref()),
            },
            _ => Closed::Fine,
        }
    }

    /// Of equal calls that never return the first comes first: they can be exchanged.
    fn has_twin(&self, slot: usize, configuration: &Configuration<M::State>) -> bool {
        let Some(Some(one)) = self.open.get(slot) else { return false };
        one.output.is_none()
            && self.open[..slot].iter().enumerate().any(|(earlier, open)| {
                open.as_ref().is_some_and(|open| open.output.is_none() && open.input == one.input)
                    && !configuration.is_done(earlier)
            })
    }
}
