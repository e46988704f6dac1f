//! What the simulator alone promises: replay, reports, crashes, and that nothing a task does takes
//! the process down.
//!
//! Tests that would end the process if the promise were broken, or that measure a process, run
//! themselves again as a child: [`in_child`] starts this binary with one test and a variable that
//! tells the test which side it is on.

mod crash;
mod faults;
mod memory;
mod misuse;
mod pitfalls;
mod policy;
mod replay;
mod reports;

use std::process::{Command, Output};
use std::time::Duration;

use labrt::sim::{self, Config, Failure};

/// Set in a child: the test is to do what it is about, and not to start another child.
const CHILD: &str = "LABRT_TEST_CHILD";

/// What the child was given, or `None` in the parent.
fn child_argument() -> Option<String> {
    std::env::var(CHILD).ok()
}

/// Runs the test `name` (with its module) of this binary alone in another process, and gives it
/// `argument`.
fn in_child(name: &str, argument: &str) -> Output {
    Command::new(std::env::current_exe().expect("this binary has a path"))
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, argument)
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("this binary starts again")
}

/// All the child wrote, and that it ended well.
fn output_of(child: Output) -> String {
    let text = [child.stdout, child.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(child.status.success(), "the child failed: {text}");
    text
}

/// The failure of a run that must fail.
#[track_caller]
fn failure_of(config: Config, body: impl FnOnce() + Send + 'static) -> Failure {
    match sim::run(config, body).result {
        Ok(()) => panic!("the run should have failed"),
        Err(failure) => failure,
    }
}

/// The result of a run that must not fail.
#[track_caller]
fn value_of<T: Send + 'static>(seed: u64, body: impl FnOnce() -> T + Send + 'static) -> T {
    match sim::run(Config::new(seed), body).result {
        Ok(value) => value,
        Err(failure) => panic!("{failure}"),
    }
}

/// So many milliseconds.
const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
