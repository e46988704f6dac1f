//! CPU time and state of an OS thread, read by another thread.

use std::path::PathBuf;
use std::time::Duration;

/// The file in which the operating system counts the times of one thread.
pub(crate) struct ThreadTimes {
    stat: PathBuf,
}

/// The unit of the times in /proc: a hundredth of a second on every architecture.
const TICK: Duration = Duration::from_millis(10);

impl ThreadTimes {
    /// For the calling thread. `None` on systems without /proc/thread-self (all but Linux).
    pub(crate) fn of_this_thread() -> Option<ThreadTimes> {
        let thread = std::fs::read_link("/proc/thread-self").ok()?;
        Some(ThreadTimes { stat: PathBuf::from("/proc").join(thread).join("stat") })
    }

    /// CPU time used so far, and whether the thread sleeps right now: it waits for something, and
    /// not for a processor.
    pub(crate) fn read(&self) -> Option<(Duration, bool)> {
        let stat = std::fs::read_to_string(&self.stat).ok()?;
        // The name of the thread is in parentheses and may contain any character.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field)?.parse::<u32>().ok();
        // Fields 3 (state), 14 (user time) and 15 (system time) of proc(5), which counts from 1.
        let cpu = TICK * (ticks(11)?.checked_add(ticks(12)?)?);
        Some((cpu, *fields.first()? == "S"))
    }
}
