//! The search, depth first.
//!
//! The search [breadth first](crate::search) keeps all configurations side by side. That is best
//! where few are left after each return. Where an ambiguity is settled late or never, as with a queue
//! whose values stay in it, they multiply, although nearly every one of them leads to an order. This
//! search follows one configuration to the end and comes back only when it fails:
//!
//! ```text
//!   ── return a ──── return b ──── return c ✗      c cannot come: back to the last choice,
//!            └─────────── return b ──── return c   remembering which configurations failed
//! ```
//!
//! Configurations are those of the search breadth first, and so are the rules 1 to 5. Two things
//! differ:
//!
//! - *Order of choice.* Before an operation that must return, the operations come in the order of the
//!   middles of their intervals: that is where an effect most likely was. If the operation is not
//!   legal, what makes it legal is tried first. Operations that never return come last.
//! - *Slots* do not depend on what was found: an operation that never returns keeps its slot.
//!
//! A configuration that is covered by one that was tried at the same event fails like that one.
//! Histories in which [`Timeline::after`] orders operations are left to the other search.

use crate::bits::Bits;
use crate::budget::{Halt, Limit, Meter, Slice};
use crate::hash::{Fold, FoldBuilder, hash_of};
use crate::history::Operation;
use crate::model::{Model, Outlook, Step};
use crate::search::{Ending, Engine, Turn, wrong_hint};
use crate::timeline::{Happening, NONE, Timeline};

#[expect(clippy::disallowed_types, reason = "its order cannot show: it is never iterated over")]
type Map<K, V> = std::collections::HashMap<K, V, FoldBuilder>;

/// The search with as few words a set as the partition needs; `None` where it does not apply.
pub(crate) fn depth_first<'h, M: Model>(
    model: &'h M,
    history: &'h [Operation<M::Input, M::Output>],
    timeline: &'h Timeline,
    stop: Option<&'h (dyn Fn() -> bool + Sync)>,
    explain: bool,
) -> Option<Box<dyn Engine<'h> + 'h>> {
    if !timeline.after.is_empty() {
        return None;
    }
    let plan = Plan::new(model, history, timeline);
    let meter = Meter::new(stop);
    Some(match plan.width {
        0..=64 => Depth::<M, 1>::boxed(model, history, timeline, plan, meter, explain),
        65..=256 => Depth::<M, 4>::boxed(model, history, timeline, plan, meter, explain),
        257..=4096 => Depth::<M, 64>::boxed(model, history, timeline, plan, meter, explain),
        _ => return None,
    })
}

/// What is known of each operation before the search.
struct Plan {
    /// Slots in use at once, at most.
    width: usize,
    of: Vec<Planned>,
}

#[derive(Clone, Copy)]
struct Planned {
    slot: u16,
    read_only: bool,
    /// Never returns and changes nothing: it has no slot.
    left_out: bool,
    /// The operation that had the slot before.
    before: u32,
    /// Number of the operations that are equal to it, as far as they are open at the same time.
    twins: u32,
    /// Twice the middle of its interval, in positions of events.
    middle: u32,
    /// The position of its return.
    end: u32,
}

impl Plan {
    fn new<M: Model>(
        model: &M,
        history: &[Operation<M::Input, M::Output>],
        timeline: &Timeline,
    ) -> Plan {
        let nothing = Planned {
            slot: 0,
            read_only: false,
            left_out: false,
            before: NONE,
            twins: NONE,
            middle: 0,
            end: NONE,
        };
        let mut of = vec![nothing; timeline.operations.len()];
        let recorded = |at: usize| &history[timeline.operations[at] as usize];
        let mut free: Vec<u16> = Vec::new();
        let mut occupant: Vec<u32> = Vec::new();
        // One operation of each kind that is open, and how many there are.
        let mut kinds: Vec<(u32, u32)> = Vec::new();
        for (position, event) in (0..).zip(&timeline.events) {
            let at = event.operation();
            let operation = recorded(at);
            if event.is_return() {
                let planned = &mut of[at];
                planned.end = position;
                planned.middle = planned.middle.saturating_add(position);
                free.push(planned.slot);
                let twins = planned.twins;
                if let Some(kind) = kinds.iter().position(|(first, _)| *first == twins) {
                    kinds[kind].1 -= 1;
                    if kinds[kind].1 == 0 {
                        kinds.swap_remove(kind);
                    }
                }
                continue;
            }
            let read_only = model.read_only(&operation.input, operation.output());
            of[at].read_only = read_only;
            of[at].middle = position;
            if operation.returned.is_none() {
                of[at].middle = NONE;
                if read_only {
                    of[at].left_out = true;
                    continue;
                }
            }
            let slot = free.pop().unwrap_or_else(|| {
                occupant.push(NONE);
                (occupant.len() - 1).min(u16::MAX.into()) as u16
            });
            of[at].slot = slot;
            of[at].before = std::mem::replace(&mut occupant[usize::from(slot)], at as u32);
            if read_only {
                continue;
            }
            let equal = |first: u32| {
                let first = recorded(first as usize);
                first.input == operation.input && first.output() == operation.output()
            };
            match kinds.iter_mut().find(|(first, _)| equal(*first)) {
                Some((first, count)) => {
                    of[at].twins = *first;
                    *count += 1;
                }
                None => {
                    of[at].twins = at as u32;
                    kinds.push((at as u32, 1));
                }
            }
        }
        Plan { width: occupant.len(), of }
    }
}

/// What an operation does in a state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Illegal,
    Never,
    Spent,
    Idle,
    /// To a state that nobody asked for.
    Moves,
    To(u32),
}

/// A configuration at an event.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Node<const N: usize> {
    needs: Bits<N>,
    live: Bits<N>,
    cursor: u32,
    state: u32,
    /// Whether the operation that returns may count as done here. See [`Depth::choices`].
    fresh: bool,
    /// Another one with the same event, state and `fresh`.
    link: u32,
}

impl<const N: usize> Node<N> {
    fn hash(&self) -> u64 {
        let mut fold = Fold::default();
        fold.add(u64::from(self.state) << 32 | u64::from(self.cursor));
        fold.add(u64::from(self.fresh));
        for word in self.needs.words().iter().chain(self.live.words()) {
            fold.add(*word);
        }
        std::hash::Hasher::finish(&fold)
    }
}

/// In place of a slot: the operation that returns counts as done where it was legal without effect.
const DONE: u16 = u16::MAX;

/// How many configurations with one event and state are compared one by one.
const COMPARED: usize = 64;

/// A choice on the way.
struct Frame<const N: usize> {
    node: Node<N>,
    /// Length of the path to it.
    path: usize,
    /// Where its untried choices end in [`Depth::choices`]; they are at the end, best last.
    first: usize,
}

struct Depth<'h, M: Model, const N: usize> {
    model: &'h M,
    history: &'h [Operation<M::Input, M::Output>],
    timeline: &'h Timeline,
    plan: Plan,
    meter: Meter<'h>,
    explain: bool,
    /// The next event, and what is open there.
    cursor: usize,
    occupant: Vec<u32>,
    open: Bits<N>,
    states: Vec<M::State>,
    by_hash: Map<u64, u32>,
    /// States whose hash another one has.
    next_with_hash: Vec<u32>,
    state_bytes: usize,
    effects: Map<(u32, u32), Effect>,
    nodes: Vec<Node<N>>,
    /// The last node with an event and a state.
    heads: Map<(u32, u32, bool), u32>,
    exact: Map<u64, u32>,
    frames: Vec<Frame<N>>,
    /// A slot and the state that its operation leads to.
    choices: Vec<(u16, u32)>,
    path: Vec<u32>,
    /// The last event that some order reached.
    furthest: Option<usize>,
    furthest_path: Vec<u32>,
    started: bool,
    /// The node to go on with, when a slice ended before it was done.
    pending: Option<Node<N>>,
}

enum Reached {
    /// The end of the history.
    End,
    /// Nothing more from here.
    Nothing,
    /// A return before which something must or may be placed.
    Choice,
}

impl<'h, M: Model, const N: usize> Engine<'h> for Depth<'h, M, N> {
    fn run(mut self: Box<Self>, slice: Slice) -> Turn<'h> {
        self.meter.allow(slice);
        let ending = match self.search() {
            Ok(true) => Ending::Order(self.order(&self.path)),
            Ok(false) => {
                let partial =
                    if self.explain { vec![self.order(&self.furthest_path)] } else { vec![] };
                // Whatever fails, fails at an event that was reached.
                Ending::Stuck { event: self.furthest.unwrap_or(0), partial }
            }
            Err(Halt::Slice) => return Turn::Paused(self),
            Err(Halt::Limit(limit)) => Ending::Limit(limit),
            Err(Halt::WrongHint { operation, hint }) => Ending::WrongHint { operation, hint },
        };
        Turn::Ended(ending, self.meter.steps)
    }

    fn steps(&self) -> u64 {
        self.meter.steps
    }
}

impl<'h, M: Model, const N: usize> Depth<'h, M, N> {
    fn boxed(
        model: &'h M,
        history: &'h [Operation<M::Input, M::Output>],
        timeline: &'h Timeline,
        plan: Plan,
        meter: Meter<'h>,
        explain: bool,
    ) -> Box<dyn Engine<'h> + 'h> {
        let occupant = vec![NONE; plan.width];
        Box::new(Depth {
            model,
            history,
            timeline,
            plan,
            meter,
            explain,
            cursor: 0,
            occupant,
            open: Bits::<N>::EMPTY,
            states: Vec::new(),
            by_hash: Map::default(),
            next_with_hash: Vec::new(),
            state_bytes: 0,
            effects: Map::default(),
            nodes: Vec::new(),
            heads: Map::default(),
            exact: Map::default(),
            frames: Vec::new(),
            choices: Vec::new(),
            path: Vec::new(),
            furthest: None,
            furthest_path: Vec::new(),
            started: false,
            pending: None,
        })
    }

    fn operation(&self, at: u32) -> &'h Operation<M::Input, M::Output> {
        &self.history[self.timeline.operations[at as usize] as usize]
    }

    fn memory(&self) -> usize {
        // A hash map holds a byte more for each entry, and keeps some free.
        let map = |capacity: usize, entry: usize| capacity * (entry + 1) * 8 / 7;
        self.nodes.capacity() * size_of::<Node<N>>()
            + self.states.capacity() * size_of::<M::State>()
            + self.state_bytes
            + self.next_with_hash.capacity() * 4
            + map(self.by_hash.capacity(), size_of::<(u64, u32)>())
            + map(self.effects.capacity(), size_of::<((u32, u32), Effect)>())
            + map(self.heads.capacity(), size_of::<((u32, u32, bool), u32)>())
            + map(self.exact.capacity(), size_of::<(u64, u32)>())
            + self.frames.capacity() * size_of::<Frame<N>>()
            + self.choices.capacity() * size_of::<(u16, u32)>()
            + self.plan.of.capacity() * size_of::<Planned>()
    }

    #[inline]
    fn count(&mut self) -> Result<(), Halt> {
        if self.meter.is_due() {
            let memory = self.memory();
            self.meter.step(|| memory)
        } else {
            self.meter.step(|| 0)
        }
    }

    // ---- states ----

    fn intern(&mut self, state: M::State) -> u32 {
        let hash = hash_of(&state);
        let head = self.by_hash.get(&hash).copied().unwrap_or(NONE);
        let mut at = head;
        while at != NONE {
            if self.states[at as usize] == state {
                return at;
            }
            at = self.next_with_hash[at as usize];
        }
        let id = self.states.len() as u32;
        self.state_bytes += self.model.state_bytes(&state);
        self.states.push(state);
        self.next_with_hash.push(head);
        self.by_hash.insert(hash, id);
        self.meter.grown(self.state_bytes);
        id
    }

    /// What an operation does in a state, without asking where it leads if the model knows otherwise.
    fn effect(&mut self, state: u32, at: u32) -> Result<Effect, Halt> {
        if let Some(effect) = self.effects.get(&(state, at)) {
            return Ok(*effect);
        }
        self.count()?;
        let operation = self.operation(at);
        let before = &self.states[state as usize];
        let outlook = self.model.outlook(before, &operation.input, operation.output());
        let read_only = self.plan.of[at as usize].read_only;
        if cfg!(debug_assertions)
            && let Some(hint) = wrong_hint(self.model, before, operation, outlook, read_only)
        {
            return Err(Halt::WrongHint { operation: at, hint });
        }
        let effect = match outlook {
            Outlook::Spent => Effect::Spent,
            Outlook::Never => Effect::Never,
            Outlook::NotYet => Effect::Illegal,
            Outlook::Idle => Effect::Idle,
            Outlook::Moves => Effect::Moves,
            Outlook::Unsure => match (self.step(state, at)?, read_only) {
                (None, _) => Effect::Illegal,
                (Some(target), true) if target == state => Effect::Spent,
                (Some(_), true) => {
                    return Err(Halt::WrongHint { operation: at, hint: "read_only" });
                }
                (Some(target), false) if target == state => Effect::Idle,
                (Some(target), false) => Effect::To(target),
            },
        };
        self.effects.insert((state, at), effect);
        Ok(effect)
    }

    fn step(&mut self, state: u32, at: u32) -> Result<Option<u32>, Halt> {
        self.count()?;
        self.meter.before_model()?;
        let operation = self.operation(at);
        let before = &self.states[state as usize];
        match self.model.step(before, &operation.input, operation.output()) {
            Step::Illegal => Ok(None),
            Step::Unchanged => Ok(Some(state)),
            Step::To(after) => Ok(Some(self.intern(after))),
            Step::Interrupted => Err(Limit::Interrupted.into()),
        }
    }

    /// The state after an operation that changes it here.
    fn target(&mut self, state: u32, at: u32) -> Result<Option<u32>, Halt> {
        match self.effect(state, at)? {
            Effect::To(target) => Ok(Some(target)),
            Effect::Moves => {
                let Some(target) = self.step(state, at)? else {
                    return Err(Halt::WrongHint { operation: at, hint: "outlook" });
                };
                self.effects.insert((state, at), Effect::To(target));
                Ok(Some(target))
            }
            Effect::Illegal | Effect::Never | Effect::Spent | Effect::Idle => Ok(None),
        }
    }

    // ---- the search ----

    /// Whether there is an order.
    fn search(&mut self) -> Result<bool, Halt> {
        if !self.started {
            self.started = true;
            let state = self.intern(self.model.init());
            self.pending = Some(Node {
                needs: Bits::EMPTY,
                live: Bits::EMPTY,
                cursor: 0,
                state,
                fresh: true,
                link: NONE,
            });
        }
        loop {
            if let Some(mut node) = self.pending {
                // Whatever ends the slice, the same node is entered again.
                let path = self.path.len();
                self.move_to(node.cursor as usize);
                match self.advance(&mut node) {
                    Ok(Reached::End) => return Ok(true),
                    Ok(Reached::Nothing) => {}
                    Ok(Reached::Choice) => {
                        if let Err(halt) = self.branch(node) {
                            self.path.truncate(path);
                            return Err(halt);
                        }
                    }
                    Err(halt) => {
                        self.path.truncate(path);
                        return Err(halt);
                    }
                }
                self.pending = None;
            }
            let Some(frame) = self.frames.last() else { return Ok(false) };
            if self.choices.len() == frame.first {
                self.frames.pop();
                continue;
            }
            let Some((slot, target)) = self.choices.pop() else { return Ok(false) };
            let mut node = frame.node;
            self.path.truncate(frame.path);
            self.move_to(node.cursor as usize);
            if slot == DONE {
                let event = self.timeline.events[self.cursor];
                node.live.remove(self.plan.of[event.operation()].slot.into());
            } else {
                self.path.push(self.occupant[usize::from(slot)]);
                node.state = target;
                node.fresh = false;
                node.needs.remove(slot.into());
                node.live.remove(slot.into());
            }
            self.pending = Some(node);
        }
    }

    /// Goes to an event, forwards or backwards.
    fn move_to(&mut self, cursor: usize) {
        while self.cursor > cursor {
            self.cursor -= 1;
            let event = self.timeline.events[self.cursor];
            let planned = self.plan.of[event.operation()];
            let slot = usize::from(planned.slot);
            if planned.left_out {
                continue;
            }
            if event.is_return() {
                self.open.insert(slot);
                self.occupant[slot] = event.operation() as u32;
            } else {
                self.open.remove(slot);
                self.occupant[slot] = planned.before;
            }
        }
        while self.cursor < cursor {
            self.pass(self.timeline.events[self.cursor]);
        }
    }

    /// Reads one event.
    fn pass(&mut self, event: Happening) {
        self.cursor += 1;
        let planned = self.plan.of[event.operation()];
        let slot = usize::from(planned.slot);
        if planned.left_out {
            return;
        }
        if event.is_return() {
            self.open.remove(slot);
        } else {
            self.open.insert(slot);
            self.occupant[slot] = event.operation() as u32;
        }
    }

    /// Reads events up to the next return of an operation that must still come.
    fn advance(&mut self, node: &mut Node<N>) -> Result<Reached, Halt> {
        let open = node.needs.or(&node.live);
        for slot in open.iter() {
            if !self.settle(node, slot)? {
                return Ok(Reached::Nothing);
            }
        }
        while let Some(event) = self.timeline.events.get(self.cursor).copied() {
            self.count()?;
            let at = event.operation();
            let planned = self.plan.of[at];
            let slot = usize::from(planned.slot);
            if event.is_return() && (node.needs.contains(slot) || node.live.contains(slot)) {
                node.cursor = self.cursor as u32;
                self.reached();
                return Ok(Reached::Choice);
            }
            self.pass(event);
            node.fresh = true;
            if event.is_return() || planned.left_out {
                continue;
            }
            if planned.end != NONE {
                node.needs.insert(slot);
            }
            if !planned.read_only {
                node.live.insert(slot);
            }
            if !self.settle(node, slot)? {
                self.cursor -= 1; // it is the call that shows the contradiction
                self.reached();
                self.cursor += 1;
                return Ok(Reached::Nothing);
            }
        }
        Ok(Reached::End)
    }

    /// Some order reached this event.
    fn reached(&mut self) {
        if Some(self.cursor) > self.furthest {
            self.furthest = Some(self.cursor);
            if self.explain {
                self.furthest_path.clone_from(&self.path);
            }
        }
    }

    /// Applies what is known in its state about one open operation to a configuration. `false` when
    /// the configuration is hopeless.
    fn settle(&mut self, node: &mut Node<N>, slot: usize) -> Result<bool, Halt> {
        let at = self.occupant[slot];
        match self.effect(node.state, at)? {
            Effect::Never if node.needs.contains(slot) => return Ok(false),
            Effect::Never => node.live.remove(slot),
            effect @ (Effect::Spent | Effect::Idle) => {
                if node.needs.contains(slot) {
                    node.needs.remove(slot);
                    node.fresh = true; // it may be the one that returns, and counts as done here
                    self.path.push(at);
                }
                if effect == Effect::Spent {
                    node.live.remove(slot);
                }
            }
            Effect::Illegal | Effect::Moves | Effect::To(_) => {}
        }
        Ok(true)
    }

    /// Notes a configuration, unless one that was tried covers it, and what can come next in it.
    fn branch(&mut self, mut node: Node<N>) -> Result<(), Halt> {
        self.count()?;
        let key = (node.cursor, node.state, node.fresh);
        let head = self.heads.get(&key).copied().unwrap_or(NONE);
        let (mut at, mut compared) = (head, 0);
        while at != NONE && compared < COMPARED {
            let tried = &self.nodes[at as usize];
            if tried.needs.is_subset(&node.needs) && node.live.is_subset(&tried.live) {
                return Ok(());
            }
            at = tried.link;
            compared += 1;
        }
        let hash = node.hash();
        if at != NONE
            && let Some(equal) = self.exact.get(&hash)
        {
            let tried = self.nodes[*equal as usize];
            if (tried.cursor, tried.state, tried.fresh, tried.needs, tried.live)
                == (node.cursor, node.state, node.fresh, node.needs, node.live)
            {
                return Ok(());
            }
        }
        let choices = self.choices(&node)?;
        node.link = head;
        let number = self.nodes.len() as u32;
        self.nodes.push(node);
        self.heads.insert(key, number);
        self.exact.insert(hash, number);
        let first = self.choices.len();
        self.choices.extend(choices);
        self.frames.push(Frame { node, path: self.path.len(), first });
        Ok(())
    }

    /// What can come next, best last.
    ///
    /// The operation that returns may count as done already: it was legal somewhere without effect. If
    /// that was before something was placed at this event, it is no choice here: what was placed could
    /// as well be placed at the next event.
    fn choices(&mut self, node: &Node<N>) -> Result<Vec<(u16, u32)>, Halt> {
        let wanted = self.timeline.events[node.cursor as usize].operation() as u32;
        let wanted_slot = usize::from(self.plan.of[wanted as usize].slot);
        let legal_now =
            node.live.contains(wanted_slot) && self.target(node.state, wanted)?.is_some();
        let mut found = Vec::new();
        for (slot, at) in self.first_twins(node) {
            let Some(target) = self.target(node.state, at)? else { continue };
            let helps = !legal_now
                && !matches!(self.effect(target, wanted)?, Effect::Illegal | Effect::Never);
            let planned = &self.plan.of[at as usize];
            let pending = planned.end == NONE;
            found.push(((!helps, pending, planned.middle, at), (slot as u16, target)));
        }
        found.sort_unstable_by_key(|(key, _)| std::cmp::Reverse(*key));
        let mut choices: Vec<(u16, u32)> = found.into_iter().map(|(_, choice)| choice).collect();
        if node.fresh && !node.needs.contains(wanted_slot) {
            choices.push((DONE, node.state));
        }
        Ok(choices)
    }

    /// Of the live operations those before which no equal one must come: rule 5 of the search breadth
    /// first. Of equal ones the first to return comes first, of those that must come as well as of
    /// all.
    fn first_twins(&self, node: &Node<N>) -> Vec<(usize, u32)> {
        let kind = |slot: usize| {
            let at = self.occupant[slot];
            let planned = &self.plan.of[at as usize];
            (planned.twins, planned.end, at, slot)
        };
        let mut live: Vec<_> = node.live.iter().map(kind).collect();
        live.sort_unstable();
        let mut first = Vec::new();
        for twins in live.chunk_by(|a, b| a.0 == b.0) {
            let (_, _, at, slot) = twins[0];
            first.push((slot, at));
            if !node.needs.contains(slot)
                && let Some((_, _, at, slot)) =
                    twins.iter().find(|(.., slot)| node.needs.contains(*slot))
            {
                first.push((*slot, *at));
            }
        }
        first
    }

    /// The operations of a path, each where it last was: one that is idle is in it where it was legal,
    /// and again where it took effect.
    fn order(&self, path: &[u32]) -> Vec<u32> {
        let mut seen = vec![false; self.timeline.operations.len()];
        let mut order: Vec<u32> = path
            .iter()
            .rev()
            .copied()
            .filter(|at| !std::mem::replace(&mut seen[*at as usize], true))
            .collect();
        order.reverse();
        order
    }
}
