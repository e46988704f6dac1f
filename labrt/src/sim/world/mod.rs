//! The state of one simulation.
//!
//! ```text
//!   World ── tasks.rs     tasks, their waits, the locks they hold
//!         ├─ nodes.rs     crashed and paused nodes, clocks
//!         ├─ timers.rs    deadlines and callbacks
//!         ├─ the random streams, the trace, run-local values
//!         └─ scheduling.rs  what happens next        failures.rs  reports
//! ```
//!
//! It lives in a thread-local of the one OS thread the simulation runs on and is only borrowed for
//! a moment. The rule that keeps this sound: **no code of a user runs while the world is
//! borrowed**, destructors included. Functions here therefore return what must be dropped or
//! called, and the caller does it after the borrow.

mod failures;
mod nodes;
mod scheduling;
mod tasks;
mod timers;

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, SeedableRng};

use super::config::Config;
use super::coroutine::Coroutine;
use super::failure::Failure;
use super::policy::{Random, ReadyTask, Scheduler, streams_of};
use super::trace::{Event, Trace};
use super::watchdog::Progress;
use crate::line::Line;
use crate::wait::Wait;
pub(super) use failures::describe_overflow;
use nodes::{Clock, Nodes};
pub(crate) use tasks::Waiter;
use tasks::{Held, State, Tasks};
pub(crate) use timers::Callback;
use timers::Timers;

thread_local! {
    /// Without a destructor, so that an access need not check whether one is registered:
    /// `run::simulate` takes the world out itself.
    static WORLD: ManuallyDrop<RefCell<Option<Box<World>>>> =
        const { ManuallyDrop::new(RefCell::new(None)) };
}

/// Borrows the world of this OS thread. `f` must not call code of a user.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with(|cell| {
        f(cell.borrow_mut().as_mut().expect("the simulation of this thread has ended"))
    })
}

/// Like [`with`], when there may be no world or it may be borrowed (panic hooks, signal handlers).
/// Returns whether `f` was called.
pub(super) fn try_with(f: impl FnOnce(&mut World)) -> bool {
    WORLD
        .try_with(|cell| match cell.try_borrow_mut() {
            Ok(mut world) => world.as_mut().map(|world| f(world)).is_some(),
            Err(_) => false,
        })
        .unwrap_or(false)
}

pub(super) fn install(world: Option<Box<World>>) -> Option<Box<World>> {
    WORLD.with(|cell| cell.replace(world))
}

/// A value that belongs to the whole simulation.
pub(super) type Local = Arc<dyn Any + Send + Sync>;

/// What the executor does next.
pub(super) enum Next {
    Run(u32, Box<Coroutine>),
    Call(Callback),
    /// Kill the tasks of this crashed node.
    Reap(u32),
    /// The root task returned, or a failure was recorded.
    Stop,
}

/// Makes the choices of the run.
enum Chooser {
    /// Apart from the others, because it needs no list of tasks.
    Random(Random),
    /// Any other scheduler, and the list it is shown.
    Other(Box<dyn Scheduler>, Vec<ReadyTask>),
}

pub(crate) struct World {
    config: Config,
    /// `Config::time_limit` in nanoseconds.
    time_limit: u64,
    now: u64,
    tasks: Tasks,
    /// The slots of the tasks that can run.
    ready: Vec<u32>,
    nodes: Nodes,
    timers: Timers,
    chooser: Chooser,
    drawing: Xoshiro256PlusPlus,
    pub(super) trace: Trace,
    /// The node of tasks that a timer callback spawns: `test`, except inside `Node::enter`.
    callback_node: u32,
    pub(super) switches: u64,
    /// Switches since virtual time last moved.
    switches_here: u64,
    pub(super) root_done: bool,
    /// No new task is started any more.
    pub(super) ending: bool,
    pub(super) failure: Option<Failure>,
    pub(super) leaked: Vec<String>,
    /// In order of making, so that they are dropped in an order that no build changes.
    locals: Vec<(TypeId, Local)>,
    progress: Arc<Progress>,
    /// How often each source line was reached while the watchdog asked for it.
    lines: BTreeMap<Line, u64>,
    /// A task was leaked in mid-unwinding: `thread::panicking` is true for the rest of the run.
    panicking_lies: bool,
}

impl World {
    pub(super) fn new(config: Config, progress: Arc<Progress>) -> World {
        let mut streams = streams_of(config.seed);
        let random = Random::of_run(&mut streams);
        let drawing = Xoshiro256PlusPlus::from_rng(&mut streams);
        let chooser = match config.policy.scheduler(config.seed) {
            None => Chooser::Random(random),
            Some(other) => Chooser::Other(other, Vec::new()),
        };
        World {
            chooser,
            drawing,
            trace: Trace::new(config.seed, config.record),
            time_limit: u64::try_from(config.time_limit.as_nanos()).unwrap_or(u64::MAX),
            config,
            now: 0,
            tasks: Tasks::new(),
            ready: Vec::new(),
            nodes: Nodes::new(),
            timers: Timers::new(),
            callback_node: 0,
            switches: 0,
            switches_here: 0,
            root_done: false,
            ending: false,
            failure: None,
            leaked: Vec::new(),
            locals: Vec::new(),
            progress,
            lines: BTreeMap::new(),
            panicking_lies: false,
        }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.config.seed
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    pub(crate) fn stack_size(&self) -> usize {
        self.config.stack_size
    }

    #[inline]
    pub(super) fn lock_yield(&self) -> u32 {
        self.config.lock_yield_one_in
    }

    /// Node and name of the running task, for reports.
    pub(super) fn running_names(&self) -> (&str, &'static str) {
        match self.tasks.running_task() {
            Some(task) => (self.nodes.name(task.node), task.name),
            None => ("-", "scheduler"),
        }
    }

    /// Virtual time, node, name and number of the running task, for log lines.
    pub(crate) fn log_context(&self) -> (u64, Arc<str>, &'static str, u64) {
        let (_, name) = self.running_names();
        let number = self.tasks.running_task().map_or(0, |task| task.number);
        (self.now, self.node_name(self.node_of_running()), name, number)
    }

    // ---- nodes ---------------------------------------------------------------------------------

    pub(crate) fn add_node(&mut self, name: Arc<str>) -> u32 {
        self.progress.node_added(&name);
        self.nodes.add(name)
    }

    pub(crate) fn node_of_running(&self) -> u32 {
        self.tasks.running_task().map_or(self.callback_node, |task| task.spawn_node)
    }

    /// Sets the node of the tasks that the running task, or timer callback, spawns. Returns the
    /// node it was.
    pub(crate) fn set_spawn_node(&mut self, node: u32) -> u32 {
        let spawn_node = match self.tasks.running() {
            Some(slot) => &mut self.tasks.task_mut(slot).spawn_node,
            None => &mut self.callback_node,
        };
        std::mem::replace(spawn_node, node)
    }

    pub(crate) fn node_name(&self, node: u32) -> Arc<str> {
        Arc::clone(self.nodes.name(node))
    }

    pub(crate) fn is_crashed(&self, node: u32) -> bool {
        self.nodes.is_crashed(node)
    }

    pub(crate) fn live_tasks(&self, node: u32) -> usize {
        self.nodes.live(node)
    }

    /// Marks the node as crashed; the executor kills its tasks before anything else runs.
    pub(crate) fn crash(&mut self, node: u32) {
        self.nodes.crash(node);
    }

    /// Has the node crashed at its `nth` coming switch point; 0 calls that off.
    pub(crate) fn crash_at_switch_point(&mut self, node: u32, nth: u64) {
        self.nodes.crash_at_switch_point(node, nth);
    }

    /// Counts a switch point of the running task. Returns whether its node has just been crashed
    /// there.
    #[inline]
    pub(super) fn crashes_here(&mut self) -> bool {
        self.nodes.armed() && {
            let node = self.tasks.current().node;
            self.nodes.count_switch_point(node)
        }
    }

    /// Pauses the node: none of its tasks runs until [`resume`](World::resume).
    pub(crate) fn pause(&mut self, node: u32) {
        self.nodes.pause(node);
        let (tasks, nodes) = (&self.tasks, &mut self.nodes);
        self.ready.retain(|&slot| tasks.task(slot).node != node || !nodes.park(node, slot));
    }

    pub(crate) fn resume(&mut self, node: u32) {
        let mut ready = self.nodes.resume(node);
        self.ready.append(&mut ready);
    }

    pub(crate) fn is_paused(&self, node: u32) -> bool {
        self.nodes.is_paused(node)
    }

    // ---- clocks --------------------------------------------------------------------------------

    /// From now on the node's clock goes at `rate` percent, on from what it shows.
    pub(crate) fn set_clock_rate(&mut self, node: u32, rate: u32) {
        self.nodes.set_clock_rate(node, rate, self.now);
    }

    /// Sets the node's clock forward by so many nanoseconds.
    pub(crate) fn jump_clock(&mut self, node: u32, by: u64) {
        self.nodes.jump_clock(node, by, self.now);
    }

    /// The clock of the running task's node; the world's for timer callbacks.
    fn clock_here(&self) -> Option<Clock> {
        self.nodes.clock(self.tasks.running_task()?.node)
    }

    /// The time as the running code sees it.
    #[inline]
    pub(crate) fn local_now(&self) -> u64 {
        if !self.nodes.skewed() {
            return self.now;
        }
        self.clock_here().map_or(self.now, |clock| clock.shows(self.now))
    }

    /// The virtual time at which the running code's clock shows `deadline`.
    fn global(&self, deadline: u64) -> u64 {
        if !self.nodes.skewed() {
            return deadline;
        }
        self.clock_here().map_or(deadline, |clock| clock.when(deadline))
    }

    // ---- tasks ---------------------------------------------------------------------------------

    /// Enters a new task, ready to run. The caller has made sure that the world
    /// [`accepts`](World::accepts) tasks for the node.
    pub(super) fn add_task(
        &mut self,
        node: u32,
        name: &'static str,
        spawned: Line,
        coroutine: Box<Coroutine>,
    ) -> (u32, u64) {
        let (slot, number) = self.tasks.add(node, name, spawned, coroutine);
        self.nodes.task_added(node);
        self.make_ready(slot);
        self.progress.task_added(slot, number, node, name, spawned);
        (slot, number)
    }

    /// Whether a task spawned on `node` would ever run.
    pub(crate) fn accepts(&self, node: u32) -> bool {
        !self.ending && !self.nodes.is_crashed(node)
    }

    /// Whether the task with this number, started in `slot`, is still there.
    pub(crate) fn is_live(&self, slot: u32, number: u64) -> bool {
        self.tasks.get(slot).is_some_and(|task| task.number == number)
    }

    pub(crate) fn add_joiner(&mut self, slot: u32, waiter: Waiter) {
        self.tasks.task_mut(slot).joiners.push(waiter);
    }

    /// Whether the running task must end: it was killed, or is unwinding already.
    #[inline]
    pub(super) fn is_dying(&mut self) -> bool {
        self.tasks.current().dying
    }

    /// Counts a blocking call of an unwinding task. Returns whether it has made too many.
    pub(super) fn refuse(&mut self) -> bool {
        let task = self.tasks.current();
        task.refused += 1;
        task.refused > 100_000
    }

    /// Counts a kill raised in the running task. Returns whether its code has swallowed too many.
    pub(super) fn count_kill(&mut self) -> bool {
        let task = self.tasks.current();
        task.kills += 1;
        task.kills > 100
    }

    pub(super) fn mark_stuck(&mut self) {
        self.tasks.current().stuck = true;
    }

    /// Whether the running task has a reason to unwind, given that `thread::panicking` is true.
    pub(super) fn really_unwinds(&mut self) -> bool {
        if !self.panicking_lies {
            return true;
        }
        let task = self.tasks.current();
        task.panicked || (task.dying && task.kills > 0)
    }

    /// Notes a panic of the running task, if a task runs.
    pub(super) fn note_panic(&mut self) {
        if self.tasks.running().is_some() {
            self.tasks.current().panicked = true;
        }
    }

    // ---- waiting -------------------------------------------------------------------------------

    /// Begins a wait of the running task: the waiter can be used to end it.
    #[inline]
    pub(crate) fn prepare(&mut self) -> Waiter {
        self.tasks.prepare()
    }

    /// Puts the running task to sleep until its waiter is woken or its clock shows `deadline`.
    #[inline]
    pub(super) fn block(&mut self, waiter: Waiter, wait: Wait, at: Line, deadline: Option<u64>) {
        if let Some(deadline) = deadline {
            let at = self.global(deadline).max(self.now);
            let tasks = &self.tasks;
            self.timers.add_deadline(at, waiter, |waiter| {
                tasks.get(waiter.slot).is_some_and(|task| task.epoch == waiter.epoch)
            });
        }
        self.crashes_here();
        let since = self.now;
        self.tasks.task_mut(waiter.slot).state = State::Blocked { wait, since, at };
    }

    /// Whether the wait that just ended was ended by its deadline.
    #[inline]
    pub(super) fn timed_out(&mut self) -> bool {
        self.tasks.current().timed_out
    }

    /// Whether any of these waits right now.
    pub(crate) fn any_waiting(&self, waiters: &[Waiter]) -> bool {
        waiters.iter().any(|waiter| self.tasks.is_waiting(*waiter))
    }

    /// Ends the wait, if it is still on. Returns whether it was.
    #[inline]
    pub(crate) fn wake(&mut self, waiter: Waiter) -> bool {
        let waits = self.tasks.is_waiting(waiter);
        if waits {
            self.make_ready(waiter.slot);
        }
        waits
    }

    /// Wakes one of the waiters, chosen by the seed; stale ones are forgotten on the way.
    pub(crate) fn wake_one(&mut self, waiters: &mut Vec<Waiter>) -> bool {
        while !waiters.is_empty() {
            let index = self.choose_waiter(waiters.len());
            let waiter = waiters.swap_remove(index);
            if self.wake(waiter) {
                return true;
            }
        }
        false
    }

    pub(crate) fn wake_all(&mut self, waiters: &mut Vec<Waiter>) {
        for waiter in waiters.drain(..) {
            self.wake(waiter);
        }
    }

    pub(crate) fn add_callback(&mut self, at: u64, callback: Callback) {
        self.timers.add_callback(at.max(self.now), callback);
    }

    // ---- locks ---------------------------------------------------------------------------------

    #[inline]
    pub(crate) fn took_lock(&mut self, address: usize, created: Line, taken: Line) {
        if self.tasks.running().is_some() {
            self.tasks.current().held.push(Held { address, created, taken });
        }
    }

    #[inline]
    pub(crate) fn released_lock(&mut self, address: usize) {
        if self.tasks.running().is_some() {
            let held = &mut self.tasks.current().held;
            if let Some(at) = held.iter().rposition(|lock| lock.address == address) {
                held.swap_remove(at);
            }
        }
    }

    // ---- randomness, run-local values ----------------------------------------------------------

    /// A number from the stream of the code under test.
    #[inline]
    pub(crate) fn draw(&mut self) -> u64 {
        let value = self.drawing.next_u64();
        self.trace.push(Event::Draw(value));
        value
    }

    pub(super) fn local(&self, key: TypeId) -> Option<Local> {
        self.locals.iter().find(|(other, _)| *other == key).map(|(_, value)| Arc::clone(value))
    }

    pub(super) fn set_local(&mut self, key: TypeId, value: Local) {
        self.locals.push((key, value));
    }

    /// The callbacks and run-local values, at the end of the run. The caller drops them.
    pub(super) fn take_rest(&mut self) -> (Vec<Callback>, Vec<(TypeId, Local)>) {
        (self.timers.take_callbacks(), std::mem::take(&mut self.locals))
    }
}
