//! `lab`: tests, sweeps, replays and logs. The Makefile's targets call it.
//!
//! Exit codes: 0, all passed; 1, something did not; 2, the command has no meaning or cannot be
//! executed; 130, interrupted before anything failed.

mod binaries;
mod causes;
pub mod chunks;
mod determinism;
mod drive;
mod interval;
mod parts;
mod progress;
mod replay;
mod report;
pub mod share;
mod show;
mod sweep;
mod test;
pub mod worker;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand};
use runner::Backend;

use crate::binaries::{Build, Selection, cargo};
use crate::drive::End;
use crate::report::Report;
use crate::share::Share;

#[derive(Parser)]
#[command(about = "Tests of the labs: once, under many seeds, again, and what they did")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run tests once each, and add them up
    Test {
        /// Parts of the labs (3a, 3a-4c, 3a,kv3a) or crates (raft); default: everything
        #[arg(default_value = "")]
        what: String,
        /// Only tests whose name contains this
        #[arg(long)]
        test: Option<String>,
        /// Run under this seed instead of each test's own
        #[arg(long, value_parser = number(0))]
        seed: Option<u64>,
        /// Run under this many seeds, from --seed (or 1) on
        #[arg(long, value_parser = number(1))]
        seeds: Option<u64>,
        /// sim or threads
        #[arg(long, value_parser = backend)]
        backend: Option<Backend>,
        /// Profile to build the tests in
        #[arg(long, default_value = "test")]
        profile: String,
        /// Take this test binary and all its tests instead of building any
        #[arg(long, hide = true)]
        binary: Option<PathBuf>,
    },
    /// Run tests under many seeds, in parallel, and group their failures by cause
    Sweep(SweepArgs),
    /// Repeat one run and write everything about it to target/lab
    Replay {
        #[command(flatten)]
        which: Which,
        /// The seed of the run; default: the test's own
        #[arg(long, value_parser = number(0))]
        seed: Option<u64>,
        /// The trace hash it must have
        #[arg(long)]
        expect: Option<String>,
        /// Replay this schedule file, which names test and seed
        #[arg(long, conflicts_with_all = ["test", "seed"])]
        schedule: Option<PathBuf>,
    },
    /// Print the trace of one run in columns, one a node
    Log(show::LogArgs),
    /// Run each test twice under each seed and compare event by event; once more in another process
    Determinism {
        #[command(flatten)]
        args: SweepArgs,
        /// Build the tests for the other process in this profile
        #[arg(long)]
        other_profile: Option<String>,
    },
    /// Add up the reports of several sweeps
    Merge {
        /// Reports, as `sweep --json` writes them
        #[arg(required = true)]
        reports: Vec<PathBuf>,
        /// Write the sum to this file
        #[arg(long)]
        json: Option<PathBuf>,
    },
}

/// Which tests, built how.
#[derive(Args)]
struct Which {
    /// Part of the labs: 3a, a range (3a-4c), a list (3a,kv3a) or all
    #[arg(long, default_value = "")]
    lab: String,
    /// Only tests whose name contains this
    #[arg(long)]
    test: Option<String>,
    /// Profile to build the tests in
    #[arg(long, default_value = "test")]
    profile: String,
    /// Take this test binary and all its tests instead of building any
    #[arg(long, hide = true)]
    binary: Option<PathBuf>,
}

#[derive(Args)]
struct SweepArgs {
    #[command(flatten)]
    which: Which,
    /// How many seeds
    #[arg(long, default_value = "100", value_parser = number(1))]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value = "1", value_parser = number(0))]
    first: u64,
    /// Run this part of the seeds: 2/8 is the second of eight
    #[arg(long)]
    part: Option<Share>,
    /// Workers at once; default: one a core
    #[arg(long, value_parser = number(1))]
    jobs: Option<u64>,
    /// End after so many minutes of wall-clock time
    #[arg(long, allow_negative_numbers = true, value_parser = minutes)]
    minutes: Option<Duration>,
    /// A worker that is silent for so many seconds has failed; default: 120, on threads 300
    #[arg(long, value_parser = number(1))]
    patience: Option<u64>,
    /// sim or threads
    #[arg(long, default_value = "sim", value_parser = backend)]
    backend: Backend,
    /// Write the report to this file
    #[arg(long)]
    json: Option<PathBuf>,
}

fn number(least: u64) -> impl Fn(&str) -> Result<u64, String> + Clone {
    move |text| match text.parse() {
        Ok(number) if number >= least => Ok(number),
        _ => Err(format!("must be a whole number from {least} to {}", u64::MAX)),
    }
}

fn backend(text: &str) -> Result<Backend, &'static str> {
    match text {
        "sim" => Ok(Backend::Sim),
        "threads" => Ok(Backend::Threads),
        _ => Err("must be sim or threads"),
    }
}

fn minutes(text: &str) -> Result<Duration, &'static str> {
    let time = text.parse().ok().map(|minutes: f64| Duration::try_from_secs_f64(minutes * 60.0));
    time.and_then(Result::ok).ok_or("must be a number, not less than 0")
}

/// Whether a make target runs this command: then its words are those of the Makefile.
fn under_make() -> bool {
    std::env::var_os("MAKELEVEL").is_some()
}

/// An option as the user typed it: `--seed abc`, or `SEED=abc` for make.
fn typed(option: &str, value: &str) -> String {
    match (option, under_make()) {
        ("", _) => value.to_owned(),
        (_, true) => format!("{}={value}", option.to_uppercase()),
        (_, false) => format!("--{option} {value}"),
    }
}

/// The command that does something again: `make replay LAB=3a …` or `cargo lab replay --lab 3a …`.
fn command(make: &str, lab: &str, options: &[(&str, &str)]) -> String {
    let start = if under_make() { format!("make {make}") } else { format!("cargo lab {lab}") };
    options.iter().fold(start, |command, (option, value)| command + " " + &typed(option, value))
}

/// Executes the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            match misused(&error) {
                Some(text) => eprintln!("{text}"),
                None => error.exit(),
            }
            return ExitCode::from(2);
        }
    };
    match execute(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

/// One line about an option with a bad value.
fn misused(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::ValueValidation {
        return None;
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let option = text(ContextKind::InvalidArg)?.trim_start_matches('-').split(' ').next()?;
    let reason = std::error::Error::source(error)?;
    Some(format!("{}: {reason}", typed(option, text(ContextKind::InvalidValue)?)))
}

fn execute(command: Command) -> Result<ExitCode> {
    match command {
        Command::Test { what, test, seed, seeds, backend, profile, binary } => {
            check_seeds("seed", seed.unwrap_or(1), seeds.unwrap_or(1))?;
            let selection = match binary {
                Some(binary) => Selection::Binary(binary),
                None => selection(&what)?,
            };
            let repeat = repeat_pattern(&what, backend);
            let asked =
                test::Asked { selection, filter: test, profile, backend, seed, seeds, repeat };
            Ok(verdict(test::test(&asked)?))
        }
        Command::Sweep(args) => {
            let (report, end) = sweep::sweep(&asked(args)?)?;
            Ok(match end {
                End::Interrupted if report.failures.is_empty() => ExitCode::from(130),
                // Time that was too short for a single run has shown nothing.
                _ => verdict(report.is_pass()),
            })
        }
        Command::Replay { which, seed, expect, schedule } => {
            let Which { lab, test, profile, binary } = which;
            let asked = replay::Replay { lab, test, seed, expect, schedule, profile, binary };
            Ok(verdict(replay::replay(&asked)?))
        }
        Command::Log(args) => {
            show::show(&args)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Determinism { args, other_profile } => {
            let asked = asked(args)?;
            let given = [
                ("backend", asked.backend != Backend::Sim),
                ("part", asked.part.is_some()),
                ("json", asked.json.is_some()),
            ];
            if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
                bail!("{}: has no meaning here", typed(option, "…"));
            }
            let (passed, end) = determinism::determinism(&asked, other_profile.as_deref())?;
            Ok(match end {
                End::Interrupted if passed => ExitCode::from(130),
                _ => verdict(passed),
            })
        }
        Command::Merge { reports, json } => {
            let read = |path: &PathBuf| Ok((path.display().to_string(), Report::read(path)?));
            let sum = Report::merge(reports.iter().map(read).collect::<Result<_>>()?)?;
            print!("{}", sum.text());
            if let Some(path) = json {
                sum.write(&path)?;
            }
            Ok(verdict(sum.is_pass()))
        }
    }
}

fn verdict(passed: bool) -> ExitCode {
    ExitCode::from(u8::from(!passed))
}

/// The parts or crates that `lab test` is given.
fn selection(what: &str) -> Result<Selection> {
    if what.is_empty() {
        return Ok(Selection::Workspace);
    }
    let error = match parts::parse("", what) {
        Ok(parts) => return Ok(Selection::Parts(parts)),
        Err(error) => error,
    };
    let metadata = cargo().args(["metadata", "--no-deps", "--format-version=1"]).output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let crates: Vec<&str> = packages.filter_map(|package| package["name"].as_str()).collect();
    let wanted: Vec<String> = what.split(',').map(|name| name.trim().to_owned()).collect();
    if wanted.iter().all(|name| crates.contains(&name.as_str())) {
        return Ok(Selection::Packages(wanted));
    }
    bail!("{error}, or a crate: {}", crates.join(", "))
}

/// How to repeat a failure of `lab test`; see [`runner::Settings::repeat`].
fn repeat_pattern(what: &str, backend: Option<Backend>) -> String {
    let make = if what.is_empty() { "test".to_owned() } else { format!("test-{what}") };
    let how = match backend {
        Some(Backend::Threads) => ("backend", "threads"),
        _ => ("seed", "{seed}"),
    };
    command(&make, format!("test {what}").trim_end(), &[("test", "{test}"), how])
}

fn check_seeds(option: &str, first: u64, count: u64) -> Result<()> {
    if first.checked_add(count).is_none() {
        let (first, count) = (first.to_string(), count.to_string());
        bail!(
            "{} with {} goes beyond the largest seed",
            typed(option, &first),
            typed("seeds", &count)
        );
    }
    Ok(())
}

fn asked(args: SweepArgs) -> Result<sweep::Sweep> {
    check_seeds("first", args.first, args.seeds)?;
    let selection = match args.which.binary {
        Some(binary) => Selection::Binary(binary),
        None => Selection::Parts(parts::parse("lab", &args.which.lab)?),
    };
    // On threads, a run may hang for three minutes before its own limit ends it.
    let patience = if args.backend == Backend::Threads { 300 } else { 120 };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(sweep::Sweep {
        build: Build { selection, profile: args.which.profile },
        filter: args.which.test,
        first: args.first,
        seeds: args.seeds,
        part: args.part,
        jobs: args.jobs.map_or(cores, |jobs| usize::try_from(jobs).unwrap_or(cores)),
        time: args.minutes,
        patience: Duration::from_secs(args.patience.unwrap_or(patience)),
        backend: args.backend,
        json: args.json,
    })
}
