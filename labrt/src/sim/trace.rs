//! What happened in a run, as one number and, on request, as a list.
//!
//! Every decision and every input of a run goes through here: each switch, clock move, random draw
//! and message with its bytes. Two runs with equal hashes took the same path; when they differ, the
//! recorded events say where first.

use std::fmt;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// One thing that happened in a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The task with this number (in order of spawning) got the processor.
    Switch(u64),
    /// Virtual time moved to this many nanoseconds.
    Clock(u64),
    /// The code drew this number from [`rng`](crate::rng).
    Draw(u64),
    /// A message of this kind and with this hash of its bytes was handed to the network.
    Message(&'static str, u64),
    /// The task with this number was killed.
    Kill(u64),
    /// A timer callback ran; they are numbered in order of creation.
    Callback(u64),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Switch(task) => write!(f, "switch to task #{task}"),
            Event::Clock(nanos) => write!(f, "clock moves to {:.6} s", *nanos as f64 / 1e9),
            Event::Draw(value) => write!(f, "random draw {value:#x}"),
            Event::Message(kind, hash) => write!(f, "message {kind} with bytes {hash:016x}"),
            Event::Kill(task) => write!(f, "task #{task} killed"),
            Event::Callback(number) => write!(f, "timer callback {number}"),
        }
    }
}

/// The running hash, and the list of events if one was asked for.
pub(super) struct Trace {
    hash: u64,
    pub(super) messages: u64,
    events: Option<Vec<Event>>,
}

impl Trace {
    pub(super) fn new(seed: u64, record: bool) -> Trace {
        Trace { hash: seed ^ 0x9e37_79b9_7f4a_7c15, messages: 0, events: record.then(Vec::new) }
    }

    #[inline]
    fn mix(&mut self, kind: u64, value: u64) {
        // A multiplication spreads each event over the whole word, the rotation keeps the order in.
        let word = (self.hash.rotate_left(23) ^ value).wrapping_add(kind << 56);
        self.hash = word.wrapping_mul(0xff51_afd7_ed55_8ccd) ^ (word >> 32);
    }

    #[inline]
    pub(super) fn push(&mut self, event: Event) {
        match event {
            Event::Switch(task) => self.mix(1, task),
            Event::Clock(nanos) => self.mix(2, nanos),
            Event::Draw(value) => self.mix(3, value),
            Event::Message(_, hash) => self.mix(4, hash),
            Event::Kill(task) => self.mix(5, task),
            Event::Callback(number) => self.mix(6, number),
        }
        if let Some(events) = &mut self.events {
            events.push(event);
        }
    }

    #[inline]
    pub(super) fn message(&mut self, kind: &'static str, bytes: &[u8]) {
        self.messages += 1;
        let hash = xxh3_64_with_seed(bytes, xxh3_64(kind.as_bytes()));
        self.push(Event::Message(kind, hash));
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn take_events(&mut self) -> Vec<Event> {
        self.events.take().unwrap_or_default()
    }
}

/// Two runs of one seed that took different paths.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Divergence {
    /// The seed of both.
    pub seed: u64,
    /// Number of the first event that differs, from 0.
    pub event: usize,
    /// That event in the first run; `None` if the run ended before it.
    pub expected: Option<Event>,
    /// That event in the second run.
    pub got: Option<Event>,
}

impl Divergence {
    /// The first event in which the recorded events of two runs differ.
    pub fn between(seed: u64, first: &[Event], second: &[Event]) -> Option<Divergence> {
        let same = first.iter().zip(second).take_while(|(a, b)| a == b).count();
        if same == first.len() && same == second.len() {
            return None;
        }
        let (expected, got) = (first.get(same).copied(), second.get(same).copied());
        Some(Divergence { seed, event: same, expected, got })
    }
}

impl std::error::Error for Divergence {}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let show = |event: &Option<Event>| match event {
            Some(event) => event.to_string(),
            None => "the end of the run".to_owned(),
        };
        write!(
            f,
            "seed {} gave two different runs: event {} was {} and then {}. The code under test is \
             not deterministic; usual causes are the order of a HashMap, a clock or random numbers \
             that are not labrt's, addresses, and state that outlives a run",
            self.seed,
            self.event,
            show(&self.expected),
            show(&self.got)
        )
    }
}
