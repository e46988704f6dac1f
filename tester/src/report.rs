//! The course's lines for a part of a test: its title, and that it has passed.

use std::time::Duration;

/// An edition's way to print.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Lines {
    /// 2025: the kind of network behind the title, a name before each figure.
    #[default]
    Labelled,
    /// Until 2021: the bare title, bare figures.
    Bare,
}

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

/// `Test: one client (4B basic) (reliable network)...`, or `Test: one client (3A) ...`.
pub(crate) fn title_line(lines: Lines, title: &str, reliable: bool) -> String {
    let network = if reliable { "reliable" } else { "unreliable" };
    match lines {
        Lines::Labelled => format!("{title} ({network} network)..."),
        Lines::Bare => format!("{title} ..."),
    }
}

/// `  ... Passed --  time  2.3s #peers 3 #RPCs   252 #Ops   63`, and where time is virtual
/// ` (virtual; 0.012s wall)`.
pub fn passed_line(figures: &Figures) -> String {
    passed_line_of(Lines::Labelled, figures)
}

/// The same in an edition's way: `  ... Passed --   2.3  3   252   63`.
pub(crate) fn passed_line_of(lines: Lines, figures: &Figures) -> String {
    let Figures { time, peers, rpcs, ops, wall } = figures;
    let time = time.as_secs_f64();
    let line = match lines {
        Lines::Labelled => {
            format!("  ... Passed --  time {time:4.1}s #peers {peers} #RPCs {rpcs:5} #Ops {ops:4}")
        }
        Lines::Bare => format!("  ... Passed --  {time:4.1}  {peers} {rpcs:5} {ops:4}"),
    };
    match wall {
        Some(wall) => format!("{line} (virtual; {:.3}s wall)", wall.as_secs_f64()),
        None => line,
    }
}
