//! The loop that runs a simulation, and the ways a task gives up the processor.
//!
//! How a task dies: the scheduler marks it as dying and resumes it; [`block`] then raises [`Killed`] in it with
//! `resume_unwind` (no panic hook runs), destructors run as the stack unwinds, and the bottom of the stack catches it.
//! While a task unwinds it must not suspend itself, because the count of panics is the OS thread's and would be seen by the
//! others: every blocking call checks [`may_block`] first and otherwise returns at once. A task that swallows the kill,
//! loops over blocking calls in a destructor, or needs a lock that somebody else holds, is given up: its stack is leaked
//! and it is named in the report.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, Location, PanicHookInfo};
use std::sync::{Arc, Once};
use std::time::Duration;

use parking_lot::Mutex;

use super::coroutine::{self, Coroutine, Outcome};
use super::failure::{Failure, FailureKind};
use super::watchdog::Progress;
use super::world::{self, Context, Next, Place, Wait, Waiter, World, context, with};
use super::{Config, Report, Run};

/// What unwinds a killed task.
struct Killed;

/// What unwinds a task that reported a broken invariant.
pub(super) struct Stopped;

/// Runs `body` as the root task of a simulation and returns when it returns or the run fails.
///
/// Tasks that are still there when the root task returns are killed. The calling thread only waits; the simulation has an
/// OS thread of its own, which is left behind if a task never gives the processor back ([`FailureKind::Runaway`]).
///
/// ```
/// use std::time::Duration;
/// use labrt::sim;
///
/// let run = sim::run(sim::Config::new(1), || {
///     labrt::sleep(Duration::from_secs(60));
///     labrt::now().as_nanos()
/// });
/// assert_eq!(run.result.unwrap(), 60_000_000_000);
/// ```
#[track_caller]
pub fn run<T: Send + 'static>(config: Config, body: impl FnOnce() -> T + Send + 'static) -> Run<T> {
    if context() != Context::Threads {
        return not_run(&config, "a simulation cannot be run inside another one");
    }
    let from = Location::caller();
    install_hook();
    coroutine::report_stack_overflows();
    let progress = Arc::new(Progress::new());
    let (done, outcome) = crossbeam_channel::bounded(1);
    let watched = Arc::clone(&progress);
    let thread_config = config.clone();
    let simulation = move || {
        let config = thread_config.clone();
        let whole = AssertUnwindSafe(move || simulate(thread_config, watched, from, body));
        let run = panic::catch_unwind(whole).unwrap_or_else(|payload| {
            not_run(&config, &format!("the simulator itself panicked: {}", take_panic(&*payload)))
        });
        let _ = done.send(run);
    };
    if let Err(error) = crate::threads::start_os_thread(format!("sim-{}", config.seed), simulation)
    {
        return not_run(&config, &format!("no thread for the simulation: {error}"));
    }
    let step = (config.runaway / 8).max(Duration::from_millis(1));
    let mut pulse = progress.pulse();
    let mut still = Duration::ZERO;
    loop {
        match outcome.recv_timeout(step) {
            Ok(run) => return run,
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => {
                return not_run(&config, "the simulation's thread ended without a result");
            }
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => {
                let now = progress.pulse();
                still = if now == pulse { still + step } else { Duration::ZERO };
                pulse = now;
                if still >= config.runaway {
                    return runaway(&config, &progress);
                }
            }
        }
    }
}

fn setup_failure(config: &Config, message: &str) -> Failure {
    Failure {
        kind: FailureKind::Setup,
        seed: config.seed,
        at: Duration::ZERO,
        task: None,
        node: None,
        message: message.to_owned(),
        tasks: Vec::new(),
    }
}

fn not_run<T>(config: &Config, message: &str) -> Run<T> {
    let report = Report { seed: config.seed, ..Report::default() };
    Run { result: Err(setup_failure(config, message)), report }
}

fn runaway<T>(config: &Config, progress: &Progress) -> Run<T> {
    let mut failure = setup_failure(
        config,
        &format!(
            "it has kept the processor for {:?} of wall clock: an endless loop, or a lock that is not labrt's held by \
             another task",
            config.runaway
        ),
    );
    failure.kind = FailureKind::Runaway;
    (failure.task, failure.node) = progress.running();
    failure.at = Duration::from_nanos(progress.now());
    let report = Report { seed: config.seed, virtual_time: failure.at, ..Report::default() };
    Run { result: Err(failure), report }
}

/// The life of one simulation, on its own OS thread.
fn simulate<T: Send + 'static>(
    config: Config,
    progress: Arc<Progress>,
    from: Place,
    body: impl FnOnce() -> T + Send + 'static,
) -> Run<T> {
    world::install(Some(Box::new(World::new(config, progress))));
    world::set_context(Context::Scheduler);
    let result: Arc<Mutex<Option<T>>> = Arc::default();
    let node = crate::node::Node::new("test");
    let slot = Arc::clone(&result);
    let root = move || {
        let value = body();
        *slot.lock() = Some(value);
        with(|world| world.root_done = true);
    };
    spawn_task(node.number(), "root", from, root);
    drop(node);
    drive();
    with(|world| world.ending = true);
    bury(None);
    // Callbacks and locals own what they were given, possibly more of their kind; dropping is all that is done with them.
    loop {
        let (callbacks, locals) = with(|world| (world.take_callbacks(), world.take_locals()));
        if callbacks.is_empty() && locals.is_empty() {
            break;
        }
        call(Box::new(move || drop((callbacks, locals))));
    }
    world::set_context(Context::Threads);
    let mut world = world::install(None).expect("the world is there until here");
    coroutine::return_stacks();
    let report = Report {
        seed: world.seed(),
        trace_hash: world.trace.hash(),
        virtual_time: Duration::from_nanos(world.now()),
        switches: world.switches,
        messages: world.trace.messages,
        leaked: std::mem::take(&mut world.leaked),
        events: world.trace.take_events(),
    };
    let failure = world.failure.take();
    let value = result.lock().take();
    let result = match (failure, value) {
        (Some(failure), _) => Err(failure),
        (None, Some(value)) => Ok(value),
        (None, None) => Err(setup_failure(&Config::new(report.seed), "the root task was lost")),
    };
    Run { result, report }
}

/// The scheduler loop: until the root task has returned or the run has failed.
fn drive() {
    let mut next = with(World::next);
    loop {
        next = match next {
            Next::Run(slot, mut coroutine) => match enter(&mut coroutine) {
                // The common case borrows the world once for both.
                Outcome::Suspended => {
                    match with(|world| world.suspended_then_next(slot, coroutine)) {
                        Ok(next) => next,
                        Err(stuck) => {
                            leak(slot, *stuck);
                            with(World::next)
                        }
                    }
                }
                Outcome::Finished => {
                    let next = with(|world| {
                        world.finished(slot);
                        world.next()
                    });
                    coroutine.recycle();
                    next
                }
            },
            Next::Call(callback) => {
                call(callback);
                with(World::next)
            }
            Next::Bury(node) => {
                bury(Some(node));
                with(World::next)
            }
            Next::Stop => return,
        }
    }
}

/// Lets a task run until it gives up the processor.
#[inline]
fn enter(coroutine: &mut Coroutine) -> Outcome {
    world::set_context(Context::Task);
    let outcome = coroutine.resume();
    world::set_context(Context::Scheduler);
    outcome
}

/// Forgets a task that can neither go on nor end.
#[cold]
fn leak(slot: u32, stuck: Coroutine) {
    with(|world| world.finished(slot));
    stuck.leak();
}

/// Lets a dying task run to its end.
fn resume(slot: u32, mut coroutine: Box<Coroutine>) {
    match enter(&mut coroutine) {
        Outcome::Suspended => {
            if let Some(stuck) = with(|world| world.suspended(slot, coroutine)) {
                leak(slot, *stuck);
            }
        }
        Outcome::Finished => {
            with(|world| world.finished(slot));
            coroutine.recycle();
        }
    }
}

/// Calls a timer callback: code of a user that runs on the scheduler's own stack.
fn call(callback: world::Callback) {
    let Err(payload) = panic::catch_unwind(AssertUnwindSafe(callback)) else { return };
    if !payload.is::<Stopped>() {
        let message = format!("in a timer callback: {}", take_panic(&*payload));
        with(|world| world.fail(FailureKind::TaskPanic, message));
    }
    drop_payload(payload);
}

/// The destructor of what a panic carried is code of a user as well.
fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(again) = panic::catch_unwind(AssertUnwindSafe(move || drop(payload))) {
        std::mem::forget(again);
    }
}

/// Kills all tasks of `node`, or all there are.
fn bury(node: Option<u32>) {
    for slot in with(|world| world.doom(node)) {
        if let Some(coroutine) = with(|world| world.start_doomed(slot)) {
            resume(slot, coroutine);
        }
    }
}

// ---- spawning ---------------------------------------------------------------------------------------------------------

/// Starts a task; returns its slot and number, or `None` if it will never run (its node has crashed, or the run ends).
pub(crate) fn spawn_task(
    node: u32,
    name: &'static str,
    spawned: Place,
    body: impl FnOnce() + Send + 'static,
) -> Option<(u32, u64)> {
    let stack_size = with(|world| world.accepts(node).then(|| world.stack_size()))?;
    // The frames below this one are few; a larger stack than asked for costs nothing, the root task gets the same.
    let coroutine = Box::new(Coroutine::new(stack_size, move || bottom(body)));
    Some(with(|world| world.add_task(node, name, spawned, coroutine)))
}

/// The lowest frame of every task: what unwinds ends here.
fn bottom(body: impl FnOnce()) {
    let body = move || {
        if with(|world| world.dying_at_birth()) {
            drop(body); // killed before it ever ran: what it captured is dropped, on its own stack
        } else {
            body();
        }
    };
    let Err(payload) = panic::catch_unwind(AssertUnwindSafe(body)) else { return };
    if payload.is::<Killed>() || payload.is::<Stopped>() {
        return;
    }
    let message = take_panic(&*payload);
    with(|world| world.fail(FailureKind::TaskPanic, message));
    drop_payload(payload);
}

// ---- giving up the processor ------------------------------------------------------------------------------------------

/// Whether the running code may wait. When it may not (a task that unwinds), the blocking call returns at once.
///
/// # Panics
/// In a timer callback, which has no stack to wait on. A task that was killed is unwound from here.
#[inline]
#[track_caller]
pub(crate) fn may_block() -> bool {
    match context() {
        Context::Task => {
            if is_unwinding() {
                if with(|world| world.refuse()) {
                    give_up();
                }
                return false;
            }
            if with(|world| world.is_dying()) {
                die();
            }
            true
        }
        Context::Scheduler => {
            if with(|world| world.ending) {
                return false; // destructors of what a run left behind
            }
            panic!("a timer callback may not block");
        }
        Context::Threads => false, // an object that was carried out of its simulation
    }
}

/// Whether the running task unwinds, killed or panicking: its destructors must be let through, whatever they do.
///
/// `thread::panicking` alone does not tell: once a task was leaked in mid-unwinding, it is true for the rest of the run.
#[inline]
pub(crate) fn is_unwinding() -> bool {
    match context() {
        Context::Task => {
            std::thread::panicking()
                && with(|world| !world.panicking_lies() || world.has_cause_to_unwind())
        }
        Context::Scheduler => with(|world| world.ending),
        Context::Threads => false,
    }
}

/// Unwinds the running task, which was killed.
#[cold]
fn die() -> ! {
    if with(|world| world.count_kill()) {
        give_up();
    }
    panic::resume_unwind(Box::new(Killed));
}

/// Ends a task that cannot be unwound: its stack is leaked.
#[cold]
pub(crate) fn give_up() -> ! {
    assert!(context() == Context::Task, "a lock is needed that a leaked task holds");
    with(|world| world.mark_stuck());
    coroutine::suspend();
    unreachable!("a leaked stack is never resumed");
}

/// Suspends the running task until `waiter` is woken or virtual time reaches `deadline`. Returns whether it was the deadline.
///
/// The caller has asked [`may_block`], made `waiter` with [`World::prepare`], and put it where somebody will wake it.
#[inline]
pub(crate) fn block(waiter: Waiter, wait: Wait, at: Place, deadline: Option<u64>) -> bool {
    with(|world| world.block(waiter, wait, at, deadline));
    coroutine::suspend();
    let (dying, timed_out) = with(|world| (world.is_dying(), world.timed_out()));
    if dying {
        die();
    }
    timed_out
}

/// Waits for a lock that another task holds. A ring of such waits is reported at once.
pub(crate) fn block_on_lock(waiter: Waiter, address: usize, created: Place, at: Place) {
    let ring = with(|world| match world.lock_ring(address) {
        Some(ring) => {
            world.report_ring(&ring, address, created, at);
            true
        }
        None => false,
    });
    if ring {
        panic::resume_unwind(Box::new(Stopped));
    }
    block(waiter, Wait::Lock { address, created }, at, None);
}

/// Lets another task run first, if the seed says so.
#[inline]
fn maybe_yield(one_in: impl FnOnce(&World) -> u32) {
    if context() != Context::Task || is_unwinding() {
        return;
    }
    let (yields, dying) = with(|world| {
        let one_in = one_in(world);
        let yields = one_in > 0 && world.draws_yield(one_in);
        (yields | world.crashes_here(), world.is_dying())
    });
    if dying {
        die();
    }
    if yields {
        reschedule();
    }
}

/// A point where a lock is taken that may be free.
#[inline]
pub(crate) fn lock_point() {
    maybe_yield(World::lock_yield);
}

/// A point that costs time in reality, such as a save: one in two lets another task run first.
#[inline]
pub(crate) fn switch_point() {
    maybe_yield(|_| 2);
}

/// Lets other ready tasks run.
pub(crate) fn yield_now() {
    // The common case first, for its speed: a task that neither dies nor panics.
    if context() == Context::Task && !std::thread::panicking() && with(|world| world.yield_living())
    {
        suspend_ready();
    } else if may_block() {
        reschedule();
    }
}

fn reschedule() {
    with(|world| world.yield_running());
    suspend_ready();
}

/// Leaves the processor with the task in the ready list.
fn suspend_ready() {
    coroutine::suspend();
    if with(|world| world.is_dying()) {
        die();
    }
}

/// Crashes a node: its tasks are unwound before anything else runs. The caller, if it belongs to the node, with them.
pub(crate) fn crash_node(node: u32) {
    with(|world| world.crash(node));
    if context() == Context::Task && may_block() {
        reschedule();
    }
}

// ---- panics -----------------------------------------------------------------------------------------------------------

thread_local! {
    /// What the last panic of this OS thread said, kept by the hook for the report.
    static PANIC: Cell<Option<String>> = const { Cell::new(None) };
}

/// What the panic with this payload said. The hook's note has the line too, but may be of an earlier panic that was caught.
fn take_panic(payload: &(dyn Any + Send)) -> String {
    let noted = PANIC.with(Cell::take);
    let said = crate::task::panic_text(payload);
    match noted {
        Some(noted) if said.as_ref().is_none_or(|said| noted.starts_with(said)) => noted,
        _ => said.unwrap_or_else(|| "a panic without a message".into()),
    }
}

/// Makes panics in simulated tasks part of the report instead of lines that name the wrong thread.
fn install_hook() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if context() == Context::Threads {
                previous(info);
            } else {
                on_panic(info);
            }
        }));
    });
}

fn on_panic(info: &PanicHookInfo<'_>) {
    const LAST_WORDS: [&str; 2] =
        ["panic in a destructor during cleanup", "panic in a function that cannot unwind"];
    let hopeless = info.payload_as_str().is_some_and(|said| LAST_WORDS.contains(&said));
    if !hopeless || context() != Context::Task {
        PANIC.with(|cell| cell.set(Some(describe_panic(info))));
        world::try_with(World::note_panic);
        return;
    }
    // A destructor panicked while its task was unwinding. When this hook returns, the process is aborted; nothing can be done
    // about that (to suspend the task here would leave std's lock around the hook taken), except to say who it was.
    let message = PANIC.with(Cell::take).unwrap_or_default();
    let message = format!("{message} (in a destructor, while the task was unwinding already)");
    world::try_with(|world| {
        let failure = world.new_failure(FailureKind::TaskPanic, message, Vec::new());
        eprintln!(
            "{failure}\nthe process ends here: destructors must not panic in a task that is killed"
        );
    });
}

fn describe_panic(info: &PanicHookInfo<'_>) -> String {
    let said = info.payload_as_str().unwrap_or("a panic without a message");
    let place = info.location().map_or_else(String::new, |place| format!(" at {place}"));
    let backtrace = std::backtrace::Backtrace::capture();
    match backtrace.status() {
        std::backtrace::BacktraceStatus::Captured => {
            format!("{said}{place}\n{}", own_frames(&backtrace.to_string()))
        }
        _ => format!("{said}{place}"),
    }
}

/// The frames of a backtrace between the panic machinery above them and the scheduler's below.
fn own_frames(backtrace: &str) -> String {
    let is_frame = |line: &str| {
        let number = line.trim_start().split_once(": ").map(|(number, _)| number);
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let lines: Vec<&str> = backtrace.lines().collect();
    let machinery =
        ["core::panicking::", "core::option::expect_failed", "core::result::unwrap_failed"];
    let last_of_panic = lines
        .iter()
        .rposition(|line| is_frame(line) && machinery.iter().any(|part| line.contains(part)));
    let first = last_of_panic.map_or(0, |at| {
        let next = lines[at + 1..].iter().position(|line| is_frame(line));
        next.map_or(lines.len(), |next| at + 1 + next)
    });
    let end = lines[first..]
        .iter()
        .position(|line| line.contains("labrt::sim::scheduler::bottom"))
        .map_or(lines.len(), |at| first + at);
    lines[first..end].join("\n")
}
