//! `lab determinism`: does the seed alone decide a run?
//!
//! Every run is made three times: twice in one process, compared event by event, and once in another process, compared by the hash of
//! its trace, since what differs from process to process only (hasher keys, addresses, the environment) is the same for the first two.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::binaries::{Build, Test, tests_of};
use crate::drive::{End, Interrupts, Outcome, Plan, Watcher, drive};
use crate::progress::Progress;
use crate::sweep::{Sweep, labs_of};

/// Checks the runs that `asked` describes; the runs in other processes are of a build in `other_profile`, if one is named. Returns
/// whether every run repeats, and how the check ended.
///
/// # Errors
/// When it cannot be begun.
pub fn determinism(asked: &Sweep, other_profile: Option<&str>) -> Result<(bool, End)> {
    let labs = labs_of(asked)?;
    let tests = tests_of(&labs, asked.filter.as_deref(), &asked.build)?;
    let others = match other_profile {
        Some(profile) => {
            let build = Build { profile: profile.to_owned(), ..asked.build.clone() };
            tests_of(&labs, asked.filter.as_deref(), &build)?
        }
        None => tests.clone(),
    };
    let seeds = (asked.first, asked.first + asked.seeds);
    println!("{} tests, seeds {} to {}, three runs each", tests.len(), seeds.0, seeds.1 - 1);
    let interrupts = Interrupts::catch()?;
    let mut check = Check {
        hashes: BTreeMap::new(),
        bad: 0,
        compared: 0,
        runs: 0,
        progress: Progress::new(2 * tests.len() as u64 * asked.seeds),
    };
    let mut end = End::Complete;
    for (work, tests) in [("twice", &tests), ("once", &others)] {
        let plan = Plan {
            tests,
            seeds,
            jobs: asked.jobs,
            work,
            backend: "sim",
            time: asked.time,
            patience: asked.patience,
        };
        end = drive(&plan, &interrupts, &mut check)?;
        if end != End::Complete {
            break;
        }
    }
    check.progress.finish();
    let Check { bad, compared, .. } = check;
    match bad {
        0 => println!(
            "PASS: {compared} runs, each the same twice event by event and in another process by its hash"
        ),
        _ => println!("FAIL: {bad} of {} runs do not repeat (docs/DETERMINISM.md)", compared + bad),
    }
    Ok((bad == 0 && compared > 0, end))
}

struct Check {
    /// Of the runs that were the same twice.
    hashes: BTreeMap<(String, String, u64), Option<String>>,
    bad: u64,
    compared: u64,
    runs: u64,
    progress: Progress,
}

impl Check {
    fn complain(&mut self, test: &Test, seed: u64, what: &str) {
        self.bad += 1;
        let (lab, name) = (&test.lab, test.name());
        self.progress.print(&format!(
            "{name} seed {seed}: {what}\n    make replay LAB={lab} TEST={name} SEED={seed}"
        ));
    }
}

impl Watcher for Check {
    fn run(&mut self, test: &Test, seed: u64, outcome: Outcome) {
        self.runs += 1;
        let ended = match outcome {
            Outcome::Ended(ended) => ended,
            Outcome::Lost { kind, what, .. } => {
                self.complain(test, seed, &format!("cannot be compared: {kind}: {what}"));
                return;
            }
        };
        if let Some(divergence) = &ended.divergence {
            self.complain(test, seed, divergence);
            return;
        }
        let key = (test.package.clone(), test.name().to_owned(), seed);
        match self.hashes.remove(&key) {
            None if ended.twice => {
                self.hashes.insert(key, ended.trace_hash);
            }
            // The first two did not agree already.
            None => {}
            Some(expected) if expected == ended.trace_hash => self.compared += 1,
            Some(expected) => {
                let show =
                    |hash: &Option<String>| hash.clone().unwrap_or_else(|| "none".to_owned());
                let what = format!(
                    "took one path twice in one process and another in the next (trace {}, then {}): something of the process \
                     gets into the run",
                    show(&expected),
                    show(&ended.trace_hash)
                );
                self.complain(test, seed, &what);
            }
        }
    }

    fn not_a_lab_test(&mut self, _test: &Test) {}

    fn tick(&mut self, seconds_left: f64) {
        self.progress.show(self.runs, self.bad, seconds_left);
    }
}
