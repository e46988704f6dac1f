//! All partitions of a history, on one thread or several, to one verdict.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::budget::{Budget, Limit, Slice};
use crate::history::{Event, HistoryError, Operation, operations_from_events};
use crate::model::Model;
use crate::search::Ending;
use crate::solve::{Found, Task};
use crate::timeline::{Timeline, split};

/// How to check.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// How many threads may work on partitions. With 1, the default, no thread is started and
    /// everything happens in the caller's. The answer is the same for any number.
    pub threads: usize,
    /// What the check may cost.
    pub budget: Budget<'a>,
    /// How to look for an order. The verdict is the same with each.
    pub method: Method,
}

/// How to look for an order of the operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// By the model's [decision procedure](Model::decide) where it has one; else by both searches in
    /// turns.
    #[default]
    Auto,
    /// By the search breadth first alone.
    BreadthFirst,
    /// By the search depth first alone; by the other one where this one does not apply.
    DepthFirst,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options { threads: 1, budget: Budget::default(), method: Method::Auto }
    }
}

/// The answer to "is this history linearizable?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Ok,
    /// No: no order of the operations explains what the clients saw.
    Illegal,
    /// The budget ended first. Never take this for a yes.
    Unknown,
}

/// What a check found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    partitions: Vec<PartitionReport>,
}

/// What was found out about one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionReport {
    /// What [`Model::partition`] calls it.
    pub name: String,
    /// The answer for it alone.
    pub verdict: Verdict,
    /// Why there is none, if the verdict is [`Verdict::Unknown`].
    pub limit: Option<Limit>,
    /// Where the history stops being linearizable, if the verdict is [`Verdict::Illegal`].
    pub stuck: Option<Stuck>,
    /// From the verbose check: its operations as positions in the history, in the order of their calls.
    pub operations: Vec<usize>,
    /// From the verbose check: orders of its operations (positions in the history) that real time and
    /// the model allow.
    ///
    /// Empty when a [decision procedure](Model::decide) came to the verdict and the search for an order
    /// would take too long. For [`Verdict::Ok`] this is one order with all operations; calls that never returned are in it
    /// only if something needs their effect. For [`Verdict::Illegal`] these are the longest ones up to
    /// where the history [is stuck](PartitionReport::stuck): the longest of all first, then, for each
    /// operation open there that is in none so far, the longest one that contains it.
    pub linearizations: Vec<Vec<usize>>,
    /// Steps used, as in [`Budget::steps`].
    pub steps: u64,
}

/// The first event that no order of the operations called so far allows.
///
/// A model that is [informed](Model::informed) by the whole history may give up at an earlier event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The operation that cannot be placed, as a position in the history. It need not be the one that
    /// is wrong.
    pub operation: usize,
    /// Whether the contradiction shows at its return (`true`) or at its call already.
    pub at_return: bool,
    /// When.
    pub time: u64,
}

impl Report {
    /// Illegal if one partition is, else unknown if one is, else Ok.
    pub fn verdict(&self) -> Verdict {
        let is = |verdict| self.partitions.iter().any(|part| part.verdict == verdict);
        if is(Verdict::Illegal) {
            Verdict::Illegal
        } else if is(Verdict::Unknown) {
            Verdict::Unknown
        } else {
            Verdict::Ok
        }
    }

    /// The partitions looked at, sorted by name. The plain check looks at the cheap ones first and
    /// ends with the first illegal one; the verbose check looks at all.
    pub fn partitions(&self) -> &[PartitionReport] {
        &self.partitions
    }

    /// The first illegal partition.
    pub fn first_illegal(&self) -> Option<&PartitionReport> {
        self.partitions.iter().find(|part| part.verdict == Verdict::Illegal)
    }

    /// Why there is no answer, if the verdict is [`Verdict::Unknown`].
    pub fn limit(&self) -> Option<Limit> {
        match self.verdict() {
            Verdict::Unknown => self.partitions.iter().find_map(|part| part.limit),
            _ => None,
        }
    }

    /// Steps used by all partitions together.
    pub fn steps(&self) -> u64 {
        self.partitions.iter().map(|part| part.steps).sum()
    }
}

/// Checks whether `history` is linearizable. Says no more than that, as fast as possible.
///
/// The operations may be in any order.
///
/// # Errors
///
/// When the history cannot be one: names the entry.
pub fn check_operations<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    options: &Options<'_>,
) -> Result<Report, HistoryError> {
    check(model, history, options, false)
}

/// Like [`check_operations`], looks at all partitions, and says in which orders.
///
/// # Errors
///
/// When the history cannot be one: names the entry.
pub fn check_operations_verbose<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    options: &Options<'_>,
) -> Result<Report, HistoryError> {
    check(model, history, options, true)
}

/// [`check_operations`] for calls and returns in the order in which they happened.
///
/// # Errors
///
/// As for [`operations_from_events`] and [`check_operations`].
pub fn check_events<M: Model>(
    model: &M,
    events: impl IntoIterator<Item = Event<M::Input, M::Output>>,
    options: &Options<'_>,
) -> Result<Report, HistoryError> {
    check(model, &operations_from_events(events)?, options, false)
}

/// [`check_operations_verbose`] for calls and returns in the order in which they happened.
///
/// Positions in the report count the calls.
///
/// # Errors
///
/// As for [`operations_from_events`] and [`check_operations`].
pub fn check_events_verbose<M: Model>(
    model: &M,
    events: impl IntoIterator<Item = Event<M::Input, M::Output>>,
    options: &Options<'_>,
) -> Result<Report, HistoryError> {
    check(model, &operations_from_events(events)?, options, true)
}

fn check<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    options: &Options<'_>,
    verbose: bool,
) -> Result<Report, HistoryError> {
    let informed = model.informed(history);
    let model = informed.as_ref().unwrap_or(model);
    let timelines = split(model, history)?;
    let task = |timeline| Task {
        model,
        history,
        timeline,
        stop: options.budget.stop,
        explain: verbose,
        method: options.method,
    };
    let tasks: Vec<Task<'_, M>> = timelines.iter().map(task).collect();
    let mut found = Rounds::new(&tasks, options, verbose).run();
    let mut partitions = Vec::with_capacity(timelines.len());
    for (timeline, found) in timelines.iter().zip(&mut found) {
        let Some(found) = found.take() else { continue };
        if let Ending::WrongHint { operation, hint } = found.ending {
            let entry = timeline.operations[operation as usize] as usize;
            let recorded = &history[entry];
            let operation = model.describe_operation(&recorded.input, recorded.output());
            let model = std::any::type_name::<M>();
            return Err(HistoryError::WrongHint { entry, operation, model, hint });
        }
        partitions.push(report(timeline, found, history, verbose));
    }
    Ok(Report { partitions })
}

/// Growth of the budget from one round to the next.
const GROWTH: u64 = 16;

/// Looks at all partitions with a small budget, then at those that are left with a larger one, and so
/// on: one that is illegal and cheap ends the check, however hard the others are.
///
/// A search that is not done in its round starts anew in the next one, so that only as many hold
/// memory as there are threads.
struct Rounds<'t, 'h, M: Model> {
    tasks: &'t [Task<'h, M>],
    options: &'t Options<'t>,
    verbose: bool,
    found: Vec<Option<Found>>,
}

impl<'t, 'h, M: Model> Rounds<'t, 'h, M> {
    fn new(tasks: &'t [Task<'h, M>], options: &'t Options<'t>, verbose: bool) -> Self {
        Rounds { tasks, options, verbose, found: tasks.iter().map(|_| None).collect() }
    }

    /// What was found out of each partition. The plain check has nothing of those it did not need.
    fn run(mut self) -> Vec<Option<Found>> {
        let limit = Slice {
            steps: self.options.budget.steps.unwrap_or(u64::MAX),
            memory: self.options.budget.memory.unwrap_or(usize::MAX),
        };
        // The cheapest first, as far as their lengths tell.
        let mut left: Vec<usize> = (0..self.tasks.len()).collect();
        left.sort_by_key(|at| self.tasks[*at].timeline.operations.len());
        let mut divisor = GROWTH.saturating_pow(15);
        while !left.is_empty() {
            let alone = left.len() == 1;
            let first = self.tasks[left[0]].first_slice();
            while !alone && divisor > 1 && limit.steps / divisor < first {
                divisor /= GROWTH;
            }
            if alone {
                divisor = 1;
            }
            let slice = Slice { steps: limit.steps / divisor, ..limit };
            if self.round(&left, slice) {
                break;
            }
            if divisor == 1 {
                break;
            }
            divisor /= GROWTH;
            left.retain(|at| {
                let found = self.found[*at].as_ref().map(|found| &found.ending);
                matches!(found, Some(Ending::Limit(Limit::Steps)))
            });
        }
        self.tidy(limit);
        self.found
    }

    /// Partitions that the end of the check found between two rounds: unknown because of what ended it
    /// in the verbose check, and not looked at in the plain one.
    fn tidy(&mut self, limit: Slice) {
        for found in &mut self.found {
            let unfinished = match found {
                None => true,
                Some(Found { ending: Ending::Limit(Limit::Steps), steps }) => *steps < limit.steps,
                Some(_) => false,
            };
            if unfinished {
                let ending = Ending::Limit(Limit::Stopped);
                *found = self.verbose.then_some(Found { ending, steps: 0 });
            }
        }
    }

    /// Looks at these partitions. `true` when that is enough.
    fn round(&mut self, left: &[usize], slice: Slice) -> bool {
        let threads = self.options.threads.clamp(1, left.len());
        let share = Slice { memory: slice.memory / threads, ..slice };
        let ends = |found: &Found| match found.ending {
            Ending::Stuck { .. } => !self.verbose,
            Ending::WrongHint { .. } | Ending::Limit(Limit::Stopped) => true,
            _ => false,
        };
        let mut found = if threads > 1 {
            search_parallel(self.tasks, left, share, threads, &ends)
        } else {
            vec![]
        };
        found.resize_with(left.len(), || None);
        let mut enough = false;
        for (at, found) in left.iter().zip(found) {
            // Alone, where it was not looked at and where its share of the memory was not enough.
            let found = match found {
                Some(found) if !matches!(found.ending, Ending::Limit(Limit::Memory)) => found,
                _ => self.tasks[*at].solve(slice),
            };
            enough = ends(&found);
            self.found[*at] = Some(found);
            if enough {
                break;
            }
        }
        enough
    }
}

/// Threads take the next partition until none is left or one is found that ends the check. What comes
/// after that one in the order of `left` may be there or not.
#[expect(
    clippy::disallowed_methods,
    reason = "only with Options::threads > 1, which nobody asks for inside a simulation"
)]
fn search_parallel<M: Model>(
    tasks: &[Task<'_, M>],
    left: &[usize],
    slice: Slice,
    threads: usize,
    ends: &(dyn Fn(&Found) -> bool + Sync),
) -> Vec<Option<Found>> {
    let next = AtomicUsize::new(0);
    let last = AtomicUsize::new(usize::MAX);
    let work = || {
        let mut found = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= left.len() || at > last.load(Ordering::Relaxed) {
                return found;
            }
            let one = tasks[left[at]].solve(slice);
            if ends(&one) {
                last.fetch_min(at, Ordering::Relaxed);
            }
            found.push((at, one));
        }
    };
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for thread in threads {
            match thread.join() {
                Ok(more) => all.extend(more),
                // The model panicked; so would it have in this thread.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    let mut found: Vec<Option<Found>> = left.iter().map(|_| None).collect();
    for (at, one) in all {
        found[at] = Some(one);
    }
    found
}

fn report<I, O>(
    timeline: &Timeline,
    found: Found,
    history: &[Operation<I, O>],
    verbose: bool,
) -> PartitionReport {
    let positions = |order: Vec<u32>| {
        order.iter().map(|at| timeline.operations[*at as usize] as usize).collect()
    };
    let mut report = PartitionReport {
        name: timeline.name.clone(),
        verdict: Verdict::Ok,
        limit: None,
        stuck: None,
        operations: Vec::new(),
        linearizations: Vec::new(),
        steps: found.steps,
    };
    if verbose {
        report.operations = timeline.operations.iter().map(|index| *index as usize).collect();
    }
    match found.ending {
        Ending::Order(order) if order.is_empty() => {}
        Ending::Order(order) => report.linearizations.push(positions(order)),
        Ending::Stuck { event, partial } => {
            let event = timeline.events[event];
            let operation = timeline.operations[event.operation()] as usize;
            let time = if event.is_return() {
                history[operation].return_time().expect("it has a return event")
            } else {
                history[operation].call
            };
            report.verdict = Verdict::Illegal;
            report.stuck = Some(Stuck { operation, at_return: event.is_return(), time });
            report.linearizations = partial.into_iter().map(positions).collect();
        }
        Ending::Limit(limit) => {
            report.verdict = Verdict::Unknown;
            report.limit = Some(limit);
        }
        Ending::WrongHint { .. } => report.verdict = Verdict::Unknown, // an error before this
    }
    report
}
