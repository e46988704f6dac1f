//! [`lab_test!`](crate::lab_test!): from a `#[test]` to runs, and back to a function that passes
//! or panics.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::logging;
use crate::protocol::Line;
use crate::report::{self, replay};
use crate::run::{Body, Keep, Outcome, TestOptions, run_keeping};
use crate::settings::{Mode, Settings};
use crate::sweep::sweep;
use crate::worker::work;

/// Which test it is: its name and the package it belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TestId {
    name: String,
    package: &'static str,
}

impl TestId {
    /// A test by name.
    pub fn new(name: impl Into<String>, package: &'static str) -> TestId {
        TestId { name: name.into(), package }
    }

    /// The function in which `marker`, a function, is declared.
    pub fn enclosing<F>(_marker: &F, package: &'static str) -> TestId {
        let path = std::any::type_name::<F>();
        let enclosing = path.rsplit("::").skip(1).find(|part| !part.starts_with("{{"));
        TestId::new(enclosing.unwrap_or(path), package)
    }

    /// The name of the test's function.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The package it is a test of.
    pub fn package(&self) -> &'static str {
        self.package
    }
}

/// Whether a test passed, and what is to be printed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Judgement {
    /// Its lines; after a failure, the report, with the command that repeats it as the last line.
    pub text: String,
    /// Whether it passed.
    pub passed: bool,
    /// Runs made.
    pub runs: u64,
    /// RPCs of all runs.
    pub rpcs: u64,
    /// Time of all runs, on their own clocks.
    pub time: Duration,
}

impl Judgement {
    /// Adds a run to the counts.
    pub(crate) fn count(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.rpcs += outcome.rpcs;
        self.time += outcome.time;
    }

    /// Fails the test with a line in front of its others.
    fn fail_with(&mut self, problem: &str) {
        self.text.insert_str(0, &format!("FAIL {problem}\n"));
        self.passed = false;
    }
}

/// Runs a test as `settings` say. Prints nothing.
pub fn judge(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
    body: impl Fn() + Send + Sync + 'static,
) -> Judgement {
    let body: &Body = &(Arc::new(body) as Body);
    logging::install(settings.log.as_deref());
    let mut judgement = Judgement::default();
    let options = &match with_input(test, options, settings) {
        Ok(options) => options,
        Err(problem) => {
            judgement.fail_with(&problem);
            return judgement;
        }
    };
    let seed = settings.seed.unwrap_or(options.seed);
    let outcome = match settings.mode {
        Mode::Worker { seeds, twice } => {
            return work(test, options, settings, seed, seeds, twice, body);
        }
        Mode::Sweep { seeds } => return sweep(test, options, settings, seeds, body),
        Mode::Replay { .. } | Mode::Once => {
            run_keeping(settings.backend, seed, options, Keep::default(), body)
        }
    };
    judgement.count(&outcome);
    judgement.passed = outcome.verdict.is_pass();
    match settings.mode {
        Mode::Replay { expect } => {
            let (text, repeats) = replay(test, options, &outcome, expect, body);
            judgement.text = text;
            judgement.passed &= repeats;
        }
        _ if judgement.passed => judgement.text.clone_from(&outcome.output),
        _ => judgement.text = report::describe(test, options, settings, &outcome, body),
    }
    if let Err(problem) = report::write_outputs(test, settings, &outcome) {
        judgement.fail_with(&problem);
    }
    judgement
}

/// The head of a file with an input: which test it is for, and under which seed.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[non_exhaustive]
pub struct InputHead {
    /// Package of the test; may be empty.
    #[serde(default)]
    pub package: String,
    /// Name of the test; empty: any.
    #[serde(default)]
    pub test: String,
    /// The seed of the run.
    pub seed: u64,
}

/// The options, with the input of [`Settings::input`] if it is one of this test.
fn with_input(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
) -> Result<TestOptions, String> {
    let Some(path) = &settings.input else { return Ok(options.clone()) };
    let problem =
        |error: &dyn std::fmt::Display| format!("LAB_SCHEDULE={}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| problem(&error))?;
    let head: InputHead = serde_json::from_str(&text)
        .map_err(|error| problem(&format!("not the input of a run: {error}")))?;
    if head.test != test.name() && !head.test.is_empty() {
        return Ok(options.clone());
    }
    Ok(options.clone().input(head.seed, Arc::<str>::from(text)))
}

/// Runs a test as the environment says; [`lab_test!`](crate::lab_test!) calls it.
///
/// # Panics
/// When the test fails: after its report was printed, and without another message, so that the
/// report's last line stays the last. Also when a `LAB_*` variable has no meaning.
pub fn run_lab_test(test: &TestId, options: &TestOptions, body: impl Fn() + Send + Sync + 'static) {
    let settings = Settings::from_env().and_then(|settings| {
        settings.check_outputs()?;
        Ok(settings)
    });
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => panic!("{error}"),
    };
    let name = || test.name().to_owned();
    let send = |line: Line| {
        if let Some(key) = &settings.report {
            line.send(key).expect("standard output takes the reports of tests");
        }
    };
    send(Line::TestBegan { test: name() });
    let judgement = judge(test, options, &settings, body);
    // Tests run side by side: one piece, so that their lines do not mix.
    print!("{}", judgement.text);
    let Judgement { passed, rpcs, time, .. } = judgement;
    send(Line::TestEnded { test: name(), passed, time_s: time.as_secs_f64(), rpcs });
    if !passed {
        std::panic::resume_unwind(Box::new(format!("{} failed", test.name())));
    }
}

/// Runs the body of a lab test. It stands inside an ordinary `#[test]` function and takes its name
/// from it.
///
/// `lab_test!(|| { .. })`, or `lab_test!(options, || { .. })` with
/// [`TestOptions`](crate::TestOptions). The body runs in simulation under the test's fixed seed
/// unless the [`LAB_*` variables](crate::Settings) say otherwise. It is called once a run and must
/// not share anything between runs.
#[macro_export]
macro_rules! lab_test {
    ($body:expr $(,)?) => {
        $crate::lab_test!($crate::TestOptions::default(), $body)
    };
    ($options:expr, $body:expr $(,)?) => {{
        fn here() {}
        let test = $crate::TestId::enclosing(&here, ::std::env!("CARGO_PKG_NAME"));
        $crate::run_lab_test(&test, &$options, $body)
    }};
}
