//! One test under many seeds in one process, one run a core. The `lab` command spreads sweeps over
//! processes and machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use labrt::{Condvar, Mutex};

use crate::clock::Stopwatch;
use crate::judge::{Judgement, TestId};
use crate::report::{self, write_outputs};
use crate::run::{Body, Keep, Outcome, TestOptions, run_keeping};
use crate::settings::{Backend, Settings};

/// After this many failures no further seed is tried.
const ENOUGH_FAILURES: usize = 20;

/// The sums of all runs.
#[derive(Default)]
struct Sums {
    /// Runs begun.
    begun: u64,
    judgement: Judgement,
    cpu: Option<Duration>,
    /// The seeds that failed, with the first line of their reports.
    failures: BTreeMap<u64, String>,
    /// The failed run with the lowest seed, kept whole for the report.
    lowest: Option<(u64, Outcome)>,
    /// An output that could not be written.
    problem: Option<String>,
}

impl Sums {
    /// The number of the next run, unless there were enough.
    fn next(&mut self, count: u64) -> Option<u64> {
        let go_on = self.begun < count && self.failures.len() < ENOUGH_FAILURES;
        go_on.then(|| {
            self.begun += 1;
            self.begun - 1
        })
    }

    fn add(&mut self, seed: u64, outcome: Outcome, written: Result<(), String>) {
        self.judgement.count(&outcome);
        if let Some(cpu) = outcome.cpu {
            *self.cpu.get_or_insert_default() += cpu;
        }
        self.problem = self.problem.take().or(written.err());
        if !outcome.verdict.is_pass() {
            let first_line = outcome.verdict.first_line().unwrap_or_default();
            self.failures.insert(seed, format!("{}: {first_line}", outcome.verdict.word()));
            if self.lowest.as_ref().is_none_or(|(lowest, _)| seed < *lowest) {
                self.lowest = Some((seed, outcome));
            }
        }
    }
}

/// Runs `body` under `count` seeds, from [`Settings::seed`] (or 1) on, over the cores; on threads,
/// that many times, one after the other. The failure with the lowest seed is reported in full.
pub(crate) fn sweep(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
    count: u64,
    body: &Body,
) -> Judgement {
    let watch = Stopwatch::start();
    let sums = Arc::new(Mutex::new(Sums::default()));
    let (parallel, first) = match settings.backend {
        Backend::Sim => (cores(), settings.seed.unwrap_or(1)),
        Backend::Threads => (1, 1),
    };
    let workers = (0..parallel.min(usize::try_from(count).unwrap_or(usize::MAX))).map(|_| {
        let (sums, test, options) = (Arc::clone(&sums), test.clone(), options.clone());
        let (settings, body) = (settings.clone(), Arc::clone(body));
        labrt::spawn_named("sweep", move || {
            loop {
                let Some(number) = sums.lock().next(count) else { break };
                let seed = first + number;
                let permit = Permit::take();
                let outcome = run_keeping(settings.backend, seed, &options, Keep::default(), &body);
                drop(permit);
                let written = write_outputs(&test, &settings, &outcome);
                sums.lock().add(seed, outcome, written);
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.join().expect("a run does not panic: its outcome is a value");
    }
    let sums = std::mem::take(&mut *sums.lock());
    let (text, passed) = (describe(test, options, settings, count, watch, &sums, body), true);
    let passed = passed && sums.failures.is_empty() && sums.problem.is_none();
    Judgement { text, passed, ..sums.judgement }
}

fn describe(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
    count: u64,
    watch: Stopwatch,
    sums: &Sums,
    body: &Body,
) -> String {
    let wall = watch.elapsed();
    let mut text = String::new();
    let name = test.name();
    let simulated = settings.backend == Backend::Sim;
    let unit = if simulated { "seed" } else { "run" };
    // Writing to a string cannot fail.
    if let Some(problem) = &sums.problem {
        let _ = writeln!(text, "FAIL {problem}");
    }
    for (seed, what) in &sums.failures {
        let _ = writeln!(text, "{name} {unit} {seed}: {what}");
    }
    let Judgement { runs, rpcs, time, .. } = sums.judgement;
    let failed = sums.failures.len();
    if failed >= ENOUGH_FAILURES && runs < count {
        let _ = writeln!(text, "{name}: stopped after {failed} failures");
    }
    let _ = write!(text, "{name}: {runs} {unit}s, {} passed", runs - failed as u64);
    if failed > 0 {
        let _ = write!(text, ", {failed} FAILED");
    }
    let _ = write!(text, "; {rpcs} RPCs");
    if simulated {
        let _ = write!(text, ", {:.1}s virtual", time.as_secs_f64());
    }
    let _ = write!(text, ", {:.3}s wall", wall.as_secs_f64());
    if let Some(cpu) = sums.cpu {
        let rate = rpcs as f64 / cpu.as_secs_f64().max(1e-9);
        let _ = write!(text, ", {rate:.0} RPCs per CPU second");
    }
    text.push('\n');
    if let Some((_, outcome)) = &sums.lowest {
        text.push_str(&report::describe(test, options, settings, outcome, body));
    }
    text
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The right to occupy a core: several sweeps in one process share the cores.
struct Permit;

static TAKEN: Mutex<usize> = Mutex::new(0);
static RETURNED: Condvar = Condvar::new();

impl Permit {
    fn take() -> Permit {
        let mut taken = TAKEN.lock();
        while *taken >= cores() {
            RETURNED.wait(&mut taken);
        }
        *taken += 1;
        Permit
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *TAKEN.lock() -= 1;
        RETURNED.notify_one();
    }
}
