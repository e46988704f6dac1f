//! The `LAB_*` variables.

use std::fmt;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a body runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Backend {
    /// Simulated: virtual time, one seed, repeatable.
    #[default]
    Sim,
    /// OS threads and the wall clock.
    Threads,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Backend::Sim => "sim",
            Backend::Threads => "threads",
        })
    }
}

/// What is to be done with the body of a test.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Mode {
    /// One run; if it fails, a report with everything about it.
    #[default]
    Once,
    /// Runs under this many seeds, in parallel.
    Sweep {
        /// How many.
        seeds: u64,
    },
    /// One run, made twice, with everything about it written down whether it fails or not.
    Replay {
        /// The trace hash that it must have.
        expect: Option<u64>,
    },
    /// Runs under this many seeds for the `lab` command: a record of each, no reports.
    Worker {
        /// How many.
        seeds: u64,
        /// Make each run twice and compare the two event by event.
        twice: bool,
    },
}

/// How the tests of this process are to be run. Read from the environment once a test.
///
/// An empty variable counts as unset.
///
/// | variable | meaning |
/// |---|---|
/// | `LAB_SEED=n` | run under this seed instead of the test's fixed one |
/// | `LAB_SEEDS=n` | run under n seeds, from `LAB_SEED` (or 1) on, in parallel |
/// | `LAB_BACKEND=threads` | run on threads and the wall clock instead of simulated |
/// | `LAB_SCHEDULE=file` | the nemesis test that this file names follows the schedule in it |
/// | `LAB_SHRINK=n` | shrink the schedule of a failed nemesis test for at most n seconds |
/// | `LAB_LOG=filter` | log lines on stderr as they come, in `env_logger`'s filter syntax |
/// | `LAB_SUMMARY=file` | append one JSON object a run to this file |
/// | `LAB_HISTORY=dir` | write the histories of passing runs, too, into this folder |
/// | `LAB_REPLAY=1` | run twice and write everything about the run to `target/lab/` |
/// | `LAB_EXPECT=hash` | with `LAB_REPLAY`: the trace hash the run must have |
///
/// The `lab` command sets three more: `LAB_WORKER=once` or `twice` ([`Mode::Worker`]),
/// `LAB_REPORT=key` (report the begin and the end of each test, see [`protocol`](crate::protocol))
/// and `LAB_REPEAT` (a pattern for the command that repeats a failure).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Settings {
    /// Threads or simulation.
    pub backend: Backend,
    /// One run, many, a replay.
    pub mode: Mode,
    /// The seed that was asked for; of many, the first.
    pub seed: Option<u64>,
    /// A file with the [input](crate::Run::input) of a run: a schedule of faults.
    pub input: Option<PathBuf>,
    /// How long shrinking that input may take. Zero: do not shrink.
    pub shrink: Option<Duration>,
    /// Filter of the log lines to print live.
    pub log: Option<String>,
    /// A file to which one JSON object a run is appended.
    pub summary: Option<PathBuf>,
    /// A folder for the histories of passing runs.
    pub history: Option<PathBuf>,
    /// Key of the [protocol](crate::protocol)'s lines; without one there are none.
    pub report: Option<String>,
    /// The command that repeats a failure, with `{test}` and `{seed}` to be filled in.
    pub repeat: Option<String>,
}

/// A `LAB_*` variable whose value has no meaning.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Not a whole number, or too large.
    #[error(
        "{variable} must be a whole number from {least} to 18446744073709551615, not {value:?}"
    )]
    NotANumber {
        variable: &'static str,
        value: String,
        /// The smallest number it may be.
        least: u64,
    },
    /// Not one of the words that the variable may have.
    #[error("{variable} must be {allowed}, not {value:?}")]
    NotAllowed {
        variable: &'static str,
        /// What it may be.
        allowed: &'static str,
        value: String,
    },
    /// Two variables that exclude each other.
    #[error("{0} does not go with {1}")]
    Exclusive(&'static str, &'static str),
    /// The last seed would be larger than the largest one.
    #[error("{count} seeds from {first} on go beyond the largest seed: take a smaller first one")]
    SeedsOverflow {
        /// The first seed.
        first: u64,
        /// How many were asked for.
        count: u64,
    },
    /// A file or folder that cannot be written.
    #[error("{variable}={path}: cannot be written: {error}")]
    Unwritable {
        variable: &'static str,
        path: String,
        /// What the system says.
        error: String,
    },
    /// Not text.
    #[error("{0} is not valid UTF-8")]
    NotText(&'static str),
}

impl Settings {
    /// The variables, all of them.
    pub const VARIABLES: [&'static str; 13] = [
        "LAB_SEED",
        "LAB_SEEDS",
        "LAB_BACKEND",
        "LAB_SCHEDULE",
        "LAB_SHRINK",
        "LAB_LOG",
        "LAB_SUMMARY",
        "LAB_HISTORY",
        "LAB_REPLAY",
        "LAB_EXPECT",
        "LAB_WORKER",
        "LAB_REPORT",
        "LAB_REPEAT",
    ];

    /// The settings that the environment of this process asks for.
    ///
    /// # Errors
    /// [`SettingsError`] for the first variable whose value has no meaning.
    pub fn from_env() -> Result<Settings, SettingsError> {
        Settings::from_lookup(|variable| match std::env::var(variable) {
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(SettingsError::NotText(variable)),
        })
    }

    /// The same, with `lookup` in the place of the environment.
    ///
    /// # Errors
    /// As [`from_env`](Settings::from_env).
    pub fn from_lookup(
        lookup: impl Fn(&'static str) -> Result<Option<String>, SettingsError>,
    ) -> Result<Settings, SettingsError> {
        let text = |variable| {
            let value = lookup(variable)?;
            Ok(value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()))
        };
        let number = |variable, least| match text(variable)? {
            None => Ok(None),
            Some(value) => match value.parse::<u64>() {
                Ok(number) if number >= least => Ok(Some(number)),
                _ => Err(SettingsError::NotANumber { variable, value, least }),
            },
        };
        // One of two words: whether it is the second.
        let either = |variable, [first, second]: [&str; 2], allowed| match text(variable)? {
            None => Ok(None),
            Some(value) if value == first => Ok(Some(false)),
            Some(value) if value == second => Ok(Some(true)),
            Some(value) => Err(SettingsError::NotAllowed { variable, allowed, value }),
        };
        let hash = |variable| match text(variable)? {
            None => Ok(None),
            Some(value) => match u64::from_str_radix(&value, 16) {
                Ok(hash) if value.len() == 16 => Ok(Some(hash)),
                _ => {
                    let allowed = "the 16 hexadecimal digits of a trace hash";
                    Err(SettingsError::NotAllowed { variable, allowed, value })
                }
            },
        };
        let threads = either("LAB_BACKEND", ["sim", "threads"], "sim or threads")? == Some(true);
        let worker = either("LAB_WORKER", ["once", "twice"], "once or twice")?;
        let replay = either("LAB_REPLAY", ["0", "1"], "0 or 1")? == Some(true);
        let expect = hash("LAB_EXPECT")?;
        let seed = number("LAB_SEED", 0)?;
        let seeds = number("LAB_SEEDS", 1)?;
        if let (Some(first), Some(count)) = (seed, seeds)
            && first.checked_add(count).is_none()
        {
            return Err(SettingsError::SeedsOverflow { first, count });
        }
        let mode = match (worker, replay, seeds) {
            (Some(_), true, _) => return Err(SettingsError::Exclusive("LAB_REPLAY", "LAB_WORKER")),
            (_, true, Some(_)) => return Err(SettingsError::Exclusive("LAB_REPLAY", "LAB_SEEDS")),
            (Some(twice), false, seeds) => Mode::Worker { seeds: seeds.unwrap_or(1), twice },
            (None, true, None) => Mode::Replay { expect },
            (None, false, Some(seeds)) => Mode::Sweep { seeds },
            (None, false, None) => Mode::Once,
        };
        Ok(Settings {
            backend: if threads { Backend::Threads } else { Backend::Sim },
            mode,
            seed,
            input: text("LAB_SCHEDULE")?.map(PathBuf::from),
            shrink: number("LAB_SHRINK", 0)?.map(Duration::from_secs),
            log: text("LAB_LOG")?,
            summary: text("LAB_SUMMARY")?.map(PathBuf::from),
            history: text("LAB_HISTORY")?.map(PathBuf::from),
            report: text("LAB_REPORT")?,
            repeat: text("LAB_REPEAT")?,
        })
    }

    /// Makes sure that what is to be written can be written, before anything runs.
    ///
    /// # Errors
    /// [`SettingsError::Unwritable`].
    pub fn check_outputs(&self) -> Result<(), SettingsError> {
        let unwritable = |variable, path: &PathBuf| {
            let path = path.display().to_string();
            move |error: std::io::Error| SettingsError::Unwritable {
                variable,
                path,
                error: error.to_string(),
            }
        };
        if let Some(path) = &self.summary {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            opened.map_err(unwritable("LAB_SUMMARY", path))?;
        }
        if let Some(folder) = &self.history {
            std::fs::create_dir_all(folder).map_err(unwritable("LAB_HISTORY", folder))?;
        }
        Ok(())
    }
}
