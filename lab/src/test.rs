//! `lab test`: tests of parts or crates, each once, with the course's lines and a summary.
//!
//! A test binary passes when the test runner and every lab test in it say so: each test that has
//! begun must have ended, and the test runner's result must count all tests that were selected.
//! A process that ends early, whatever its exit code, fails.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use runner::protocol::Line;
use runner::{Backend, Settings};

use crate::binaries::{Binary, Selection, Test, absolute, cargo};
use crate::worker::{describe_end, report_key};

/// What is to be tested.
pub struct Asked {
    pub selection: Selection,
    pub filter: Option<String>,
    pub profile: String,
    pub backend: Option<Backend>,
    pub seed: Option<u64>,
    pub seeds: Option<u64>,
    /// How a failure is to be repeated; see [`Settings::repeat`].
    pub repeat: String,
}

/// The counts of all tests.
#[derive(Default)]
struct Sums {
    passed: u64,
    failed: u64,
    lab_tests: u64,
    time_s: f64,
    rpcs: u64,
    problems: Vec<String>,
}

/// Runs the tests. Returns whether all passed.
///
/// # Errors
/// When they cannot be built or started, or when there are none.
pub fn test(asked: &Asked) -> Result<bool> {
    let settings = Settings::from_env()?;
    settings.check_outputs()?;
    let built = asked.selection.build(&asked.profile, false)?;
    let tests = asked.selection.tests(&built.binaries, asked.filter.as_deref(), false)?;
    let mut sums = Sums::default();
    for binary in &built.binaries {
        let selected: Vec<&Test> = tests.iter().filter(|it| it.binary == binary.path).collect();
        if !selected.is_empty() {
            run_binary(binary, &selected, asked, &settings, &mut sums)?;
        }
    }
    if built.library && asked.filter.is_none() && !matches!(asked.selection, Selection::Parts(_)) {
        run_documentation(asked, &mut sums)?;
    }
    for problem in &sums.problems {
        println!("FAIL {problem}");
    }
    let passed = sums.failed == 0 && sums.problems.is_empty();
    let verdict = if passed { "PASS" } else { "FAIL" };
    print!("{verdict}: {} tests passed, {} failed", sums.passed, sums.failed);
    if sums.lab_tests > 0 {
        print!("; {:.1} s of cluster time, {} RPCs", sums.time_s, sums.rpcs);
    }
    println!();
    Ok(passed)
}

fn run_binary(
    binary: &Binary,
    selected: &[&Test],
    asked: &Asked,
    settings: &Settings,
    sums: &mut Sums,
) -> Result<()> {
    let mut command = Command::new(&binary.path);
    command.current_dir(&binary.folder).arg("--nocapture");
    if asked.filter.is_some() || matches!(asked.selection, Selection::Parts(_)) {
        command.arg("--exact").args(selected.iter().map(|test| &test.path));
    }
    if asked.backend.unwrap_or(settings.backend) == Backend::Threads {
        command.arg("--test-threads=1"); // real time cannot be shared
    }
    let mut output = Output::new(selected.iter().map(|test| test.path.as_str()).collect());
    output.run(&mut command, asked, settings)?;
    output.add_to(sums, &format!("{} ({})", binary.package, binary.path.display()));
    Ok(())
}

/// The tests in the documentation of libraries, which only cargo can run.
fn run_documentation(asked: &Asked, sums: &mut Sums) -> Result<()> {
    let mut command = cargo();
    command.args(["test", "--doc", "--quiet", "--profile", &asked.profile]);
    command.args(asked.selection.package_options());
    let mut output = Output::new(BTreeSet::new());
    output.run(&mut command, asked, &Settings::default())?;
    output.add_to(sums, "documentation");
    Ok(())
}

/// The output of a test process.
pub struct Output<'a> {
    /// Selected tests that the test runner has not called ok; empty for documentation.
    open: BTreeSet<&'a str>,
    selected: u64,
    /// Lab tests that have begun and not ended.
    begun: Vec<String>,
    /// Leave out the test runner's list of failures.
    pub quiet: bool,
    lab_tests: u64,
    time_s: f64,
    rpcs: u64,
    announced: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
    end: String,
    success: bool,
}

impl<'a> Output<'a> {
    pub fn new(open: BTreeSet<&'a str>) -> Output<'a> {
        Output {
            selected: open.len() as u64,
            open,
            begun: Vec::new(),
            quiet: false,
            lab_tests: 0,
            time_s: 0.0,
            rpcs: 0,
            announced: 0,
            passed: 0,
            failed: 0,
            ignored: 0,
            end: String::new(),
            success: false,
        }
    }

    /// Runs the process and prints what its tests print.
    fn run(&mut self, command: &mut Command, asked: &Asked, settings: &Settings) -> Result<()> {
        let key = report_key();
        command.env("LAB_REPORT", &key).env("LAB_REPEAT", &asked.repeat);
        let number = |value: Option<u64>| value.map(|value| value.to_string());
        let backend = asked.backend.map(|backend| backend.to_string());
        let path =
            |path: &Option<PathBuf>| path.as_ref().map(|path| absolute(path).display().to_string());
        let variables = [
            ("LAB_SEED", number(asked.seed)),
            ("LAB_SEEDS", number(asked.seeds)),
            ("LAB_BACKEND", backend),
            ("LAB_SUMMARY", path(&settings.summary)),
            ("LAB_HISTORY", path(&settings.history)),
            ("LAB_SCHEDULE", path(&settings.input)),
        ];
        for (name, value) in variables {
            command.envs(value.map(|value| (name, value)));
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| {
                format!("cannot start {}", command.get_program().to_string_lossy())
            })?;
        if let Some(stdout) = child.stdout.take() {
            self.read(&key, stdout)?;
        }
        let status = child.wait().context("cannot wait for a test process")?;
        self.success = status.success();
        self.end = match status.code() {
            Some(code) => format!("exit code {code}"),
            None => describe_end(status, &[]).0,
        };
        Ok(())
    }

    pub fn read(&mut self, key: &str, stdout: impl Read) -> Result<()> {
        let mut stdout = BufReader::new(stdout);
        let mut out = std::io::stdout().lock();
        let mut line = Vec::new();
        while stdout.read_until(b'\n', &mut line)? > 0 {
            let text = String::from_utf8_lossy(&line);
            if let Some(text) = self.take(key, text.trim_end()) {
                writeln!(out, "{text}")?;
            }
            line.clear();
        }
        Ok(out.flush()?)
    }

    /// Whether every test that has begun has ended, and the test runner has given its result.
    pub fn has_ended(&self) -> bool {
        self.begun.is_empty() && self.passed + self.failed + self.ignored >= self.selected
    }

    /// Takes in a line; returns what is to be printed.
    fn take<'t>(&mut self, key: &str, line: &'t str) -> Option<&'t str> {
        match Line::parse(key, line) {
            Some(Line::TestBegan { test }) => self.begun.push(test),
            Some(Line::TestEnded { test, time_s, rpcs, .. }) => {
                let at = self.begun.iter().position(|begun| *begun == test)?;
                self.begun.swap_remove(at);
                self.lab_tests += 1;
                self.time_s += time_s;
                self.rpcs += rpcs;
            }
            Some(_) => {}
            None => return self.take_text(line),
        }
        None
    }

    /// A line of the test runner or of a test. The test runner begins a line before a test, and
    /// ends it when the test has ended.
    fn take_text<'t>(&mut self, line: &'t str) -> Option<&'t str> {
        if let Some(counts) = line.strip_prefix("test result: ") {
            let count = |what: &str| {
                let before = counts.split(what).next().unwrap_or_default();
                before.rsplit([' ', ';']).find_map(|word| word.parse::<u64>().ok()).unwrap_or(0)
            };
            self.passed += count(" passed");
            self.failed += count(" failed");
            self.ignored += count(" ignored");
            return (count(" failed") > 0 && !self.quiet).then_some(line);
        }
        if let Some(count) = line.strip_prefix("running ").and_then(|rest| rest.split(' ').next())
            && let Ok(count) = count.parse::<u64>()
            && matches!(line.rsplit(' ').next(), Some("test" | "tests"))
        {
            self.announced += count;
            return None;
        }
        let mut rest = line;
        if let Some((path, after)) =
            line.strip_prefix("test ").and_then(|rest| rest.split_once(" ..."))
            && !path.contains(' ')
        {
            let after = after.trim_start();
            if after == "ok" || after.starts_with("ignored") {
                self.open.remove(path);
            }
            rest = after;
        }
        let list = rest == "failures:" || self.open.contains(rest.trim());
        let noise = matches!(rest, "" | "ok" | "FAILED")
            || self.quiet && list
            || rest.starts_with("ignored")
            || rest.starts_with("all doctests ran in ");
        (!noise).then_some(rest)
    }

    fn add_to(self, sums: &mut Sums, name: &str) {
        let Output { passed, failed, ignored, announced, .. } = self;
        let ended = passed + failed + ignored;
        let expected = announced.max(self.selected);
        // A lab test that has not ended has not passed, whatever is printed.
        let lost = expected.saturating_sub(ended).max(self.begun.len() as u64);
        sums.passed += passed.min(expected.saturating_sub(failed + lost));
        sums.failed += failed + lost;
        sums.lab_tests += self.lab_tests;
        sums.time_s += self.time_s;
        sums.rpcs += self.rpcs;
        if lost > 0 || !self.begun.is_empty() {
            let mut names: Vec<&str> = self.begun.iter().map(String::as_str).collect();
            if names.is_empty() {
                names = self.open.iter().copied().take(5).collect();
            }
            let end = &self.end;
            sums.problems.push(format!(
                "{name}: the process ended ({end}) before {expected} tests had: {}",
                if names.is_empty() { "unknown".to_owned() } else { names.join(", ") }
            ));
        } else if !self.success && failed == 0 {
            sums.problems.push(format!("{name}: the process failed ({})", self.end));
        }
    }
}
