//! Time on the processor, for criterion.

use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};

pub(crate) type Criterion = criterion::Criterion<CpuTime>;

/// What the calling thread has used of the processor; the wall clock where the system does not
/// tell.
pub(crate) struct CpuTime;

/// Since when: one of the two clocks.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    Cpu(Duration),
    Wall(std::time::Instant),
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
impl CpuTime {
    fn used() -> Option<Duration> {
        // The kernel brings the figure up to date when a thread offers to give up the processor,
        // else only at clock ticks.
        std::thread::yield_now();
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        let nanos: u64 = stat.split_ascii_whitespace().next()?.parse().ok()?;
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }

    fn now() -> Start {
        CpuTime::used().map_or_else(|| Start::Wall(std::time::Instant::now()), Start::Cpu)
    }
}

impl Measurement for CpuTime {
    type Intermediate = Start;
    type Value = Duration;

    fn start(&self) -> Start {
        CpuTime::now()
    }

    fn end(&self, start: Start) -> Duration {
        match start {
            Start::Cpu(before) => CpuTime::used().unwrap_or(before).saturating_sub(before),
            Start::Wall(before) => before.elapsed(),
        }
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}
