//! How much a check may cost.

use std::fmt;

/// Limits for one check. The default has none.
///
/// A verdict that a limit of steps or memory ends does not depend on how many threads work: the same
/// history runs out at the same place each time.
#[derive(Clone, Copy, Default)]
pub struct Budget<'a> {
    /// How many questions to the model and configurations looked at, for each partition. Of many
    /// partitions the cheap ones are searched first, with small budgets that grow by a factor of 16;
    /// what a partition used before its last search is not counted, and is less than a tenth more.
    pub steps: Option<u64>,
    /// About how many bytes the check may hold. What model states own on the heap is counted as far
    /// as the model says it ([`Model::state_bytes`](crate::Model::state_bytes)).
    ///
    /// With several threads each partition first gets its share. Those that need more are searched
    /// again, one after the other, with all of it.
    pub memory: Option<usize>,
    /// Asked before each [`Model::step`](crate::Model::step) and now and then in between; `true` ends
    /// the check as unknown. It should be fast.
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

/// Steps between two looks at memory and [`Budget::stop`], unless memory grows faster.
const INTERVAL: u64 = 512;

/// Why a search pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Its slice is used up: it can go on with another one.
    Slice,
    /// It ends without an answer.
    Limit(Limit),
    /// A hint of the model is wrong: the operation, as a position in the partition, and the hint.
    WrongHint { operation: u32, hint: &'static str },
}

impl From<Limit> for Halt {
    fn from(limit: Limit) -> Self {
        Halt::Limit(limit)
    }
}

/// What one search has used, and what it may use until it pauses.
pub(crate) struct Meter<'a> {
    stop: Option<&'a (dyn Fn() -> bool + Sync)>,
    /// All steps so far.
    pub(crate) steps: u64,
    /// The count at which the slice ends.
    slice_end: u64,
    memory_limit: usize,
    /// The next count at which to look.
    next: u64,
    /// A size from which on to look at once, see [`Meter::grown`].
    next_size: usize,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(stop: Option<&'a (dyn Fn() -> bool + Sync)>) -> Self {
        Meter { stop, steps: 0, slice_end: 0, memory_limit: usize::MAX, next: 0, next_size: 0 }
    }

    /// Allows so many steps more, and so much memory in all.
    pub(crate) fn allow(&mut self, slice: Slice) {
        self.slice_end = self.steps.saturating_add(slice.steps);
        self.memory_limit = slice.memory;
        self.next = self.slice_end.min(self.steps + INTERVAL);
    }

    /// Counts one step; `memory` is asked only when it is time to look.
    #[inline]
    pub(crate) fn step(&mut self, memory: impl FnOnce() -> usize) -> Result<(), Halt> {
        self.steps += 1;
        if self.steps >= self.next { self.look(memory()) } else { Ok(()) }
    }

    /// Whether the next [`Meter::step`] looks.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.steps + 1 >= self.next
    }

    /// Counts one step that must not pause the search.
    #[inline]
    pub(crate) fn count(&mut self) {
        self.steps += 1;
    }

    /// Before a step of the model, which may take any time.
    #[inline]
    pub(crate) fn before_model(&self) -> Result<(), Halt> {
        match self.stop {
            Some(stop) if stop() => Err(Limit::Stopped.into()),
            _ => Ok(()),
        }
    }

    /// Something whose size the number of steps does not tell now has `size` bytes. With a limit,
    /// each percent of it is a reason to look.
    #[inline]
    pub(crate) fn grown(&mut self, size: usize) {
        if size >= self.next_size {
            self.next_size = size.saturating_add(self.memory_limit / 100);
            self.next = self.steps;
        }
    }

    #[cold]
    fn look(&mut self, memory: usize) -> Result<(), Halt> {
        if self.steps >= self.slice_end {
            return Err(Halt::Slice);
        }
        if memory > self.memory_limit {
            return Err(Limit::Memory.into());
        }
        self.before_model()?;
        self.next = self.slice_end.min(self.steps + INTERVAL);
        Ok(())
    }
}

/// What a search may use until it pauses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    /// Steps more than it has used.
    pub(crate) steps: u64,
    /// Bytes in all.
    pub(crate) memory: usize,
}
