//! Sets of configurations without the ones that cannot matter.
//!
//! A configuration is what one way of ordering the operations so far has led to: a state, and for
//! each open operation one of
//!
//! ```text
//!              needs  live
//!   must come    1     1     not linearized; must be before its return
//!   may come     0     1     never returns, or was legal without effect once: may count as done there
//!   done         0     0     linearized, or known to matter no more
//!   must see     1     0     read-only and not legal yet; once it is, it is done
//! ```
//!
//! Of two configurations with equal state, one *covers* the other when it needs no more and has no
//! less to choose from: whatever the covered one can still do, the covering one can do too. Only
//! uncovered ones are kept.

use crate::bits::Bits;
use crate::hash::Fold;
use crate::timeline::NONE;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Configuration<const N: usize> {
    /// Open operations that must still be linearized.
    pub(crate) needs: Bits<N>,
    /// Open operations that can still change the state.
    pub(crate) live: Bits<N>,
    /// Number of the state; [`NONE`] for one that was found covered.
    pub(crate) state: u32,
    /// Last step of the way here; [`NONE`] when none was taken or none is recorded.
    pub(crate) trace: u32,
    /// Next configuration with the same state.
    link: u32,
}

impl<const N: usize> Configuration<N> {
    pub(crate) fn new(needs: Bits<N>, live: Bits<N>, state: u32, trace: u32) -> Self {
        Configuration { needs, live, state, trace, link: NONE }
    }

    #[inline]
    fn covers(&self, other: &Self) -> bool {
        self.needs.is_subset(&other.needs) && other.live.is_subset(&self.live)
    }

    pub(crate) fn widen<const K: usize>(&self) -> Configuration<K> {
        Configuration::new(self.needs.widen(), self.live.widen(), self.state, self.trace)
    }

    fn hash(&self) -> u64 {
        let mut fold = Fold::default();
        fold.add(u64::from(self.state));
        for word in self.needs.words().iter().chain(self.live.words()) {
            fold.add(*word);
        }
        std::hash::Hasher::finish(&fold)
    }
}

/// How many configurations with one state are compared one by one. With more, only equal ones are
/// sure to be found; keeping a covered one costs time and changes no answer.
const COMPARED: usize = 64;

#[derive(Clone, Copy)]
struct Head {
    stamp: u32,
    first: u32,
    count: u32,
}

/// A set under construction.
pub(crate) struct ConfigurationSet<const N: usize> {
    pub(crate) list: Vec<Configuration<N>>,
    /// For each state the chain of its configurations, valid when its stamp is the current one.
    heads: Vec<Head>,
    stamp: u32,
    /// Open-addressing table of positions in `list`, in use only when a chain is long.
    table: Vec<u32>,
    /// How many of `list` are in `table`.
    tabled: usize,
}

impl<const N: usize> ConfigurationSet<N> {
    pub(crate) fn new() -> Self {
        ConfigurationSet {
            list: Vec::new(),
            heads: Vec::new(),
            stamp: 0,
            table: Vec::new(),
            tabled: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.tabled = 0;
        self.table.clear();
        self.stamp = self.stamp.wrapping_add(1);
        if self.stamp == 0 {
            self.heads.clear();
            self.stamp = 1;
        }
    }

    /// Adds `new` unless one that is there covers it; marks those that it covers.
    pub(crate) fn insert(&mut self, mut new: Configuration<N>) {
        let state = new.state as usize;
        if state >= self.heads.len() {
            self.heads.resize(state + 1, Head { stamp: 0, first: NONE, count: 0 });
        }
        let head = &mut self.heads[state];
        if head.stamp != self.stamp {
            *head = Head { stamp: self.stamp, first: NONE, count: 0 };
        }
        let mut at = head.first;
        let long = head.count as usize > COMPARED;
        let mut compared = 0;
        while at != NONE && compared < COMPARED {
            let old = &mut self.list[at as usize];
            if old.state != NONE {
                if old.covers(&new) {
                    return;
                }
                if new.covers(old) {
                    old.state = NONE;
                }
            }
            at = old.link;
            compared += 1;
        }
        if long && self.find_equal(&new) {
            return;
        }
        let head = &mut self.heads[state];
        new.link = head.first;
        head.first = self.list.len() as u32;
        head.count += 1;
        self.list.push(new);
    }

    /// Whether there is a configuration with this state.
    pub(crate) fn has_state(&self, state: u32) -> bool {
        self.heads.get(state as usize).is_some_and(|head| head.stamp == self.stamp)
    }

    /// Notes in `covered` configurations that `by` covers, except the one at `except`. Of a long chain
    /// it looks at the beginning only.
    pub(crate) fn mark_covered(&self, by: &Configuration<N>, except: usize, covered: &mut [bool]) {
        let mut at = self.heads[by.state as usize].first;
        for _ in 0..COMPARED {
            if at == NONE {
                break;
            }
            let old = &self.list[at as usize];
            if at as usize != except && old.state != NONE && by.covers(old) {
                covered[at as usize] = true;
            }
            at = old.link;
        }
    }

    /// Whether an equal one is there, by hash. Brings the table up to date first.
    fn find_equal(&mut self, wanted: &Configuration<N>) -> bool {
        if self.table.len() < 2 * (self.list.len() + 1) {
            self.table.clear();
            self.table.resize((4 * (self.list.len() + 1)).next_power_of_two(), NONE);
            self.tabled = 0;
        }
        let mask = self.table.len() - 1;
        while self.tabled < self.list.len() {
            let mut at = self.list[self.tabled].hash() as usize & mask;
            while self.table[at] != NONE {
                at = (at + 1) & mask;
            }
            self.table[at] = self.tabled as u32;
            self.tabled += 1;
        }
        let mut at = wanted.hash() as usize & mask;
        while self.table[at] != NONE {
            let old = &self.list[self.table[at] as usize];
            if old.state == wanted.state && old.needs == wanted.needs && old.live == wanted.live {
                return true;
            }
            at = (at + 1) & mask;
        }
        false
    }

    pub(crate) fn memory(&self) -> usize {
        self.list.capacity() * size_of::<Configuration<N>>()
            + self.heads.capacity() * size_of::<Head>()
            + self.table.capacity() * 4
    }
}
