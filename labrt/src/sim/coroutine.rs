//! One suspended stack: the only file of the workspace with `unsafe` in it.
//!
//! A [`Coroutine`] is a task's stack. The scheduler [`resume`](Coroutine::resume)s it; code running
//! on it [`suspend`]s itself. Between the two, the thread-local [`RUNNING`] says which stack this
//! OS thread is on.
//!
//! ```text
//!            resume                     suspend
//!   scheduler ─────▶ task's own stack ─────────▶ scheduler
//!        ▲                                          │
//!        └────────────── Suspended | Finished ◀─────┘
//! ```
//!
//! A coroutine never changes its OS thread: it is created, resumed and dropped by one simulation,
//! which runs on one.
//!
//! Killing is not done here. A task that is to die is resumed like any other and unwinds itself
//! (`scheduler.rs`); only a stack that resists is given up with [`Coroutine::leak`].
//!
//! The second half is the report of a stack overflow: the guard page below each stack turns it into
//! SIGSEGV, which without a handler of our own would end the process without a word.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::{Once, OnceLock};

use corosensei::stack::{DefaultStack, Stack};
use corosensei::{CoroutineResult, Yielder};
use parking_lot::Mutex;

/// What this OS thread knows about the coroutine it is running.
#[derive(Clone, Copy)]
struct Running {
    /// How to get back to the scheduler; null while the scheduler itself runs.
    yielder: *const Yielder<(), ()>,
    /// Lowest address of the stack's mapping (its guard page).
    limit: usize,
    /// One past the highest address.
    base: usize,
}

const NOBODY: Running = Running { yielder: ptr::null(), limit: 0, base: 0 };

thread_local! {
    static RUNNING: Cell<Running> = const { Cell::new(NOBODY) };
}

/// What came of a [`Coroutine::resume`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// The task called [`suspend`] and waits to be resumed.
    Suspended,
    /// The task's function returned; its stack can be used again.
    Finished,
}

/// A task's stack with the function that runs on it.
pub(super) struct Coroutine {
    inner: ManuallyDrop<corosensei::Coroutine<(), (), (), DefaultStack>>,
    /// Set by the first resume, valid until the function returns.
    yielder: *const Yielder<(), ()>,
    limit: usize,
    base: usize,
    size: usize,
}

impl Coroutine {
    /// A coroutine that will run `body` on a pooled stack of at least `stack_size` bytes. `body`
    /// must not unwind.
    pub(super) fn new(stack_size: usize, body: impl FnOnce() + 'static) -> Coroutine {
        let stack = take_stack(stack_size);
        let (limit, base) = (stack.limit().get(), stack.base().get());
        let inner =
            corosensei::Coroutine::with_stack(stack, move |yielder: &Yielder<(), ()>, ()| {
                RUNNING.with(|running| running.set(Running { yielder, ..running.get() }));
                body();
            });
        Coroutine {
            inner: ManuallyDrop::new(inner),
            yielder: ptr::null(),
            limit,
            base,
            size: stack_size,
        }
    }

    /// Runs the task until it suspends itself or ends. Must not be called on a finished coroutine.
    #[inline]
    pub(super) fn resume(&mut self) -> Outcome {
        let here = Running { yielder: self.yielder, limit: self.limit, base: self.base };
        RUNNING.with(|running| running.set(here));
        let result = self.inner.resume(());
        self.yielder = RUNNING.with(|running| running.replace(NOBODY)).yielder;
        match result {
            CoroutineResult::Yield(()) => Outcome::Suspended,
            CoroutineResult::Return(()) => Outcome::Finished,
        }
    }

    /// Gives the stack of a finished coroutine back to the pool. An unfinished one unwinds first.
    pub(super) fn recycle(self) {
        let size = self.size;
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never used again and its own `Drop` does not run, so `inner` is taken
        // exactly once.
        let inner = unsafe { ManuallyDrop::take(&mut this.inner) };
        give_stack(size, inner.into_stack());
    }

    /// Gives up a suspended stack for good: nothing on it is dropped, and its memory is never used
    /// again.
    pub(super) fn leak(self) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: the coroutine is suspended (the scheduler runs), and forgetting its stack below
        // keeps everything on it alive for ever, so no reference into the stack can dangle.
        unsafe { this.inner.force_reset() };
        // SAFETY: as in `recycle`: taken once, `this` is not used again.
        let inner = unsafe { ManuallyDrop::take(&mut this.inner) };
        std::mem::forget(inner.into_stack());
    }
}

impl Drop for Coroutine {
    fn drop(&mut self) {
        // SAFETY: `recycle` and `leak` forget `self`, so whoever gets here still owns `inner`.
        unsafe { ManuallyDrop::drop(&mut self.inner) }
    }
}

/// Leaves the running task's stack for the scheduler's; returns when the task is resumed.
///
/// # Panics
/// When no coroutine runs on this OS thread.
#[inline]
pub(super) fn suspend() {
    let running = RUNNING.with(Cell::get);
    assert!(!running.yielder.is_null(), "suspend outside a task");
    // SAFETY: the yielder lies at the bottom of the stack we are running on, which lives until its
    // function returns; `resume` set it for this very coroutine and nobody else runs in between.
    unsafe { (*running.yielder).suspend(()) };
}

// ---- stacks ------------------------------------------------------------------------------------

/// Stacks of finished tasks, of all simulations of the process. A fresh stack costs three system
/// calls, a pooled one a push.
static POOL: Mutex<Vec<(usize, DefaultStack)>> = Mutex::new(Vec::new());

/// More idle stacks than this are unmapped.
const POOL_LIMIT: usize = 1024;

thread_local! {
    /// This OS thread's share of the pool, so that the common case takes no lock.
    static IDLE: Cell<Vec<(usize, DefaultStack)>> = const { Cell::new(Vec::new()) };
}

fn take_stack(size: usize) -> DefaultStack {
    let mut idle = IDLE.with(Cell::take);
    if idle.is_empty() {
        let mut pool = POOL.lock();
        let from = pool.len().saturating_sub(64);
        idle.extend(pool.drain(from..));
    }
    // Nearly all tasks want one size, so the last one nearly always fits.
    let found = idle.iter().rposition(|(have, _)| *have == size).map(|at| idle.swap_remove(at));
    IDLE.with(|cell| cell.set(idle));
    match found {
        Some((_, stack)) => stack,
        None => DefaultStack::new(size)
            .expect("no memory (or no mapping) left for another task's stack"),
    }
}

fn give_stack(size: usize, stack: DefaultStack) {
    let mut idle = IDLE.with(Cell::take);
    if idle.len() < POOL_LIMIT {
        idle.push((size, stack));
    }
    IDLE.with(|cell| cell.set(idle));
}

/// Hands this OS thread's idle stacks to the process, when its simulation has ended.
pub(super) fn return_stacks() {
    let idle = IDLE.with(Cell::take);
    let mut pool = POOL.lock();
    let room = POOL_LIMIT.saturating_sub(pool.len());
    pool.extend(idle.into_iter().take(room));
}

// ---- stack overflow ----------------------------------------------------------------------------

static INSTALL: Once = Once::new();
static mut PREVIOUS: Option<libc::sigaction> = None;

/// Writes to its first argument whose stack, of how many bytes, overflowed. Called in a signal
/// handler: it must not allocate.
type Describe = fn(&mut dyn std::fmt::Write, usize);

static DESCRIBE: OnceLock<Describe> = OnceLock::new();

/// Installs, once a process, the handler that names the task whose stack overflowed.
pub(super) fn report_stack_overflows(describe: Describe) {
    DESCRIBE.get_or_init(|| describe);
    // SAFETY: `sigaction` is called with a zeroed, then fully filled structure, and PREVIOUS is
    // written here only, before the handler that reads it can run for a coroutine (none exists yet:
    // the first simulation calls this first).
    INSTALL.call_once(|| unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_segv as *const () as usize;
        // The alternate stack is the one that std gives to every thread it starts.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&mut action.sa_mask);
        let mut previous: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGSEGV, &action, &mut previous) == 0 {
            PREVIOUS = Some(previous);
        }
    });
}

/// Bytes below which a fault counts as an overflow of the running coroutine's stack.
const GUARD: usize = 64 * 1024;

extern "C" fn on_segv(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let running = RUNNING.try_with(Cell::get).unwrap_or(NOBODY);
    // SAFETY: the kernel passes a valid siginfo to an SA_SIGINFO handler.
    let address = unsafe { (*info).si_addr() } as usize;
    let overflow = !running.yielder.is_null()
        && address >= running.limit.saturating_sub(GUARD)
        && address < running.limit + GUARD.min(running.base - running.limit);
    if overflow {
        let mut text = FixedText { bytes: [0; 512], len: 0 };
        if let Some(describe) = DESCRIBE.get() {
            describe(&mut text, running.base - running.limit);
        }
        // SAFETY: write(2) and abort(3) may be called in a signal handler; the buffer is ours and
        // initialised.
        unsafe {
            libc::write(2, text.bytes.as_ptr().cast(), text.len);
            libc::abort();
        }
    }
    // Not ours: hand over to the handler that was there before, or let the fault happen again
    // without one. SAFETY: PREVIOUS was written before this handler was installed and never since;
    // the previous handler's type is told by its flags.
    unsafe {
        let previous = &raw const PREVIOUS;
        match *previous {
            Some(previous)
                if previous.sa_sigaction != libc::SIG_DFL
                    && previous.sa_sigaction != libc::SIG_IGN =>
            {
                if previous.sa_flags & libc::SA_SIGINFO != 0 {
                    type Handler =
                        extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
                    let handler: Handler = std::mem::transmute(previous.sa_sigaction);
                    handler(signal, info, context);
                } else {
                    let handler: extern "C" fn(libc::c_int) =
                        std::mem::transmute(previous.sa_sigaction);
                    handler(signal);
                }
            }
            _ => {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
}

/// Text without allocation, for a signal handler.
struct FixedText {
    bytes: [u8; 512],
    len: usize,
}

impl std::fmt::Write for FixedText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self.bytes.len() - self.len;
        let taken = text.len().min(room);
        self.bytes[self.len..self.len + taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.len += taken;
        Ok(())
    }
}
