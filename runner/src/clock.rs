//! Real time, for reports only: nothing measured here ever reaches a simulated task.

use std::time::Duration;

/// A stopwatch of the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// A stopwatch that runs from now on.
    #[expect(
        clippy::disallowed_methods,
        reason = "wall clock, shown in reports, never used by a run"
    )]
    #[must_use]
    pub fn start() -> Stopwatch {
        Stopwatch(std::time::Instant::now())
    }

    /// Wall-clock time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// CPU time of the calling OS thread. `None` where the system does not count it.
///
/// A simulation has an OS thread of its own: at the end of the run this is its cost.
#[expect(
    clippy::disallowed_methods,
    reason = "the yield is the OS thread's, outside of any simulated step"
)]
pub(crate) fn thread_cpu_time() -> Option<Duration> {
    // The kernel updates this figure when a thread yields, else only at clock ticks.
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos: u64 = stat.split_ascii_whitespace().next()?.parse().ok()?;
    (nanos > 0).then(|| Duration::from_nanos(nanos))
}
