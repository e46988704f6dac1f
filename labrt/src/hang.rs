//! Hangs on threads: a run that makes no progress is abandoned, with a report.
//!
//! On threads a hang cannot be proved, so three conditions count as one, each after a time that no
//! correct run needs:
//!
//! ```text
//!   a task waits for one lock               locks are held for moments
//!   no task begins or ends a wait,          nobody is left who could wake another
//!     and none computes or has a deadline
//!   the whole run                           whatever it is
//! ```
//! The stuck threads cannot be stopped. They are left behind with the locks they hold. A task
//! belongs to the run of the task that spawned it, so the threads that one run leaves behind do not
//! count as a hang of the next.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::node::Node;
use crate::sim::{self, Context, TaskReport};
use crate::threads::{Enter, Task, Waiting, now, survey};
use crate::wait::Wait;

/// The times after which a run counts as hanging.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// A wait for one lock. Default: 60 s.
    pub lock: Duration,
    /// Silence of all tasks. Default: 60 s.
    pub silence: Duration,
    /// The whole run.
    pub total: Duration,
}

impl Limits {
    /// The defaults, with this limit for the whole run.
    pub fn new(total: Duration) -> Limits {
        let minute = Duration::from_secs(60);
        Limits { lock: minute, silence: minute, total }
    }

    /// The same, with this limit for a lock and for silence.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Limits {
        self.lock = patience;
        self.silence = patience;
        self
    }
}

/// Why a run counts as one that hangs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum HangKind {
    /// Tasks wait for each other, or for something that nobody is left to do.
    Deadlock,
    /// The run took longer than it may.
    TimeLimit,
}

/// A run that got no further: why it is believed to, and what each task waited for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Hang {
    pub kind: HangKind,
    /// The observation, as text.
    pub reason: String,
    /// The tasks of the run, in order of spawning. Times are since the start of the process.
    pub tasks: Vec<TaskReport>,
}

impl std::error::Error for Hang {}

impl fmt::Display for Hang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            HangKind::Deadlock => "deadlock",
            HangKind::TimeLimit => "time limit",
        };
        write!(f, "{kind} at {:.3} s: {}", now().as_secs_f64(), self.reason)?;
        for task in &self.tasks {
            write!(f, "\n  {task}")?;
        }
        Ok(())
    }
}

/// The interval between two checks.
const GLANCE: Duration = Duration::from_millis(100);

/// Runs `body` in a task of its own and waits for it, but not for ever: a run that hangs is given
/// up.
///
/// In a simulation, which finds its hangs itself, `body` is just called.
///
/// # Errors
/// [`Hang`], with the stuck threads left behind.
///
/// # Panics
/// When `body` does; or when no thread can be started.
#[track_caller]
pub fn watched<T: Send + 'static>(
    limits: Limits,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Box<Hang>> {
    if sim::context() != Context::Threads {
        return Ok(body());
    }
    let done = Arc::new((Mutex::new(None), Condvar::new()));
    let tell = Arc::clone(&done);
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed) + 1;
    let enter = Enter::run(run);
    Node::current().spawn_detached("test", move || {
        let result = catch_unwind(AssertUnwindSafe(body));
        *tell.0.lock() = Some(result);
        tell.1.notify_all();
    });
    drop(enter);
    let mut watch = Watch::new(limits, run);
    let mut result = done.0.lock();
    loop {
        if let Some(result) = result.take() {
            return Ok(result.unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done.1.wait_for(&mut result, GLANCE);
        if result.is_none()
            && let Some(hang) = watch.look()
        {
            return Err(Box::new(hang));
        }
    }
}

struct Watch {
    limits: Limits,
    run: u64,
    begin: Duration,
    /// When the number of steps was last seen to change, and what it was.
    moved: (Duration, u64),
}

impl Watch {
    fn new(limits: Limits, run: u64) -> Watch {
        let now = now();
        Watch { limits, run, begin: now, moved: (now, 0) }
    }

    fn look(&mut self) -> Option<Hang> {
        let (tasks, steps) = survey(self.run);
        let now = now();
        if steps != self.moved.1 {
            self.moved = (now, steps);
        }
        let (kind, reason) = self.judge(&tasks, now)?;
        let tasks = tasks.into_iter().map(|(task, waiting)| report(&task, waiting)).collect();
        Some(Hang { kind, reason, tasks })
    }

    fn judge(
        &self,
        tasks: &[(Task, Option<Waiting>)],
        now: Duration,
    ) -> Option<(HangKind, String)> {
        let for_lock = |waiting: &Waiting| {
            matches!(waiting.wait, Wait::Lock { .. })
                && now.saturating_sub(waiting.since) >= self.limits.lock
        };
        if let Some((task, _)) = tasks.iter().find(|(_, at)| at.as_ref().is_some_and(for_lock)) {
            let seconds = self.limits.lock.as_secs_f64();
            let reason = match ring(tasks, task.number) {
                Some(length) => format!("{length} tasks wait for each other's locks in a ring"),
                None => format!("task #{} has waited for a lock for {seconds} s", task.number),
            };
            return Some((HangKind::Deadlock, reason));
        }
        let may_go_on = |waiting: &Option<Waiting>| match waiting {
            None => true,
            Some(waiting) => waiting.deadline.is_some_and(|deadline| deadline >= now),
        };
        if now.saturating_sub(self.moved.0) >= self.limits.silence
            && !tasks.iter().any(|(_, waiting)| may_go_on(waiting))
        {
            let reason = format!(
                "no task has moved for {} s, and none can",
                self.limits.silence.as_secs_f64()
            );
            return Some((HangKind::Deadlock, reason));
        }
        (now.saturating_sub(self.begin) >= self.limits.total).then(|| {
            let seconds = self.limits.total.as_secs_f64();
            (HangKind::TimeLimit, format!("the run has not ended after {seconds} s"))
        })
    }
}

/// How many tasks wait in a ring for locks that the next one holds, if `from` is one of them or
/// waits for one of them.
fn ring(tasks: &[(Task, Option<Waiting>)], from: u64) -> Option<usize> {
    let mut seen = vec![from];
    loop {
        let last = *seen.last()?;
        let (_, waiting) = tasks.iter().find(|(task, _)| task.number == last)?;
        let Waiting { wait: Wait::Lock { .. }, holder, .. } = *waiting.as_ref()? else {
            return None;
        };
        if let Some(at) = seen.iter().position(|number| *number == holder) {
            return Some(seen.len() - at);
        }
        seen.push(holder);
    }
}

fn report(task: &Task, waiting: Option<Waiting>) -> TaskReport {
    TaskReport {
        number: task.number,
        name: task.name,
        node: task.node.to_string(),
        spawned: task.spawned,
        waits_for: match waiting {
            None => "running".to_owned(),
            Some(Waiting { wait, holder: 0, .. }) => wait.to_string(),
            Some(Waiting { wait, holder, .. }) => format!("{wait}, held by task #{holder}"),
        },
        at: waiting.map(|waiting| waiting.at),
        since: waiting.map_or(Duration::ZERO, |waiting| waiting.since),
        holds: Vec::new(),
        recent_switches: 0,
    }
}
