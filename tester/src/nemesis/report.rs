//! The report on the schedule of a failed nemesis test: the schedule is shown, shrunk, and written
//! beside the log.

use std::time::Duration;

use runner::{FailedRun, Stopwatch, Verdict};

use super::schedule::Schedule;
use super::shrink::shrink;

/// Runs that shrinking may take.
const RUNS: u64 = 3000;
/// Wall-clock time that shrinking may take, unless `LAB_SHRINK` sets another limit.
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// Seeds under which a smaller schedule is tried: with less to do, the run takes another path.
const SEEDS: u64 = 6;

/// The lines of the report about the schedule of a failed run.
pub(super) fn report(schedule: Schedule, failed: &FailedRun<'_>) -> Vec<String> {
    let mut lines: Vec<String> = schedule.to_string().lines().map(str::to_owned).collect();
    if failed.input_given {
        return lines; // the schedule is in a file already
    }
    let outcome = failed.outcome;
    let mut schedule = Schedule {
        package: failed.test.package().to_owned(),
        test: failed.test.name().to_owned(),
        fails: outcome.verdict.report().lines().next().unwrap_or_default().to_owned(),
        ..schedule
    };
    let limit = failed.shrink.unwrap_or(TIME_LIMIT);
    if let (Some(_), Verdict::Fail(_)) = (outcome.seed, &outcome.verdict)
        && !limit.is_zero()
    {
        let before = schedule.faults.len();
        let (small, runs) = smaller(schedule, limit, failed);
        lines
            .push(format!("shrunk from {before} faults to {} in {runs} runs:", small.faults.len()));
        lines.extend(small.to_string().lines().map(|line| format!("  {line}")));
        schedule = small;
    }
    let path = failed.folder.join("schedule.json");
    lines.push(match std::fs::write(&path, schedule.to_json()) {
        Ok(()) => {
            let path = path.display();
            format!("schedule: {path} (make replay SCHEDULE={path})")
        }
        Err(error) => format!("schedule: not written: {error}"),
    });
    lines
}

/// A smaller schedule that fails in the same way, and how many runs it took to find it.
fn smaller(schedule: Schedule, limit: Duration, failed: &FailedRun<'_>) -> (Schedule, u64) {
    let watch = Stopwatch::start();
    let mut runs = 0;
    let small = shrink(schedule, |tried| {
        for seed in tried.seed..tried.seed.saturating_add(SEEDS) {
            if runs >= RUNS || watch.elapsed() >= limit {
                return None;
            }
            runs += 1;
            let tried = Schedule { seed, ..tried.clone() };
            let outcome = failed.rerun(seed, &tried.to_json());
            if let Verdict::Fail(report) = &outcome.verdict
                && outcome.cause == failed.outcome.cause
            {
                let fails = report.lines().next().unwrap_or_default().to_owned();
                return Some(Schedule { fails, ..tried });
            }
        }
        None
    });
    (small, runs)
}
