//! `lab sweep`: tests × seeds, to a report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use runner::{Backend, Cause};

use crate::binaries::{Build, Test};
use crate::drive::{End, Interrupts, Listener, Outcome, Plan, drive};
use crate::progress::Progress;
use crate::report::{Failure, Report, TestReport};
use crate::share::Share;

/// What was asked for.
pub struct Sweep {
    pub build: Build,
    pub filter: Option<String>,
    pub first: u64,
    pub seeds: u64,
    pub part: Option<Share>,
    pub jobs: usize,
    pub time: Option<Duration>,
    pub patience: Duration,
    pub backend: Backend,
    pub json: Option<PathBuf>,
}

/// Failures of one cause that are listed as they come; the summary counts all of them.
const LISTED: u32 = 5;

/// Runs it, prints what it came to, writes the JSON.
///
/// # Errors
/// When it cannot be begun, or a file cannot be written.
pub fn sweep(asked: &Sweep) -> Result<(Report, End)> {
    let seeds = match asked.part {
        Some(part) => part.seeds(asked.first, asked.seeds),
        None => (asked.first, asked.first + asked.seeds),
    };
    let empty = Report::new(code(), &asked.backend.to_string(), &asked.build.profile, asked.part);
    // Before anything is built: a file that cannot be written, and one of an earlier sweep, which
    // must not be taken for this one's if this one is killed.
    if let Some(path) = &asked.json {
        empty.write(path)?;
    }
    let tests = asked.build.tests(asked.filter.as_deref())?;
    let plan = Plan {
        tests: &tests,
        seeds,
        jobs: asked.jobs,
        twice: false,
        backend: asked.backend,
        time: asked.time,
        patience: asked.patience,
    };
    println!(
        "{} tests, seeds {} to {}, {} at once",
        tests.len(),
        seeds.0,
        seeds.1.saturating_sub(1).max(seeds.0),
        asked.jobs
    );
    let mut tally = Tally::new(empty, tests.len() as u64 * (seeds.1 - seeds.0));
    let interrupts = Interrupts::catch()?;
    let begin = labrt::now();
    let end = drive(&plan, &interrupts, &mut tally)?;
    tally.progress.finish();
    let mut report = tally.into_report();
    report.complete = end == End::Complete;
    report.wall_s = begin.elapsed().as_secs_f64();
    print!("{}", report.text());
    if let Some(path) = &asked.json {
        report.write(path)?;
    }
    Ok((report, end))
}

/// The version of the code, as git names it.
fn code() -> Option<String> {
    let said =
        Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output();
    let said = said.ok().filter(|said| said.status.success())?;
    Some(String::from_utf8_lossy(&said.stdout).trim().to_owned()).filter(|name| !name.is_empty())
}

/// Adds runs up as they come.
struct Tally {
    report: Report,
    tests: BTreeMap<(String, String), TestReport>,
    listed: BTreeMap<Cause, u32>,
    silent: BTreeSet<String>,
    progress: Progress,
    runs: u64,
}

impl Tally {
    fn new(report: Report, total: u64) -> Tally {
        Tally {
            report,
            tests: BTreeMap::new(),
            listed: BTreeMap::new(),
            silent: BTreeSet::new(),
            progress: Progress::new(total),
            runs: 0,
        }
    }

    fn into_report(mut self) -> Report {
        self.report.tests = self.tests.into_values().collect();
        self.report
            .failures
            .sort_by(|a, b| (&a.package, &a.test, a.seed).cmp(&(&b.package, &b.test, b.seed)));
        self.report
    }

    fn fail(&mut self, failure: Failure) {
        let listed = self.listed.entry(failure.cause()).or_default();
        *listed += 1;
        if *listed <= LISTED {
            self.progress.print(&format!("FAIL {}", failure.line()));
        } else if *listed == LISTED + 1 {
            self.progress.print("     more of this cause are counted, not listed");
        }
        self.report.failures.push(failure);
    }
}

impl Listener for Tally {
    fn run(&mut self, test: &Test, seed: u64, outcome: Outcome) {
        self.runs += 1;
        let key = (test.package.clone(), test.name().to_owned());
        let sums = self.tests.entry(key).or_insert_with(|| TestReport {
            package: test.package.clone(),
            test: test.name().to_owned(),
            lab: test.part.clone(),
            ..TestReport::default()
        });
        sums.runs += 1;
        sums.add_seed(seed);
        let (kind, at, what, detail, trace_hash) = match outcome {
            Outcome::Ended(ended) => {
                for (name, count) in ended.marks {
                    *self.report.marks.entry(name).or_default() += count;
                }
                sums.rpcs += ended.rpcs;
                sums.ops += ended.ops;
                sums.virtual_s += ended.virtual_s.unwrap_or(0.0);
                sums.cpu_s += ended.cpu_s.unwrap_or(0.0);
                if ended.verdict == "pass" {
                    sums.passed += 1;
                    return;
                }
                let what = ended.what.unwrap_or_default();
                let kind = ended.kind.unwrap_or(ended.verdict);
                (kind, ended.at, what, Vec::new(), ended.trace_hash)
            }
            Outcome::Lost { kind, what, detail } => (kind, None, what, detail, None),
        };
        self.fail(Failure {
            package: test.package.clone(),
            test: test.name().to_owned(),
            lab: test.part.clone(),
            seed,
            kind,
            at,
            what,
            detail,
            trace_hash,
        });
    }

    fn marks(&mut self, names: Vec<String>) {
        for name in names {
            self.report.marks.entry(name).or_default();
        }
    }

    fn not_a_lab_test(&mut self, test: &Test) {
        if self.silent.insert(test.path.clone()) {
            self.progress
                .print(&format!("{} is not a lab test: seeds mean nothing to it", test.path));
        }
    }

    fn tick(&mut self, seconds_left: f64) {
        self.progress.show(self.runs, self.report.failures.len() as u64, seconds_left);
    }
}
