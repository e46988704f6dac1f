//! What the `LAB_*` variables ask for.

use std::path::PathBuf;

use super::runs::Backend;
use super::worker::Work;

/// How the tests of this process are to be run. Read from the environment once a test; an empty variable counts as unset.
///
/// | variable | meaning |
/// |---|---|
/// | `LAB_SEED=n` | run under this seed instead of the test's fixed one |
/// | `LAB_SEEDS=n` | run under n seeds, from `LAB_SEED` (or 1) on, in parallel |
/// | `LAB_BACKEND=threads` | run on threads and the wall clock instead of simulated |
/// | `LAB_SCHEDULE=file` | the nemesis test that this file names follows the schedule in it |
/// | `LAB_SHRINK=n` | reduce the schedule of a failed nemesis test for n seconds at most; 0 does not |
/// | `LAB_LOG=filter` | print log lines to stderr as they come, in `env_logger`'s filter syntax |
/// | `LAB_SUMMARY=file` | append one JSON object a run to this file |
/// | `LAB_HISTORY=dir` | write the histories of passing runs too, into this folder |
/// | `LAB_REPLAY=1` | run twice and write everything of the run to `target/lab/`, whether it fails or not |
/// | `LAB_EXPECT=hash` | with `LAB_REPLAY`: the trace hash the run must have |
/// | `LAB_WORKER=once`, `twice` | print a line for each run and nothing else (set by the `lab` command) |
/// | `LAB_MAKE=target` | name `make target` in the command that repeats a failure (set by the Makefile) |
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Settings {
    /// Threads or simulation.
    pub backend: Backend,
    /// The seed that was asked for.
    pub seed: Option<u64>,
    /// How many seeds; `None` for a single run.
    pub seeds: Option<u64>,
    /// Filter of the log lines to show live.
    pub log: Option<String>,
    /// Where to append one JSON object a run.
    pub summary: Option<PathBuf>,
    /// Where to write histories of passing runs.
    pub history: Option<PathBuf>,
    /// Run twice and write everything of the run.
    pub replay: bool,
    /// The trace hash that a replay must have.
    pub expect: Option<u64>,
    /// Work for a driver in another process.
    pub worker: Option<Work>,
    /// The schedule to follow.
    pub schedule: Option<PathBuf>,
    /// Seconds that reducing a schedule may take.
    pub shrink: Option<u64>,
    /// The make target the tests were started by.
    pub make_target: Option<String>,
}

/// A `LAB_*` variable with a value that means nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Not a whole number, or too large.
    #[error(
        "{variable} must be a whole number from {least} to 18446744073709551615, not {value:?}"
    )]
    NotANumber {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// The smallest number it may be.
        least: u64,
    },
    /// Neither yes nor no.
    #[error("{variable} must be 0 or 1, not {value:?}")]
    NotASwitch {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// Not the hash of a trace.
    #[error("{variable} must be the 16 hexadecimal digits of a trace hash, not {value:?}")]
    NotAHash {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// A replay is one run.
    #[error("LAB_REPLAY repeats one run: it does not go with LAB_SEEDS")]
    ReplayOfMany,
    /// Not a back end.
    #[error("LAB_BACKEND must be sim or threads, not {0:?}")]
    UnknownBackend(String),
    /// Not the work of a worker.
    #[error("LAB_WORKER must be once or twice, not {0:?}")]
    UnknownWork(String),
    /// The last seed would be beyond the largest one.
    #[error(
        "LAB_SEED={first} with LAB_SEEDS={count} goes beyond the largest seed: take a smaller LAB_SEED"
    )]
    SeedsOverflow {
        /// The first seed.
        first: u64,
        /// How many were asked for.
        count: u64,
    },
    /// Not text.
    #[error("{0} is not valid UTF-8")]
    NotText(&'static str),
}

impl Settings {
    /// What the environment of this process says.
    ///
    /// # Errors
    /// [`SettingsError`] for the first variable that makes no sense.
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
        let switch = |variable| match text(variable)?.as_deref() {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(value) => Err(SettingsError::NotASwitch { variable, value: value.to_owned() }),
        };
        let hash = |variable| match text(variable)? {
            None => Ok(None),
            Some(value) => match u64::from_str_radix(&value, 16) {
                Ok(hash) if value.len() == 16 => Ok(Some(hash)),
                _ => Err(SettingsError::NotAHash { variable, value }),
            },
        };
        let backend = match text("LAB_BACKEND")?.as_deref() {
            None | Some("sim") => Backend::Sim,
            Some("threads") => Backend::Threads,
            Some(other) => return Err(SettingsError::UnknownBackend(other.to_owned())),
        };
        let worker = match text("LAB_WORKER")?.as_deref() {
            None => None,
            Some("once") => Some(Work::Once),
            Some("twice") => Some(Work::Twice),
            Some(other) => return Err(SettingsError::UnknownWork(other.to_owned())),
        };
        let seed = number("LAB_SEED", 0)?;
        let seeds = number("LAB_SEEDS", 1)?;
        if let (Some(first), Some(count)) = (seed, seeds)
            && first.checked_add(count).is_none()
        {
            return Err(SettingsError::SeedsOverflow { first, count });
        }
        let replay = switch("LAB_REPLAY")?;
        if replay && seeds.is_some() {
            return Err(SettingsError::ReplayOfMany);
        }
        Ok(Settings {
            backend,
            seed,
            seeds,
            log: text("LAB_LOG")?,
            summary: text("LAB_SUMMARY")?.map(PathBuf::from),
            history: text("LAB_HISTORY")?.map(PathBuf::from),
            replay,
            expect: hash("LAB_EXPECT")?,
            worker,
            schedule: text("LAB_SCHEDULE")?.map(PathBuf::from),
            shrink: number("LAB_SHRINK", 0)?,
            make_target: text("LAB_MAKE")?,
        })
    }
}
