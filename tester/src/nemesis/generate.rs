//! Generates a schedule: a pure function of a seed and of limits.
//!
//! Each seed first chooses a mix: some kinds of faults are absent, others frequent. Runs that
//! repeat a few kinds of faults find more bugs than runs in which everything happens a little.
//!
//! Some seeds add *lasting faults*, which stay active for most of the run, and a *leader hunt*: one
//! leader after the other fails, about as soon as it is elected. Slow messages make votes split and
//! replies arrive late, which hardly ever happens on a fast network.

use std::ops::RangeInclusive;

use super::schedule::{Fault, FaultKind, Messages, Schedule, Target};

/// The ranges from which a schedule is chosen.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Numbers of servers to choose from.
    pub servers: Vec<usize>,
    /// Number of clients.
    pub clients: RangeInclusive<u64>,
    /// Operations of each client.
    pub operations: RangeInclusive<u64>,
    /// Duration in ms.
    pub duration_ms: RangeInclusive<u64>,
    /// Number of faults, without lasting faults and leader hunts.
    pub faults: RangeInclusive<u64>,
    /// Whether requests of clients may arrive twice. Leave it off for a service that executes every
    /// request it receives: the course's network delivers a request at most once.
    pub client_duplicates: bool,
}

impl Default for Limits {
    /// 3 to 7 servers, up to 4 clients with up to 60 operations each, up to 24 faults in 2 to 10 s.
    fn default() -> Limits {
        Limits {
            servers: vec![3, 3, 5, 5, 7],
            clients: 1..=4,
            operations: 10..=60,
            duration_ms: 2000..=10_000,
            faults: 3..=24,
            client_duplicates: false,
        }
    }
}

impl Limits {
    /// The same, where requests of clients may arrive twice.
    #[must_use]
    pub fn client_duplicates(mut self, on: bool) -> Limits {
        self.client_duplicates = on;
        self
    }
}

/// The kinds, for the mix.
#[derive(Clone, Copy)]
enum Kind {
    Crash,
    CrashAtSwitch,
    CrashInWrite,
    SlowDisk,
    Clock,
    Isolate,
    OneWay,
    Partition,
    Partial,
    Flap,
    SlowLink,
    SlowServer,
    Links,
    Clients,
    NetworkMode,
}

const KINDS: [Kind; 15] = [
    Kind::Crash,
    Kind::CrashAtSwitch,
    Kind::CrashInWrite,
    Kind::SlowDisk,
    Kind::Clock,
    Kind::Isolate,
    Kind::OneWay,
    Kind::Partition,
    Kind::Partial,
    Kind::Flap,
    Kind::SlowLink,
    Kind::SlowServer,
    Kind::Links,
    Kind::Clients,
    Kind::NetworkMode,
];

/// Kinds of lasting faults.
const LASTING: [Kind; 5] =
    [Kind::Links, Kind::Links, Kind::Clients, Kind::NetworkMode, Kind::SlowDisk];

/// Kinds of faults that end a leadership.
const LEADER_FAULTS: [Kind; 7] = [
    Kind::Crash,
    Kind::CrashAtSwitch,
    Kind::CrashInWrite,
    Kind::Isolate,
    Kind::OneWay,
    Kind::Partition,
    Kind::Flap,
];

impl Schedule {
    /// The schedule of this seed. The same seed and limits always give the same schedule.
    pub fn generate(seed: u64, limits: &Limits) -> Schedule {
        let mut rng = Rng::new(seed);
        let servers = *rng.one_of(&limits.servers).unwrap_or(&3);
        let clients = rng.within(&limits.clients);
        let operations = rng.within(&limits.operations);
        let duration_ms = rng.within(&limits.duration_ms);
        let mix = rng.mix();
        let count = rng.within(&limits.faults);
        let single = |_| {
            let at_ms = rng.below(duration_ms.max(1));
            let kind = *rng.one_of(&mix).unwrap_or(&Kind::Crash);
            Fault { at_ms, lasts_ms: rng.duration(), kind: rng.fault(kind, servers, limits) }
        };
        let mut faults: Vec<Fault> = (0..count).map(single).collect();
        for _ in 0..rng.below(3) {
            let at_ms = rng.below(duration_ms / 2 + 1);
            let kind = *rng.one_of(&LASTING).unwrap_or(&Kind::NetworkMode);
            let kind = rng.fault(kind, servers, limits);
            faults.push(Fault { at_ms, lasts_ms: duration_ms - at_ms, kind });
        }
        if rng.percent(50) {
            faults.extend(rng.leader_hunt(duration_ms, servers, limits));
        }
        Schedule {
            package: String::new(),
            test: String::new(),
            fails: String::new(),
            seed,
            servers,
            clients: usize::try_from(clients).unwrap_or(1),
            operations,
            duration_ms,
            faults,
        }
    }
}

/// Random numbers that depend on the seed alone (SplitMix64): the runtime that calls has no effect.
struct Rng(u64);

impl Rng {
    fn new(seed: u64) -> Rng {
        Rng(seed ^ 0x6e65_6d65_7369_7321)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `bound`; 0 if that is 0.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    fn within(&mut self, range: &RangeInclusive<u64>) -> u64 {
        let span = range.end().saturating_sub(*range.start());
        range.start() + self.below(span.saturating_add(1))
    }

    fn one_of<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let at = self.below(list.len() as u64);
        list.get(at as usize)
    }

    fn percent(&mut self, p: u64) -> bool {
        self.below(100) < p
    }

    fn server(&mut self, servers: usize) -> usize {
        self.below(servers as u64) as usize
    }

    /// A list of kinds in which each kind is absent, rare or frequent.
    fn mix(&mut self) -> Vec<Kind> {
        let mut mix = Vec::new();
        for kind in KINDS {
            let weight = [0, 0, 1, 4][self.below(4) as usize];
            mix.extend(std::iter::repeat_n(kind, weight));
        }
        mix
    }

    /// The duration of a fault in ms, 2 ms to 4 s: each order of magnitude is equally likely.
    fn duration(&mut self) -> u64 {
        let most = 4 << self.below(11);
        most - self.below(most / 2)
    }

    /// One leader fault after the other, about one election apart.
    fn leader_hunt(&mut self, duration_ms: u64, servers: usize, limits: &Limits) -> Vec<Fault> {
        let kinds = [*self.one_of(&LEADER_FAULTS).unwrap_or(&Kind::Crash), Kind::Crash];
        let pause = 100 + self.below(900);
        let mut faults = Vec::new();
        let mut at_ms = self.below(pause);
        while at_ms < duration_ms {
            let kind = kinds[self.below(2) as usize];
            faults.push(Fault {
                at_ms,
                lasts_ms: self.duration(),
                kind: self.fault(kind, servers, limits),
            });
            at_ms += pause / 2 + self.below(pause);
        }
        faults
    }

    fn target(&mut self, servers: usize) -> Target {
        if self.percent(45) { Target::Leader } else { Target::Server(self.server(servers)) }
    }

    /// Two different servers, if there are two.
    fn pair(&mut self, servers: usize) -> (usize, usize) {
        let from = self.server(servers);
        let step = 1 + self.server(servers.saturating_sub(1).max(1));
        (from, (from + step) % servers)
    }

    /// A positive number of up to `most_bits` bits: each order of magnitude is equally likely.
    fn scaled(&mut self, most_bits: u64) -> u64 {
        let bound = 2 << self.below(most_bits);
        1 + self.below(bound)
    }

    fn messages(&mut self, duplicates: bool) -> Messages {
        let mut percent = |most: u64| if self.percent(50) { self.below(most) as u8 } else { 0 };
        let loss = percent(40);
        let duplicate = if duplicates { percent(60) } else { 0 };
        let held_up = percent(60);
        let patience_ms = (held_up > 0 && self.percent(70)).then(|| 20 + self.below(500));
        let latency_ms = if self.percent(40) { self.scaled(7) } else { 0 };
        Messages { loss, duplicate, held_up, latency_ms, patience_ms }
    }

    fn fault(&mut self, kind: Kind, servers: usize, limits: &Limits) -> FaultKind {
        match kind {
            Kind::Crash => {
                let who = if self.percent(8) { Target::All } else { self.target(servers) };
                FaultKind::Crash { who }
            }
            Kind::CrashAtSwitch => {
                FaultKind::CrashAtSwitch { who: self.target(servers), nth: self.scaled(9) }
            }
            Kind::CrashInWrite => {
                let who = self.target(servers);
                let written = match self.below(4) {
                    0 => 0,
                    1 => 1000,
                    _ => 1 + self.below(999) as u16,
                };
                FaultKind::CrashInWrite { who, nth: self.scaled(4), written }
            }
            Kind::SlowDisk => {
                let who = if self.percent(20) { Target::All } else { self.target(servers) };
                FaultKind::SlowDisk { who, write_us: 20 * self.scaled(11) }
            }
            Kind::Clock => {
                let percent = *self.one_of(&[20, 50, 80, 95, 105, 120, 200, 500]).unwrap_or(&50);
                FaultKind::Clock { who: self.target(servers), percent }
            }
            Kind::Isolate => FaultKind::Isolate { who: self.target(servers) },
            Kind::OneWay => match self.below(3) {
                0 => FaultKind::Mute { who: self.target(servers) },
                1 => FaultKind::Deaf { who: self.target(servers) },
                _ => FaultKind::Cut { pairs: vec![self.pair(servers)] },
            },
            Kind::Partition => {
                let one = (0..servers).filter(|_| self.percent(50)).collect();
                FaultKind::Partition { one }
            }
            Kind::Partial => {
                let count = 1 + self.below(servers as u64 * 2);
                FaultKind::Cut { pairs: (0..count).map(|_| self.pair(servers)).collect() }
            }
            Kind::Flap => {
                let who = self.target(servers);
                FaultKind::Flap { who, period_ms: 5 + self.scaled(8) }
            }
            Kind::SlowLink => {
                let (from, to) = self.pair(servers);
                FaultKind::SlowLink { from, to, latency_ms: self.scaled(9) }
            }
            Kind::SlowServer => {
                FaultKind::SlowServer { who: self.target(servers), delay_ms: self.scaled(8) }
            }
            Kind::Links => FaultKind::Links { messages: self.messages(true) },
            Kind::Clients => {
                FaultKind::Clients { messages: self.messages(limits.client_duplicates) }
            }
            Kind::NetworkMode => match self.below(3) {
                0 => FaultKind::Unreliable,
                1 => FaultKind::Reordering,
                _ => FaultKind::LongDelays,
            },
        }
    }
}
