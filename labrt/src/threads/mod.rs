//! Back end 1: OS threads and the wall clock.
//!
//! The only place of the workspace that starts threads, reads the clock and asks the system for
//! entropy.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the back end that the ban on threads and clocks points everyone else to"
)]

mod brief;
mod pool;
mod records;
mod timer;
mod times;

use std::cell::RefCell;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, SeedableRng};

pub(crate) use brief::start_brief;
pub(crate) use pool::start;
pub(crate) use records::{
    Blocked, Enter, Running, Task, Waiting, current_run, survey, task_number,
};
pub(crate) use timer::after;
pub(crate) use times::ThreadTimes;

use crate::line::Line;
use crate::wait::Wait;

/// Time since the first use of the clock in this process.
pub(crate) fn now() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// The point of the system's clock that lies `deadline` after the start. Deadlines more than a
/// century ahead are moved to a century from now: the system's clock cannot show all of them.
pub(crate) fn instant_at(deadline: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    Instant::now() + deadline.saturating_sub(now()).min(CENTURY)
}

pub(crate) fn sleep(duration: Duration, at: Line) {
    let _blocked = Blocked::on(Wait::Sleep, at, Some(now().saturating_add(duration)));
    std::thread::sleep(duration);
}

pub(crate) fn yield_now() {
    std::thread::yield_now();
}

/// Starts an OS thread outside the pool.
pub(crate) fn start_os_thread(
    name: String,
    body: impl FnOnce() + Send + 'static,
) -> std::io::Result<()> {
    std::thread::Builder::new().name(name).spawn(body).map(drop)
}

thread_local! {
    static RNG: RefCell<Option<Xoshiro256PlusPlus>> = const { RefCell::new(None) };
}

/// A number from this thread's generator, which the system seeded.
pub(crate) fn draw() -> u64 {
    RNG.with(|cell| cell.borrow_mut().get_or_insert_with(seeded_generator).next_u64())
}

fn seeded_generator() -> Xoshiro256PlusPlus {
    // std's hasher keys are the entropy that every platform offers without another dependency.
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u128(now().as_nanos());
    Xoshiro256PlusPlus::seed_from_u64(hasher.finish())
}
