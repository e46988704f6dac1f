//! All partitions of a history, on one thread or several, to one verdict.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::budget::{Budget, Limit};
use crate::history::{Event, HistoryError, Operation, operations_from_events};
use crate::model::Model;
use crate::search::{Ending, Found, search};
use crate::timeline::{Timeline, split};

/// How to check.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// How many threads may work on partitions. With 1, the default, no thread is started and
    /// everything happens in the caller's. The answer is the same for any number.
    pub threads: usize,
    /// What the check may cost.
    pub budget: Budget<'a>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options { threads: 1, budget: Budget::default() }
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
    /// For [`Verdict::Ok`] this is one order with all operations; calls that never returned are in it
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

    /// The partitions looked at, sorted by name. The plain check ends with the first illegal one, the
    /// verbose check looks at all.
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
    let timelines = split(model, history)?;
    let informed = model.informed(history);
    let model = informed.as_ref().unwrap_or(model);
    let mut found = if options.threads > 1 && timelines.len() > 1 {
        check_parallel(model, history, &timelines, options, verbose)
    } else {
        let mut found = Vec::with_capacity(timelines.len());
        for timeline in &timelines {
            let one = search(model, history, timeline, options.budget, verbose);
            let stop = !verbose && matches!(one.ending, Ending::Stuck { .. });
            found.push(one);
            if stop {
                break;
            }
        }
        found
    };
    let partitions = timelines
        .into_iter()
        .zip(found.drain(..))
        .map(|(timeline, found)| report(timeline, found, history, verbose))
        .collect();
    Ok(Report { partitions })
}

/// Threads take the next partition until none is left. The plain check reports what one thread would
/// have: partitions up to the first illegal one. Those after it may have been searched or not.
#[expect(
    clippy::disallowed_methods,
    reason = "only with Options::threads > 1, which nobody asks for inside a simulation"
)]
fn check_parallel<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    timelines: &[Timeline],
    options: &Options<'_>,
    verbose: bool,
) -> Vec<Found> {
    let next = AtomicUsize::new(0);
    let first_illegal = AtomicUsize::new(usize::MAX);
    let work = || {
        let mut found = Vec::new();
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= timelines.len() || part > first_illegal.load(Ordering::Relaxed) {
                return found;
            }
            let one = search(model, history, &timelines[part], options.budget, verbose);
            if !verbose && matches!(one.ending, Ending::Stuck { .. }) {
                first_illegal.fetch_min(part, Ordering::Relaxed);
            }
            found.push((part, one));
        }
    };
    let mut found = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (1..options.threads.min(timelines.len())).map(|_| scope.spawn(work)).collect();
        let mut found = work();
        for thread in threads {
            match thread.join() {
                Ok(more) => found.extend(more),
                // The model panicked; so would it have in this thread.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        found
    });
    found.sort_by_key(|(part, _)| *part);
    let last = first_illegal.load(Ordering::Relaxed);
    found.into_iter().take_while(|(part, _)| *part <= last).map(|(_, found)| found).collect()
}

fn report<I, O>(
    timeline: Timeline,
    found: Found,
    history: &[Operation<I, O>],
    verbose: bool,
) -> PartitionReport {
    let positions = |order: Vec<u32>| {
        order.iter().map(|at| timeline.operations[*at as usize] as usize).collect()
    };
    let mut report = PartitionReport {
        name: String::new(),
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
        Ending::Limit { limit } => {
            report.verdict = Verdict::Unknown;
            report.limit = Some(limit);
        }
    }
    report.name = timeline.name;
    report
}
