//! Real time, for reports only: nothing measured here ever reaches a simulated task.

use std::time::Duration;

/// A stopwatch of the wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "wall clock, shown in reports, never used by a run"
    )]
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(std::time::Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Processor time the calling OS thread has used. `None` where the system does not tell.
///
/// A simulation has an OS thread of its own, so asked at its end this is what the run cost.
#[expect(
    clippy::disallowed_methods,
    reason = "the yield is the OS thread's, outside of any simulated step"
)]
pub(crate) fn thread_cpu_time() -> Option<Duration> {
    // The kernel brings this figure up to date when a thread offers to give up the processor, else only at clock ticks.
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos: u64 = stat.split_ascii_whitespace().next()?.parse().ok()?;
    (nanos > 0).then(|| Duration::from_nanos(nanos))
}
