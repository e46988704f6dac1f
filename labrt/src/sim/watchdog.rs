//! How a run is watched from outside its OS thread.
//!
//! A task that computes for ever, or blocks the one OS thread, cannot be noticed from inside. The
//! thread that called [`run`](super::run) therefore wakes now and then, and compares what the
//! simulation has done since with the CPU time of its thread.
//!
//! ```text
//!   half of a limit is used up     the simulation begins to count source lines
//!   a limit is used up             it is asked to stop: its next switch point fails the run
//!   it does not answer             the run is given up; its OS thread is left behind
//! ```
//!
//! The same request to stop reports a thread of another run, or of none, that used an object of
//! the simulation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::config::Config;
use super::failure::FailureKind;
use crate::line::Line;
use crate::threads::ThreadTimes;

/// Shared between a simulation and the thread that watches it.
pub(super) struct Progress {
    /// Changes whenever a task or a callback gets the processor.
    pulse: AtomicU64,
    /// Virtual time in nanoseconds.
    now: AtomicU64,
    /// Slot of the running task.
    running: AtomicU32,
    /// What the simulation is asked to do: one of the constants below.
    request: AtomicU8,
    /// Why it is asked to stop.
    reason: Mutex<Option<(FailureKind, String)>>,
    /// The known tasks, by slot.
    tasks: Mutex<Vec<Known>>,
    nodes: Mutex<Vec<String>>,
    times: Mutex<Option<ThreadTimes>>,
}

const GO_ON: u8 = 0;
const COUNT_LINES: u8 = 1;
const STOP: u8 = 2;

#[derive(Clone, Copy)]
struct Known {
    number: u64,
    node: u32,
    name: &'static str,
    spawned: Line,
}

impl Progress {
    pub(super) fn new() -> Progress {
        Progress {
            pulse: AtomicU64::new(0),
            now: AtomicU64::new(0),
            running: AtomicU32::new(u32::MAX),
            request: AtomicU8::new(GO_ON),
            reason: Mutex::new(None),
            tasks: Mutex::new(Vec::new()),
            nodes: Mutex::new(Vec::new()),
            times: Mutex::new(None),
        }
    }

    // ---- called by the simulation --------------------------------------------------------------

    /// Notes which OS thread the simulation runs on: the calling one.
    pub(super) fn runs_here(&self) {
        *self.times.lock() = ThreadTimes::of_this_thread();
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
        spawned: Line,
    ) {
        let known = Known { number, node, name, spawned };
        let mut tasks = self.tasks.lock();
        if slot as usize == tasks.len() {
            tasks.push(known);
        } else {
            tasks[slot as usize] = known;
        }
    }

    /// Whether the simulation is to count source lines.
    #[inline]
    pub(super) fn is_watched(&self) -> bool {
        self.request.load(Ordering::Relaxed) != GO_ON
    }

    /// Whether the simulation is to stop.
    #[inline]
    pub(super) fn is_stopped(&self) -> bool {
        self.request.load(Ordering::Acquire) == STOP
    }

    /// Why it is to stop.
    pub(super) fn reason(&self) -> Option<(FailureKind, String)> {
        self.reason.lock().clone()
    }

    // ---- called from outside -------------------------------------------------------------------

    /// Asks the simulation to fail. The first reason counts.
    pub(super) fn stop(&self, kind: FailureKind, message: String) {
        self.reason.lock().get_or_insert((kind, message));
        self.request.store(STOP, Ordering::Release);
    }

    fn count_lines(&self, on: bool) {
        let (from, to) = if on { (GO_ON, COUNT_LINES) } else { (COUNT_LINES, GO_ON) };
        let _ = self.request.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Virtual time in nanoseconds.
    pub(super) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// The task that has the processor, in words, and its node.
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

// ---- foreign threads ---------------------------------------------------------------------------

/// The simulations of this process that have not ended, by number.
static LIVE: Mutex<BTreeMap<u64, Arc<Progress>>> = Mutex::new(BTreeMap::new());

/// Makes a run known under its number until dropped.
pub(super) struct Live(u64);

impl Live {
    pub(super) fn new(progress: Arc<Progress>) -> Live {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed) + 1;
        LIVE.lock().insert(run, progress);
        Live(run)
    }

    pub(super) fn run(&self) -> u64 {
        self.0
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        LIVE.lock().remove(&self.0);
    }
}

/// Fails the run with this number because a thread that does not belong to it has used `object` of
/// it at `line`. Does nothing when the run has ended: what it left may be used and dropped.
#[cold]
pub(crate) fn foreign_use(run: u64, object: &'static str, line: Line) {
    let Some(progress) = LIVE.lock().get(&run).map(Arc::clone) else { return };
    let message = format!(
        "a thread that does not belong to this run used a {object} of it at {line}: inside a \
         simulation, tasks must be started with labrt::spawn, not as OS threads"
    );
    progress.stop(FailureKind::ForeignThread, message);
}

// ---- limits ------------------------------------------------------------------------------------

/// While the thread sleeps all the time, this multiple of a runaway's limit counts in wall clock.
const ASLEEP: u32 = 3;
/// In any case, this multiple of a runaway's limit counts in wall clock.
const RUNAWAY_WALL: u32 = 30;
/// The same for a standstill.
const STANDSTILL_WALL: u32 = 10;

/// What the simulation did between two moments at which something changed.
struct Spell {
    /// The value that has not changed since.
    value: u64,
    /// CPU time of the thread at the first look at it; `None` where it cannot be measured.
    cpu_then: Option<Duration>,
    cpu: Duration,
    wall: Duration,
    looks: u32,
    /// Looks at which the thread slept.
    asleep: u32,
}

impl Spell {
    fn new() -> Spell {
        Spell {
            value: 0,
            cpu_then: None,
            cpu: Duration::ZERO,
            wall: Duration::ZERO,
            looks: 0,
            asleep: 0,
        }
    }

    fn look(&mut self, value: u64, times: Option<(Duration, bool)>, step: Duration) {
        let (cpu, asleep) = match times {
            Some((cpu, asleep)) => (Some(cpu), asleep),
            None => (None, false),
        };
        if value != self.value || self.cpu_then.is_some() != cpu.is_some() {
            *self = Spell { value, cpu_then: cpu, ..Spell::new() };
            return;
        }
        self.wall += step;
        self.looks += 1;
        self.asleep += u32::from(asleep);
        if let (Some(cpu), Some(then)) = (cpu, self.cpu_then) {
            self.cpu = cpu.saturating_sub(then);
        }
    }

    /// Whether the thread slept at nine looks in ten.
    fn sleeps(&self) -> bool {
        self.asleep >= self.looks - self.looks / 10
    }

    /// Which of the limits is reached, in words.
    fn exceeds(&self, cpu: Duration, asleep: Duration, wall: Duration) -> Option<String> {
        if self.cpu >= cpu {
            return Some(format!("{cpu:?} of CPU time"));
        }
        if self.sleeps() && self.wall >= asleep {
            return Some(format!(
                "{asleep:?}, in which its OS thread slept (a real sleep, a lock that is not \
                 labrt's, or blocking I/O)"
            ));
        }
        (self.wall >= wall).then(|| format!("{wall:?} of wall-clock time"))
    }
}

/// Watches one run.
pub(super) struct Watch<'a> {
    config: &'a Config,
    progress: &'a Progress,
    /// Since the last switch.
    task: Spell,
    /// Since virtual time last moved.
    instant: Spell,
    /// How long the simulation has been asked to stop.
    stopping: Option<Duration>,
}

impl Watch<'_> {
    pub(super) fn new<'a>(config: &'a Config, progress: &'a Progress) -> Watch<'a> {
        Watch { config, progress, task: Spell::new(), instant: Spell::new(), stopping: None }
    }

    /// Time between two looks.
    pub(super) fn step(&self) -> Duration {
        (self.config.runaway.min(self.config.standstill) / 8).max(Duration::from_millis(1))
    }

    /// Looks at the simulation, one step after the last look. Returns whether it must be given up.
    pub(super) fn look(&mut self) -> bool {
        let step = self.step();
        if let Some(waited) = &mut self.stopping {
            *waited += step;
            return *waited >= self.config.runaway / 2;
        }
        let times = self.progress.times.lock().as_ref().and_then(ThreadTimes::read);
        self.task.look(self.progress.pulse.load(Ordering::Relaxed), times, step);
        self.instant.look(self.progress.now(), times, step);

        let exceeded = |part: u32| {
            let runaway = self.config.runaway / part;
            let standstill = self.config.standstill / part;
            let task = self.task.exceeds(runaway, runaway * ASLEEP, runaway * RUNAWAY_WALL);
            let task = task.map(|limit| {
                (FailureKind::Runaway, format!("a task has run without a switch for {limit}"))
            });
            task.or_else(|| {
                let wall = standstill * STANDSTILL_WALL;
                let instant = self.instant.exceeds(standstill, standstill, wall);
                instant.map(|limit| {
                    (FailureKind::Livelock, format!("virtual time has not moved for {limit}"))
                })
            })
        };
        match exceeded(1) {
            Some((kind, message)) => {
                self.progress.stop(kind, message);
                self.stopping = Some(Duration::ZERO);
            }
            None => self.progress.count_lines(exceeded(2).is_some()),
        }
        false
    }
}
