//! `lab`: what the Makefile's `sweep`, `merge`, `replay`, `log` and `determinism` call.
//!
//! Exit codes: 0, all passed; 1, something did not; 2, the command makes no sense or cannot be carried out; 130, interrupted before
//! anything failed.

mod binaries;
mod causes;
mod chunks;
mod determinism;
mod drive;
mod interval;
mod labs;
mod progress;
mod replay;
mod report;
mod share;
mod show;
mod sweep;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};

use crate::binaries::Build;
use crate::drive::End;
use crate::report::Report;
use crate::share::Share;

#[derive(Parser)]
#[command(about = "Sweeps over seeds, replays, and checks that runs repeat")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run tests under many seeds, in parallel
    Sweep(SweepArgs),
    /// Repeat one run, writing everything of it to target/lab
    Replay {
        #[command(flatten)]
        which: Which,
        /// The seed of the run; default: the test's own
        #[arg(long)]
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
    /// Run every test twice under each seed and compare event by event; once more in another process
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
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Do this share of the seeds: 2/8 is the second of eight
    #[arg(long)]
    part: Option<Share>,
    /// Workers at once; default: one a core
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// End after so many minutes of wall clock
    #[arg(long, allow_negative_numbers = true)]
    minutes: Option<f64>,
    /// A run of which nothing is heard for so many seconds has failed; default: 120, on threads 300
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    patience: Option<u64>,
    /// sim or threads
    #[arg(long, default_value = "sim")]
    backend: String,
    /// Write the report to this file
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match carry_out(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn carry_out(command: Command) -> Result<ExitCode> {
    match command {
        Command::Sweep(args) => {
            let (report, end) = sweep::sweep(&asked(args)?)?;
            Ok(match end {
                End::Interrupted if report.failures.is_empty() => ExitCode::from(130),
                // Time that was too short for a single run has shown nothing.
                _ => verdict(report.is_pass()),
            })
        }
        Command::Replay { which, seed, expect, schedule } => {
            let build = which.build();
            let asked =
                replay::Replay { lab: which.lab, test: which.test, seed, expect, schedule, build };
            Ok(verdict(replay::replay(&asked)?))
        }
        Command::Log(args) => {
            show::show(&args)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Determinism { args, other_profile } => {
            let asked = asked(args)?;
            if asked.backend != "sim" || asked.part.is_some() || asked.json.is_some() {
                bail!("BACKEND, PART and JSON mean nothing here");
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

impl Which {
    fn build(&self) -> Build {
        Build { profile: self.profile.clone(), binary: self.binary.clone() }
    }
}

fn asked(args: SweepArgs) -> Result<sweep::Sweep> {
    if args.first.checked_add(args.seeds).is_none() {
        bail!("FIRST={} with SEEDS={} goes beyond the largest seed", args.first, args.seeds);
    }
    if !matches!(args.backend.as_str(), "sim" | "threads") {
        bail!("BACKEND must be sim or threads, not {:?}", args.backend);
    }
    let time = match args.minutes.map(|minutes| Duration::try_from_secs_f64(minutes * 60.0)) {
        None => None,
        Some(Ok(time)) => Some(time),
        Some(Err(_)) => bail!("MINUTES must be a number, not less than 0"),
    };
    // On threads, a run may hang for three minutes before it says so itself.
    let patience = if args.backend == "threads" { 300 } else { 120 };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(sweep::Sweep {
        build: args.which.build(),
        lab: args.which.lab,
        filter: args.which.test,
        first: args.first,
        seeds: args.seeds,
        part: args.part,
        jobs: args.jobs.map_or(cores, usize::from),
        time,
        patience: Duration::from_secs(args.patience.unwrap_or(patience)),
        backend: args.backend,
        json: args.json,
    })
}
