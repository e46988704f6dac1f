//! What [`lab_test!`](crate::lab_test!) expands to: from a `#[test]` to runs and back to a passing or panicking function.

use std::sync::Arc;

use super::failure;
use super::logging;
use super::replay::replay;
use super::runs::{Backend, Outcome, TestOptions, Verdict, run};
use super::settings::Settings;
use super::summary;
use super::sweep::sweep;
use super::worker::work;
use crate::nemesis::Schedule;

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

    /// The function that `marker`, a function declared inside it, was declared in.
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

/// What is to be printed of a test, and whether it passed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Judgement {
    /// Its lines, and after a failure the report with the command that repeats it as the last line.
    pub text: String,
    /// Whether it passed.
    pub passed: bool,
}

/// Runs a test as `settings` say and tells what came of it. Prints nothing.
pub fn judge(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
    body: impl Fn() + Send + Sync + 'static,
) -> Judgement {
    judge_shared(test, options, settings, Arc::new(body))
}

/// [`judge`] for a body behind a pointer: the compiler translates the runner once, and not once
/// for each test.
fn judge_shared(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
    body: Arc<dyn Fn() + Send + Sync>,
) -> Judgement {
    let body = move || body();
    logging::install(settings.log.as_deref());
    let options = &match with_schedule(test, options, settings) {
        Ok(options) => options,
        Err(text) => return Judgement { text, passed: false },
    };
    if let Some(kind) = settings.worker {
        return work(test, options, settings, kind, body);
    }
    if settings.seeds.is_some() {
        let report = sweep(test, options, settings, body);
        return Judgement { text: report.text, passed: report.failed == 0 };
    }
    if settings.replay {
        let (mut judgement, outcome) = replay(test, options, settings, body);
        for complaint in write_what_was_asked_for(test, settings, &outcome) {
            judgement.text.insert_str(0, &complaint);
        }
        return judgement;
    }
    let seed = settings.seed.unwrap_or(options.seed);
    let outcome = run(settings.backend, seed, options, body.clone());
    let mut text = match &outcome.verdict {
        Verdict::Pass => outcome.output.clone(),
        _ => failure::describe(test, options, settings, &outcome, body),
    };
    for complaint in write_what_was_asked_for(test, settings, &outcome) {
        text.insert_str(0, &complaint);
    }
    Judgement { text, passed: outcome.verdict.is_pass() }
}

/// The options, with the schedule of `LAB_SCHEDULE` if it is one of this test.
fn with_schedule(
    test: &TestId,
    options: &TestOptions,
    settings: &Settings,
) -> Result<TestOptions, String> {
    let Some(path) = &settings.schedule else { return Ok(options.clone()) };
    let refused = |error: String| format!("FAIL LAB_SCHEDULE={}: {error}\n", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    let schedule = Schedule::from_json(&text).map_err(|error| refused(error.to_string()))?;
    if schedule.test == test.name() || schedule.test.is_empty() {
        return Ok(options.clone().schedule(schedule));
    }
    Ok(options.clone())
}

/// Appends to `LAB_SUMMARY` and fills `LAB_HISTORY`; returns a line for each that could not be written.
pub(crate) fn write_what_was_asked_for(
    test: &TestId,
    settings: &Settings,
    outcome: &Outcome,
) -> Vec<String> {
    let mut complaints = Vec::new();
    if let Some(path) = &settings.summary
        && let Err(error) = summary::append(path, test, outcome)
    {
        complaints.push(format!("warning: LAB_SUMMARY={}: {error}\n", path.display()));
    }
    if let Some(folder) = &settings.history
        && outcome.verdict.is_pass()
    {
        let run =
            outcome.seed.map_or_else(|| Backend::Threads.to_string(), |seed| seed.to_string());
        let path = folder.join(format!("{}-{run}.jsonl", test.name()));
        let written = std::fs::create_dir_all(folder).and_then(|()| outcome.write_histories(&path));
        if let Err(error) = written {
            complaints.push(format!("warning: LAB_HISTORY={}: {error}\n", folder.display()));
        }
    }
    complaints
}

/// Runs a test as the environment says; [`lab_test!`](crate::lab_test!) calls it.
///
/// # Panics
/// When the test fails, after its report was printed, without another message: the report's last line stays the last. Also when a
/// `LAB_*` variable makes no sense.
pub fn run_lab_test(test: &TestId, options: &TestOptions, body: impl Fn() + Send + Sync + 'static) {
    let settings = match Settings::from_env() {
        Ok(settings) => settings,
        Err(error) => panic!("{error}"),
    };
    let judgement = judge(test, options, &settings, body);
    // Tests run side by side: one piece, so that their lines do not mix.
    print!("{}", judgement.text);
    if !judgement.passed {
        std::panic::resume_unwind(Box::new(format!("{} failed", test.name())));
    }
}

/// Runs the body of a lab test; stands inside an ordinary `#[test]` function and takes its name from it.
///
/// `lab_test!(|| { .. })`, or `lab_test!(options, || { .. })` with [`TestOptions`](crate::TestOptions). The body is run in simulation
/// under the test's fixed seed unless the [`LAB_*` variables](crate::Settings) say otherwise. It is called once a run and must not share
/// anything between runs.
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
