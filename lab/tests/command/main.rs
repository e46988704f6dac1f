//! The command itself, on this test binary's own misbehaving tests.

mod merge;
mod misbehaving;
mod once;
mod units;
mod words;

use std::path::PathBuf;
use std::process::{Command, Output};

use runner::{Backend, TestOptions};

/// `lab` as a target of the Makefile runs it, or as a user does.
fn command(make: bool, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(arguments).env(misbehaving::VARIABLE, "1").env_remove("MAKELEVEL");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LAB_")) {
        command.env_remove(name);
    }
    if make {
        command.env("MAKELEVEL", "1");
    }
    command
}

fn lab(arguments: &[&str]) -> Output {
    command(true, arguments).output().unwrap()
}

/// `lab <subcommand>` on the misbehaving tests.
fn on_misbehaving(subcommand: &str, test: &str, arguments: &[&str]) -> Output {
    let this = std::env::current_exe().unwrap();
    let mut all = vec![subcommand, "--binary", this.to_str().unwrap(), "--test", test];
    all.extend(arguments);
    lab(&all)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("lab-command-{}-{name}", std::process::id()))
}

/// The seeds below 41 under which the tests go wrong.
fn bad_seeds() -> Vec<u64> {
    let is_bad = |seed: &u64| {
        let body = || assert!(!misbehaving::is_bad());
        !runner::run(Backend::Sim, *seed, &TestOptions::default(), body).verdict.is_pass()
    };
    let bad: Vec<u64> = (1..=40).filter(is_bad).collect();
    assert!((2..=12).contains(&bad.len()), "{bad:?}");
    bad
}

fn failures(report: &serde_json::Value, test: &str) -> (Vec<u64>, Vec<String>) {
    let all = report["failures"].as_array().unwrap();
    let mine = all.iter().filter(|failure| failure["test"] == test);
    let field =
        |failure: &serde_json::Value, name: &str| failure[name].as_str().unwrap().to_owned();
    mine.map(|failure| (failure["seed"].as_u64().unwrap(), field(failure, "kind"))).unzip()
}

/// Whatever a run does to its process, it fails alone: every other seed is run.
#[test]
fn a_sweep_goes_on_after_runs_that_end_their_process() {
    let json = temporary("sweep.json");
    let output = on_misbehaving(
        "sweep",
        "misbehaving::",
        &["--seeds", "40", "--patience", "3", "--json", json.to_str().unwrap()],
    );
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let report: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    std::fs::remove_file(&json).unwrap();
    let bad = bad_seeds();
    for (test, kind) in [
        ("aborts", "aborted (signal 6)"),
        ("overflows_its_stack", "stack overflow"),
        ("never_yields", "no answer"),
        ("panics", "task panic"),
        ("waits_for_ever", "deadlock"),
    ] {
        let (seeds, kinds) = failures(&report, test);
        assert_eq!(seeds, bad, "{test}\n{text}");
        assert!(kinds.iter().all(|it| it == kind), "{test}: {kinds:?}\n{text}");
        let tests = report["tests"].as_array().unwrap();
        let sums = tests.iter().find(|sums| sums["test"] == test).unwrap();
        assert_eq!(sums["runs"], 40, "{test}");
        assert_eq!(sums["passed"], 40 - bad.len(), "{test}");
    }
    assert!(text.contains("misbehaving::is_no_lab_test is not a lab test"), "{text}");
    assert!(text.contains("    | last words\n"), "{text}");
    assert!(
        text.contains(&format!("{} × task panic: lab/tests/command/misbehaving.rs:", bad.len())),
        "{text}"
    );
    assert!(text.contains("make replay LAB=- TEST=panics SEED="), "{text}");
}

#[test]
fn a_sweep_without_failures_is_a_success_and_its_parts_merge() {
    let good = (1..40).find(|seed| !bad_seeds().iter().any(|bad| (*seed..*seed + 2).contains(bad)));
    let first = good.unwrap().to_string();
    let parts = [temporary("1.json"), temporary("2.json")];
    for (number, path) in parts.iter().enumerate() {
        let part = format!("{}/2", number + 1);
        let output = on_misbehaving(
            "sweep",
            "misbehaving::panics",
            &["--first", &first, "--seeds", "2", "--part", &part, "--json", path.to_str().unwrap()],
        );
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }
    let [one, two] = parts.each_ref().map(|path| path.to_str().unwrap());
    let output = lab(&["merge", one, two]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("PASS: 2 of 2 runs passed"), "{}", text(&output));
    let marks = "1 of 2 marks reached; never:\n    misbehaving: nothing at all\n";
    assert!(text(&output).contains(marks), "{}", text(&output));
    parts.iter().for_each(|path| std::fs::remove_file(path).unwrap());
}

#[test]
fn determinism_is_checked_within_a_process_and_across() {
    // Runs that fail in the same way are equal.
    let output = on_misbehaving("determinism", "misbehaving::panics", &["--seeds", "40"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("PASS: 40 runs, each the same twice"), "{}", text(&output));
    let within = on_misbehaving("determinism", "counts_its_runs", &["--seeds", "1"]);
    assert_eq!(within.status.code(), Some(1), "{}", text(&within));
    let expected = "counts_its_runs seed 1: seed 1 gave two different runs: event ";
    assert!(text(&within).contains(expected), "{}", text(&within));
    let across = on_misbehaving("determinism", "takes_the_process_number", &["--seeds", "1"]);
    assert_eq!(across.status.code(), Some(1), "{}", text(&across));
    assert!(text(&across).contains("one path twice in one process and another in the next"));
}

#[test]
fn a_replay_repeats_one_run() {
    let bad = bad_seeds();
    let good = (1..).find(|seed| !bad.contains(seed)).unwrap().to_string();
    let output = on_misbehaving("replay", "misbehaving::panics", &["--seed", &good]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).starts_with("  log: "), "{}", text(&output));
    let expected = format!("panics seed {good}: pass, twice the same run");
    assert!(text(&output).contains(&expected), "{}", text(&output));
    let output = on_misbehaving("replay", "misbehaving::panics", &["--seed", &bad[0].to_string()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let expected = format!("panics seed {}: fail, twice the same run", bad[0]);
    assert!(text(&output).contains(&expected), "{}", text(&output));
    let other = ["--seed", &good, "--expect", "0000000000000001"];
    let output = on_misbehaving("replay", "misbehaving::panics", &other);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("NOT THE SAME RUN"), "{}", text(&output));
    let output = on_misbehaving("replay", "counts_its_runs", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("NOT REPEATABLE"), "{}", text(&output));
    let output = on_misbehaving("replay", "misbehaving::", &[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("can be one of misbehaving::aborts"), "{}", text(&output));
    // A file says which test, which seed, and has the last word on the rest.
    let schedule = temporary("schedule.json");
    let json = r#"{"package":"lab","test":"panics","seed":SEED,"servers":3,"clients":1,"operations":1,"duration_ms":1,"faults":[]}"#;
    std::fs::write(&schedule, json.replace("SEED", &good)).unwrap();
    let this = std::env::current_exe().unwrap();
    let from_file = ["replay", "--binary", this.to_str().unwrap(), "--schedule"];
    let output = lab(&[&from_file[..], &[schedule.to_str().unwrap()]].concat());
    assert!(text(&output).contains(&format!("panics seed {good}: pass")), "{}", text(&output));
    std::fs::write(&schedule, "{}").unwrap();
    let output = lab(&[&from_file[..], &[schedule.to_str().unwrap()]].concat());
    assert!(text(&output).contains("is not a schedule"), "{}", text(&output));
    std::fs::remove_file(&schedule).unwrap();
}

/// Nothing can be written at the end of a run that has none: its log is written line by line.
#[test]
fn a_replay_of_a_run_that_ends_its_process_has_a_log() {
    let seed = bad_seeds()[0].to_string();
    let output = on_misbehaving("replay", "misbehaving::aborts", &["--seed", &seed]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("the run ended its process: aborted (signal 6)"));
    let said = text(&output);
    let log = said.lines().find_map(|line| line.strip_prefix("  log: ")).unwrap();
    assert!(log.ends_with(&format!("lab/aborts-{seed}/log.txt")), "{log}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains(" INFO test bad: true\n"), "{log}");
}

/// A run that was not traced yet is repeated for its log, and only what is asked for is printed.
#[test]
fn a_log_in_columns() {
    let seed = bad_seeds()[0].to_string();
    let asked = ["--seed", seed.as_str(), "--topics", "fault", "--width", "80"];
    for _ in 0..2 {
        let output = on_misbehaving("log", "misbehaving::panics", &asked);
        let text = text(&output);
        assert!(output.status.success(), "{text}");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert_eq!(printed.lines().next(), Some("   seconds"), "{text}");
        assert!(!printed.contains('\x1b') && !printed.contains("repeat with"), "{text}");
    }
    let output = on_misbehaving("log", "no_such_test", &asked);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let output = lab(&["log", "--file", "no such file"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("cannot read no such file"));
}
