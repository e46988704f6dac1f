//! How much a check may cost.

use std::fmt;

/// Limits for one check. The default has none.
///
/// Steps and memory are counted for each partition on its own, so that a verdict does not depend on
/// how many threads work. Both are exact: the same history runs out at the same place each time.
#[derive(Clone, Copy, Default)]
pub struct Budget<'a> {
    /// How many questions to the model and configurations looked at, for each partition.
    pub steps: Option<u64>,
    /// About how many bytes the search may hold, for each partition. What model states own on the
    /// heap is not counted.
    pub memory: Option<usize>,
    /// Asked now and then (every few thousand steps); `true` ends the check as unknown.
    ///
    /// This library never looks at a clock. A deadline goes in here, in whatever time the caller
    /// lives in:
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// let end = Instant::now() + Duration::from_secs(1);
    /// let stop = || Instant::now() >= end;
    /// let budget = porcupine::Budget { stop: Some(&stop), ..Default::default() };
    /// # let _ = budget;
    /// ```
    ///
    /// A model whose steps are long can ask the same function and answer
    /// [`Step::Interrupted`](crate::Step::Interrupted).
    pub stop: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl fmt::Debug for Budget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("steps", &self.steps)
            .field("memory", &self.memory)
            .field("stop", &self.stop.is_some())
            .finish()
    }
}

/// Why a check gave no answer.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`Budget::steps`] are used up.
    Steps,
    /// [`Budget::memory`] is used up.
    Memory,
    /// [`Budget::stop`] said so.
    Stopped,
    /// The model answered [`Step::Interrupted`](crate::Step::Interrupted).
    Interrupted,
    /// More operations are open at once than the search keeps apart (4,096).
    TooManyOpen,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::Steps => "the step budget is used up; allow more steps",
            Limit::Memory => "the memory budget is used up; allow more memory",
            Limit::Stopped => "the time is up; allow more",
            Limit::Interrupted => "the model was interrupted",
            Limit::TooManyOpen => "more than 4096 operations are open at once",
        })
    }
}

/// Steps between two looks at memory and [`Budget::stop`].
const INTERVAL: u64 = 4096;

/// Counts what one search has used.
pub(crate) struct Meter<'a> {
    budget: Budget<'a>,
    pub(crate) steps: u64,
    /// The next count at which to look.
    next: u64,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(budget: Budget<'a>) -> Self {
        let next = budget.steps.unwrap_or(u64::MAX).min(INTERVAL);
        Meter { budget, steps: 0, next }
    }

    /// Counts one step; `memory` is asked only when it is time to look.
    #[inline]
    pub(crate) fn step(&mut self, memory: impl FnOnce() -> usize) -> Result<(), Limit> {
        self.steps += 1;
        if self.steps >= self.next { self.look(memory()) } else { Ok(()) }
    }

    #[cold]
    fn look(&mut self, memory: usize) -> Result<(), Limit> {
        if self.budget.steps.is_some_and(|limit| self.steps >= limit) {
            return Err(Limit::Steps);
        }
        if self.budget.memory.is_some_and(|limit| memory > limit) {
            return Err(Limit::Memory);
        }
        if self.budget.stop.is_some_and(|stop| stop()) {
            return Err(Limit::Stopped);
        }
        self.next = (self.steps + INTERVAL).min(self.budget.steps.unwrap_or(u64::MAX));
        Ok(())
    }
}
