//! Time as the core sees it: a number of ticks that the driver hands in.
//!
//! The core has no clock. Every step is told what time it is, and [`Node::wake_at`] says when the
//! next one is due at the latest, so a server that has nothing to do costs nothing. The one thing
//! that must be random, the election timeout (§5.2), is drawn from the [`Dice`] that come in with
//! the step: the same inputs always give the same outputs.
//!
//! ```text
//!   0        heartbeat                 election_min        election_max
//!   ├───────────┼────────── … ──────────────┼───────────────────┤   ticks since the leader was heard
//!   a leader speaks at least this often     a follower runs for leader somewhere in here
//! ```
//!
//! [`Node::wake_at`]: crate::consensus::Node::wake_at

use std::ops::Add;
use std::time::Duration;

/// How long one tick lasts.
pub const TICK: Duration = Duration::from_millis(1);

/// A point in time, in ticks since a start that the driver chooses (0 when the server starts, say).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The start.
    pub const ZERO: Time = Time(0);
    /// A point that is never reached.
    pub const NEVER: Time = Time(u64::MAX);

    /// That many ticks after the start.
    pub const fn new(ticks: u64) -> Time {
        Time(ticks)
    }

    /// Ticks since the start.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Ticks from `earlier` to here; 0 when `earlier` is not earlier.
    pub const fn since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Time {
    type Output = Time;

    fn add(self, ticks: u64) -> Time {
        Time(self.0.saturating_add(ticks))
    }
}

/// Where the core's random numbers come from.
///
/// Any `FnMut(u64, u64) -> u64` will do, such as `|low, high| generator.random_range(low..=high)`.
pub trait Dice {
    /// A number from `low..=high`, each equally likely. (A result outside is moved to the nearer
    /// end: crooked dice cannot break more than liveness.)
    fn roll(&mut self, low: u64, high: u64) -> u64;
}

impl<F: FnMut(u64, u64) -> u64> Dice for F {
    fn roll(&mut self, low: u64, high: u64) -> u64 {
        self(low, high)
    }
}

/// The intervals of a group, in ticks. All servers of a group should have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    /// A leader sends each follower something at least this often; a candidate asks the servers
    /// that have not answered again at this interval.
    pub heartbeat: u64,
    /// The shortest election timeout. At least two heartbeats, so that one lost heartbeat does not
    /// start an election.
    pub election_min: u64,
    /// The longest election timeout. Above `election_min`: with no range to choose from, votes
    /// split for ever (§5.2).
    pub election_max: u64,
    /// How long a leader waits for the answer to entries before it may send them again. It does so
    /// with the next heartbeat, so at least one plain heartbeat goes out in between.
    ///
    /// At least twice the round-trip time that was measured, and twice as long after each attempt
    /// in vain, up to `election_max`.
    pub resend: u64,
    /// The same for a snapshot, which takes longer; up to `resend_max`.
    pub resend_snapshot: u64,
    /// The longest wait before a snapshot is sent again.
    pub resend_max: u64,
    /// A leader whose disk has not finished a save for so long steps down, and a server in that
    /// state does not run for leader: it could not save its vote.
    pub disk_patience: u64,
    /// From this round-trip time on, new commands are sent while earlier ones are still on their
    /// way, so that a command needs one round trip. On faster links they gather in batches.
    pub pipeline_above: u64,
    /// How long a leader with nothing else to say waits before it tells a follower of a new commit
    /// index. Under load the next entries carry it and nothing extra is sent.
    pub spread_commit: u64,
    /// How long, after a majority has confirmed reads, the next round waits for half as many reads
    /// as the last one had, and how long a round waits for those it asked before it asks everybody.
    pub gather_reads: u64,
}

impl Default for Timing {
    /// Ten heartbeats a second, elections after 300 to 600 ms of silence.
    fn default() -> Timing {
        Timing {
            heartbeat: 100,
            election_min: 300,
            election_max: 600,
            resend: 150,
            resend_snapshot: 450,
            resend_max: 30_000,
            disk_patience: 3_000,
            pipeline_above: 40,
            spread_commit: 10,
            gather_reads: 2,
        }
    }
}

impl Timing {
    /// Checks that the intervals fit together.
    ///
    /// # Errors
    ///
    /// The first rule that is broken; change the number it names.
    pub fn validate(&self) -> Result<(), TimingError> {
        if self.heartbeat == 0 {
            return Err(TimingError::NoHeartbeat);
        }
        if self.election_min < self.heartbeat.saturating_mul(2) {
            return Err(TimingError::ImpatientElection {
                election_min: self.election_min,
                heartbeat: self.heartbeat,
            });
        }
        if self.election_max <= self.election_min {
            return Err(TimingError::NoElectionRange {
                election_min: self.election_min,
                election_max: self.election_max,
            });
        }
        Ok(())
    }

    /// One election timeout.
    pub(crate) fn draw_election_timeout(&self, dice: &mut dyn Dice) -> u64 {
        dice.roll(self.election_min, self.election_max).clamp(self.election_min, self.election_max)
    }
}

/// Intervals that do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TimingError {
    /// A leader that sends a heartbeat every 0 ticks never stops.
    #[error("heartbeat is 0 ticks: make it at least 1")]
    NoHeartbeat,
    /// A single late heartbeat would start an election.
    #[error(
        "election_min of {election_min} ticks is below two heartbeats of {heartbeat}: raise it"
    )]
    ImpatientElection {
        /// The shortest election timeout given.
        election_min: u64,
        /// The heartbeat interval given.
        heartbeat: u64,
    },
    /// All servers would run for leader at the same time, again and again.
    #[error(
        "election_max of {election_max} ticks is not above election_min of {election_min}: \
         raise it"
    )]
    NoElectionRange {
        /// The shortest election timeout given.
        election_min: u64,
        /// The longest election timeout given.
        election_max: u64,
    },
}
