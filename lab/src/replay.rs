//! `lab replay`: one run once more, with everything of it written to `target/lab/<test>-<seed>/`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};
use runner::InputHead;

use crate::binaries::{Build, Test, tests_of};
use crate::labs::{self, LABS, Lab};
use crate::worker::describe_end;

/// What was asked for.
pub struct Replay {
    pub lab: String,
    pub test: Option<String>,
    /// Without one, the test's own.
    pub seed: Option<u64>,
    /// The trace hash the run must have.
    pub expect: Option<String>,
    /// A schedule file: which test, which seed, which faults.
    pub schedule: Option<PathBuf>,
    pub build: Build,
}

/// Replays it. Returns whether the run repeats and passes.
///
/// # Errors
/// When it is not clear what to replay, or it cannot be built or started.
pub fn replay(asked: &Replay) -> Result<bool> {
    let mut variables = vec![("LAB_REPLAY", "1".to_owned())];
    let (labs, name, seed) = match &asked.schedule {
        Some(path) => {
            let schedule = read_schedule(path)?;
            // The test runs in the folder of its package.
            let path = std::path::absolute(path)?;
            variables.push(("LAB_SCHEDULE", path.display().to_string()));
            let lab = lab_of(&schedule).map(|lab| vec![lab]);
            let labs = if asked.build.binary.is_some() { Vec::new() } else { lab? };
            (labs, schedule.test, Some(schedule.seed))
        }
        None => {
            let Some(name) = asked.test.clone() else { bail!("which test? Say TEST=name") };
            let any = asked.build.binary.is_some();
            let labs = if any { Vec::new() } else { labs::parse(&asked.lab)? };
            (labs, name, asked.seed)
        }
    };
    let tests = tests_of(&labs, Some(&name), &asked.build)?;
    let test = the_one(&tests, &name)?;
    variables.extend(seed.map(|seed| ("LAB_SEED", seed.to_string())));
    variables.extend(asked.expect.clone().map(|hash| ("LAB_EXPECT", hash)));
    let status = run(test, &variables)?;
    if status.code().is_none() {
        log_of_a_run_that_ends_its_process(test, seed, status)?;
    }
    Ok(status.success())
}

fn read_schedule(path: &Path) -> Result<InputHead> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{name} is not a schedule: it needs package, test and seed"))
}

fn lab_of(schedule: &InputHead) -> Result<&'static Lab> {
    let (package, test) = (schedule.package.as_str(), schedule.test.as_str());
    let fits = |lab: &&Lab| lab.packages.contains(&package) && test.contains(lab.filter);
    match LABS.iter().find(fits) {
        Some(lab) => Ok(lab),
        None => bail!("no part of the labs has a test {test} in {package}"),
    }
}

/// The test that `name` means: the one of this name, or the only one whose name contains it.
fn the_one<'a>(tests: &'a [Test], name: &str) -> Result<&'a Test> {
    let mut exact = tests.iter().filter(|test| test.name() == name || test.path == name);
    match (exact.next(), exact.next(), tests) {
        (Some(test), None, _) | (None, _, [test]) => Ok(test),
        _ => {
            let names: Vec<&str> = tests.iter().map(|test| test.path.as_str()).collect();
            bail!("TEST={name} can be one of {}", names.join(", "))
        }
    }
}

/// Runs the test and passes its output on, without the test runner's own lines.
fn run(test: &Test, variables: &[(&str, String)]) -> Result<ExitStatus> {
    let mut command = test.command();
    command.envs(variables.iter().map(|(name, value)| (*name, value)));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", test.binary.display()))?;
    if let Some(stdout) = child.stdout.take() {
        let mut stdout = BufReader::new(stdout);
        let mut line = Vec::new();
        while stdout.read_until(b'\n', &mut line)? > 0 {
            let text = String::from_utf8_lossy(&line);
            if let Some(text) = said_by_the_test(text.trim_end(), &test.path) {
                println!("{text}");
            }
            line.clear();
        }
    }
    child.wait().context("cannot wait for the test")
}

/// `None` for a line of the test runner, which may stand before the test's own on the same line.
fn said_by_the_test<'a>(line: &'a str, path: &str) -> Option<&'a str> {
    let prefix = format!("test {path} ... ");
    let text = line.strip_prefix(&prefix).unwrap_or(line);
    let runner = ["running 1 test", "test result: ", "failures:", "error: test failed"];
    let noise = text.is_empty()
        || matches!(text, "ok" | "FAILED")
        || text.trim() == path
        || runner.iter().any(|start| text.starts_with(start));
    (!noise).then_some(text)
}

/// A run that ends its process leaves no time to write anything down: it is made once more, with every line going out at once.
fn log_of_a_run_that_ends_its_process(
    test: &Test,
    seed: Option<u64>,
    status: ExitStatus,
) -> Result<()> {
    println!("the run ended its process: {}", describe_end(status, &[]).0);
    let run = seed.map_or_else(|| "fixed".to_owned(), |seed| seed.to_string());
    let folder = runner::folder_of(test.name(), &run);
    let path = folder.join("log.txt");
    std::fs::create_dir_all(&folder)
        .and_then(|()| File::create(&path))
        .and_then(|file| {
            let mut command = test.command();
            command.env("LAB_LOG", "trace").stdout(Stdio::null()).stderr(file);
            command.envs(seed.map(|seed| ("LAB_SEED", seed.to_string())));
            command.status()
        })
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("  log: {}", path.display());
    std::io::stdout().flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_runners_lines_are_left_out() {
        let said = |line| said_by_the_test(line, "a::b");
        for noise in
            ["", "running 1 test", "test a::b ... ok", "test a::b ... ", "failures:", "    a::b"]
        {
            assert_eq!(said(noise), None, "{noise}");
        }
        assert_eq!(said("test a::b ... Test: x ..."), Some("Test: x ..."));
        assert_eq!(said("  log: y"), Some("  log: y"));
    }

    #[test]
    fn which_test_is_meant() {
        let test = |path: &str| Test {
            package: "p".to_owned(),
            lab: "3a".to_owned(),
            path: path.to_owned(),
            binary: PathBuf::new(),
            folder: PathBuf::new(),
        };
        let tests = [test("m::basic_4b"), test("m::basic_4b_again")];
        assert_eq!(the_one(&tests, "basic_4b").unwrap().path, "m::basic_4b");
        assert_eq!(the_one(&tests[1..], "basic").unwrap().path, "m::basic_4b_again");
        let error = the_one(&tests, "basic").unwrap_err().to_string();
        assert_eq!(error, "TEST=basic can be one of m::basic_4b, m::basic_4b_again");
    }

    #[test]
    fn schedules() {
        let schedule = |test: &str| {
            let text = format!(r#"{{"package":"raft","test":"{test}","seed":1}}"#);
            serde_json::from_str::<InputHead>(&text).unwrap()
        };
        assert_eq!(lab_of(&schedule("figure8_3c")).unwrap().name, "3c");
        assert_eq!(lab_of(&schedule("nemesis_raft")).unwrap().name, "nemesis");
        assert!(lab_of(&schedule("speed_4b")).is_err());
    }
}
