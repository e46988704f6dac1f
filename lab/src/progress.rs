//! What a sweep shows while it goes on: a bar on a terminal, else a line now and then. On stderr; results go to stdout.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use labrt::Instant;

/// Between two lines where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);

pub struct Progress {
    bar: Option<ProgressBar>,
    total: u64,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    pub fn new(total: u64) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total);
            if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Progress { bar, total, started: labrt::now(), last_line: labrt::now() }
    }

    /// `seconds_left` as the plan estimates it.
    pub fn show(&mut self, done: u64, failed: u64, seconds_left: f64) {
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = done as f64 / seconds.max(1e-3);
        let left = duration(seconds_left);
        let failures = if failed > 0 { format!(", {failed} FAILED") } else { String::new() };
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(format!("runs, {rate:.0}/s, {left} left{failures}"));
        } else if self.last_line.elapsed() >= PAUSE {
            self.last_line = labrt::now();
            let total = self.total;
            eprintln!("{done} of {total} runs, {rate:.0}/s, {left} left{failures}");
        }
    }

    /// Prints a result, with the bar out of its way.
    pub fn print(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{line}")),
            None => println!("{line}"),
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
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

#[cfg(test)]
mod tests {
    #[test]
    fn durations() {
        let shown = [0.4, 59.0, 61.0, 3600.0, 5461.0].map(super::duration);
        assert_eq!(shown, ["0 s", "59 s", "1:01 min", "1:00 h", "1:31 h"]);
    }
}
