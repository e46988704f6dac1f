//! The course's line for a part of a test that has passed.

use std::time::Duration;

/// What the line says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Figures {
    /// Time since the part began, on the test's clock.
    pub time: Duration,
    /// Servers of group 0.
    pub peers: usize,
    /// RPCs since it began.
    pub rpcs: u64,
    /// Operations that clients have finished since it began.
    pub ops: u64,
    /// Wall clock since it began, where `time` is virtual.
    pub wall: Option<Duration>,
}

/// `  ... Passed --  time  2.3s #peers 3 #RPCs   252 #Ops   63`, and where time is virtual ` (virtual; 0.012s wall)`.
pub fn passed_line(figures: &Figures) -> String {
    let Figures { time, peers, rpcs, ops, wall } = figures;
    let time = time.as_secs_f64();
    let line =
        format!("  ... Passed --  time {time:4.1}s #peers {peers} #RPCs {rpcs:5} #Ops {ops:4}");
    match wall {
        Some(wall) => format!("{line} (virtual; {:.3}s wall)", wall.as_secs_f64()),
        None => line,
    }
}
