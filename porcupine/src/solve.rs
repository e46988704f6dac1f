//! One partition to its verdict: a decision procedure, or both searches in turns.
//!
//! Nobody knows beforehand which search is the faster one. So each gets a slice of steps, then each a
//! larger one, and so on, until one of them ends. That takes at most a few times as long as the faster
//! one alone. The search breadth first has the first slice: most histories need no other.

use crate::budget::{Limit, Slice};
use crate::check::Method;
use crate::decide::Partition;
use crate::depth::depth_first;
use crate::history::Operation;
use crate::model::Model;
use crate::search::{Ending, Engine, Turn, breadth_first};
use crate::timeline::Timeline;

/// What was found out about one partition.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) ending: Ending,
    pub(crate) steps: u64,
}

/// A partition and how to look at it.
pub(crate) struct Task<'h, M: Model> {
    pub(crate) model: &'h M,
    pub(crate) history: &'h [Operation<M::Input, M::Output>],
    pub(crate) timeline: &'h Timeline,
    pub(crate) stop: Option<&'h (dyn Fn() -> bool + Sync)>,
    /// Whether to say in which order.
    pub(crate) explain: bool,
    pub(crate) method: Method,
}

impl<M: Model> Clone for Task<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Model> Copy for Task<'_, M> {}

/// Steps that the searches for an order may take when a procedure has decided already.
const STEPS_FOR_ORDER: u64 = 1_000_000;

impl<'h, M: Model> Task<'h, M> {
    /// Steps of the first slice: enough for any history in which no ambiguity lasts.
    pub(crate) fn first_slice(&self) -> u64 {
        20_000 + 20 * self.timeline.operations.len() as u64
    }

    /// Asks the model's procedure, and takes its word for it. Where an order is wanted the searches
    /// get a chance to find one.
    pub(crate) fn decide(&self, limit: Slice) -> Option<Found> {
        let events = self.timeline.events.len();
        let steps = self.timeline.operations.len() as u64;
        if self.method != Method::Auto {
            return None;
        }
        let linearizable = self.ask(events)?;
        if self.explain {
            let steps = limit.steps.min(STEPS_FOR_ORDER);
            let found = self.search(Slice { steps, ..limit });
            if !matches!(found.ending, Ending::Limit(_)) {
                return Some(found);
            }
        }
        if linearizable {
            return Some(Found { ending: Ending::Order(Vec::new()), steps });
        }
        // The shortest beginning of the history that the procedure rejects.
        let (mut legal, mut illegal) = (0, events);
        while illegal - legal > 1 {
            let middle = usize::midpoint(legal, illegal);
            if self.ask(middle) == Some(false) { illegal = middle } else { legal = middle }
        }
        Some(Found { ending: Ending::Stuck { event: illegal - 1, partial: Vec::new() }, steps })
    }

    /// Whether the first events are linearizable, if the model has a procedure for that.
    fn ask(&self, events: usize) -> Option<bool> {
        self.model.decide(&Partition::new(self.history, self.timeline, events)?)
    }

    /// Searches, within these steps and this memory.
    pub(crate) fn search(&self, limit: Slice) -> Found {
        let Task { model, history, timeline, stop, explain, method } = *self;
        let mut slice = self.first_slice();
        let mut used = 0;
        let breadth = || breadth_first(model, history, timeline, stop, explain);
        let depth = || depth_first(model, history, timeline, stop, explain);
        let mut engines: [Option<Box<dyn Engine<'h> + 'h>>; 2] = [None, None];
        if method == Method::DepthFirst {
            engines[0] = Some(depth().unwrap_or_else(breadth));
        } else {
            engines[0] = Some(breadth());
        }
        let mut why = Limit::Steps;
        for turn in 0.. {
            if turn == 1 && method == Method::Auto {
                engines[1] = depth();
            }
            if turn > 0 && turn % 2 == 0 {
                slice = slice.saturating_mul(2);
            }
            let both = engines.iter().flatten().count() == 2;
            let Some(mut engine) = engines[turn % 2].take() else {
                if engines.iter().flatten().count() == 0 {
                    break;
                }
                continue;
            };
            // A search that has to widen its sets pauses early and goes on at once.
            let mut left = slice.min(limit.steps - used);
            let memory = if both { limit.memory / 2 } else { limit.memory };
            loop {
                let before = engine.steps();
                match engine.run(Slice { steps: left, memory }) {
                    Turn::Ended(
                        Ending::Limit(limit @ (Limit::Memory | Limit::TooManyOpen)),
                        steps,
                    ) if turn == 0 || both => {
                        // The other one has a chance, with all the memory.
                        used += steps - before;
                        why = limit;
                        break;
                    }
                    Turn::Ended(ending, steps) => {
                        return Found { ending, steps: used + steps - before };
                    }
                    Turn::Paused(paused) => {
                        let spent = paused.steps() - before;
                        used += spent;
                        left = left.saturating_sub(spent);
                        engine = paused;
                        if left == 0 {
                            engines[turn % 2] = Some(engine);
                            break;
                        }
                    }
                }
            }
            if used >= limit.steps {
                return Found { ending: Ending::Limit(Limit::Steps), steps: used };
            }
        }
        Found { ending: Ending::Limit(why), steps: used }
    }

    /// [`Task::decide`], and [`Task::search`] where there is no procedure.
    pub(crate) fn solve(&self, limit: Slice) -> Found {
        self.decide(limit).unwrap_or_else(|| self.search(limit))
    }
}
