//! Model states, each stored once, with what is known about the open operations from it on.

use std::hash::Hash;

use crate::bits::Bits;
use crate::hash::hash_of;
use crate::timeline::NONE;

/// A state and, for each slot in `known`, the outlook of the operation in that slot.
pub(crate) struct Entry<S, const N: usize> {
    pub(crate) state: S,
    hash: u64,
    /// Next entry in the same hash bucket.
    next: u32,
    /// Counts how often this place was reused, so that an old reference shows.
    generation: u32,
    in_use: bool,
    kept: bool,
    /// What the state owns on the heap.
    bytes: usize,

    pub(crate) known: Bits<N>,
    /// Known, but [`Model::step`](crate::Model::step) must be asked.
    pub(crate) unsure: Bits<N>,
    pub(crate) spent: Bits<N>,
    pub(crate) never: Bits<N>,
    pub(crate) idle: Bits<N>,
    pub(crate) moves: Bits<N>,
    /// Where the operation in a slot leads, with the generation of that place.
    targets: Vec<(u32, u32)>,
}

impl<S, const N: usize> Entry<S, N> {
    /// Forgets what is known about `slot`: its operation has left.
    fn forget(&mut self, slot: usize) {
        self.known.remove(slot);
        self.unsure.remove(slot);
        self.spent.remove(slot);
        self.never.remove(slot);
        self.idle.remove(slot);
        self.moves.remove(slot);
        if let Some(target) = self.targets.get_mut(slot) {
            *target = (NONE, 0);
        }
    }
}

/// The states that configurations refer to by number.
pub(crate) struct States<S, const N: usize> {
    entries: Vec<Entry<S, N>>,
    free: Vec<u32>,
    alive: Vec<u32>,
    /// Hash buckets: heads of chains. A power of two.
    buckets: Vec<u32>,
    /// What the states that are alive, and all `targets`, own on the heap.
    bytes: usize,
}

impl<S: Clone + Eq + Hash, const N: usize> States<S, N> {
    pub(crate) fn new() -> Self {
        States {
            entries: Vec::new(),
            free: Vec::new(),
            alive: Vec::new(),
            buckets: vec![NONE; 64],
            bytes: 0,
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: u32) -> &Entry<S, N> {
        &self.entries[id as usize]
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: u32) -> &mut Entry<S, N> {
        &mut self.entries[id as usize]
    }

    /// About how many bytes all of it holds.
    pub(crate) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<Entry<S, N>>()
            + self.bytes
            + self.buckets.capacity() * 4
    }

    /// What the states own on the heap.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of `state`, a new one if it is new. `bytes` says what it owns on the heap.
    pub(crate) fn intern(&mut self, state: S, bytes: impl FnOnce(&S) -> usize) -> u32 {
        let hash = hash_of(&state);
        let bucket = hash as usize & (self.buckets.len() - 1);
        let mut id = self.buckets[bucket];
        while id != NONE {
            let entry = &self.entries[id as usize];
            if entry.hash == hash && entry.state == state {
                return id;
            }
            id = entry.next;
        }
        let bytes = bytes(&state);
        self.bytes += bytes;
        let id = match self.free.pop() {
            Some(id) => {
                let entry = &mut self.entries[id as usize];
                entry.state = state;
                entry.bytes = bytes;
                entry.hash = hash;
                entry.in_use = true;
                entry.known = Bits::EMPTY;
                entry.unsure = Bits::EMPTY;
                entry.spent = Bits::EMPTY;
                entry.never = Bits::EMPTY;
                entry.idle = Bits::EMPTY;
                entry.moves = Bits::EMPTY;
                entry.targets.clear();
                id
            }
            None => {
                self.entries.push(Entry {
                    state,
                    bytes,
                    hash,
                    next: NONE,
                    generation: 0,
                    in_use: true,
                    kept: false,
                    known: Bits::EMPTY,
                    unsure: Bits::EMPTY,
                    spent: Bits::EMPTY,
                    never: Bits::EMPTY,
                    idle: Bits::EMPTY,
                    moves: Bits::EMPTY,
                    targets: Vec::new(),
                });
                (self.entries.len() - 1) as u32
            }
        };
        self.entries[id as usize].next = self.buckets[bucket];
        self.buckets[bucket] = id;
        self.alive.push(id);
        if self.alive.len() > self.buckets.len() {
            self.grow();
        }
        id
    }

    fn grow(&mut self) {
        let size = self.buckets.len() * 4;
        self.buckets.clear();
        self.buckets.resize(size, NONE);
        for id in &self.alive {
            let entry = &mut self.entries[*id as usize];
            let bucket = entry.hash as usize & (size - 1);
            entry.next = self.buckets[bucket];
            self.buckets[bucket] = *id;
        }
    }

    /// Where the operation in `slot` leads from `id`, if that was found out before.
    #[inline]
    pub(crate) fn target(&self, id: u32, slot: usize) -> Option<u32> {
        let (target, generation) = *self.entries[id as usize].targets.get(slot)?;
        let entry = self.entries.get(target as usize)?;
        (entry.generation == generation).then_some(target)
    }

    #[inline]
    pub(crate) fn set_target(&mut self, id: u32, slot: usize, target: u32) {
        let generation = self.entries[target as usize].generation;
        let targets = &mut self.entries[id as usize].targets;
        if targets.len() <= slot {
            let before = targets.capacity();
            targets.resize(slot + 1, (NONE, 0));
            self.bytes += (targets.capacity() - before) * size_of::<(u32, u32)>();
        }
        targets[slot] = (target, generation);
    }

    /// Forgets what is known about `slot` in all states.
    pub(crate) fn forget_slot(&mut self, slot: usize) {
        for id in &self.alive {
            self.entries[*id as usize].forget(slot);
        }
    }

    /// Frees the states that are not in `used`.
    pub(crate) fn sweep(&mut self, used: impl Iterator<Item = u32>) {
        for id in used {
            self.entries[id as usize].kept = true;
        }
        let mut alive = std::mem::take(&mut self.alive);
        alive.retain(|id| {
            if std::mem::take(&mut self.entries[*id as usize].kept) {
                return true;
            }
            self.unlink(*id);
            let entry = &mut self.entries[*id as usize];
            entry.in_use = false;
            entry.generation = entry.generation.wrapping_add(1);
            self.bytes -= std::mem::take(&mut entry.bytes);
            self.free.push(*id);
            false
        });
        self.alive = alive;
    }

    fn unlink(&mut self, id: u32) {
        let after = self.entries[id as usize].next;
        let bucket = self.entries[id as usize].hash as usize & (self.buckets.len() - 1);
        let mut at = self.buckets[bucket];
        if at == id {
            self.buckets[bucket] = after;
            return;
        }
        while at != NONE {
            let next = self.entries[at as usize].next;
            if next == id {
                self.entries[at as usize].next = after;
                return;
            }
            at = next;
        }
        debug_assert!(false, "state {id} is in use and in no bucket");
    }

    /// The same states with room for more slots.
    pub(crate) fn widen<const K: usize>(self) -> States<S, K> {
        States {
            entries: self
                .entries
                .into_iter()
                .map(|entry| Entry {
                    state: entry.state,
                    bytes: entry.bytes,
                    hash: entry.hash,
                    next: entry.next,
                    generation: entry.generation,
                    in_use: entry.in_use,
                    kept: entry.kept,
                    known: entry.known.widen(),
                    unsure: entry.unsure.widen(),
                    spent: entry.spent.widen(),
                    never: entry.never.widen(),
                    idle: entry.idle.widen(),
                    moves: entry.moves.widen(),
                    targets: entry.targets,
                })
                .collect(),
            free: self.free,
            alive: self.alive,
            buckets: self.buckets,
            bytes: self.bytes,
        }
    }
}
