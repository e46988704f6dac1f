//! What is done with the schedule of a nemesis test that failed: it is shown, reduced, and written beside the log.

use std::time::Duration;

use super::cpu::Stopwatch;
use super::entry::TestId;
use super::place;
use super::runs::{Backend, Outcome, TestOptions, Verdict, run};
use super::settings::Settings;
use crate::nemesis::{Schedule, kind_of_failure, shrink};

/// Runs a reduction may take.
const RUNS: u64 = 3000;
/// Wall clock it may take, unless `LAB_SHRINK` says otherwise.
const PATIENCE: Duration = Duration::from_secs(20);
/// Seeds that a smaller schedule is tried with: with less to do, the run takes another path, and chance enters again.
const SEEDS: u64 = 6;

/// The lines about the schedule of a failed run; none for tests without one.
pub(crate) fn report_schedule(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
    outcome: &Outcome,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> Vec<String> {
    let Some(schedule) = outcome.state.books(|books| books.schedule.clone()) else {
        return Vec::new();
    };
    let mut lines: Vec<String> = schedule.to_string().lines().map(str::to_owned).collect();
    if options.schedule.is_some() {
        return lines; // it came from a file, where it stays
    }
    let mut schedule = Schedule {
        package: test.package().to_owned(),
        test: test.name().to_owned(),
        fails: outcome.verdict.report().lines().next().unwrap_or_default().to_owned(),
        ..schedule
    };
    let patience = settings.shrink.map_or(PATIENCE, Duration::from_secs);
    if let (Some(_), Verdict::Fail(report)) = (outcome.seed, &outcome.verdict)
        && !patience.is_zero()
    {
        let reduction = Reduction::of(options, schedule, report, patience, body);
        lines.extend(reduction.1.to_string().lines().map(|line| format!("  {line}")));
        let at = lines.len() - reduction.1.faults.len() - 1;
        lines.insert(at, reduction.0);
        schedule = reduction.1;
    }
    let run = outcome.seed.map_or_else(|| Backend::Threads.to_string(), |seed| seed.to_string());
    let path = place::folder_of(&format!("{}-{run}", test.name())).join("schedule.json");
    match std::fs::write(&path, schedule.to_json()) {
        Ok(()) => {
            let path = path.display();
            lines.push(format!("schedule: {path} (make replay SCHEDULE={path})"));
        }
        Err(error) => lines.push(format!("schedule: not written: {error}")),
    }
    lines
}

struct Reduction;

impl Reduction {
    /// A line about it, and what it came to.
    fn of(
        options: &TestOptions,
        schedule: Schedule,
        report: &str,
        patience: Duration,
        body: impl Fn() + Clone + Send + Sync + 'static,
    ) -> (String, Schedule) {
        let kind = kind_of_failure(report);
        let before = schedule.faults.len();
        let watch = Stopwatch::start();
        let mut runs = 0;
        let fails = |tried: &Schedule| {
            for seed in tried.seed..tried.seed.saturating_add(SEEDS) {
                if runs >= RUNS || watch.elapsed() >= patience {
                    return None;
                }
                runs += 1;
                let tried = Schedule { seed, ..tried.clone() };
                let options = options.clone().schedule(tried.clone());
                let outcome = run(Backend::Sim, seed, &options, body.clone());
                let report = outcome.verdict.report();
                if matches!(outcome.verdict, Verdict::Fail(_)) && kind_of_failure(report) == kind {
                    let fails = report.lines().next().unwrap_or_default().to_owned();
                    return Some(Schedule { fails, ..tried });
                }
            }
            None
        };
        let small = shrink(schedule, fails);
        let line =
            format!("reduced from {before} faults to {} in {runs} runs:", small.faults.len());
        (line, small)
    }
}
