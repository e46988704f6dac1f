//! Reads that wait for the confirmation of a majority, and their completion.

use std::time::Duration;

use crate::timing::{TICK, Time};
use crate::types::Index;

use super::ReadError;

type Verdict = Result<Index, ReadError>;
pub(super) type Reader = Box<dyn FnOnce(Verdict) + Send>;

/// Reads of this leadership that are not confirmed, in the order of their numbers.
#[derive(Default)]
pub(super) struct Reads {
    waiting: Vec<Waiting>,
    /// A lower bound of the first time limit among them.
    look_at: Time,
}

struct Waiting {
    number: u64,
    until: Time,
    reader: Reader,
}

impl Reads {
    pub(super) fn add(&mut self, number: u64, until: Time, reader: Reader) {
        self.look_at = if self.waiting.is_empty() { until } else { self.look_at.min(until) };
        self.waiting.push(Waiting { number, until, reader });
    }

    /// Removes the reads that a step ends. No read outlives the leadership that it waits for. A
    /// read whose time limit has passed is removed by the next step; a leader takes one at least at
    /// every heartbeat.
    pub(super) fn end(
        &mut self,
        confirmed: Option<(u64, Index)>,
        is_leader: bool,
        now: Time,
    ) -> Ended {
        let mut ended = Ended::default();
        if self.waiting.is_empty() {
            return ended;
        }
        if let Some((up_to, index)) = confirmed {
            let confirmed = self.waiting.partition_point(|read| read.number <= up_to);
            ended.add(self.waiting.drain(..confirmed), Ok(index));
        }
        if !is_leader {
            ended.add(self.waiting.drain(..), Err(ReadError::NotLeader));
        } else if self.look_at <= now {
            let late = self.waiting.extract_if(.., |read| read.until <= now);
            ended.add(late, Err(ReadError::TimedOut));
            self.look_at = self.waiting.iter().map(|read| read.until).min().unwrap_or(Time::NEVER);
        }
        ended
    }

    /// Removes all reads: the server was killed.
    pub(super) fn end_all(&mut self) -> Ended {
        let mut ended = Ended::default();
        ended.add(self.waiting.drain(..), Err(ReadError::NotLeader));
        ended
    }
}

/// Patience in ticks: rounded up, and one more for the tick that has begun.
pub(super) fn ticks(patience: Duration) -> u64 {
    let ticks = patience.as_nanos().div_ceil(TICK.as_nanos());
    u64::try_from(ticks).unwrap_or(u64::MAX).saturating_add(1)
}

/// Reads that have ended, with their results. The callbacks are a user's code, so they are called
/// without a lock.
#[must_use = "readers that nobody tells wait in vain"]
#[derive(Default)]
pub(super) struct Ended(Vec<(Reader, Verdict)>);

impl Ended {
    fn add(&mut self, reads: impl Iterator<Item = Waiting>, verdict: Verdict) {
        self.0.extend(reads.map(|read| (read.reader, verdict)));
    }

    /// Adds those of another step.
    pub(super) fn append(&mut self, other: Ended) {
        self.0.extend(other.0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn tell(self) {
        for (reader, verdict) in self.0 {
            reader(verdict);
        }
    }
}
