//! The result of a sweep, as JSON between machines and as text for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use runner::Cause;
use serde::{Deserialize, Serialize};

use crate::causes::by_cause;
use crate::command;
use crate::interval::wilson;
use crate::share::Share;

/// Of the JSON: to be raised when a field changes its meaning.
const FORMAT: u32 = 1;

/// One sweep, one share of a sweep, or several added up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub format: u32,
    /// The code that was run, if git knows it.
    pub code: Option<String>,
    pub backend: String,
    pub profile: String,
    /// The share this is; `None` for a whole sweep and for merged reports.
    pub part: Option<Share>,
    /// Whether every seed was run.
    pub complete: bool,
    /// Wall clock, in seconds; of merged reports the sum.
    pub wall_s: f64,
    pub tests: Vec<TestReport>,
    pub failures: Vec<Failure>,
    /// Marks in the code, and how often all runs together have reached each.
    pub marks: BTreeMap<String, u64>,
}

/// One test under all its seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TestReport {
    pub package: String,
    pub test: String,
    pub lab: String,
    /// The seeds that were run, as first and last, in order, without overlaps or neighbours.
    pub seeds: Vec<(u64, u64)>,
    pub runs: u64,
    pub passed: u64,
    pub rpcs: u64,
    pub ops: u64,
    pub virtual_s: f64,
    /// CPU time of the runs; 0 where the system does not count it.
    pub cpu_s: f64,
}

/// A run that did not pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    pub package: String,
    pub test: String,
    pub lab: String,
    pub seed: u64,
    /// What sort of failure: `deadlock`, `task panic`, `aborted (signal 6)`, ...
    pub kind: String,
    /// The broken invariant, or the source line of the panic or check; see [`Cause`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The first line of its report.
    pub what: String,
    /// The last lines of a process that ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
    /// Identifies the run when it is replayed.
    pub trace_hash: Option<String>,
}

impl TestReport {
    /// Records that `seed` was run.
    pub fn add_seed(&mut self, seed: u64) {
        let at = self.seeds.partition_point(|(first, _)| *first <= seed);
        self.seeds.insert(at, (seed, seed));
        // Grow the neighbours together.
        if let Some(&(first, last)) = self.seeds.get(at + 1)
            && seed.checked_add(1) == Some(first)
        {
            self.seeds[at].1 = last;
            self.seeds.remove(at + 1);
        }
        if at > 0 && self.seeds[at - 1].1.checked_add(1) == Some(seed) {
            self.seeds[at - 1].1 = self.seeds[at].1;
            self.seeds.remove(at);
        }
    }

    /// The first seeds that both have.
    fn overlap(&self, other: &TestReport) -> Option<(u64, u64)> {
        self.seeds.iter().find_map(|mine| {
            let common = |theirs: &(u64, u64)| (mine.0.max(theirs.0), mine.1.min(theirs.1));
            other.seeds.iter().map(common).find(|(first, last)| first <= last)
        })
    }
}

impl Report {
    /// A report without runs.
    pub fn new(code: Option<String>, backend: &str, profile: &str, part: Option<Share>) -> Report {
        Report {
            format: FORMAT,
            code,
            backend: backend.to_owned(),
            profile: profile.to_owned(),
            part,
            complete: false,
            wall_s: 0.0,
            tests: Vec::new(),
            failures: Vec::new(),
            marks: BTreeMap::new(),
        }
    }

    pub fn runs(&self) -> u64 {
        self.tests.iter().map(|test| test.runs).sum()
    }

    pub fn passed(&self) -> u64 {
        self.tests.iter().map(|test| test.passed).sum()
    }

    /// Whether there is something and all of it passed.
    pub fn is_pass(&self) -> bool {
        self.failures.is_empty() && self.runs() > 0 && self.passed() == self.runs()
    }

    /// # Errors
    /// When the file is not there or is no report.
    pub fn read(path: &Path) -> Result<Report> {
        let name = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        let report: Report = serde_json::from_str(&text)
            .with_context(|| format!("{name} is not a report of a sweep"))?;
        if report.format != FORMAT {
            bail!(
                "{name} is a report of format {}, this program reads format {FORMAT}",
                report.format
            );
        }
        report.check().with_context(|| format!("{name} does not add up"))?;
        Ok(report)
    }

    /// Checks that the figures agree with each other: a report may have been edited, or be none.
    fn check(&self) -> Result<()> {
        let mut names = BTreeSet::new();
        for test in &self.tests {
            let name = &test.test;
            if !names.insert((&test.package, name)) {
                bail!("{name} is in it twice");
            }
            let mut seeds = 0_u64;
            let mut before = None;
            for &(first, last) in &test.seeds {
                let size = last.checked_sub(first).and_then(|size| size.checked_add(1));
                let sum = size.and_then(|size| seeds.checked_add(size));
                let in_order = before.is_none_or(|before| before < first);
                let (Some(sum), true) = (sum, in_order) else {
                    bail!("{name}: the seeds {first} to {last} are not a further range");
                };
                (seeds, before) = (sum, Some(last));
            }
            let failures = self.failures_of(test);
            let failed: BTreeSet<u64> = failures.clone().map(|failure| failure.seed).collect();
            let count = failures.count() as u64;
            if test.runs != seeds || test.passed.checked_add(count) != Some(seeds) {
                let (runs, passed) = (test.runs, test.passed);
                bail!("{name}: {runs} runs, {passed} passed, {count} failures, but {seeds} seeds");
            }
            let has = |seed: &u64| test.seeds.iter().any(|it| (it.0..=it.1).contains(seed));
            if failed.len() as u64 != count || !failed.iter().all(has) {
                bail!("{name}: its failures are not those of different seeds of its own");
            }
        }
        if let Some(failure) =
            self.failures.iter().find(|failure| !names.contains(&(&failure.package, &failure.test)))
        {
            bail!("{} has failed, but was not run", failure.test);
        }
        let sum = |of: fn(&TestReport) -> u64| {
            self.tests.iter().try_fold(0_u64, |sum, test| sum.checked_add(of(test)))
        };
        let sums = [sum(|test| test.runs), sum(|test| test.rpcs), sum(|test| test.ops)];
        let times = self.tests.iter().flat_map(|test| [test.virtual_s, test.cpu_s]);
        let sound = times.chain([self.wall_s]).all(|time| (0.0..1e12).contains(&time));
        if sums.contains(&None) || !sound {
            bail!("its sums are too large, or a time is negative");
        }
        Ok(())
    }

    fn failures_of(&self, test: &TestReport) -> impl Iterator<Item = &Failure> + Clone {
        let name = (test.package.clone(), test.test.clone());
        self.failures.iter().filter(move |it| it.package == name.0 && it.test == name.1)
    }

    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Adds reports up; the names are for the errors.
    ///
    /// # Errors
    /// When two do not go together: other code, another profile or back end, or a seed of a test in
    /// both. When the sum does not add up.
    pub fn merge(reports: Vec<(String, Report)>) -> Result<Report> {
        let mut all = reports.into_iter();
        let Some((first_name, mut sum)) = all.next() else { bail!("which reports?") };
        let mut names = vec![(first_name.clone(), sum.clone())];
        sum.part = None;
        for (name, report) in all {
            let differs = |what: &str, mine: &str, theirs: &str| {
                format!(
                    "{first_name} and {name} do not go together: {what} {mine} and {what} {theirs}"
                )
            };
            let code = |code: &Option<String>| code.clone().unwrap_or_else(|| "unknown".to_owned());
            if sum.code != report.code {
                bail!(differs("code", &code(&sum.code), &code(&report.code)));
            }
            if sum.backend != report.backend {
                bail!(differs("back end", &sum.backend, &report.backend));
            }
            if sum.profile != report.profile {
                bail!(differs("profile", &sum.profile, &report.profile));
            }
            for (other, earlier) in &names {
                if let Some((test, (first, last))) = earlier.overlap(&report) {
                    bail!(
                        "{other} and {name} overlap: both have {test} under seeds {first} to {last}"
                    );
                }
            }
            sum.add(report.clone());
            sum.check().with_context(|| format!("the sum with {name} does not add up"))?;
            names.push((name, report));
        }
        Ok(sum)
    }

    fn overlap(&self, other: &Report) -> Option<(String, (u64, u64))> {
        self.tests.iter().find_map(|mine| {
            let theirs = other.tests.iter().find(|theirs| same_test(mine, theirs))?;
            Some((mine.test.clone(), mine.overlap(theirs)?))
        })
    }

    fn add(&mut self, other: Report) {
        self.complete &= other.complete;
        self.wall_s += other.wall_s;
        for theirs in other.tests {
            let Some(mine) = self.tests.iter_mut().find(|mine| same_test(mine, &theirs)) else {
                self.tests.push(theirs);
                continue;
            };
            mine.runs = mine.runs.saturating_add(theirs.runs);
            mine.passed = mine.passed.saturating_add(theirs.passed);
            mine.rpcs = mine.rpcs.saturating_add(theirs.rpcs);
            mine.ops = mine.ops.saturating_add(theirs.ops);
            mine.virtual_s += theirs.virtual_s;
            mine.cpu_s += theirs.cpu_s;
            mine.seeds.extend(theirs.seeds);
            mine.seeds.sort_unstable();
            mine.seeds.dedup_by(|next, earlier| {
                let joined = earlier.1.checked_add(1) == Some(next.0);
                if joined {
                    earlier.1 = next.1;
                }
                joined
            });
        }
        for (name, count) in other.marks {
            let sum = self.marks.entry(name).or_default();
            *sum = sum.saturating_add(count);
        }
        self.failures.extend(other.failures);
        self.failures
            .sort_by(|a, b| (&a.package, &a.test, a.seed).cmp(&(&b.package, &b.test, b.seed)));
    }

    /// The summary: failures by cause, each with a command that repeats one of them; a line a test;
    /// the total.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        for (cause, failures) in by_cause(&self.failures) {
            let _ = writeln!(text, "\n{} × {cause}", failures.len());
            let first = failures[0];
            if !first.what.is_empty() {
                let _ = writeln!(text, "    such as: {}", first.what);
            }
            let mut by_test: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
            for failure in &failures {
                by_test.entry(&failure.test).or_default().push(failure.seed);
            }
            for (test, seeds) in by_test {
                let _ = writeln!(text, "    {test}: {}", some_of(&seeds));
            }
            for line in &first.detail {
                let _ = writeln!(text, "    | {line}");
            }
            let _ = writeln!(text, "    {}", self.replay_command(first));
        }
        if !text.is_empty() {
            text.push('\n');
        }
        let width = self.tests.iter().map(|test| test.test.len()).max().unwrap_or(0);
        for test in &self.tests {
            let _ = write!(text, "{:width$}  {:>6} runs", test.test, test.runs);
            match test.runs - test.passed {
                0 => text.push_str(", all passed"),
                failed => {
                    let _ = write!(text, ", {failed} FAILED");
                }
            }
            let _ = writeln!(text, "; {} RPCs, {:.1} s virtual", test.rpcs, test.virtual_s);
        }
        if !self.marks.is_empty() {
            let never: Vec<&str> = self
                .marks
                .iter()
                .filter(|(_, count)| **count == 0)
                .map(|it| it.0.as_str())
                .collect();
            let (all, reached) = (self.marks.len(), self.marks.len() - never.len());
            let _ = writeln!(
                text,
                "{reached} of {all} marks reached{}",
                if never.is_empty() { "" } else { "; never:" }
            );
            for name in never {
                let _ = writeln!(text, "    {name}");
            }
        }
        let (runs, passed) = (self.runs(), self.passed());
        let (low, high) = wilson(passed, runs);
        let rate = if runs == 0 { 0.0 } else { passed as f64 / runs as f64 };
        let _ = write!(
            text,
            "{}: {passed} of {runs} runs passed: {:.3} %, at 95 % between {:.3} % and {:.3} %",
            if self.is_pass() { "PASS" } else { "FAIL" },
            rate * 100.0,
            low * 100.0,
            high * 100.0
        );
        if !self.complete {
            text.push_str("; ended before all seeds were run");
        }
        text.push('\n');
        let sum = |of: fn(&TestReport) -> f64| self.tests.iter().map(of).sum::<f64>();
        let (rpcs, cpu) = (sum(|test| test.rpcs as f64), sum(|test| test.cpu_s));
        let _ = write!(
            text,
            "{rpcs:.0} RPCs, {:.0} s virtual, {:.1} s wall",
            sum(|test| test.virtual_s),
            self.wall_s
        );
        if cpu > 0.0 {
            let _ = write!(text, "; {:.0} RPCs per CPU second", rpcs / cpu);
        }
        text.push('\n');
        text
    }

    /// The command that repeats a failure.
    fn replay_command(&self, failure: &Failure) -> String {
        let (lab, test, seed) = (&failure.lab, &failure.test, failure.seed);
        if self.backend == "threads" {
            let options = [("test", test.as_str()), ("backend", "threads")];
            return command(&format!("test-{lab}"), &format!("test {lab}"), &options);
        }
        let seed = seed.to_string();
        let mut options = vec![("lab", lab.as_str()), ("test", test), ("seed", &seed)];
        options.extend(failure.trace_hash.as_deref().map(|hash| ("expect", hash)));
        command("replay", "replay", &options)
    }
}

impl Failure {
    /// One line, for when it happens: what the cause has, with the numbers.
    pub fn line(&self) -> String {
        let what: String = self.what.chars().take(300).collect();
        let kind =
            if what.starts_with(&self.kind) { String::new() } else { self.kind.clone() + ": " };
        format!("{} seed {}: {kind}{what}", self.test, self.seed)
    }

    /// What it has in common with failures of the same cause.
    pub fn cause(&self) -> Cause {
        Cause { kind: self.kind.clone(), at: self.at.clone() }
    }
}

fn same_test(a: &TestReport, b: &TestReport) -> bool {
    (&a.package, &a.test) == (&b.package, &b.test)
}

fn some_of(seeds: &[u64]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = seeds.iter().take(SHOWN).map(u64::to_string).collect();
    let word = if seeds.len() == 1 { "seed" } else { "seeds" };
    match seeds.len().saturating_sub(SHOWN) {
        0 => format!("{word} {}", shown.join(", ")),
        more => format!("{word} {} and {more} more", shown.join(", ")),
    }
}
