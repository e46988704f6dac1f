//! Failures and what their reports say.

use std::fmt;
use std::time::Duration;

use super::{State, World, try_with};
use crate::line::Line;
use crate::sim::failure::{Failure, FailureKind, TaskReport};
use crate::wait::Wait;

impl World {
    /// Records the first failure; the executor stops at its next step.
    pub(in crate::sim) fn fail(&mut self, kind: FailureKind, message: String) {
        self.fail_because(kind, None, message);
    }

    /// The same, with its [cause](Failure::cause).
    pub(in crate::sim) fn fail_because(
        &mut self,
        kind: FailureKind,
        cause: Option<String>,
        message: String,
    ) {
        if self.failure.is_none() {
            let tasks = self.task_reports();
            self.failure = Some(Failure { cause, ..self.new_failure(kind, message, tasks) });
        }
    }

    pub(in crate::sim) fn new_failure(
        &self,
        kind: FailureKind,
        message: String,
        tasks: Vec<TaskReport>,
    ) -> Failure {
        Failure {
            kind,
            seed: self.config.seed,
            at: Duration::from_nanos(self.now),
            task: self.tasks.running().map(|slot| self.describe(slot)),
            node: self.tasks.running().map(|_| self.running_names().0.to_owned()),
            message,
            cause: None,
            tasks,
        }
    }

    fn describe(&self, slot: u32) -> String {
        let task = self.tasks.task(slot);
        format!("task #{} {}/{}", task.number, self.nodes.name(task.node), task.name)
    }

    /// The five tasks that ran most often since virtual time last moved.
    fn busiest_tasks(&self) -> Vec<TaskReport> {
        let mut tasks = self.task_reports();
        tasks.sort_by_key(|task| std::cmp::Reverse(task.recent_switches));
        tasks.truncate(5);
        tasks
    }

    pub(super) fn report_livelock(&mut self) {
        let message = format!(
            "{} switches without virtual time moving; the busiest tasks:",
            self.config.switches_at_once
        );
        let tasks = self.busiest_tasks();
        self.failure = Some(self.new_failure(FailureKind::Livelock, message, tasks));
    }

    /// Fails the run for the reason that was given from outside.
    #[cold]
    pub(super) fn fail_as_told(&mut self) {
        let Some((kind, mut message)) = self.progress.reason() else { return };
        if self.failure.is_some() {
            return;
        }
        let total: u64 = self.lines.values().sum();
        // The last of several equal ones, as `max_by_key` does; the order is that of the source.
        if let Some((line, count)) = self.lines.iter().max_by_key(|(_, count)| **count) {
            message.push_str(&format!(
                "; the busiest source line is {line} ({count} of the last {total} points where a \
                 task could wait)"
            ));
        }
        let tasks = self.busiest_tasks();
        self.failure = Some(self.new_failure(kind, message, tasks));
    }

    pub(in crate::sim) fn report_ring(
        &mut self,
        ring: &[u32],
        address: usize,
        created: Line,
        at: Line,
    ) {
        let since = self.now;
        let wait = Wait::Lock { address, created };
        self.tasks.task_mut(ring[0]).state = State::Blocked { wait, since, at };
        let message = if ring.len() == 1 {
            "a task waits for a lock that it holds itself".to_owned()
        } else {
            format!("{} tasks wait for each other's locks in a ring", ring.len())
        };
        let tasks = ring.iter().map(|&slot| self.task_report(slot)).collect();
        if self.failure.is_none() {
            self.failure = Some(self.new_failure(FailureKind::Deadlock, message, tasks));
        }
    }

    /// The tasks of a ring of lock waits that would close if the running task waited for `address`.
    pub(in crate::sim) fn lock_ring(&self, address: usize) -> Option<Vec<u32>> {
        self.tasks.lock_ring(address)
    }

    fn task_reports(&self) -> Vec<TaskReport> {
        self.tasks.iter().map(|(slot, _)| self.task_report(slot)).collect()
    }

    fn task_report(&self, slot: u32) -> TaskReport {
        let task = self.tasks.task(slot);
        let (mut waits_for, at, since) = match task.state {
            State::Ready => ("ready to run".to_owned(), None, self.now),
            State::Running => ("running".to_owned(), None, self.now),
            State::Blocked { wait, since, at } => (self.describe_wait(wait), Some(at), since),
        };
        if self.nodes.is_paused(task.node) {
            waits_for.push_str(", on a paused node");
        }
        TaskReport {
            number: task.number,
            name: task.name,
            node: self.nodes.name(task.node).to_string(),
            spawned: task.spawned,
            waits_for,
            at,
            since: Duration::from_nanos(since),
            holds: task.held.iter().map(|lock| (lock.created, lock.taken)).collect(),
            recent_switches: self.tasks.recent_switches(task),
        }
    }

    fn describe_wait(&self, wait: Wait) -> String {
        let holder = match wait {
            Wait::Lock { address, .. } => self.tasks.holder(address),
            _ => None,
        };
        match holder {
            Some(holder) => format!("{wait}, held by {}", self.describe(holder)),
            None => wait.to_string(),
        }
    }
}

/// Writes whose stack of `size` bytes overflowed. Runs in a signal handler, so it writes to `out`
/// only and allocates nothing.
pub(in crate::sim) fn describe_overflow(out: &mut dyn fmt::Write, size: usize) {
    let known = try_with(|world| {
        let (node, task) = world.running_names();
        let _ = writeln!(
            out,
            "stack overflow: task {task} of node {node} overflowed its {} KiB stack (seed {}, \
             virtual time {} ns)",
            world.stack_size() / 1024,
            world.seed(),
            world.now(),
        );
    });
    if !known {
        let _ = writeln!(
            out,
            "stack overflow: a simulated task overflowed its {} KiB stack",
            size / 1024
        );
    }
}
