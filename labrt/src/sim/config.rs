//! The settings of a run.

use std::time::Duration;

use super::policy::Policy;

/// How a simulation is to be run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The one number that decides everything.
    pub seed: u64,
    /// Virtual time after which the run fails. Default: 120 s, the course's limit for a test.
    pub time_limit: Duration,
    /// Switches without virtual time moving after which the run fails as a livelock.
    /// Default: 1,000,000.
    pub switches_at_once: u64,
    /// CPU time that a task may use without a switch. Default: 10 s.
    ///
    /// Wall-clock time counts only as a multiple: three times as long while the thread of the
    /// simulation sleeps (in a real lock, a real sleep, blocking I/O), thirty times as long
    /// otherwise. So a loaded machine does not turn a slow run into a failed one.
    pub runaway: Duration,
    /// CPU time that a run may use without virtual time moving, however often tasks switch.
    /// Default: 60 s.
    ///
    /// The same amount of wall-clock time counts if the thread of the simulation sleeps nearly
    /// all the while; ten times the amount counts in any case.
    pub standstill: Duration,
    /// One in this many uncontended lock operations lets another task run first, chosen by the
    /// seed; 0 turns that off. Default: 8.
    pub lock_yield_one_in: u32,
    /// Bytes of a task's stack; untouched pages cost no memory. Default: 256 KiB.
    pub stack_size: usize,
    /// Keep the list of all events, to compare runs with. Default: off.
    pub record: bool,
    /// Which ready task runs next. Default: each with the same probability.
    pub policy: Policy,
}

impl Config {
    /// The defaults, with this seed.
    pub fn new(seed: u64) -> Config {
        Config {
            seed,
            time_limit: Duration::from_secs(120),
            switches_at_once: 1_000_000,
            runaway: Duration::from_secs(10),
            standstill: Duration::from_secs(60),
            lock_yield_one_in: 8,
            stack_size: 256 * 1024,
            record: false,
            policy: Policy::default(),
        }
    }

    /// The same, with another limit of virtual time.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Config {
        self.time_limit = limit;
        self
    }

    /// The same, with another limit of CPU time without a switch.
    #[must_use]
    pub fn runaway(mut self, limit: Duration) -> Config {
        self.runaway = limit;
        self
    }

    /// The same, with another limit of CPU time at one virtual instant.
    #[must_use]
    pub fn standstill(mut self, limit: Duration) -> Config {
        self.standstill = limit;
        self
    }

    /// The same, with the list of events kept.
    #[must_use]
    pub fn record(mut self, record: bool) -> Config {
        self.record = record;
        self
    }

    /// The same, with another bound of switches at one virtual instant.
    #[must_use]
    pub fn switches_at_once(mut self, bound: u64) -> Config {
        self.switches_at_once = bound;
        self
    }

    /// The same, with another scheduling policy.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Config {
        self.policy = policy;
        self
    }
}
