//! What an OS thread has done so far, as another thread sees it.

use std::path::PathBuf;
use std::time::Duration;

/// Where the operating system keeps the account of one thread.
pub(crate) struct ThreadTimes {
    stat: PathBuf,
}

/// A tick of the times in /proc: a hundredth of a second, on every architecture.
const TICK: Duration = Duration::from_millis(10);

impl ThreadTimes {
    /// Of the calling thread. `None` where there is no /proc/thread-self (it is Linux's).
    pub(crate) fn of_this_thread() -> Option<ThreadTimes> {
        let thread = std::fs::read_link("/proc/thread-self").ok()?;
        Some(ThreadTimes { stat: PathBuf::from("/proc").join(thread).join("stat") })
    }

    /// CPU time used so far, and whether the thread sleeps right now: it waits for something, and
    /// not for a processor.
    pub(crate) fn read(&self) -> Option<(Duration, bool)> {
        let stat = std::fs::read_to_string(&self.stat).ok()?;
        // The name of the thread stands in parentheses and may contain anything.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field)?.parse::<u32>().ok();
        // Fields 3 (state), 14 (user time) and 15 (system time) of proc(5), which counts from 1.
        let cpu = TICK * (ticks(11)?.checked_add(ticks(12)?)?);
        Some((cpu, *fields.first()? == "S"))
    }
}
