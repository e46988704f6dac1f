//! `lab determinism`: does the seed alone decide a run?
//!
//! Every run is made three times: twice in one process, compared event by event, and once in
//! another process, compared by the hash of its trace. The third run finds what differs only from
//! process to process: hasher keys, addresses, the environment.

use std::collections::BTreeMap;

use anyhow::Result;
use runner::Backend;

use crate::binaries::{Build, Test};
use crate::command;
use crate::drive::{End, Interrupts, Listener, Outcome, Plan, drive};
use crate::progress::Progress;
use crate::sweep::Sweep;

/// Checks the runs that `asked` describes. The third runs are of a build in `other_profile`, if one
/// is named. Returns whether every run repeats, and how the check ended.
///
/// # Errors
/// When it cannot be begun.
pub fn determinism(asked: &Sweep, other_profile: Option<&str>) -> Result<(bool, End)> {
    let tests = asked.build.tests(asked.filter.as_deref())?;
    let others = match other_profile {
        Some(profile) => {
            let build = Build { profile: profile.to_owned(), ..asked.build.clone() };
            build.tests(asked.filter.as_deref())?
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
    for (twice, tests) in [(true, &tests), (false, &others)] {
        let plan = Plan {
            tests,
            seeds,
            jobs: asked.jobs,
            twice,
            backend: Backend::Sim,
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
            "PASS: {compared} runs, each the same twice event by event and in another process by \
             its hash"
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
        let (name, number) = (test.name(), seed.to_string());
        let options = [("lab", test.part.as_str()), ("test", name), ("seed", &number)];
        let again = command("replay", "replay", &options);
        self.progress.print(&format!("{name} seed {seed}: {what}\n    {again}"));
    }
}

impl Listener for Check {
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
            // The first two runs differed.
            None => {}
            Some(expected) if expected == ended.trace_hash => self.compared += 1,
            Some(expected) => {
                let show =
                    |hash: &Option<String>| hash.clone().unwrap_or_else(|| "none".to_owned());
                let what = format!(
                    "took one path twice in one process and another in the next \
                     (trace {}, then {}): something of the process gets into the run",
                    show(&expected),
                    show(&ended.trace_hash)
                );
                self.complain(test, seed, &what);
            }
        }
    }

    fn tick(&mut self, seconds_left: f64) {
        self.progress.show(self.runs, self.bad, seconds_left);
    }
}
