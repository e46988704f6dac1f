//! `lab replay`: one run again, with everything about it in `target/lab/<test>-<seed>/`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};
use runner::InputHead;

use crate::binaries::{Build, Selection, Test, absolute};
use crate::parts::{self, PARTS, Part};
use crate::worker::describe_end;
use crate::{typed, worker};

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
    pub profile: String,
    pub binary: Option<PathBuf>,
}

/// Replays a run. Returns whether it repeats and passes.
///
/// # Errors
/// When it is not clear what to replay, or it cannot be built or started.
pub fn replay(asked: &Replay) -> Result<bool> {
    let mut variables = vec![("LAB_REPLAY", "1".to_owned())];
    let (parts, name, seed) = match &asked.schedule {
        Some(path) => {
            let head = read_schedule(path)?;
            variables.push(("LAB_SCHEDULE", absolute(path).display().to_string()));
            (part_of(&head).map(|part| vec![part]), head.test, Some(head.seed))
        }
        None => {
            let Some(name) = asked.test.clone() else {
                bail!("which test? Give {}", typed("test", "name"))
            };
            let all = if asked.lab.is_empty() { "all" } else { &asked.lab };
            (parts::parse("lab", all), name, asked.seed)
        }
    };
    let selection = match &asked.binary {
        Some(binary) => Selection::Binary(binary.clone()),
        None => Selection::Parts(parts?),
    };
    let tests = Build { selection, profile: asked.profile.clone() }.tests(Some(&name))?;
    let test = the_one(&tests, &name)?;
    variables.extend(seed.map(|seed| ("LAB_SEED", seed.to_string())));
    variables.extend(asked.expect.clone().map(|hash| ("LAB_EXPECT", hash)));
    let (status, ended) = run(test, &variables)?;
    if status.code().is_none() {
        log_line_by_line(test, seed, status)?;
    } else if !ended {
        println!("the run ended its process: {}", describe_end(status, &[]).0);
    }
    Ok(status.success() && ended)
}

fn read_schedule(path: &Path) -> Result<InputHead> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{name} is not a schedule: it needs package, test and seed"))
}

fn part_of(schedule: &InputHead) -> Result<&'static Part> {
    let (package, test) = (schedule.package.as_str(), schedule.test.as_str());
    let fits = |part: &&Part| part.packages.contains(&package) && test.contains(part.filter);
    match PARTS.iter().find(fits) {
        Some(part) => Ok(part),
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
            bail!("{} can be one of {}", typed("test", name), names.join(", "))
        }
    }
}

/// Runs the test and prints what it prints, without the test runner's own lines. Returns how the
/// process ended, and whether the test had ended before.
fn run(test: &Test, variables: &[(&str, String)]) -> Result<(ExitStatus, bool)> {
    let key = worker::report_key();
    let mut command = test.command();
    command.envs(variables.iter().map(|(name, value)| (*name, value))).env("LAB_REPORT", &key);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", test.binary.display()))?;
    let mut output = crate::test::Output::new([test.path.as_str()].into());
    output.quiet = true;
    if let Some(stdout) = child.stdout.take() {
        output.read(&key, BufReader::new(stdout))?;
    }
    Ok((child.wait().context("cannot wait for the test")?, output.has_ended()))
}

/// A run that ends its process leaves no time to write anything: it is made once more, with every
/// line going out at once.
fn log_line_by_line(test: &Test, seed: Option<u64>, status: ExitStatus) -> Result<()> {
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
    Ok(())
}
