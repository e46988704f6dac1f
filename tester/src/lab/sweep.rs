//! The same test under many seeds, one run a core.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use labrt::{Condvar, Mutex};

use super::cpu::Stopwatch;
use super::entry::{TestId, write_what_was_asked_for};
use super::failure;
use super::runs::{Backend, Outcome, TestOptions, run};
use super::settings::Settings;

/// After this many failures no further seed is tried: they will hardly teach more than these.
const ENOUGH_FAILURES: usize = 20;

/// What a sweep came to.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
#[must_use = "a sweep with failures is a value, not a panic"]
pub struct SweepReport {
    /// Runs made.
    pub runs: u64,
    /// Those that passed.
    pub passed: u64,
    /// Those that failed or were inconclusive.
    pub failed: u64,
    /// RPCs of all runs.
    pub rpcs: u64,
    /// Sum of the runs' own time.
    pub time: Duration,
    /// Wall clock of the whole sweep.
    pub wall: Duration,
    /// Processor time of all runs, where the system tells.
    pub cpu: Option<Duration>,
    /// The seeds that failed, with the first line of what happened.
    pub failures: BTreeMap<u64, String>,
    /// What is to be printed.
    pub text: String,
}

/// What the runs add up to, so that nothing of a run needs to be kept.
#[derive(Default)]
struct Tally {
    runs: u64,
    passed: u64,
    rpcs: u64,
    time: Duration,
    cpu: Option<Duration>,
    complaints: Vec<String>,
    failures: BTreeMap<u64, String>,
    /// The failed run with the lowest seed, kept whole for the report.
    worst: Option<(u64, Outcome)>,
}

impl Tally {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.runs += 1;
        self.rpcs += outcome.rpcs;
        self.time += outcome.time;
        if let Some(cpu) = outcome.cpu {
            *self.cpu.get_or_insert_default() += cpu;
        }
        if outcome.verdict.is_pass() {
            self.passed += 1;
            return;
        }
        let first_line = outcome.verdict.report().lines().next().unwrap_or_default();
        self.failures.insert(seed, format!("{}: {first_line}", outcome.verdict.word()));
        if self.worst.as_ref().is_none_or(|(lowest, _)| seed < *lowest) {
            self.worst = Some((seed, outcome));
        }
    }
}

/// Runs `body` under [`Settings::seeds`] seeds, from [`Settings::seed`] (or 1) on, over the cores; on threads, that many times, one after
/// the other. Shows a progress bar if stderr is a terminal. The failure with the lowest seed is reported in full.
pub fn sweep(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> SweepReport {
    let first = settings.seed.unwrap_or(1);
    let count = settings.seeds.unwrap_or(1);
    let watch = Stopwatch::start();
    let bar = progress_bar(test, count);
    let tally = match settings.backend {
        Backend::Sim => over_the_cores(test, options, settings, first, count, &bar, &body),
        Backend::Threads => {
            let mut tally = Tally::default();
            for number in 0..count {
                let outcome = run(Backend::Threads, 0, options, body.clone());
                tally.complaints.extend(write_what_was_asked_for(test, settings, &outcome));
                tally.add(number + 1, outcome);
                bar.inc(1);
                if tally.failures.len() >= ENOUGH_FAILURES {
                    break;
                }
            }
            tally
        }
    };
    bar.finish_and_clear();
    report(test, options, settings, count, watch.elapsed(), tally, body)
}

fn over_the_cores(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
    first: u64,
    count: u64,
    bar: &ProgressBar,
    body: &(impl Fn() + Clone + Send + Sync + 'static),
) -> Tally {
    let next = Arc::new(AtomicU64::new(0));
    let enough = Arc::new(AtomicBool::new(false));
    let tally = Arc::new(Mutex::new(Tally::default()));
    let workers = (0..cores().min(usize::try_from(count).unwrap_or(usize::MAX))).map(|_| {
        let (next, enough, tally) = (Arc::clone(&next), Arc::clone(&enough), Arc::clone(&tally));
        let (test, options, settings) = (test.clone(), options.clone(), settings.clone());
        let (bar, body) = (bar.clone(), body.clone());
        labrt::spawn_named("sweep", move || {
            while !enough.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    break;
                }
                let seed = first + number;
                let permit = Permit::take();
                let outcome = run(Backend::Sim, seed, &options, body.clone());
                drop(permit);
                let complaints = write_what_was_asked_for(&test, &settings, &outcome);
                let mut tally = tally.lock();
                tally.complaints.extend(complaints);
                tally.add(seed, outcome);
                if tally.failures.len() >= ENOUGH_FAILURES {
                    enough.store(true, Ordering::Relaxed);
                }
                drop(tally);
                bar.inc(1);
            }
        })
    });
    let workers: Vec<_> = workers.collect();
    for worker in workers {
        if let Err(error) = worker.join() {
            tally.lock().complaints.push(format!("a worker of the sweep was lost: {error}\n"));
            tally.lock().failures.insert(first, error.to_string());
        }
    }
    std::mem::take(&mut *tally.lock())
}

fn report(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
    count: u64,
    wall: Duration,
    tally: Tally,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> SweepReport {
    let mut text = String::new();
    let mut complaints = tally.complaints;
    complaints.dedup();
    complaints.iter().take(ENOUGH_FAILURES).for_each(|complaint| text.push_str(complaint));
    let kind = match settings.backend {
        Backend::Sim => "seed",
        Backend::Threads => "run",
    };
    // Writing to a string cannot fail.
    for (seed, what) in &tally.failures {
        let _ = writeln!(text, "{} {kind} {seed}: {what}", test.name());
    }
    if tally.failures.len() >= ENOUGH_FAILURES && tally.runs < count {
        let _ = writeln!(text, "{}: stopped after {} failures", test.name(), tally.failures.len());
    }
    let failed = tally.failures.len() as u64;
    let mut total = format!("{}: {} {kind}s, {} passed", test.name(), tally.runs, tally.passed);
    if failed > 0 {
        let _ = write!(total, ", {failed} FAILED");
    }
    let _ = write!(total, "; {} RPCs", tally.rpcs);
    if settings.backend == Backend::Sim {
        let _ = write!(total, ", {:.1}s virtual", tally.time.as_secs_f64());
    }
    let _ = write!(total, ", {:.3}s wall", wall.as_secs_f64());
    if let Some(cpu) = tally.cpu {
        let rate = tally.rpcs as f64 / cpu.as_secs_f64().max(1e-9);
        let _ = write!(total, ", {rate:.0} RPCs per CPU second");
    }
    let _ = writeln!(text, "{total}");
    if let Some((_, outcome)) = &tally.worst {
        text.push_str(&failure::describe(test, options, settings, outcome, body));
    }
    SweepReport {
        runs: tally.runs,
        passed: tally.passed,
        failed,
        rpcs: tally.rpcs,
        time: tally.time,
        wall,
        cpu: tally.cpu,
        failures: tally.failures,
        text,
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// All bars of the process: several tests sweep at once under cargo's own parallelism.
fn progress_bar(test: &TestId, count: u64) -> ProgressBar {
    static BARS: OnceLock<MultiProgress> = OnceLock::new();
    let bar = BARS.get_or_init(MultiProgress::new).add(ProgressBar::new(count));
    if let Ok(style) = ProgressStyle::with_template("{msg:40} {bar:30} {pos}/{len} seeds {eta}") {
        bar.set_style(style);
    }
    bar.set_message(test.name().to_owned());
    bar
}

/// The right to occupy a core: several sweeps in one process share them.
struct Permit;

static FREE: OnceLock<Mutex<usize>> = OnceLock::new();
static RETURNED: Condvar = Condvar::new();

impl Permit {
    fn take() -> Permit {
        let mut free = FREE.get_or_init(|| Mutex::new(cores())).lock();
        while *free == 0 {
            RETURNED.wait(&mut free);
        }
        *free -= 1;
        Permit
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(free) = FREE.get() {
            *free.lock() += 1;
            RETURNED.notify_one();
        }
    }
}
