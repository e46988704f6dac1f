//! How a thread outside a simulation sees whether it still moves.
//!
//! A task that computes for ever, or blocks the one OS thread with a lock that is not ours, cannot be noticed from inside.
//! The thread that called [`run`](super::run) therefore waits with one eye on the count of switches, and gives the run
//! up when it stands still for too long. The stuck OS thread cannot be stopped; it is left behind.

use std::panic::Location;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

/// Shared between a simulation and whoever watches it.
pub(super) struct Progress {
    /// Changes whenever a task or a callback gets the processor.
    pulse: AtomicU64,
    /// Virtual time.
    now: AtomicU64,
    running: AtomicU32,
    /// Number, node, name and birthplace of the task in each slot.
    tasks: Mutex<Vec<Known>>,
    nodes: Mutex<Vec<String>>,
}

#[derive(Clone, Copy)]
struct Known {
    number: u64,
    node: u32,
    name: &'static str,
    spawned: &'static Location<'static>,
}

impl Progress {
    pub(super) fn new() -> Progress {
        Progress {
            pulse: AtomicU64::new(0),
            now: AtomicU64::new(0),
            running: AtomicU32::new(u32::MAX),
            tasks: Mutex::new(Vec::new()),
            nodes: Mutex::new(Vec::new()),
        }
    }

    #[inline]
    pub(super) fn switched(&self, slot: u32) {
        self.running.store(slot, Ordering::Relaxed);
        // Only one thread writes, so this need not be one (slower) atomic operation.
        self.pulse.store(self.pulse.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(super) fn clock_moved(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
    }

    /// Virtual time, for a report.
    pub(super) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    pub(super) fn node_added(&self, name: &str) {
        self.nodes.lock().push(name.to_owned());
    }

    #[inline]
    pub(super) fn task_added(
        &self,
        slot: u32,
        number: u64,
        node: u32,
        name: &'static str,
        spawned: &'static Location<'static>,
    ) {
        let known = Known { number, node, name, spawned };
        let mut tasks = self.tasks.lock();
        if slot as usize == tasks.len() {
            tasks.push(known);
        } else {
            tasks[slot as usize] = known;
        }
    }

    /// A number that changes whenever a task or a callback gets the processor.
    pub(super) fn pulse(&self) -> u64 {
        self.pulse.load(Ordering::Relaxed)
    }

    /// The task that has the processor, for a report.
    /// The running task, in words, and its node.
    pub(super) fn running(&self) -> (Option<String>, Option<String>) {
        let slot = self.running.load(Ordering::Relaxed);
        match self.tasks.lock().get(slot as usize) {
            None => (Some("a timer callback".into()), None),
            Some(task) => {
                let node = self.nodes.lock().get(task.node as usize).cloned();
                let name = node.as_deref().unwrap_or("-");
                let Known { number, name: task, spawned, .. } = task;
                (Some(format!("task #{number} {name}/{task} (spawned at {spawned})")), node)
            }
        }
    }
}
