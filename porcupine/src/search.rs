//! The search of one partition, breadth first.
//!
//! Wing and Gong (1993) try every order that real time allows. Lowe (2016) makes that practical in two
//! ways, and both are here in another shape:
//!
//! - *Just in time.* If a linearization exists, so does one in which every operation comes as late as
//!   its return (or the return of an operation after it) permits. So nothing is ordered until some
//!   operation must return, and then only sequences of open operations that end with that one.
//! - *Memoisation.* What happened before does not matter, only where it led: the state and which of the
//!   open operations are done.
//!
//! The events are read once, in the order of time, and all configurations that some order of the past
//! leads to are kept side by side:
//!
//! ```text
//!   time ──►    call a    call b     return a            return b
//!                 │         │           │                    │
//!   open         {a}      {a,b}     {a,b} → {b}          {b} → {}
//!   kept        1 conf.   1 conf.   after a,             all in which b is done
//!                                   after b a
//!                                   (never: after a b; b can wait)
//! ```
//!
//! A configuration mentions open operations only. Its size, and for well-behaved histories the number
//! of configurations as well, depends on how many operations overlap and not on the length of the
//! history; that is why a million operations are no problem.
//!
//! Seven things keep the number of configurations small. Each loses no solution:
//!
//! 1. *Read-only and spent operations* are linearized as soon as they are legal ([`Model::read_only`],
//!    [`Outlook::Spent`] have the argument).
//! 2. *Idle operations* become optional instead of branching: one that is legal here without effect may
//!    have been linearized here. The configuration "it must still come, or has come here" stands for both.
//!    At its return it is dropped; until then it may still take effect.
//! 3. *Hopeless configurations* go at once: an operation that must come and never can
//!    ([`Outlook::Never`]).
//! 4. *Covered configurations* go (see [`crate::configurations`]).
//! 5. *Twins*: of two open operations with equal input and output the one that returns first is
//!    linearized first. In any solution that has them the other way round they can be exchanged.
//!    A call that never returned is the last of its twins.
//! 6. *Early configurations* go: what another configuration can still turn into by an operation that is
//!    open in it need not be kept beside it. Independent operations, such as those on different keys of
//!    one state, so do not multiply.
//! 7. *Uninvolved operations* wait: before an operation returns only those are ordered that it depends on,
//!    directly or through others ([`Model::independent`]). The others commute with all of these.
//!
//! What stays exponential: many overlapping operations whose order matters to the state and which no
//! later answer tells apart, such as ten concurrent enqueues of values that others enqueue, too. The
//! problem is NP-complete (Gibbons and Korach 1997), so something must. The search
//! [depth first](crate::depth) takes turns with this one; the [budget](crate::Budget) is for the rest.
//!
//! # One client at one instant
//!
//! Where [`Timeline::after`] orders operations that overlap in the events, the later one is *blocked*
//! as long as the earlier one must still come. While the earlier one counts as done and may come
//! again, the later one is not linearized at once but in a configuration of its own, in which the
//! earlier one comes no more.

use crate::bits::Bits;
use crate::budget::{Halt, Limit, Meter, Slice};
use crate::configurations::{Configuration, ConfigurationSet};
use crate::history::Operation;
use crate::model::{Model, Outlook, Step};
use crate::states::States;
use crate::timeline::{Happening, NONE, Timeline};

/// How a search ends. Operations are positions in the timeline.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Linearizable; with the order, if it was asked for and is known.
    Order(Vec<u32>),
    /// Not linearizable. `event` is the first one that no order of the operations called so far
    /// allows; `partial` has the longest orders up to there, if they were asked for and are known.
    Stuck { event: usize, partial: Vec<Vec<u32>> },
    /// Nobody knows.
    Limit(Limit),
    /// A hint of the model is wrong.
    WrongHint { operation: u32, hint: &'static str },
}

/// One way to search a partition, which can be interrupted.
pub(crate) trait Engine<'h> {
    /// Searches until something ends it or the slice is used up.
    fn run(self: Box<Self>, slice: Slice) -> Turn<'h>;

    /// Steps so far.
    fn steps(&self) -> u64;
}

/// What came of [`Engine::run`].
pub(crate) enum Turn<'h> {
    /// The end, and all steps it took.
    Ended(Ending, u64),
    /// The slice is used up.
    Paused(Box<dyn Engine<'h> + 'h>),
}

/// One step on the way to a configuration.
#[derive(Clone, Copy)]
struct TraceStep {
    before: u32,
    operation: u32,
}

/// From how many configurations on rule 6 pays.
const MANY: usize = 6;

/// The hint that [`Model::step`] contradicts in this state, if there is one.
pub(crate) fn wrong_hint<M: Model>(
    model: &M,
    state: &M::State,
    operation: &Operation<M::Input, M::Output>,
    outlook: Outlook,
    read_only: bool,
) -> Option<&'static str> {
    if outlook == Outlook::Unsure && !read_only {
        return None;
    }
    let (legal, changes) = match model.step(state, &operation.input, operation.output()) {
        Step::Illegal => (false, false),
        Step::Unchanged => (true, false),
        Step::To(after) => (true, after != *state),
        Step::Interrupted => return None,
    };
    if read_only && changes {
        return Some("read_only");
    }
    let right = match outlook {
        Outlook::Unsure => true,
        Outlook::Spent | Outlook::Idle => legal && !changes,
        Outlook::Never | Outlook::NotYet => !legal,
        Outlook::Moves => changes,
    };
    (!right).then_some("outlook")
}

/// Whether two operations that are said to be [independent](Model::independent) are so in this state.
pub(crate) fn independent_here<M: Model>(
    model: &M,
    state: &M::State,
    one: &Operation<M::Input, M::Output>,
    other: &Operation<M::Input, M::Output>,
) -> bool {
    let after = |state: &M::State, operation: &Operation<M::Input, M::Output>| match model.step(
        state,
        &operation.input,
        operation.output(),
    ) {
        Step::Illegal | Step::Interrupted => None,
        Step::Unchanged => Some(state.clone()),
        Step::To(after) => Some(after),
    };
    let both = |first, second| after(&after(state, first)?, second);
    both(one, other) == both(other, one)
}

struct Search<'h, M: Model, const N: usize> {
    model: &'h M,
    history: &'h [Operation<M::Input, M::Output>],
    timeline: &'h Timeline,
    /// Next event.
    cursor: usize,
    /// The operation in each slot.
    slots: Vec<u32>,
    /// The slot of each operation while it is open.
    slot_of: Vec<u16>,
    used: Bits<N>,
    /// Slots of operations that never return.
    pending: Bits<N>,
    read_only: Bits<N>,
    /// For each slot the equal open operations that come first.
    twins: Vec<Bits<N>>,
    /// Slots of operations that must come after another open one ([`Timeline::after`]).
    linked: Bits<N>,
    /// For each slot the slot of that other operation, if the slot is in `linked`.
    before: Vec<u16>,
    states: States<M::State, N>,
    frontier: Vec<Configuration<N>>,
    /// Configurations on the way to the returning operation.
    work: ConfigurationSet<N>,
    /// Configurations after it.
    next: ConfigurationSet<N>,
    /// What needs ordering before the operation that returns.
    involved: Bits<N>,
    trace: Option<Vec<TraceStep>>,
    meter: Meter<'h>,
}

enum Pause {
    /// All events are read.
    End,
    Stuck,
    /// All slots are taken.
    Full,
    Halt(Halt),
}

impl<H: Into<Halt>> From<H> for Pause {
    fn from(halt: H) -> Self {
        Pause::Halt(halt.into())
    }
}

/// A search of one partition, breadth first. With `explain`, it says in which order.
pub(crate) fn breadth_first<'h, M: Model>(
    model: &'h M,
    history: &'h [Operation<M::Input, M::Output>],
    timeline: &'h Timeline,
    stop: Option<&'h (dyn Fn() -> bool + Sync)>,
    explain: bool,
) -> Box<dyn Engine<'h> + 'h> {
    Search::<M, 1>::new(model, history, timeline, Meter::new(stop), explain)
}

impl<'h, M: Model, const N: usize> Engine<'h> for Search<'h, M, N> {
    /// Boxed, since it may be large and the stack of a simulated task is small.
    fn run(mut self: Box<Self>, slice: Slice) -> Turn<'h> {
        self.meter.allow(slice);
        let ending = match self.advance() {
            Pause::End => Ending::Order(self.order()),
            Pause::Stuck => Ending::Stuck { event: self.cursor, partial: self.partial_orders() },
            Pause::Halt(Halt::Slice) => return Turn::Paused(self),
            Pause::Halt(Halt::Limit(limit)) => Ending::Limit(limit),
            Pause::Halt(Halt::WrongHint { operation, hint }) => {
                Ending::WrongHint { operation, hint }
            }
            Pause::Full => {
                let wider: Box<dyn Engine<'h> + 'h> = match N {
                    1 => widen::<M, N, 2>(self),
                    2 => widen::<M, N, 4>(self),
                    4 => widen::<M, N, 16>(self),
                    16 => widen::<M, N, 64>(self),
                    _ => return Turn::Ended(Ending::Limit(Limit::TooManyOpen), self.meter.steps),
                };
                return Turn::Paused(wider);
            }
        };
        Turn::Ended(ending, self.meter.steps)
    }

    fn steps(&self) -> u64 {
        self.meter.steps
    }
}

/// The same search with more slots, at the same event.
#[expect(clippy::boxed_local, reason = "too large for a small stack")]
fn widen<M: Model, const N: usize, const K: usize>(
    search: Box<Search<'_, M, N>>,
) -> Box<Search<'_, M, K>> {
    let search = *search;
    Box::new(Search {
        model: search.model,
        history: search.history,
        timeline: search.timeline,
        cursor: search.cursor,
        slots: search.slots,
        slot_of: search.slot_of,
        used: search.used.widen(),
        pending: search.pending.widen(),
        read_only: search.read_only.widen(),
        twins: search.twins.iter().map(Bits::widen).collect(),
        linked: search.linked.widen(),
        before: search.before,
        states: search.states.widen(),
        frontier: search.frontier.iter().map(Configuration::widen).collect(),
        work: ConfigurationSet::new(),
        next: ConfigurationSet::new(),
        involved: Bits::EMPTY,
        trace: search.trace,
        meter: search.meter,
    })
}

impl<'h, M: Model, const N: usize> Search<'h, M, N> {
    fn new(
        model: &'h M,
        history: &'h [Operation<M::Input, M::Output>],
        timeline: &'h Timeline,
        meter: Meter<'h>,
        explain: bool,
    ) -> Box<Self> {
        let mut states = States::new();
        let init = states.intern(model.init(), |state| model.state_bytes(state));
        Box::new(Search {
            model,
            history,
            timeline,
            cursor: 0,
            slots: Vec::new(),
            slot_of: vec![0; timeline.operations.len()],
            used: Bits::EMPTY,
            pending: Bits::EMPTY,
            read_only: Bits::EMPTY,
            twins: Vec::new(),
            linked: Bits::EMPTY,
            before: Vec::new(),
            states,
            frontier: vec![Configuration::new(Bits::EMPTY, Bits::EMPTY, init, NONE)],
            work: ConfigurationSet::new(),
            next: ConfigurationSet::new(),
            involved: Bits::EMPTY,
            trace: explain.then(Vec::new),
            meter,
        })
    }

    fn operation(&self, at: u32) -> &'h Operation<M::Input, M::Output> {
        &self.history[self.timeline.operations[at as usize] as usize]
    }

    /// Reads events until something ends it.
    fn advance(&mut self) -> Pause {
        while let Some(event) = self.timeline.events.get(self.cursor) {
            if let Err(pause) = self.read(*event) {
                return pause;
            }
            self.cursor += 1;
        }
        Pause::End
    }

    fn read(&mut self, event: Happening) -> Result<(), Pause> {
        self.count()?;
        if event.is_return() {
            self.on_return(event.operation())
        } else {
            self.on_call(event.operation())
        }
    }

    #[inline]
    fn count(&mut self) -> Result<(), Halt> {
        let (work, next, states, trace) = (&self.work, &self.next, &self.states, &self.trace);
        self.meter.step(|| {
            work.memory()
                + next.memory()
                + states.memory()
                + trace.as_ref().map_or(0, |trace| trace.capacity() * size_of::<TraceStep>())
        })
    }

    // ---- calls ----

    /// Gives the operation a slot and tells every configuration about it.
    ///
    /// The slice may not end here: some configurations would know the operation and others would not.
    fn on_call(&mut self, at: usize) -> Result<(), Pause> {
        let operation = self.operation(at as u32);
        let pending = operation.returned.is_none();
        let read_only = self.model.read_only(&operation.input, operation.output());
        if pending && read_only {
            return Ok(()); // nobody needs it
        }
        let Some(slot) = self.used.first_free() else {
            return Err(Pause::Full);
        };
        self.used.insert(slot);
        if slot == self.slots.len() {
            self.slots.push(NONE);
            self.twins.push(Bits::EMPTY);
            self.before.push(0);
        }
        self.slots[slot] = at as u32;
        self.slot_of[at] = slot as u16;
        if pending {
            self.pending.insert(slot);
        }
        if let Some(before) = self.timeline.before(at) {
            let before = self.slot_of[before as usize];
            self.linked.insert(slot);
            self.before[slot] = before;
        }
        if read_only {
            self.read_only.insert(slot);
        } else {
            self.find_twins(slot);
        }

        let mut list = std::mem::take(&mut self.frontier);
        let mut hopeless = false;
        for configuration in &mut list {
            if !self.states.get(configuration.state).known.contains(slot) {
                self.meter.count();
                self.learn(configuration.state, slot)?;
            }
            if !pending {
                configuration.needs.insert(slot);
            }
            if !read_only {
                configuration.live.insert(slot);
            }
            if !self.settle(configuration) {
                configuration.state = NONE;
                hopeless = true;
            }
        }
        if hopeless {
            if list.iter().all(|configuration| configuration.state == NONE) {
                // Keep what led here: it is the longest there is.
                self.work.clear();
                self.work.list = list;
                return Err(Pause::Stuck);
            }
            list.retain(|configuration| configuration.state != NONE);
        }
        self.frontier = list;
        Ok(())
    }

    /// The slots in `linked` whose client's last operation must still come, and those for which it
    /// counts as done and may come again.
    fn blocked(&self, configuration: &Configuration<N>) -> (Bits<N>, Bits<N>) {
        let (mut must, mut may) = (Bits::EMPTY, Bits::EMPTY);
        for slot in self.linked.iter() {
            let before = self.before[slot] as usize;
            if configuration.needs.contains(before) {
                must.insert(slot);
            } else if configuration.live.contains(before) {
                may.insert(slot);
            }
        }
        (must, may)
    }

    /// Rule 5. Equal returns and missing ones: in the order of the calls, as in the time line.
    ///
    /// It does not hold for operations in [`Timeline::after`]: exchanged, one may come before its
    /// client's last, or after its client's next.
    fn find_twins(&mut self, slot: usize) {
        for twins in &mut self.twins {
            twins.remove(slot);
        }
        self.twins[slot] = Bits::EMPTY;
        let at = self.slots[slot];
        if self.timeline.is_linked(at) {
            return;
        }
        let new = self.operation(at);
        let ends = (new.return_time().unwrap_or(u64::MAX), at);
        let mut others = self.used.without(&self.read_only);
        others.remove(slot);
        for other in others.iter() {
            let old = self.operation(self.slots[other]);
            if self.timeline.is_linked(self.slots[other])
                || old.input != new.input
                || old.output() != new.output()
            {
                continue;
            }
            if self.timeline.untangled
                && old.returned.is_some()
                && old.return_time() == new.return_time()
            {
                continue; // `events` may have their returns in either order
            }
            if (old.return_time().unwrap_or(u64::MAX), self.slots[other]) <= ends {
                self.twins[slot].insert(other);
            } else {
                self.twins[other].insert(slot);
            }
        }
    }

    /// Asks the model about the operation in `slot` from a state on.
    fn learn(&mut self, state: u32, slot: usize) -> Result<(), Halt> {
        let operation = self.operation(self.slots[slot]);
        let (input, output) = (&operation.input, operation.output());
        let entry = self.states.get_mut(state);
        let outlook = self.model.outlook(&entry.state, input, output);
        if cfg!(debug_assertions) {
            let read_only = self.read_only.contains(slot);
            if let Some(hint) = wrong_hint(self.model, &entry.state, operation, outlook, read_only)
            {
                return Err(Halt::WrongHint { operation: self.slots[slot], hint });
            }
        }
        match outlook {
            Outlook::Spent => entry.spent.insert(slot),
            Outlook::Never => entry.never.insert(slot),
            Outlook::Idle => entry.idle.insert(slot),
            Outlook::Moves => entry.moves.insert(slot),
            Outlook::NotYet => {}
            Outlook::Unsure if self.read_only.contains(slot) => {
                self.meter.before_model()?;
                match self.model.step(&entry.state, input, output) {
                    Step::Illegal => {}
                    Step::Unchanged => entry.spent.insert(slot),
                    Step::To(after) if after == entry.state => entry.spent.insert(slot),
                    Step::To(_) => {
                        let operation = self.slots[slot];
                        return Err(Halt::WrongHint { operation, hint: "read_only" });
                    }
                    Step::Interrupted => return Err(Limit::Interrupted.into()),
                }
            }
            // Its new state is found when somebody wants to go there.
            Outlook::Unsure => entry.unsure.insert(slot),
        }
        entry.known.insert(slot);
        Ok(())
    }

    /// Applies what is known in its state to a configuration: rules 1, 2 and 3. `false` when it is
    /// hopeless.
    #[inline]
    fn settle(&mut self, configuration: &mut Configuration<N>) -> bool {
        if !self.linked.is_empty() {
            return self.settle_linked(configuration);
        }
        let entry = self.states.get(configuration.state);
        if configuration.needs.intersects(&entry.never) {
            return false;
        }
        let legal = configuration.needs.and(&entry.spent.or(&entry.idle));
        configuration.live = configuration.live.without(&entry.spent.or(&entry.never));
        self.place(configuration, &legal);
        true
    }

    /// [`Search::settle`] where some operation must come after another open one of its client.
    ///
    /// An operation is linearized at once only when the one before it is done for good: as long as
    /// that one may still take effect, this one may have to wait for it.
    #[cold]
    fn settle_linked(&mut self, configuration: &mut Configuration<N>) -> bool {
        loop {
            let (must, may) = self.blocked(configuration);
            let entry = self.states.get(configuration.state);
            if configuration.needs.intersects(&entry.never) {
                return false;
            }
            let free = |slots: Bits<N>| slots.without(&must).without(&may);
            let legal = free(configuration.needs.and(&entry.spent.or(&entry.idle)));
            let spent = free(configuration.live.and(&entry.spent));
            configuration.live = configuration.live.without(&spent).without(&entry.never);
            self.place(configuration, &legal);
            if legal.is_empty() && spent.is_empty() {
                return true;
            }
        }
    }

    /// Linearizes operations that change nothing.
    #[inline]
    fn place(&mut self, configuration: &mut Configuration<N>, legal: &Bits<N>) {
        if legal.is_empty() {
            return;
        }
        configuration.needs = configuration.needs.without(legal);
        if let Some(trace) = &mut self.trace {
            for slot in legal.iter() {
                trace.push(TraceStep { before: configuration.trace, operation: self.slots[slot] });
                configuration.trace = (trace.len() - 1) as u32;
            }
        }
    }

    // ---- returns ----

    fn on_return(&mut self, at: usize) -> Result<(), Pause> {
        let slot = self.slot_of[at] as usize;
        debug_assert!(self.slots[slot] == at as u32, "operation {at} returns and is not open");
        let done = |configuration: &Configuration<N>| {
            !configuration.needs.contains(slot) && !configuration.live.contains(slot)
        };
        if !self.frontier.iter().all(done) {
            self.force(slot)?;
        }
        self.release(slot);
        self.unlink(slot);
        Ok(())
    }

    /// The operation in `slot` is done everywhere: nothing waits for it any more.
    fn unlink(&mut self, slot: usize) {
        let mut freed = false;
        for linked in self.linked.iter() {
            if self.before[linked] as usize == slot {
                self.linked.remove(linked);
                freed = true;
            }
        }
        if freed {
            let mut list = std::mem::take(&mut self.frontier);
            list.retain_mut(|configuration| self.settle(configuration));
            self.frontier = list;
        }
    }

    /// Orders open operations before the one in `slot`, and it after them, in every way that matters.
    fn force(&mut self, slot: usize) -> Result<(), Pause> {
        self.work.clear();
        self.next.clear();
        let frontier = std::mem::take(&mut self.frontier);
        for configuration in &frontier {
            self.meter.count();
            if !configuration.needs.contains(slot) {
                self.pass(*configuration, slot);
            }
            if configuration.needs.contains(slot) || configuration.live.contains(slot) {
                self.work.insert(*configuration);
            }
        }
        self.frontier = frontier;
        self.involved = self.involved_with(slot)?;
        let mut at = 0;
        while at < self.work.list.len() {
            let configuration = self.work.list[at];
            if configuration.state != NONE {
                self.extend(configuration, slot)?;
            }
            at += 1;
        }
        self.work.list.retain(|configuration| configuration.state != NONE);
        if self.next.list.is_empty() {
            return Err(Pause::Stuck);
        }
        let early = if self.next.list.len() >= MANY { self.early()? } else { Vec::new() };
        self.frontier.clear();
        for (at, kept) in self.next.list.iter().enumerate() {
            if kept.state != NONE && !early.get(at).is_some_and(|early| *early) {
                self.frontier.push(*kept);
            }
        }
        self.states.sweep(self.frontier.iter().map(|kept| kept.state));
        self.release_spent_pending();
        Ok(())
    }

    /// Rule 7: the open operations that the one in `slot` depends on, directly or through others.
    ///
    /// Those that are done in every configuration do not count.
    fn involved_with(&self, slot: usize) -> Result<Bits<N>, Halt> {
        let mut left = Bits::EMPTY;
        for configuration in &self.frontier {
            left = left.or(&configuration.needs).or(&configuration.live);
        }
        left.remove(slot);
        let mut involved = Bits::EMPTY;
        involved.insert(slot);
        let mut due = involved;
        while let Some(one) = due.iter().next()
            && !left.is_empty()
        {
            due.remove(one);
            let input = &self.operation(self.slots[one]).input;
            for other in left.iter() {
                let before = self.linked.contains(one) && self.before[one] as usize == other;
                let input_of = |slot: usize| &self.operation(self.slots[slot]).input;
                if before || !self.model.independent(input, input_of(other)) {
                    left.remove(other);
                    involved.insert(other);
                    due.insert(other);
                } else if cfg!(debug_assertions)
                    && let Some(configuration) = self.frontier.first()
                {
                    let state = &self.states.get(configuration.state).state;
                    let (at, other) = (self.slots[one], self.slots[other]);
                    let (one, other) = (self.operation(at), self.operation(other));
                    if !independent_here(self.model, state, one, other) {
                        return Err(Halt::WrongHint { operation: at, hint: "independent" });
                    }
                }
            }
        }
        Ok(involved)
    }

    /// Rule 6: which of the next configurations another one can still turn into.
    ///
    /// If `d` and then `b` leads to `e`, and `b` is open in `d`, then `e` has only done too early what
    /// `d` can do later. The operations done grow on the way from `d` to `e`, so there is no circle, and
    /// whatever is dropped can be reached from something that is kept.
    fn early(&mut self) -> Result<Vec<bool>, Pause> {
        let mut early = vec![false; self.next.list.len()];
        for at in 0..self.next.list.len() {
            let from = self.next.list[at];
            if from.state == NONE {
                continue;
            }
            for open in from.live.and(&self.states.get(from.state).unsure).iter() {
                self.resolve(from.state, open)?;
            }
            let (blocked, _) = self.blocked(&from);
            let moves = from.live.and(&self.states.get(from.state).moves).without(&blocked);
            for open in moves.iter() {
                self.count()?;
                let target = match self.states.target(from.state, open) {
                    Some(target) => target,
                    None => {
                        let Some(target) = self.step(from.state, open)? else { continue };
                        self.states.set_target(from.state, open, target);
                        target
                    }
                };
                if !self.next.has_state(target) {
                    continue;
                }
                let mut after = from;
                after.state = target;
                self.done(&mut after, open);
                let open = after.needs.or(&after.live);
                for other in open.without(&self.states.get(target).known).iter() {
                    self.count()?;
                    self.learn(target, other)?;
                }
                let (must, may) = self.blocked(&after);
                let entry = self.states.get(target);
                if after.needs.intersects(&entry.never) {
                    continue;
                }
                let waits = must.or(&may);
                after.needs = after.needs.without(&entry.spent.or(&entry.idle).without(&waits));
                let spent = entry.spent.without(&waits);
                after.live = after.live.without(&spent.or(&entry.never));
                self.next.mark_covered(&after, at, &mut early);
            }
        }
        Ok(early)
    }

    /// The operation in `slot` comes now: it is done, and so is the one of its client before it.
    #[inline]
    fn done(&self, configuration: &mut Configuration<N>, slot: usize) {
        configuration.needs.remove(slot);
        configuration.live.remove(slot);
        if self.linked.contains(slot) {
            configuration.live.remove(self.before[slot] as usize);
        }
    }

    /// A configuration that needs the returning operation no more.
    fn pass(&mut self, mut configuration: Configuration<N>, slot: usize) {
        configuration.live.remove(slot);
        self.next.insert(configuration);
    }

    /// Puts every open operation that may come next after `configuration`.
    fn extend(&mut self, mut configuration: Configuration<N>, slot: usize) -> Result<(), Pause> {
        self.count()?;
        let state = configuration.state;
        let involved = configuration.live.and(&self.involved);
        let unsure = involved.and(&self.states.get(state).unsure);
        for open in unsure.iter() {
            self.resolve(state, open)?;
        }
        // Another configuration with this state may have found out already what is idle in it, so this
        // is due even when nothing was unsure.
        let needed = configuration.needs.contains(slot);
        self.settle(&mut configuration);
        if needed && !configuration.needs.contains(slot) {
            self.pass(configuration, slot);
        }
        let (blocked, waiting) = if self.linked.is_empty() {
            (Bits::EMPTY, Bits::EMPTY)
        } else {
            self.blocked(&configuration)
        };
        let entry = self.states.get(state);
        let legal = waiting.and(&configuration.needs).and(&entry.spent.or(&entry.idle));
        for waiting in legal.iter() {
            // It comes here, and the one before it came where it was legal and comes no more.
            let mut after = configuration;
            after.live.remove(self.before[waiting] as usize);
            self.reach(after, slot);
        }
        let mut candidates = involved.and(&self.states.get(state).moves).without(&blocked);
        if candidates.contains(slot) {
            candidates.remove(slot);
            self.put(&configuration, slot, slot)?;
        }
        for open in candidates.iter() {
            self.put(&configuration, open, slot)?;
        }
        Ok(())
    }

    /// Asks the model where an operation leads that it had no outlook for.
    fn resolve(&mut self, state: u32, slot: usize) -> Result<(), Pause> {
        let target = self.step(state, slot)?;
        let entry = self.states.get_mut(state);
        entry.unsure.remove(slot);
        match target {
            None => {}
            Some(target) if target == state => entry.idle.insert(slot),
            Some(target) => {
                entry.moves.insert(slot);
                self.states.set_target(state, slot, target);
            }
        }
        Ok(())
    }

    /// The number of the state after the operation in `slot`.
    fn step(&mut self, state: u32, slot: usize) -> Result<Option<u32>, Pause> {
        self.count()?;
        self.meter.before_model()?;
        let operation = self.operation(self.slots[slot]);
        let before = &self.states.get(state).state;
        match self.model.step(before, &operation.input, operation.output()) {
            Step::Illegal => Ok(None),
            Step::Unchanged => Ok(Some(state)),
            Step::To(after) => {
                let model = self.model;
                let target = self.states.intern(after, |state| model.state_bytes(state));
                self.meter.grown(self.states.bytes());
                Ok(Some(target))
            }
            Step::Interrupted => Err(Limit::Interrupted.into()),
        }
    }

    /// Puts the operation in slot `open` after `configuration`, on the way to the one in `slot`.
    fn put(
        &mut self,
        configuration: &Configuration<N>,
        open: usize,
        slot: usize,
    ) -> Result<(), Pause> {
        self.count()?;
        let first = self.twins[open].and(&configuration.live);
        let first = if configuration.needs.contains(open) {
            first.and(&configuration.needs)
        } else {
            first
        };
        if !first.is_empty() {
            return Ok(());
        }
        let target = match self.states.target(configuration.state, open) {
            Some(target) => target,
            None => {
                let Some(target) = self.step(configuration.state, open)? else {
                    let operation = self.slots[open];
                    return Err(Halt::WrongHint { operation, hint: "outlook" }.into());
                };
                self.states.set_target(configuration.state, open, target);
                target
            }
        };
        let mut after = *configuration;
        after.state = target;
        self.done(&mut after, open);
        if let Some(trace) = &mut self.trace {
            trace.push(TraceStep { before: after.trace, operation: self.slots[open] });
            after.trace = (trace.len() - 1) as u32;
        }
        let unknown = after.needs.or(&after.live).without(&self.states.get(target).known);
        for other in unknown.iter() {
            self.count()?;
            self.learn(target, other)?;
        }
        self.reach(after, slot);
        Ok(())
    }

    /// Keeps a configuration on the way to the operation in `slot`, or behind it, unless it is
    /// hopeless. Everything open must be known in its state.
    fn reach(&mut self, mut after: Configuration<N>, slot: usize) {
        if !self.settle(&mut after) {
            return;
        }
        if !after.needs.contains(slot) {
            self.pass(after, slot);
        }
        if after.needs.contains(slot) || after.live.contains(slot) {
            self.work.insert(after);
        }
    }

    fn release(&mut self, slot: usize) {
        self.slots[slot] = NONE;
        self.used.remove(slot);
        self.pending.remove(slot);
        self.read_only.remove(slot);
        self.linked.remove(slot);
        self.states.forget_slot(slot);
    }

    /// An operation that never returns keeps its slot only while it may still take effect somewhere.
    fn release_spent_pending(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let mut wanted = Bits::EMPTY;
        for configuration in &self.frontier {
            wanted = wanted.or(&configuration.live);
        }
        for slot in self.pending.without(&wanted).iter() {
            self.release(slot);
        }
    }

    // ---- what was found ----

    /// The operations on the way to a configuration, in order.
    ///
    /// An idle operation is in the trace where it was legal, and again where it took effect if it did:
    /// the last place counts.
    fn way(&self, mut at: u32) -> Vec<u32> {
        let Some(trace) = &self.trace else { return Vec::new() };
        let mut seen = vec![false; self.timeline.operations.len()];
        let mut way = Vec::new();
        while at != NONE {
            let step = trace[at as usize];
            if !std::mem::replace(&mut seen[step.operation as usize], true) {
                way.push(step.operation);
            }
            at = step.before;
        }
        way.reverse();
        way
    }

    fn order(&self) -> Vec<u32> {
        self.frontier.first().map_or(Vec::new(), |first| self.way(first.trace))
    }

    /// For each operation that is open where the search is stuck, the longest order with it; and the
    /// longest of all.
    fn partial_orders(&self) -> Vec<Vec<u32>> {
        if self.trace.is_none() {
            return Vec::new();
        }
        // More than a screen of them helps nobody, and long ones are large.
        let most = (4_000_000 / self.timeline.operations.len().max(1)).clamp(4, 256);
        let ways: Vec<Vec<u32>> =
            self.work.list.iter().take(most).map(|kept| self.way(kept.trace)).collect();
        let longest = |wanted: &dyn Fn(&[u32]) -> bool| {
            (0..ways.len())
                .filter(|way| wanted(&ways[*way]))
                .max_by_key(|way| (ways[*way].len(), std::cmp::Reverse(*way)))
        };
        let mut chosen: Vec<usize> = longest(&|_| true).into_iter().collect();
        for slot in self.used.iter() {
            let operation = self.slots[slot];
            if let Some(way) = longest(&|way| way.contains(&operation))
                && !chosen.contains(&way)
            {
                chosen.push(way);
            }
        }
        chosen.into_iter().map(|way| ways[way].clone()).collect()
    }
}
