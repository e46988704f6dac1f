//! Which operations contradict each other.
//!
//! An illegal history of ten thousand operations is no explanation. A few of them are, if these few
//! cannot be ordered *whatever the others did*. To say that, an operation is not deleted from the history
//! (then a get of a value whose put was deleted would look wrong, and be all that is left) but
//! **loosened**: nothing is known any more about its answer. It may have taken effect at any time after
//! its call, or not at all.
//!
//! ```text
//!   put x ──┤                    loosened: may still explain the get
//!       put y ──┤                kept:     y had replaced x before the get was called
//!                  ├─ get → x ─┤ kept:     saw x
//! ```
//!
//! Loosening only ever allows more. So there are smallest sets of operations that contradict each other
//! with all others loosened, and one is found with about `k * log2(n)` checks, where `k` is its size:
//! sort the operations by how close they are to the place where the search got stuck; find the shortest
//! beginning of that list that is a contradiction; its last operation belongs to the set; go on without it.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::budget::Slice;
use crate::check::{Options, Stuck, Verdict, check_operations_verbose};
use crate::history::{HistoryError, Operation};
use crate::model::{Model, Step};
use crate::search::Ending;
use crate::solve::Task;
use crate::timeline::split;

/// Why a history is not linearizable. From [`explain`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The partition (the first illegal one).
    pub partition: String,
    /// Operations that cannot be ordered, even if nothing is known about the answers of all others.
    /// Positions in the history, in the order of their calls.
    pub operations: Vec<usize>,
    /// Whether this set is known to be smallest: take away what is known about any one of them, and the
    /// rest is linearizable. `false` when the budget ended some check before.
    pub smallest: bool,
    /// For a long history: the set contradicts itself *given* all answers that came before this time.
    /// `None` when it needs no others.
    pub given_before: Option<u64>,
    /// Where the search got stuck.
    pub stuck: Stuck,
    /// The longest order up to there (positions in the history).
    pub order: Vec<usize>,
    /// The same in words, several lines.
    pub text: String,
}

/// Steps for all the checks it takes to find a set that needs no others. With nothing known about most
/// answers, one check may take longer than the check of the history did.
const STEPS: u64 = 10_000_000;
/// Steps for one of them. One that takes longer counts as "no contradiction".
const STEPS_EACH: u64 = 400_000;
/// If that was not enough, only so many of the last operations are loosened, fewer and fewer.
const WINDOWS: [usize; 3] = [400, 100, 25];

/// Explains the first illegal partition; `None` when no partition is known to be illegal.
///
/// Finding a set that needs no others may cost more than the check: after some ten million steps the
/// answers of long ago are taken for granted ([`Explanation::given_before`]). The budget in `options` is
/// for each of the checks this takes.
///
/// # Errors
///
/// When the history cannot be one: names the entry.
pub fn explain<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    options: &Options<'_>,
) -> Result<Option<Explanation>, HistoryError>
where
    M::Input: Clone,
    M::Output: Clone,
{
    let report = check_operations_verbose(model, history, options)?;
    let Some(part) = report.first_illegal() else { return Ok(None) };
    let Some(stuck) = part.stuck else { return Ok(None) };
    let mut shrink = Shrink::new(model, history, &part.operations, options);
    let Shrunk { mut operations, smallest, given_before } = shrink.run(stuck);
    operations.sort_by_key(|at| (history[*at].call, *at));
    let order = part.linearizations.first().cloned().unwrap_or_default();
    let mut explanation = Explanation {
        partition: part.name.clone(),
        operations,
        smallest,
        given_before,
        stuck,
        order,
        text: String::new(),
    };
    let ends: Vec<&[usize]> = part.linearizations.iter().map(|order| &**order).collect();
    explanation.text = tell(model, history, &explanation, &ends, part.operations.len());
    Ok(Some(explanation))
}

/// A history of one partition in which operations can be loosened.
struct Shrink<'a, M: Model> {
    model: &'a M,
    options: Options<'a>,
    history: &'a [Operation<M::Input, M::Output>],
    /// What is checked: position `at` is a copy of `history[part[at]]`, or loosened.
    trial: Vec<Operation<M::Input, M::Output>>,
    part: Vec<usize>,
    /// Numbers that no client of the history has, one for each operation in `part`. A loosened
    /// operation never returns, so it is one of a client of its own.
    unused: Vec<i64>,
    /// Some check ended without an answer.
    gave_up: bool,
    /// Steps left for all checks.
    left: u64,
}

struct Shrunk {
    operations: Vec<usize>,
    smallest: bool,
    given_before: Option<u64>,
}

impl<'a, M: Model> Shrink<'a, M>
where
    M::Input: Clone,
    M::Output: Clone,
{
    fn new(
        model: &'a M,
        history: &'a [Operation<M::Input, M::Output>],
        part: &[usize],
        options: &Options<'a>,
    ) -> Self {
        let mut options = *options;
        options.threads = 1;
        let mut shrink = Shrink {
            model,
            options,
            history,
            trial: Vec::new(),
            part: part.to_vec(),
            unused: unused_clients(history, part.len()),
            gave_up: false,
            left: STEPS,
        };
        shrink.copy();
        shrink
    }

    /// Starts from the operations in `part`, all with their answers.
    fn copy(&mut self) {
        self.trial = self
            .part
            .iter()
            .map(|at| Operation { meta: None, ..self.history[*at].clone() })
            .collect();
    }

    /// Whether what is in `trial` is a contradiction for sure.
    fn contradicts(&mut self) -> bool {
        let informed = self.model.informed(&self.trial);
        let model = informed.as_ref().unwrap_or(self.model);
        let Ok(timelines) = split(model, &self.trial) else { return false };
        let mut illegal = false;
        for timeline in &timelines {
            let budget = self.options.budget;
            let limit = Slice {
                steps: budget.steps.unwrap_or(STEPS_EACH).min(self.left),
                memory: budget.memory.unwrap_or(usize::MAX),
            };
            let (stop, history) = (budget.stop, &self.trial);
            let method = self.options.method;
            let task = Task { model, history, timeline, stop, explain: false, method };
            let found = task.solve(limit);
            self.left = self.left.saturating_sub(found.steps);
            match found.ending {
                Ending::Stuck { .. } => illegal = true,
                Ending::Limit(_) => self.gave_up = true,
                Ending::Order(_) | Ending::WrongHint { .. } => {}
            }
        }
        illegal
    }

    /// Loosens everything but `kept` (positions in `trial`).
    fn keep(&mut self, kept: impl Iterator<Item = usize>) {
        let mut wanted = vec![false; self.part.len()];
        for at in kept {
            wanted[at] = true;
        }
        for (at, wanted) in wanted.into_iter().enumerate() {
            let (trial, original) = (&mut self.trial[at], &self.history[self.part[at]]);
            if original.returned.is_some() && wanted != trial.returned.is_some() {
                trial.returned = if wanted { original.returned.clone() } else { None };
                trial.client = if wanted { original.client } else { self.unused[at] };
            }
        }
    }

    fn run(&mut self, stuck: Stuck) -> Shrunk {
        // The search got stuck with what was called until then. Operations called later may still explain
        // the answers of those that were open, so they stay in, loosened; but none that was called when
        // all others had returned.
        let all = self.part.clone();
        let early = |at: usize| self.history[at].call <= stuck.time;
        let ends =
            all.iter().filter(|at| early(**at)).filter_map(|at| self.history[*at].return_time());
        let horizon = ends.max().unwrap_or(stuck.time);
        self.part = all.iter().copied().filter(|at| self.history[*at].call <= horizon).collect();
        self.copy();
        let candidates: Vec<usize> = (0..self.part.len())
            .filter(|at| self.history[self.part[*at]].call <= stuck.time)
            .collect();
        self.keep(candidates.iter().copied());
        let mut list = candidates;
        if !self.contradicts() {
            // An informed model has used something that came later.
            self.part = all;
            self.copy();
            list = (0..self.part.len()).collect();
        }
        // Closest first: the operation that is stuck, then the others by when they were answered.
        list.retain(|at| self.history[self.part[*at]].returned.is_some());
        list.sort_by_key(|at| {
            let is_stuck = self.part[*at] == stuck.operation;
            std::cmp::Reverse((is_stuck, self.history[self.part[*at]].return_time(), *at))
        });

        let mut found = self.shortest(&list, &[]);
        let mut given_before = None;
        for window in WINDOWS {
            if !self.gave_up || list.len() <= window {
                continue;
            }
            let (window, given) = list.split_at(window);
            given_before =
                window.iter().filter_map(|at| self.history[self.part[*at]].return_time()).min();
            self.gave_up = false;
            self.left = STEPS;
            found = self.shortest(window, given);
        }
        Shrunk {
            operations: found.into_iter().map(|at| self.part[at]).collect(),
            smallest: !self.gave_up,
            given_before,
        }
    }

    /// A smallest part of `list` that contradicts `given`.
    fn shortest(&mut self, list: &[usize], given: &[usize]) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        let mut most = list.len();
        loop {
            // The shortest beginning of `list` that contradicts together with what was found. Small
            // ones first: the cause is mostly near.
            let (mut low, mut high, mut leap) = (0, most, 1);
            while low < high && self.left > 0 {
                let middle = (low + leap - 1).min(usize::midpoint(low, high));
                let kept = found.iter().chain(given).chain(&list[..middle]);
                self.keep(kept.copied());
                if self.contradicts() {
                    high = middle;
                    leap = usize::MAX / 2;
                } else {
                    low = middle + 1;
                    leap = leap.saturating_mul(4).min(usize::MAX / 2);
                }
            }
            if self.left == 0 {
                // The rest is not shrunk.
                self.gave_up = true;
                found.extend(&list[..high]);
                return found;
            }
            if high == 0 {
                return found;
            }
            most = high - 1;
            found.push(list[most]);
        }
    }
}

/// So many client numbers that nobody in the history has.
fn unused_clients<I, O>(history: &[Operation<I, O>], count: usize) -> Vec<i64> {
    let used: BTreeSet<i64> = history.iter().map(|operation| operation.client).collect();
    (0..=i64::MAX).filter(|client| !used.contains(client)).take(count).collect()
}

/// The explanation in words.
fn tell<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    explanation: &Explanation,
    ends: &[&[usize]],
    of: usize,
) -> String {
    let mut text = String::new();
    let line = |at: usize| {
        let operation = &history[at];
        let end = match operation.return_time() {
            Some(time) => time.to_string(),
            None => "never".into(),
        };
        format!(
            "[{}, {end}] client {}: {}",
            operation.call,
            operation.client,
            model.describe_operation(&operation.input, operation.output())
        )
    };
    let found = &explanation.operations;
    if let Some(time) = explanation.given_before {
        let _ = writeln!(text, "Given all answers before {time}:");
    }
    let _ = match found.len() {
        1 => writeln!(text, "One operation cannot be explained, whatever the others did:"),
        n => writeln!(text, "These {n} operations contradict each other, whatever the others did:"),
    };
    for at in found {
        let _ = writeln!(text, "  {}", line(*at));
    }
    if found.len() > 1 {
        let _ = writeln!(
            text,
            "{}",
            if explanation.smallest {
                "Without the answer of any one of them there would be an order."
            } else {
                "There may be a smaller set; the budget ended the search for it."
            }
        );
    }
    let _ = writeln!(
        text,
        "Up to the {} at {} of entry {} the history is linearizable: {} of the {of} operations{} are \
         in order.",
        if explanation.stuck.at_return { "return" } else { "call" },
        explanation.stuck.time,
        explanation.stuck.operation,
        explanation.order.len(),
        if explanation.partition.is_empty() {
            String::new()
        } else {
            format!(" on {}", explanation.partition)
        },
    );
    let _ = writeln!(text, "Stuck: {}", line(explanation.stuck.operation));
    // Every way to get that far, by where it leads.
    let mut seen = Vec::new();
    for order in ends {
        let Some((before, after)) = last_states(model, history, order) else { continue };
        if seen.contains(&after) || seen.len() == 4 {
            continue;
        }
        if let Some(last) = order.last() {
            let operation = &history[*last];
            let _ = writeln!(
                text,
                "  before it: {after} (the last in order, {}, found {before})",
                model.describe_operation(&operation.input, operation.output()),
            );
        }
        let stuck = &history[explanation.stuck.operation];
        if order.contains(&explanation.stuck.operation) {
            let _ = writeln!(text, "  (it is in this order; what follows is not)");
        } else if let Some(state) = end_state(model, history, order)
            && model.step(&state, &stuck.input, stuck.output()) == Step::Illegal
        {
            let _ = writeln!(text, "  after it: nothing, it is not legal there");
        }
        seen.push(after);
    }
    text
}

fn end_state<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    order: &[usize],
) -> Option<M::State> {
    order.iter().try_fold(model.init(), |state, at| {
        match model.step(&state, &history[*at].input, history[*at].output()) {
            Step::To(after) => Some(after),
            Step::Unchanged => Some(state),
            Step::Illegal | Step::Interrupted => None,
        }
    })
}

/// The states before and after the last operation of an order.
fn last_states<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    order: &[usize],
) -> Option<(String, String)> {
    let (_, before) = order.split_last()?;
    let describe = |order| Some(model.describe_state(&end_state(model, history, order)?));
    Some((describe(before)?, describe(order)?))
}

/// Whether an explanation is right: its operations contradict each other, and none is there for nothing.
///
/// For tests; costs one check more than there are operations in the set.
///
/// # Errors
///
/// When the history cannot be one.
pub fn is_smallest<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    explanation: &Explanation,
    options: &Options<'_>,
) -> Result<bool, HistoryError>
where
    M::Input: Clone,
    M::Output: Clone,
{
    let report = check_operations_verbose(model, history, options)?;
    let part = report.partitions().iter().find(|part| part.name == explanation.partition);
    let Some(part) = part.filter(|part| part.verdict == Verdict::Illegal) else {
        return Ok(false);
    };
    let mut shrink = Shrink::new(model, history, &part.operations, options);
    let kept: Vec<usize> = (0..shrink.part.len())
        .filter(|at| explanation.operations.contains(&shrink.part[*at]))
        .collect();
    let given: Vec<usize> = (0..shrink.part.len())
        .filter(|at| {
            let time = history[shrink.part[*at]].return_time();
            time.is_some_and(|time| explanation.given_before.is_some_and(|given| time < given))
        })
        .collect();
    shrink.keep(kept.iter().chain(&given).copied());
    if !shrink.contradicts() {
        return Ok(false);
    }
    for without in &kept {
        shrink.keep(kept.iter().chain(&given).copied().filter(|at| at != without));
        if shrink.contradicts() {
            return Ok(false);
        }
    }
    Ok(true)
}
