//! The state of one simulation: its tasks, timers, clock, random streams and trace.
//!
//! It lives in a thread-local of the one OS thread the simulation runs on and is only ever borrowed for a moment. The rule
//! that keeps this sound: **no code of a user runs while the world is borrowed**, destructors included. Functions here
//! therefore return what must be dropped or called, and the caller does it after the borrow.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, SeedableRng};

use super::Config;
use super::coroutine::Coroutine;
use super::failure::{Failure, FailureKind, TaskReport};
use super::trace::{Event, Trace};
use super::watchdog::Progress;
use crate::timers::Timers;

/// A source line, for reports.
pub(crate) type Place = &'static Location<'static>;

/// What code this OS thread is running.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Context {
    /// No simulation: the threads back end.
    Threads,
    /// The scheduler of a simulation, or a timer callback it runs.
    Scheduler,
    /// A simulated task.
    Task,
}

thread_local! {
    static CONTEXT: Cell<Context> = const { Cell::new(Context::Threads) };
    /// Without a destructor, so that an access need not look whether one is registered: `simulate` takes the world out itself.
    static WORLD: ManuallyDrop<RefCell<Option<Box<World>>>> =
        const { ManuallyDrop::new(RefCell::new(None)) };
}

/// Which back end the calling code runs on, and as what.
#[inline]
pub(crate) fn context() -> Context {
    CONTEXT.with(Cell::get)
}

pub(super) fn set_context(context: Context) {
    CONTEXT.with(|cell| cell.set(context));
}

/// Borrows the world of this OS thread. `f` must not call code of a user.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with(|cell| {
        f(cell.borrow_mut().as_mut().expect("the simulation of this thread has ended"))
    })
}

/// Like [`with`], when there may be no world or it may be borrowed (panic hooks, signal handlers). Says whether `f` was called.
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

/// A task that waits for something, at one particular wait: it goes stale as soon as that wait ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Waiter {
    slot: u32,
    epoch: u64,
}

/// What a blocked task waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    Lock { address: usize, created: Place },
    Condvar,
    Receive,
    Send,
    Select,
    Answer,
    Join { task: u64 },
    Sleep,
}

/// A lock that a task holds.
#[derive(Clone, Copy)]
struct Held {
    address: usize,
    created: Place,
    taken: Place,
}

#[derive(Clone, Copy)]
enum State {
    Runnable,
    Running,
    Blocked { wait: Wait, since: u64, at: Place },
}

struct Task {
    number: u64,
    name: &'static str,
    node: u32,
    /// The node of the tasks it spawns: its own, except inside `Node::enter`.
    spawn_node: u32,
    spawned: Place,
    state: State,
    /// `None` while the task runs. Boxed, since it changes hands twice a switch, and copying it costs more than the switch.
    coroutine: Option<Box<Coroutine>>,
    /// Number of its present wait; a [`Waiter`] with another one is stale.
    epoch: u64,
    timed_out: bool,
    dying: bool,
    /// It has panicked (and perhaps caught that).
    panicked: bool,
    /// How often the kill was raised in it: more than once when the code swallows unwinding.
    kills: u32,
    /// Blocking calls it made while unwinding; they all return at once.
    refused: u32,
    /// Set when it cannot go on and cannot end either: its stack is to be leaked.
    stuck: bool,
    held: Vec<Held>,
    joiners: Vec<Waiter>,
    /// Switches to it since `recent_mark`, the value of `World::time_moves` then.
    recent: u64,
    recent_mark: u64,
}

pub(super) struct NodeState {
    pub(super) name: Arc<str>,
    pub(super) crashed: bool,
    pub(super) live: usize,
    /// Switch points left until it is crashed; 0 when it is not to be.
    crash_in: u64,
    /// `None` as long as it shows the world's time.
    clock: Option<Clock>,
}

/// A node's own clock: it went right until `set`, and from there on at a rate of its own.
#[derive(Clone, Copy)]
struct Clock {
    /// Virtual time when the rate was set.
    set: u64,
    /// What the clock showed then.
    showed: u64,
    rate: u32,
}

impl Clock {
    /// What it shows at this virtual time.
    fn shows(&self, now: u64) -> u64 {
        let passed = u128::from(now.saturating_sub(self.set)) * u128::from(self.rate) / 100;
        self.showed.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// The first virtual time at which it shows this.
    fn when(&self, shown: u64) -> u64 {
        let wait = u128::from(shown.saturating_sub(self.showed)) * 100;
        let wait = wait.div_ceil(u128::from(self.rate));
        self.set.saturating_add(u64::try_from(wait).unwrap_or(u64::MAX))
    }
}

pub(super) type Callback = Box<dyn FnOnce() + Send>;

/// A value that belongs to the whole simulation.
pub(super) type Local = Arc<dyn Any + Send + Sync>;

/// What the scheduler does next.
pub(super) enum Next {
    Run(u32, Box<Coroutine>),
    Call(Callback),
    /// Unwind the tasks of this crashed node.
    Bury(u32),
    /// The root task returned, or a failure was recorded.
    Stop,
}

pub(crate) struct World {
    config: Config,
    /// `Config::time_limit` in nanoseconds.
    time_limit: u64,
    now: u64,
    tasks: Vec<Option<Task>>,
    free: Vec<u32>,
    runnable: Vec<u32>,
    /// How many timers there were.
    timers: u64,
    /// When waits end at the latest. Most end sooner, so nearly all of these are stale: they are kept apart, because callbacks would
    /// have to find their places among them.
    deadlines: Timers<u64, Waiter>,
    /// When which of `callbacks` is due.
    calls: Timers<u64, u32>,
    callbacks: Vec<Option<Callback>>,
    free_callbacks: Vec<u32>,
    next_task: u64,
    epochs: u64,
    scheduling: Xoshiro256PlusPlus,
    drawing: Xoshiro256PlusPlus,
    pub(super) trace: Trace,
    pub(super) nodes: Vec<NodeState>,
    crashed: Vec<u32>,
    /// Nodes to be crashed at a switch point that is to come.
    armed: u32,
    /// Whether any node has a clock of its own.
    skewed: bool,
    running: Option<u32>,
    /// The node of tasks that a timer callback spawns: `test`, except inside `Node::enter`.
    callback_node: u32,
    pub(super) switches: u64,
    switches_here: u64,
    time_moves: u64,
    pub(super) root_done: bool,
    /// No new task is started any more.
    pub(super) ending: bool,
    pub(super) failure: Option<Failure>,
    pub(super) leaked: Vec<String>,
    /// In order of making, so that they are dropped in an order that no build changes.
    locals: Vec<(TypeId, Local)>,
    progress: Arc<Progress>,
    /// A task was leaked in mid-unwinding: `thread::panicking` no longer tells anything on this OS thread.
    panicking_lies: bool,
}

impl World {
    pub(super) fn new(config: Config, progress: Arc<Progress>) -> World {
        let mut seeds = Xoshiro256PlusPlus::seed_from_u64(config.seed);
        let trace = Trace::new(config.seed, config.record);
        World {
            scheduling: Xoshiro256PlusPlus::from_rng(&mut seeds),
            drawing: Xoshiro256PlusPlus::from_rng(&mut seeds),
            trace,
            time_limit: u64::try_from(config.time_limit.as_nanos()).unwrap_or(u64::MAX),
            config,
            now: 0,
            tasks: Vec::new(),
            free: Vec::new(),
            runnable: Vec::new(),
            timers: 0,
            deadlines: Timers::new(),
            calls: Timers::new(),
            callbacks: Vec::new(),
            free_callbacks: Vec::new(),
            next_task: 0,
            epochs: 0,
            nodes: Vec::new(),
            crashed: Vec::new(),
            armed: 0,
            skewed: false,
            running: None,
            callback_node: 0,
            switches: 0,
            switches_here: 0,
            time_moves: 0,
            root_done: false,
            ending: false,
            failure: None,
            leaked: Vec::new(),
            locals: Vec::new(),
            progress,
            panicking_lies: false,
        }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.config.seed
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Node and name of the running task, for reports.
    pub(super) fn running_names(&self) -> (&str, &'static str) {
        match self.running.and_then(|slot| self.tasks[slot as usize].as_ref()) {
            Some(task) => (&self.nodes[task.node as usize].name, task.name),
            None => ("-", "scheduler"),
        }
    }

    fn running_number(&self) -> u64 {
        self.running
            .and_then(|slot| self.tasks[slot as usize].as_ref())
            .map_or(0, |task| task.number)
    }

    pub(super) fn describe_running(&self) -> Option<String> {
        self.running.map(|slot| self.describe(slot))
    }

    fn describe(&self, slot: u32) -> String {
        let task = self.task(slot);
        format!("task #{} {}/{}", task.number, self.nodes[task.node as usize].name, task.name)
    }

    #[inline]
    fn task(&self, slot: u32) -> &Task {
        self.tasks[slot as usize].as_ref().expect("a slot in use")
    }

    #[inline]
    fn task_mut(&mut self, slot: u32) -> &mut Task {
        self.tasks[slot as usize].as_mut().expect("a slot in use")
    }

    #[inline]
    fn current(&mut self) -> &mut Task {
        let slot = self.running.expect("a task is running");
        self.task_mut(slot)
    }

    // ---- nodes --------------------------------------------------------------------------------------------------------

    pub(crate) fn add_node(&mut self, name: Arc<str>) -> u32 {
        self.progress.node_added(&name);
        self.nodes.push(NodeState { name, crashed: false, live: 0, crash_in: 0, clock: None });
        (self.nodes.len() - 1) as u32
    }

    pub(crate) fn node_of_running(&self) -> u32 {
        self.running
            .and_then(|slot| self.tasks[slot as usize].as_ref())
            .map_or(self.callback_node, |task| task.spawn_node)
    }

    /// Sets the node of the tasks that the running task, or timer callback, spawns; returns the one it was.
    pub(crate) fn set_spawn_node(&mut self, node: u32) -> u32 {
        let spawn_node = match self.running {
            Some(slot) => &mut self.task_mut(slot).spawn_node,
            None => &mut self.callback_node,
        };
        std::mem::replace(spawn_node, node)
    }

    pub(crate) fn node_name(&self, node: u32) -> Arc<str> {
        Arc::clone(&self.nodes[node as usize].name)
    }

    pub(crate) fn is_crashed(&self, node: u32) -> bool {
        self.nodes[node as usize].crashed
    }

    pub(crate) fn live_tasks(&self, node: u32) -> usize {
        self.nodes[node as usize].live
    }

    /// Marks the node as crashed; the scheduler buries its tasks before anything else runs.
    pub(crate) fn crash(&mut self, node: u32) {
        if !self.nodes[node as usize].crashed {
            self.crash_at_switch_point(node, 0);
            self.nodes[node as usize].crashed = true;
            self.crashed.push(node);
        }
    }

    /// Has the node crashed at its `nth` coming switch point; 0 calls that off.
    pub(crate) fn crash_at_switch_point(&mut self, node: u32, nth: u64) {
        let node = &mut self.nodes[node as usize];
        let nth = if node.crashed { 0 } else { nth };
        let before = std::mem::replace(&mut node.crash_in, nth);
        self.armed = self.armed + u32::from(nth > 0) - u32::from(before > 0);
    }

    /// Counts a switch point of the running task. Says whether its node has just been crashed there.
    #[inline]
    pub(super) fn crashes_here(&mut self) -> bool {
        self.armed > 0 && self.count_switch_point()
    }

    #[cold]
    fn count_switch_point(&mut self) -> bool {
        let node = self.current().node;
        match self.nodes[node as usize].crash_in {
            0 => false,
            1 => {
                self.crash(node);
                true
            }
            left => {
                self.nodes[node as usize].crash_in = left - 1;
                false
            }
        }
    }

    // ---- clocks of nodes ----------------------------------------------------------------------------------------------

    /// From now on the node's clock goes at `rate` percent, on from what it shows.
    pub(crate) fn set_clock_rate(&mut self, node: u32, rate: u32) {
        let showed = self.shown_on(node);
        let clock = Clock { set: self.now, showed, rate };
        self.skewed = true;
        self.nodes[node as usize].clock = Some(clock);
    }

    /// What the clock of a node shows.
    fn shown_on(&self, node: u32) -> u64 {
        self.nodes[node as usize].clock.map_or(self.now, |clock| clock.shows(self.now))
    }

    /// The clock of the running task's node; the world's for timer callbacks.
    fn clock_here(&self) -> Option<Clock> {
        let task = self.tasks[self.running? as usize].as_ref()?;
        self.nodes[task.node as usize].clock
    }

    /// The time as the running code sees it.
    #[inline]
    pub(crate) fn local_now(&self) -> u64 {
        if !self.skewed {
            return self.now;
        }
        self.clock_here().map_or(self.now, |clock| clock.shows(self.now))
    }

    /// The virtual time at which the running code's clock shows `deadline`.
    fn global(&self, deadline: u64) -> u64 {
        if !self.skewed {
            return deadline;
        }
        self.clock_here().map_or(deadline, |clock| clock.when(deadline))
    }

    // ---- tasks --------------------------------------------------------------------------------------------------------

    /// Enters a new task, ready to run. The caller has made sure that [`accepts`](World::accepts) tasks for the node.
    pub(super) fn add_task(
        &mut self,
        node: u32,
        name: &'static str,
        spawned: Place,
        coroutine: Box<Coroutine>,
    ) -> (u32, u64) {
        let number = self.next_task;
        self.next_task += 1;
        self.nodes[node as usize].live += 1;
        let task = Task {
            number,
            name,
            node,
            spawn_node: node,
            spawned,
            state: State::Runnable,
            coroutine: Some(coroutine),
            epoch: 0,
            timed_out: false,
            dying: false,
            panicked: false,
            kills: 0,
            refused: 0,
            stuck: false,
            held: Vec::new(),
            joiners: Vec::new(),
            recent: 0,
            recent_mark: 0,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.tasks[slot as usize] = Some(task);
                slot
            }
            None => {
                self.tasks.push(Some(task));
                (self.tasks.len() - 1) as u32
            }
        };
        self.runnable.push(slot);
        self.progress.task_added(slot, number, node, name, spawned);
        (slot, number)
    }

    /// Whether a task spawned on `node` would ever run.
    pub(crate) fn accepts(&self, node: u32) -> bool {
        !self.ending && !self.nodes[node as usize].crashed
    }

    pub(crate) fn stack_size(&self) -> usize {
        self.config.stack_size
    }

    #[inline]
    pub(super) fn lock_yield(&self) -> u32 {
        self.config.lock_yield_one_in
    }

    /// Whether the task with this number, started in `slot`, is still there.
    pub(crate) fn is_live(&self, slot: u32, number: u64) -> bool {
        self.tasks
            .get(slot as usize)
            .and_then(Option::as_ref)
            .is_some_and(|task| task.number == number)
    }

    pub(crate) fn add_joiner(&mut self, slot: u32, waiter: Waiter) {
        self.task_mut(slot).joiners.push(waiter);
    }

    /// Whether the running task must end: it was killed, or is unwinding already.
    #[inline]
    pub(super) fn is_dying(&mut self) -> bool {
        self.current().dying
    }

    pub(super) fn dying_at_birth(&mut self) -> bool {
        self.running.is_some() && self.current().dying
    }

    /// Counts a blocking call of an unwinding task; says whether it has made too many.
    pub(super) fn refuse(&mut self) -> bool {
        let task = self.current();
        task.refused += 1;
        task.refused > 100_000
    }

    /// Counts a kill raised in the running task; says whether its code has swallowed too many.
    pub(super) fn count_kill(&mut self) -> bool {
        let task = self.current();
        task.kills += 1;
        task.kills > 100
    }

    pub(super) fn mark_stuck(&mut self) {
        self.current().stuck = true;
    }

    /// Whether `thread::panicking` can be believed.
    pub(super) fn panicking_lies(&self) -> bool {
        self.panicking_lies
    }

    /// Whether the running task has a reason to unwind: a kill was raised in it, or it panicked.
    pub(super) fn has_cause_to_unwind(&mut self) -> bool {
        let task = self.current();
        task.panicked || (task.dying && task.kills > 0)
    }

    /// Notes a panic of the running task, if it is a task that runs.
    pub(super) fn note_panic(&mut self) {
        if self.running.is_some() {
            self.current().panicked = true;
        }
    }

    // ---- waiting ------------------------------------------------------------------------------------------------------

    /// Begins a wait of the running task: whoever is given the waiter can end it.
    #[inline]
    pub(crate) fn prepare(&mut self) -> Waiter {
        self.epochs += 1;
        let epoch = self.epochs;
        let slot = self.running.expect("only a task can wait");
        let task = self.task_mut(slot);
        task.epoch = epoch;
        task.timed_out = false;
        Waiter { slot, epoch }
    }

    /// Puts the running task to sleep until its waiter is woken or virtual time reaches `deadline`.
    #[inline]
    pub(super) fn block(&mut self, waiter: Waiter, wait: Wait, at: Place, deadline: Option<u64>) {
        if let Some(deadline) = deadline {
            self.add_deadline(self.global(deadline), waiter);
        }
        self.crashes_here();
        let since = self.now;
        self.task_mut(waiter.slot).state = State::Blocked { wait, since, at };
    }

    /// Whether the wait that just ended was ended by its deadline.
    #[inline]
    pub(super) fn timed_out(&mut self) -> bool {
        self.current().timed_out
    }

    #[inline]
    fn is_waiting(&self, waiter: Waiter) -> bool {
        self.tasks[waiter.slot as usize].as_ref().is_some_and(|task| {
            task.epoch == waiter.epoch && matches!(task.state, State::Blocked { .. })
        })
    }

    /// Whether any of these waits right now.
    pub(crate) fn any_waiting(&self, waiters: &[Waiter]) -> bool {
        waiters.iter().any(|waiter| self.is_waiting(*waiter))
    }

    /// Ends the wait, if it is still on. Says whether it was.
    #[inline]
    pub(crate) fn wake(&mut self, waiter: Waiter) -> bool {
        if !self.is_waiting(waiter) {
            return false;
        }
        self.task_mut(waiter.slot).state = State::Runnable;
        self.runnable.push(waiter.slot);
        true
    }

    /// Wakes one of the waiters, chosen by the seed; stale ones are forgotten on the way.
    pub(crate) fn wake_one(&mut self, waiters: &mut Vec<Waiter>) -> bool {
        while !waiters.is_empty() {
            let index = self.choose(waiters.len());
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

    /// Makes the running task ready again, behind a switch to another.
    #[inline]
    pub(super) fn yield_running(&mut self) {
        let slot = self.running.expect("only a task can yield");
        self.task_mut(slot).state = State::Runnable;
        self.runnable.push(slot);
    }

    /// The same, unless the task is dying: then nothing happens, and `false` is returned.
    #[inline]
    pub(super) fn yield_living(&mut self) -> bool {
        let lives = !self.is_dying();
        if lives {
            self.crashes_here();
            self.yield_running();
        }
        lives
    }

    /// Whether a switch at a point where the task need not wait is drawn. Free when nobody else could run.
    #[inline]
    pub(super) fn draws_yield(&mut self, one_in: u32) -> bool {
        if self.runnable.is_empty() {
            return false;
        }
        self.choose(one_in as usize) == 0
    }

    /// A number below `count`, from the scheduler's stream.
    #[inline]
    pub(crate) fn choose(&mut self, count: usize) -> usize {
        if count <= 1 {
            return 0;
        }
        let high = self.scheduling.next_u64() >> 32;
        ((high * count as u64) >> 32) as usize
    }

    // ---- locks --------------------------------------------------------------------------------------------------------

    #[inline]
    pub(crate) fn took_lock(&mut self, address: usize, created: Place, taken: Place) {
        if self.running.is_some() {
            self.current().held.push(Held { address, created, taken });
        }
    }

    #[inline]
    pub(crate) fn released_lock(&mut self, address: usize) {
        if self.running.is_some() {
            let held = &mut self.current().held;
            if let Some(at) = held.iter().rposition(|lock| lock.address == address) {
                held.swap_remove(at);
            }
        }
    }

    fn holder(&self, address: usize) -> Option<u32> {
        let holds = |task: &Task| task.held.iter().any(|lock| lock.address == address);
        self.tasks.iter().position(|task| task.as_ref().is_some_and(holds)).map(|slot| slot as u32)
    }

    /// The tasks of a ring of lock waits that would close if the running task waited for `address`.
    pub(super) fn lock_ring(&self, address: usize) -> Option<Vec<u32>> {
        let start = self.running?;
        let mut ring = vec![start];
        let mut next = address;
        loop {
            let holder = self.holder(next)?;
            if holder == start {
                return Some(ring);
            }
            if ring.contains(&holder) {
                return None; // a ring, but not through us: whoever closed it has reported it
            }
            match self.task(holder).state {
                State::Blocked { wait: Wait::Lock { address, .. }, .. } => next = address,
                _ => return None,
            }
            ring.push(holder);
        }
    }

    // ---- timers -------------------------------------------------------------------------------------------------------

    /// The number of a new timer: of two that are due at once the older goes first.
    #[inline]
    fn number_timer(&mut self) -> u64 {
        self.timers += 1;
        self.timers - 1
    }

    #[inline]
    fn add_deadline(&mut self, at: u64, waiter: Waiter) {
        let order = self.number_timer();
        self.deadlines.add_as(order, at.max(self.now), waiter);
        // A deadline that was not needed stays in the heap; too many of them are thrown out together.
        if order % 8192 == 8191 && self.deadlines.len() > 1024 {
            let tasks = &self.tasks;
            self.deadlines.retain(|waiter| {
                tasks[waiter.slot as usize].as_ref().is_some_and(|task| task.epoch == waiter.epoch)
            });
        }
    }

    pub(crate) fn add_callback(&mut self, at: u64, callback: Callback) {
        let index = match self.free_callbacks.pop() {
            Some(index) => {
                self.callbacks[index as usize] = Some(callback);
                index
            }
            None => {
                self.callbacks.push(Some(callback));
                (self.callbacks.len() - 1) as u32
            }
        };
        let order = self.number_timer();
        self.calls.add_as(order, at.max(self.now), index);
    }

    /// When the next timer is due, and whether it is a deadline.
    #[inline]
    fn next_timer(&self) -> Option<(u64, bool)> {
        let deadline = self.deadlines.first().map(|timer| (timer.at, timer.order));
        let call = self.calls.first().map(|timer| (timer.at, timer.order));
        match (deadline, call) {
            (Some(deadline), Some(call)) if call < deadline => Some((call.0, false)),
            (Some((at, _)), _) => Some((at, true)),
            (None, call) => call.map(|(at, _)| (at, false)),
        }
    }

    /// Fires the timers that are due, up to and including the first callback, which is returned.
    #[inline]
    fn fire_due(&mut self) -> Option<Callback> {
        while let Some((at, is_deadline)) = self.next_timer()
            && at <= self.now
        {
            if is_deadline {
                let waiter = self.deadlines.take_first()?.target;
                if self.is_waiting(waiter) {
                    self.task_mut(waiter.slot).timed_out = true;
                    self.wake(waiter);
                }
            } else {
                let call = self.calls.take_first()?;
                self.trace.push(Event::Callback(call.order));
                self.free_callbacks.push(call.target);
                return self.callbacks[call.target as usize].take();
            }
        }
        None
    }

    /// Moves the clock to the next timer that still matters. Fails the run when there is none, or past the time limit.
    fn advance_clock(&mut self) {
        while let Some((at, is_deadline)) = self.next_timer() {
            if is_deadline
                && self.deadlines.first().is_some_and(|timer| !self.is_waiting(timer.target))
            {
                self.deadlines.take_first(); // it was not needed
                continue;
            }
            if at > self.time_limit {
                self.now = self.time_limit;
                let limit = self.config.time_limit.as_secs_f64();
                let text = format!("the run has not ended after {limit} s");
                self.fail(FailureKind::TimeLimit, text);
                return;
            }
            self.now = at;
            self.switches_here = 0;
            self.time_moves += 1;
            self.trace.push(Event::Clock(at));
            self.progress.clock_moved(at);
            return;
        }
        self.fail(FailureKind::Deadlock, "no task can run and no timer is pending".into());
    }

    // ---- scheduling ---------------------------------------------------------------------------------------------------

    /// Decides what happens next.
    pub(super) fn next(&mut self) -> Next {
        loop {
            if let Some(node) = self.crashed.pop() {
                return Next::Bury(node);
            }
            if self.root_done || self.failure.is_some() {
                return Next::Stop;
            }
            if self.switches_here > self.config.switches_at_once {
                self.report_livelock();
                continue;
            }
            if let Some(callback) = self.fire_due() {
                self.switches_here += 1; // one that adds the next without delay must not go on for ever
                self.progress.switched(u32::MAX);
                return Next::Call(callback);
            }
            if self.runnable.is_empty() {
                self.advance_clock();
                continue;
            }
            let choice = self.choose(self.runnable.len());
            let slot = self.runnable.swap_remove(choice);
            self.switches += 1;
            self.switches_here += 1;
            return Next::Run(slot, self.start(slot));
        }
    }

    /// Makes the task in `slot` the running one.
    #[inline]
    fn start(&mut self, slot: u32) -> Box<Coroutine> {
        self.running = Some(slot);
        let time_moves = self.time_moves;
        let task = self.tasks[slot as usize].as_mut().expect("a slot in use");
        if task.recent_mark != time_moves {
            task.recent_mark = time_moves;
            task.recent = 0;
        }
        task.recent += 1;
        task.state = State::Running;
        let number = task.number;
        let coroutine = task.coroutine.take().expect("a task runs once at a time");
        self.trace.push(Event::Switch(number));
        self.progress.switched(slot);
        coroutine
    }

    /// Takes the coroutine of a suspended task back. Returns it if it must be leaked instead.
    #[inline]
    pub(super) fn suspended(
        &mut self,
        slot: u32,
        coroutine: Box<Coroutine>,
    ) -> Option<Box<Coroutine>> {
        self.running = None;
        let task = self.task_mut(slot);
        if task.stuck {
            return Some(coroutine);
        }
        task.coroutine = Some(coroutine);
        None
    }

    /// The same, and what happens next.
    #[inline]
    pub(super) fn suspended_then_next(
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
    pub(super) fn finished(&mut self, slot: u32) {
        self.running = None;
        let task = self.tasks[slot as usize].take().expect("a slot in use");
        self.nodes[task.node as usize].live -= 1;
        self.free.push(slot);
        if task.stuck {
            self.panicking_lies |= std::thread::panicking();
            let node = &self.nodes[task.node as usize].name;
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

    /// The tasks to kill of `node` (or all, at the end of a run), in order: holders of locks first, since others may need
    /// those locks to unwind. All of them are marked as dying, and none is ready any more.
    pub(super) fn doom(&mut self, node: Option<u32>) -> Vec<u32> {
        let mut holders = Vec::new();
        let mut others = Vec::new();
        for (slot, task) in self.tasks.iter_mut().enumerate() {
            let Some(task) = task else { continue };
            if node.is_none_or(|node| task.node == node) && task.coroutine.is_some() {
                task.dying = true;
                // Not blocked and not in the ready list: nothing can wake it but its killer.
                task.state = State::Running;
                let list = if task.held.is_empty() { &mut others } else { &mut holders };
                list.push(slot as u32);
            }
        }
        let tasks = &self.tasks;
        self.runnable.retain(|&slot| tasks[slot as usize].as_ref().is_some_and(|task| !task.dying));
        holders.append(&mut others);
        holders
    }

    /// Makes a doomed task the running one, if it is still there.
    pub(super) fn start_doomed(&mut self, slot: u32) -> Option<Box<Coroutine>> {
        let task = self.tasks[slot as usize].as_ref().filter(|task| task.dying)?;
        self.trace.push(Event::Kill(task.number));
        Some(self.start(slot))
    }

    // ---- randomness, locals -------------------------------------------------------------------------------------------

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

    pub(super) fn take_locals(&mut self) -> Vec<(TypeId, Local)> {
        std::mem::take(&mut self.locals)
    }

    pub(super) fn take_callbacks(&mut self) -> Vec<Option<Callback>> {
        self.deadlines.clear();
        self.calls.clear();
        self.free_callbacks.clear();
        std::mem::take(&mut self.callbacks)
    }

    // ---- failures -----------------------------------------------------------------------------------------------------

    /// Records the first failure; the scheduler stops at its next step.
    pub(super) fn fail(&mut self, kind: FailureKind, message: String) {
        if self.failure.is_none() {
            let tasks = self.task_reports();
            self.failure = Some(self.new_failure(kind, message, tasks));
        }
    }

    pub(super) fn new_failure(
        &self,
        kind: FailureKind,
        message: String,
        tasks: Vec<TaskReport>,
    ) -> Failure {
        Failure {
            kind,
            seed: self.config.seed,
            at: Duration::from_nanos(self.now),
            task: self.describe_running(),
            node: self.running.map(|_| self.running_names().0.to_owned()),
            message,
            tasks,
        }
    }

    fn report_livelock(&mut self) {
        let mut tasks = self.task_reports();
        tasks.sort_by_key(|task| std::cmp::Reverse(task.recent_switches));
        tasks.truncate(5);
        let message = format!(
            "{} switches without virtual time moving; the hottest tasks:",
            self.config.switches_at_once
        );
        self.failure = Some(self.new_failure(FailureKind::Livelock, message, tasks));
    }

    pub(super) fn report_ring(&mut self, ring: &[u32], address: usize, created: Place, at: Place) {
        let now = self.now;
        let me = ring[0];
        self.task_mut(me).state =
            State::Blocked { wait: Wait::Lock { address, created }, since: now, at };
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

    fn task_reports(&self) -> Vec<TaskReport> {
        let live = |(slot, task): (usize, &Option<Task>)| task.as_ref().map(|_| slot as u32);
        self.tasks.iter().enumerate().filter_map(live).map(|slot| self.task_report(slot)).collect()
    }

    fn task_report(&self, slot: u32) -> TaskReport {
        let task = self.task(slot);
        let (waits_for, at, since) = match task.state {
            State::Runnable => ("ready to run".to_owned(), None, self.now),
            State::Running => ("running".to_owned(), None, self.now),
            State::Blocked { wait, since, at } => (self.describe_wait(wait), Some(at), since),
        };
        TaskReport {
            number: task.number,
            name: task.name,
            node: self.nodes[task.node as usize].name.to_string(),
            spawned: task.spawned,
            waits_for,
            at,
            since: Duration::from_nanos(since),
            holds: task.held.iter().map(|lock| (lock.created, lock.taken)).collect(),
            recent_switches: if task.recent_mark == self.time_moves { task.recent } else { 0 },
        }
    }

    fn describe_wait(&self, wait: Wait) -> String {
        match wait {
            Wait::Lock { address, created } => match self.holder(address) {
                Some(holder) => {
                    format!("waits for the lock of {created}, held by {}", self.describe(holder))
                }
                None => format!("waits for the lock of {created}"),
            },
            Wait::Condvar => "waits to be notified".into(),
            Wait::Receive => "waits to receive".into(),
            Wait::Send => "waits to send".into(),
            Wait::Select => "waits for one of several channels".into(),
            Wait::Answer => "waits for an answer".into(),
            Wait::Join { task } => format!("waits for task #{task} to end"),
            Wait::Sleep => "sleeps".into(),
        }
    }

    pub(crate) fn log_context(&self) -> (u64, Arc<str>, &'static str, u64) {
        let (_, name) = self.running_names();
        (self.now, self.node_name(self.node_of_running()), name, self.running_number())
    }
}
