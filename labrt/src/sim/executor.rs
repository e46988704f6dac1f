//! The loop that runs a simulation, and the ways a task gives up the processor.
//!
//! How a task is killed: the world marks it as dying and the executor resumes it; [`block`] then
//! raises [`Killed`] in it with `resume_unwind` (no panic hook runs), destructors run as the stack
//! unwinds, and the bottom of the stack catches it. While a task unwinds it must not suspend
//! itself, because the count of panics is the OS thread's and other tasks would see it: every
//! blocking call checks [`may_block`] first and otherwise returns at once. A task that swallows
//! the kill, loops over blocking calls in a destructor, or needs a lock that another task holds,
//! is given up: its stack is leaked and it is named in the report.

use std::panic::{self, AssertUnwindSafe};

use super::context::{self, Context, context};
use super::coroutine::{self, Coroutine, Outcome};
use super::failure::FailureKind;
use super::panics::{Panic, drop_payload, take_panic};
use super::world::{Callback, Next, Waiter, World, with};
use crate::line::Line;
use crate::wait::Wait;

/// What unwinds a killed task.
struct Killed;

/// What unwinds a task in which the run has failed.
struct Stopped;

/// Runs tasks until the root task has returned or the run has failed.
pub(super) fn drive() {
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
            Next::Reap(node) => {
                reap(Some(node));
                with(World::next)
            }
            Next::Stop => return,
        }
    }
}

/// Lets a task run until it gives up the processor.
#[inline]
fn enter(coroutine: &mut Coroutine) -> Outcome {
    context::set_context(Context::Task);
    let outcome = coroutine.resume();
    context::set_context(Context::Scheduler);
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

/// Calls a timer callback: code of a user that runs on the executor's own stack.
pub(super) fn call(callback: Callback) {
    let Err(payload) = panic::catch_unwind(AssertUnwindSafe(callback)) else { return };
    if !payload.is::<Stopped>() {
        let Panic { text, line } = take_panic(&*payload);
        let message = format!("in a timer callback: {text}");
        with(|world| world.fail_because(FailureKind::TaskPanic, line, message));
    }
    drop_payload(payload);
}

/// Kills all tasks of `node`, or all there are.
pub(super) fn reap(node: Option<u32>) {
    for slot in with(|world| world.mark_killed(node)) {
        if let Some(coroutine) = with(|world| world.start_killed(slot)) {
            resume(slot, coroutine);
        }
    }
}

// ---- spawning ----------------------------------------------------------------------------------

/// Starts a task; returns its slot and number, or `None` if it will never run (its node has
/// crashed, or the run ends).
pub(crate) fn spawn_task(
    node: u32,
    name: &'static str,
    spawned: Line,
    body: impl FnOnce() + Send + 'static,
) -> Option<(u32, u64)> {
    let stack_size = with(|world| world.accepts(node).then(|| world.stack_size()))?;
    // The frames below this one are few; a larger stack than asked for costs nothing, the root
    // task gets the same.
    let coroutine = Box::new(Coroutine::new(stack_size, move || bottom(body)));
    Some(with(|world| world.add_task(node, name, spawned, coroutine)))
}

/// The lowest frame of every task: what unwinds ends here.
fn bottom(body: impl FnOnce()) {
    let body = move || {
        if with(|world| world.dying_at_birth()) {
            drop(body); // killed before it ever ran: what it captured is dropped on its own stack
        } else {
            body();
        }
    };
    let Err(payload) = panic::catch_unwind(AssertUnwindSafe(body)) else { return };
    if payload.is::<Killed>() || payload.is::<Stopped>() {
        return;
    }
    let Panic { text, line } = take_panic(&*payload);
    with(|world| world.fail_because(FailureKind::TaskPanic, line, text));
    drop_payload(payload);
}

// ---- giving up the processor -------------------------------------------------------------------

/// Whether the running code may wait. When it may not (a task that unwinds), the blocking call
/// returns at once.
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

/// Whether the running task unwinds, killed or panicking: its destructors must be let through,
/// whatever they do.
///
/// `thread::panicking` alone is not enough: once a task was leaked in mid-unwinding, it is true for
/// the rest of the run.
#[inline]
pub(crate) fn is_unwinding() -> bool {
    match context() {
        Context::Task => std::thread::panicking() && with(World::really_unwinds),
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

/// Unwinds the running task or callback, in which the run has failed.
#[cold]
pub(super) fn stop() -> ! {
    panic::resume_unwind(Box::new(Stopped));
}

/// Ends a task that cannot be unwound: its stack is leaked.
#[cold]
pub(crate) fn give_up() -> ! {
    assert!(context() == Context::Task, "a lock is needed that a leaked task holds");
    with(|world| world.mark_stuck());
    coroutine::suspend();
    unreachable!("a leaked stack is never resumed");
}

/// Suspends the running task until `waiter` is woken or virtual time reaches `deadline`. Returns
/// whether it was the deadline.
///
/// The caller has asked [`may_block`], made `waiter` with [`World::prepare`], and put it where
/// another task or a callback will wake it.
#[inline]
pub(crate) fn block(waiter: Waiter, wait: Wait, at: Line, deadline: Option<u64>) -> bool {
    with(|world| world.block(waiter, wait, at, deadline));
    coroutine::suspend();
    let (dying, timed_out) = with(|world| (world.is_dying(), world.timed_out()));
    if dying {
        die();
    }
    timed_out
}

/// Waits for a lock that another task holds. A ring of such waits is reported at once.
pub(crate) fn block_on_lock(waiter: Waiter, address: usize, created: Line, at: Line) {
    let ring = with(|world| match world.lock_ring(address) {
        Some(ring) => {
            world.report_ring(&ring, address, created, at);
            true
        }
        None => false,
    });
    if ring {
        stop();
    }
    block(waiter, Wait::Lock { address, created }, at, None);
}

/// What a task does at a point where it could let others run.
enum AtPoint {
    GoOn,
    Yield,
    Die,
    Stop,
}

/// Lets another task run first, if the seed says so.
#[inline]
fn maybe_yield(at: Line, one_in: impl FnOnce(&World) -> u32) {
    if context() != Context::Task || is_unwinding() {
        return;
    }
    let then = with(|world| {
        let one_in = one_in(world);
        let yields = one_in > 0 && world.chooses_to_yield(one_in);
        let yields = yields | world.crashes_here();
        if world.is_dying() {
            AtPoint::Die
        } else if world.passes(at) {
            AtPoint::Stop
        } else if yields {
            AtPoint::Yield
        } else {
            AtPoint::GoOn
        }
    });
    match then {
        AtPoint::GoOn => {}
        AtPoint::Yield => reschedule(),
        AtPoint::Die => die(),
        AtPoint::Stop => stop(),
    }
}

/// A point where a lock is taken that may be free.
#[inline]
pub(crate) fn lock_point(at: Line) {
    maybe_yield(at, World::lock_yield);
}

/// A point that costs time in reality, such as a save: one in two lets another task run first.
#[inline]
pub(crate) fn switch_point(at: Line) {
    maybe_yield(at, |_| 2);
}

/// Lets other ready tasks run.
pub(crate) fn yield_now(at: Line) {
    // The common case first, for its speed: a task that neither dies nor panics.
    if context() == Context::Task && !std::thread::panicking() {
        let (lives, stopped) = with(|world| (world.yield_living(), world.passes(at)));
        if lives {
            suspend_ready();
            if stopped {
                stop();
            }
            return;
        }
    }
    if may_block() {
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

/// Crashes a node: its tasks are unwound before anything else runs. The caller, if it belongs to
/// the node, with them.
pub(crate) fn crash_node(node: u32) {
    with(|world| world.crash(node));
    if context() == Context::Task && may_block() {
        reschedule();
    }
}

/// Pauses a node. The caller, if it belongs to the node, stops here until the node goes on.
pub(crate) fn pause_node(node: u32) {
    with(|world| world.pause(node));
    if context() == Context::Task && may_block() {
        reschedule();
    }
}
