//! Nodes: which exist, which were crashed or paused, and what their clocks show.

use std::sync::Arc;

pub(super) struct Nodes {
    list: Vec<Node>,
    /// Crashed nodes whose tasks are still to be killed.
    crashed: Vec<u32>,
    /// How many nodes are to be crashed at a coming switch point.
    armed: u32,
    /// How many nodes are paused.
    paused: u32,
    /// Whether any node has a clock of its own.
    skewed: bool,
}

struct Node {
    name: Arc<str>,
    crashed: bool,
    /// Tasks that have not ended.
    live: usize,
    /// Switch points left until it is crashed; 0 when it is not to be.
    crash_in: u64,
    /// Its tasks that are ready, if it is paused.
    paused: Option<Vec<u32>>,
    /// `None` as long as it shows the world's time.
    clock: Option<Clock>,
}

/// A node's own clock: it was right until `set`, and from there on has a rate of its own.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    /// Virtual time when the rate was set.
    set: u64,
    /// What the clock showed then.
    showed: u64,
    /// In percent.
    rate: u32,
}

impl Clock {
    /// What it shows at this virtual time.
    pub(super) fn shows(&self, now: u64) -> u64 {
        let passed = u128::from(now.saturating_sub(self.set)) * u128::from(self.rate) / 100;
        self.showed.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// The first virtual time at which it shows this.
    pub(super) fn when(&self, shown: u64) -> u64 {
        let wait = u128::from(shown.saturating_sub(self.showed)) * 100;
        let wait = wait.div_ceil(u128::from(self.rate));
        self.set.saturating_add(u64::try_from(wait).unwrap_or(u64::MAX))
    }
}

impl Nodes {
    pub(super) fn new() -> Nodes {
        Nodes { list: Vec::new(), crashed: Vec::new(), armed: 0, paused: 0, skewed: false }
    }

    fn node(&self, node: u32) -> &Node {
        &self.list[node as usize]
    }

    fn node_mut(&mut self, node: u32) -> &mut Node {
        &mut self.list[node as usize]
    }

    pub(super) fn add(&mut self, name: Arc<str>) -> u32 {
        let node = Node { name, crashed: false, live: 0, crash_in: 0, paused: None, clock: None };
        self.list.push(node);
        (self.list.len() - 1) as u32
    }

    pub(super) fn name(&self, node: u32) -> &Arc<str> {
        &self.node(node).name
    }

    pub(super) fn live(&self, node: u32) -> usize {
        self.node(node).live
    }

    pub(super) fn task_added(&mut self, node: u32) {
        self.node_mut(node).live += 1;
    }

    pub(super) fn task_gone(&mut self, node: u32) {
        self.node_mut(node).live -= 1;
    }

    // ---- crashes -------------------------------------------------------------------------------

    pub(super) fn is_crashed(&self, node: u32) -> bool {
        self.node(node).crashed
    }

    /// Marks the node as crashed.
    pub(super) fn crash(&mut self, node: u32) {
        if !self.is_crashed(node) {
            self.crash_at_switch_point(node, 0);
            self.node_mut(node).crashed = true;
            self.crashed.push(node);
        }
    }

    /// A crashed node whose tasks are still to be killed. Returned once.
    pub(super) fn take_crashed(&mut self) -> Option<u32> {
        self.crashed.pop()
    }

    /// Has the node crashed at its `nth` coming switch point; 0 calls that off.
    pub(super) fn crash_at_switch_point(&mut self, node: u32, nth: u64) {
        let node = self.node_mut(node);
        let nth = if node.crashed { 0 } else { nth };
        let before = std::mem::replace(&mut node.crash_in, nth);
        self.armed = self.armed + u32::from(nth > 0) - u32::from(before > 0);
    }

    /// Whether switch points must be counted.
    #[inline]
    pub(super) fn armed(&self) -> bool {
        self.armed > 0
    }

    /// Counts a switch point of a task of the node. Returns whether the node has just been crashed
    /// there.
    pub(super) fn count_switch_point(&mut self, node: u32) -> bool {
        match self.node(node).crash_in {
            0 => false,
            1 => {
                self.crash(node);
                true
            }
            left => {
                self.node_mut(node).crash_in = left - 1;
                false
            }
        }
    }

    // ---- pauses --------------------------------------------------------------------------------

    /// Pauses the node. Its tasks that are ready must then be [parked](Nodes::park).
    pub(super) fn pause(&mut self, node: u32) {
        let node = self.node_mut(node);
        if node.paused.is_none() {
            node.paused = Some(Vec::new());
            self.paused += 1;
        }
    }

    /// Lets the node go on. Returns its tasks that are ready.
    pub(super) fn resume(&mut self, node: u32) -> Vec<u32> {
        let ready = self.node_mut(node).paused.take();
        self.paused -= u32::from(ready.is_some());
        ready.unwrap_or_default()
    }

    /// Whether any node is paused.
    #[inline]
    pub(super) fn any_paused(&self) -> bool {
        self.paused > 0
    }

    pub(super) fn is_paused(&self, node: u32) -> bool {
        self.node(node).paused.is_some()
    }

    /// Keeps a ready task of a node until the node goes on. Returns whether the node is paused.
    pub(super) fn park(&mut self, node: u32, slot: u32) -> bool {
        match &mut self.node_mut(node).paused {
            Some(parked) => {
                parked.push(slot);
                true
            }
            None => false,
        }
    }

    /// Forgets the parked tasks that `keep` does not want.
    pub(super) fn retain_parked(&mut self, mut keep: impl FnMut(u32) -> bool) {
        for parked in self.list.iter_mut().filter_map(|node| node.paused.as_mut()) {
            parked.retain(|slot| keep(*slot));
        }
    }

    // ---- clocks --------------------------------------------------------------------------------

    /// From now on the node's clock goes at `rate` percent, on from what it shows.
    pub(super) fn set_clock_rate(&mut self, node: u32, rate: u32, now: u64) {
        let showed = self.shown_on(node, now);
        self.set_clock(node, Clock { set: now, showed, rate });
    }

    /// Sets the node's clock forward by so many nanoseconds.
    pub(super) fn jump_clock(&mut self, node: u32, by: u64, now: u64) {
        let showed = self.shown_on(node, now).saturating_add(by);
        let rate = self.node(node).clock.map_or(100, |clock| clock.rate);
        self.set_clock(node, Clock { set: now, showed, rate });
    }

    fn set_clock(&mut self, node: u32, clock: Clock) {
        self.skewed = true;
        self.node_mut(node).clock = Some(clock);
    }

    fn shown_on(&self, node: u32, now: u64) -> u64 {
        self.node(node).clock.map_or(now, |clock| clock.shows(now))
    }

    /// Whether any node has a clock of its own.
    #[inline]
    pub(super) fn skewed(&self) -> bool {
        self.skewed
    }

    pub(super) fn clock(&self, node: u32) -> Option<Clock> {
        self.node(node).clock
    }
}
