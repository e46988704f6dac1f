//! What happens next.

use super::timers::{Callback, Due};
use super::{Chooser, Next, State, World};
use crate::line::Line;
use crate::sim::coroutine::Coroutine;
use crate::sim::failure::FailureKind;
use crate::sim::policy::{ReadyTask, Scheduler as _};
use crate::sim::trace::Event;

impl World {
    // ---- choices --------------------------------------------------------------------------------

    /// Takes the task to run next out of the ready ones, of which there is at least one.
    #[inline]
    fn choose_task(&mut self) -> u32 {
        let choice = match &mut self.chooser {
            Chooser::Random(random) => random.below(self.ready.len()),
            Chooser::Other(scheduler, shown) => {
                let tasks = &self.tasks;
                shown.clear();
                shown.extend(self.ready.iter().map(|&slot| {
                    let task = tasks.task(slot);
                    ReadyTask { number: task.number, name: task.name, node: task.node }
                }));
                scheduler.next_task(shown)
            }
        };
        self.ready.swap_remove(choice)
    }

    #[inline]
    pub(super) fn choose_waiter(&mut self, count: usize) -> usize {
        match &mut self.chooser {
            Chooser::Random(random) => random.below(count),
            Chooser::Other(..) if count < 2 => 0,
            Chooser::Other(scheduler, _) => scheduler.waiter(count),
        }
    }

    /// Whether the running task lets others run at a point where it need not wait. Free when
    /// nobody else could run.
    #[inline]
    pub(in crate::sim) fn chooses_to_yield(&mut self, one_in: u32) -> bool {
        if self.ready.is_empty() {
            return false;
        }
        match &mut self.chooser {
            Chooser::Random(random) => random.yields(one_in),
            Chooser::Other(scheduler, _) => scheduler.yields(one_in),
        }
    }

    // ---- the ready list ------------------------------------------------------------------------

    /// Puts a task among those that can run, or, if its node is paused, aside.
    #[inline]
    pub(super) fn make_ready(&mut self, slot: u32) {
        let task = self.tasks.task_mut(slot);
        task.state = State::Ready;
        if self.nodes.any_paused() && self.nodes.park(task.node, slot) {
            return;
        }
        self.ready.push(slot);
    }

    /// Makes the running task ready again, before a switch to another.
    #[inline]
    pub(in crate::sim) fn yield_running(&mut self) {
        let slot = self.tasks.running().expect("only a task can yield");
        self.make_ready(slot);
    }

    /// The same, for a task that asked for it; unless it is dying: then nothing happens, and
    /// `false` is returned.
    #[inline]
    pub(in crate::sim) fn yield_living(&mut self) -> bool {
        let lives = !self.is_dying();
        if lives {
            self.crashes_here();
            if let Chooser::Other(scheduler, _) = &mut self.chooser {
                scheduler.yielded(self.tasks.current().number);
            }
            self.yield_running();
        }
        lives
    }

    // ---- time ----------------------------------------------------------------------------------

    /// Fires the timers that are due, up to and including the first callback, which is returned.
    #[inline]
    fn fire_due(&mut self) -> Option<Callback> {
        while let Some(due) = self.timers.take_due(self.now) {
            match due {
                Due::Deadline(waiter) => {
                    if self.tasks.is_waiting(waiter) {
                        self.tasks.task_mut(waiter.slot).timed_out = true;
                        self.make_ready(waiter.slot);
                    }
                }
                Due::Callback(number, callback) => {
                    self.trace.push(Event::Callback(number));
                    return Some(callback);
                }
            }
        }
        None
    }

    /// Moves the clock to the next timer that still matters. Fails the run when there is none, or
    /// past the time limit.
    fn advance_clock(&mut self) {
        let tasks = &self.tasks;
        let Some(at) = self.timers.next_due(|waiter| tasks.is_waiting(waiter)) else {
            self.fail(FailureKind::Deadlock, "no task can run and no timer is pending".into());
            return;
        };
        if at > self.time_limit {
            self.now = self.time_limit;
            let limit = self.config.time_limit.as_secs_f64();
            let text = format!("the run has not ended after {limit} s");
            self.fail(FailureKind::TimeLimit, text);
            return;
        }
        self.now = at;
        self.switches_here = 0;
        self.tasks.time_moved();
        self.lines.clear();
        self.trace.push(Event::Clock(at));
        self.progress.clock_moved(at);
    }

    // ---- the next step -------------------------------------------------------------------------

    /// Decides what happens next.
    pub(in crate::sim) fn next(&mut self) -> Next {
        loop {
            if let Some(node) = self.nodes.take_crashed() {
                return Next::Reap(node);
            }
            if self.progress.is_stopped() {
                self.fail_as_told();
            }
            if self.root_done || self.failure.is_some() {
                return Next::Stop;
            }
            if self.switches_here > self.config.switches_at_once {
                self.report_livelock();
                continue;
            }
            if let Some(callback) = self.fire_due() {
                // One that adds the next without delay must not go on for ever.
                self.switches_here += 1;
                self.progress.switched(u32::MAX);
                return Next::Call(callback);
            }
            if self.ready.is_empty() {
                self.advance_clock();
                continue;
            }
            let slot = self.choose_task();
            self.switches += 1;
            self.switches_here += 1;
            return Next::Run(slot, self.start(slot));
        }
    }

    /// Makes the task in `slot` the running one.
    #[inline]
    fn start(&mut self, slot: u32) -> Box<Coroutine> {
        let (number, coroutine) = self.tasks.start(slot);
        self.trace.push(Event::Switch(number));
        self.progress.switched(slot);
        coroutine
    }

    /// Takes the coroutine of a suspended task back. Returns it if it must be leaked instead.
    #[inline]
    pub(in crate::sim) fn suspended(
        &mut self,
        slot: u32,
        coroutine: Box<Coroutine>,
    ) -> Option<Box<Coroutine>> {
        self.tasks.stop();
        let task = self.tasks.task_mut(slot);
        if task.stuck {
            return Some(coroutine);
        }
        task.coroutine = Some(coroutine);
        None
    }

    /// The same, and what happens next.
    #[inline]
    pub(in crate::sim) fn suspended_then_next(
        &mut self,
        slot: u32,
        coroutine: Box<Coroutine>,
    ) -> Result<Next, Box<Coroutine>> {
        match self.suspended(slot, coroutine) {
            Some(stuck) => Err(stuck),
            None => Ok(self.next()),
        }
    }

    /// Forgets a task whose function has returned, or whose stack is to be leaked.
    pub(in crate::sim) fn finished(&mut self, slot: u32) {
        self.tasks.stop();
        let task = self.tasks.remove(slot);
        self.nodes.task_gone(task.node);
        if task.stuck {
            self.panicking_lies |= std::thread::panicking();
            let node = self.nodes.name(task.node);
            self.leaked.push(format!(
                "task #{} {node}/{} resisted being killed; its stack was leaked (spawned at {})",
                task.number, task.name, task.spawned
            ));
        }
        for joiner in task.joiners {
            self.wake(joiner);
        }
        if task.number == 0 && !self.root_done {
            self.fail(FailureKind::RootKilled, "the node of the root task was crashed".into());
        }
    }

    // ---- killing -------------------------------------------------------------------------------

    /// Marks the tasks of `node` (or all, at the end of a run) as dying and returns them in the
    /// order in which to kill them: holders of locks first, since others may need those locks to
    /// unwind. None of them is ready any more.
    pub(in crate::sim) fn mark_killed(&mut self, node: Option<u32>) -> Vec<u32> {
        let mut holders = Vec::new();
        let mut others = Vec::new();
        for (slot, task) in self.tasks.iter_mut() {
            if node.is_none_or(|node| task.node == node) && task.coroutine.is_some() {
                task.dying = true;
                // Not blocked and not in the ready list: only its killer resumes it.
                task.state = State::Running;
                let list = if task.held.is_empty() { &mut others } else { &mut holders };
                list.push(slot);
            }
        }
        let tasks = &self.tasks;
        let lives = |slot: u32| tasks.get(slot).is_some_and(|task| !task.dying);
        self.ready.retain(|&slot| lives(slot));
        self.nodes.retain_parked(lives);
        holders.append(&mut others);
        holders
    }

    /// Makes a task that was marked as dying the running one, if it is still there.
    pub(in crate::sim) fn start_killed(&mut self, slot: u32) -> Option<Box<Coroutine>> {
        let task = self.tasks.get(slot).filter(|task| task.dying)?;
        self.trace.push(Event::Kill(task.number));
        Some(self.start(slot))
    }

    pub(in crate::sim) fn dying_at_birth(&mut self) -> bool {
        self.tasks.running_task().is_some_and(|task| task.dying)
    }

    // ---- the watchdog --------------------------------------------------------------------------

    /// Called wherever a task could wait. Returns whether the run was stopped from outside: then
    /// the running task must unwind.
    #[inline]
    pub(in crate::sim) fn passes(&mut self, at: Line) -> bool {
        self.progress.is_watched() && self.count_line(at)
    }

    #[cold]
    fn count_line(&mut self, at: Line) -> bool {
        *self.lines.entry(at).or_default() += 1;
        let stopped = self.progress.is_stopped();
        if stopped {
            self.fail_as_told();
        }
        stopped
    }
}
