//! Progress of a sweep on stderr: one line that is rewritten on a terminal, else a line now and
//! then. Results go to stdout.

use std::io::IsTerminal as _;
use std::time::Duration;

use labrt::Instant;

/// Wall-clock time between two lines without a terminal, and on one.
const PAUSES: [Duration; 2] = [Duration::from_secs(10), Duration::from_millis(200)];

pub struct Progress {
    terminal: bool,
    total: u64,
    started: Instant,
    last: Instant,
}

impl Progress {
    pub fn new(total: u64) -> Progress {
        let (terminal, now) = (std::io::stderr().is_terminal(), labrt::now());
        Progress { terminal, total, started: now, last: now }
    }

    /// `seconds_left`: the plan's estimate.
    pub fn show(&mut self, done: u64, failed: u64, seconds_left: f64) {
        if self.last.elapsed() < PAUSES[usize::from(self.terminal)] {
            return;
        }
        self.last = labrt::now();
        let rate = done as f64 / self.started.elapsed().as_secs_f64().max(1e-3);
        let left = duration(seconds_left);
        let failures = if failed > 0 { format!(", {failed} FAILED") } else { String::new() };
        let line = format!("{done} of {} runs, {rate:.0}/s, {left} left{failures}", self.total);
        if self.terminal {
            eprint!("\r\x1b[K{line}");
        } else {
            eprintln!("{line}");
        }
    }

    /// Prints a result.
    pub fn print(&self, line: &str) {
        self.finish();
        println!("{line}");
    }

    /// Removes the line from the terminal.
    pub fn finish(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}

fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m}:{s:02} min"),
        (h, m, _) => format!("{h}:{m:02} h"),
    }
}
