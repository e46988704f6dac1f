//! Scheduling policies: who runs next, where the code under test leaves it open.
//!
//! The default draws every choice from the seed, each candidate with the same probability. That
//! finds most bugs, but one that needs a particular task to be slow at two or three particular
//! points hides from it: after hundreds of fair choices nobody stays slow. [`Policy::pct`] keeps
//! tasks slow on purpose, and [`Policy::scripted`] repeats a recorded order.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, SeedableRng};

/// A task that could run now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ReadyTask {
    /// Number of the task, in order of spawning.
    pub number: u64,
    pub name: &'static str,
    /// Number of its node, in order of creation.
    pub node: u32,
}

/// Makes the choices of a run that the code under test leaves open.
///
/// A scheduler must be deterministic: the same calls must give the same answers. It must not call
/// labrt, because it is asked while the simulation's state is borrowed.
pub trait Scheduler: Send {
    /// The index in `ready` of the task that runs next. `ready` is never empty. Its order carries
    /// no meaning but is the same in every run of a seed.
    fn next_task(&mut self, ready: &[ReadyTask]) -> usize;

    /// Whether the running task lets others run first at a point where it need not wait, such as
    /// a free lock. The default policy says yes once in `one_in` times. Asked only while another
    /// task is ready.
    fn yields(&mut self, one_in: u32) -> bool;

    /// The index of the waiter to wake, below `count`, which is at least 2.
    fn waiter(&mut self, count: usize) -> usize;

    /// The task with this number has called [`yield_now`](crate::yield_now): whoever waits for
    /// others by yielding in a loop must not be chosen for ever.
    fn yielded(&mut self, _task: u64) {}
}

type Make = dyn Fn(u64) -> Box<dyn Scheduler> + Send + Sync;

/// Which scheduler a run uses.
#[derive(Clone, Default)]
pub struct Policy {
    /// `None`: the random one.
    make: Option<Arc<Make>>,
}

impl Policy {
    /// Each candidate has the same probability.
    pub fn random() -> Policy {
        Policy::default()
    }

    /// Priorities (PCT: Burckhardt, Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with
    /// Probabilistic Guarantees of Finding Bugs", ASPLOS 2010).
    ///
    /// Every task gets a random priority, and the ready task of the highest priority runs. At
    /// `changes` random steps among the first `steps`, the running task falls behind all others.
    /// A bug that needs `changes` + 1 ordering constraints among n tasks is found with a
    /// probability of at least 1 / (n · steps ^ `changes`) by each seed.
    ///
    /// A task that calls `yield_now` falls behind all others, too.
    pub fn pct(changes: usize, steps: u64) -> Policy {
        Policy::custom(move |seed| Box::new(Pct::new(seed, changes, steps)))
    }

    /// Runs tasks in this order of their numbers, as [`Event::Switch`](super::Event::Switch)
    /// records them. A number that is not ready is skipped. After the end of the script the
    /// choices are random. Waiters and yields at free locks are random throughout, so a recorded
    /// order repeats the run under the seed it was recorded with.
    pub fn scripted(order: Vec<u64>) -> Policy {
        let order = Arc::new(order);
        Policy::custom(move |seed| {
            Box::new(Scripted {
                order: Arc::clone(&order),
                next: 0,
                otherwise: Random::of_run(&mut streams_of(seed)),
            })
        })
    }

    /// The scheduler that `make` returns for the seed of the run.
    pub fn custom(make: impl Fn(u64) -> Box<dyn Scheduler> + Send + Sync + 'static) -> Policy {
        Policy { make: Some(Arc::new(make)) }
    }

    pub(super) fn scheduler(&self, seed: u64) -> Option<Box<dyn Scheduler>> {
        self.make.as_ref().map(|make| make(seed))
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.make.is_some() { "Policy(custom)" } else { "Policy(random)" })
    }
}

/// The generator that seeds all random streams of a run.
pub(super) fn streams_of(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// The default: each candidate has the same probability.
pub(super) struct Random {
    rng: Xoshiro256PlusPlus,
}

impl Random {
    /// The scheduler's stream is the first that is taken from the streams of a run.
    pub(super) fn of_run(streams: &mut Xoshiro256PlusPlus) -> Random {
        Random { rng: Xoshiro256PlusPlus::from_rng(streams) }
    }

    /// A number below `count`. Nothing is drawn when there is no choice.
    #[inline]
    pub(super) fn below(&mut self, count: usize) -> usize {
        if count <= 1 {
            return 0;
        }
        let high = self.rng.next_u64() >> 32;
        ((high * count as u64) >> 32) as usize
    }
}

impl Scheduler for Random {
    fn next_task(&mut self, ready: &[ReadyTask]) -> usize {
        self.below(ready.len())
    }

    fn yields(&mut self, one_in: u32) -> bool {
        self.below(one_in as usize) == 0
    }

    fn waiter(&mut self, count: usize) -> usize {
        self.below(count)
    }
}

/// Priorities below this were lowered; new tasks start above it.
const LOWERED: u64 = 1 << 32;

struct Pct {
    rng: Random,
    /// By number of the task; the highest runs.
    priorities: BTreeMap<u64, u64>,
    /// The steps at which the running task is lowered, in descending order.
    changes: Vec<u64>,
    step: u64,
    /// The priority of the task that was lowered last. Each further one gets one less.
    lowest: u64,
}

impl Pct {
    fn new(seed: u64, changes: usize, steps: u64) -> Pct {
        let mut rng = Random::of_run(&mut streams_of(seed));
        let steps = usize::try_from(steps).unwrap_or(usize::MAX).min(u32::MAX as usize);
        let mut changes: Vec<u64> = (0..changes).map(|_| 1 + rng.below(steps) as u64).collect();
        changes.sort_unstable_by(|a, b| b.cmp(a));
        Pct { rng, priorities: BTreeMap::new(), changes, step: 0, lowest: LOWERED }
    }

    fn highest(&mut self, ready: &[ReadyTask]) -> usize {
        let mut best = (0, 0);
        for (index, task) in ready.iter().enumerate() {
            let rng = &mut self.rng;
            let draw = || LOWERED + 1 + rng.below(u32::MAX as usize) as u64;
            let priority = *self.priorities.entry(task.number).or_insert_with(draw);
            if priority > best.1 {
                best = (index, priority);
            }
        }
        best.0
    }

    fn lower(&mut self, task: u64) {
        self.lowest -= 1;
        self.priorities.insert(task, self.lowest);
    }
}

impl Scheduler for Pct {
    fn next_task(&mut self, ready: &[ReadyTask]) -> usize {
        self.step += 1;
        let mut choice = self.highest(ready);
        while self.changes.last().is_some_and(|step| *step <= self.step) {
            self.changes.pop();
            self.lower(ready[choice].number);
            choice = self.highest(ready);
        }
        choice
    }

    /// Always: a change of priorities takes effect at the next point.
    fn yields(&mut self, _one_in: u32) -> bool {
        true
    }

    fn waiter(&mut self, count: usize) -> usize {
        self.rng.below(count)
    }

    fn yielded(&mut self, task: u64) {
        self.lower(task);
    }
}

struct Scripted {
    order: Arc<Vec<u64>>,
    next: usize,
    otherwise: Random,
}

impl Scheduler for Scripted {
    fn next_task(&mut self, ready: &[ReadyTask]) -> usize {
        // Drawn in any case, so that a recorded run finds its waiters again.
        let random = self.otherwise.below(ready.len());
        while let Some(number) = self.order.get(self.next) {
            self.next += 1;
            if let Some(index) = ready.iter().position(|task| task.number == *number) {
                return index;
            }
        }
        random
    }

    fn yields(&mut self, one_in: u32) -> bool {
        self.otherwise.yields(one_in)
    }

    fn waiter(&mut self, count: usize) -> usize {
        self.otherwise.waiter(count)
    }
}
