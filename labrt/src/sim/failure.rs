//! How a run can fail, and what the report of it says.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// Why a run was stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FailureKind {
    /// Nothing can run and no timer is pending, or tasks wait for each other's locks in a ring.
    Deadlock,
    /// Virtual time stood still: for [`Config::switches_at_once`](super::Config::switches_at_once)
    /// switches, or for [`Config::standstill`](super::Config::standstill).
    Livelock,
    /// A task kept the processor longer than [`Config::runaway`](super::Config::runaway).
    Runaway,
    /// A thread that does not belong to the run used one of its objects: a real OS thread, or the
    /// thread of another run.
    ForeignThread,
    /// A task panicked.
    TaskPanic,
    /// Virtual time passed [`Config::time_limit`](super::Config::time_limit).
    TimeLimit,
    /// A watched invariant was broken ([`breach`](super::breach)).
    Breach,
    /// The node of the root task was crashed.
    RootKilled,
    /// The run could not be started (for instance, inside another one).
    Setup,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailureKind::Deadlock => "deadlock",
            FailureKind::Livelock => "livelock",
            FailureKind::Runaway => "runaway",
            FailureKind::ForeignThread => "foreign thread",
            FailureKind::TaskPanic => "task panic",
            FailureKind::TimeLimit => "time limit",
            FailureKind::Breach => "invariant broken",
            FailureKind::RootKilled => "the root task was killed",
            FailureKind::Setup => "the run could not start",
        })
    }
}

/// One live task at the moment of a failure.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskReport {
    /// Number of the task, in order of spawning.
    pub number: u64,
    /// Its name, or the kind of task it is.
    pub name: &'static str,
    /// The node it belongs to.
    pub node: String,
    /// Where it was spawned.
    pub spawned: &'static Location<'static>,
    /// What it waits for, or that it is ready to run.
    pub waits_for: String,
    /// The line that waits, if it waits.
    pub at: Option<&'static Location<'static>>,
    /// Virtual time since when.
    pub since: Duration,
    /// The locks it holds: where each was created, and where it was taken.
    pub holds: Vec<(&'static Location<'static>, &'static Location<'static>)>,
    /// How often it got the processor since virtual time last moved.
    pub recent_switches: u64,
}

impl fmt::Display for TaskReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {}/{}: {}", self.number, self.node, self.name, self.waits_for)?;
        if let Some(at) = self.at {
            write!(f, " at {at}, since {:.6} s", self.since.as_secs_f64())?;
        }
        for (created, taken) in &self.holds {
            write!(f, "; holds the lock of {created}, taken at {taken}")?;
        }
        if self.recent_switches > 1 {
            write!(f, "; ran {} times since time last moved", self.recent_switches)?;
        }
        write!(f, " (spawned at {})", self.spawned)
    }
}

/// A run that was stopped: what happened, where, and how to see it again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// Which kind of failure.
    pub kind: FailureKind,
    /// The seed that gives this run again.
    pub seed: u64,
    /// Virtual time of the failure.
    pub at: Duration,
    /// Node and task that failed, where one did.
    pub task: Option<String>,
    /// The node that failed, where one did.
    pub node: Option<String>,
    /// What went wrong, in words.
    pub message: String,
    /// What failures of one cause have in common besides their kind: the name of the invariant, or
    /// the source line of the panic. `None` where the kind says it all.
    pub cause: Option<String>,
    /// The other tasks at that moment; those of a livelock with the hottest first.
    pub tasks: Vec<TaskReport>,
}

impl std::error::Error for Failure {}

/// More tasks than this are counted, not listed.
const LISTED: usize = 40;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:.6} s (seed {})", self.kind, self.at.as_secs_f64(), self.seed)?;
        if let Some(task) = &self.task {
            write!(f, " in {task}")?;
        }
        write!(f, ": {}", self.message)?;
        for task in self.tasks.iter().take(LISTED) {
            write!(f, "\n  {task}")?;
        }
        if self.tasks.len() > LISTED {
            write!(f, "\n  and {} more tasks", self.tasks.len() - LISTED)?;
        }
        Ok(())
    }
}
