//! The report of a failed run, the lines of a replay and of a sweep, to the letter. They are
//! recorded in `scripts/`; `UPDATE_GOLDENFILES=1 cargo test -p runner` records them anew.
//!
//! Replaced is what differs from machine to machine and from build to build: the target folder,
//! source lines, frames of backtraces, hashes of traces, and the wall clock.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use goldenscript::{Command, Context};
use runner::{TestId, TestOptions};

use super::settings::settings;

/// A body by name.
fn body(name: &str) -> Result<Arc<dyn Fn() + Send + Sync>, String> {
    Ok(match name {
        "passes" => Arc::new(|| {
            labrt::sleep(Duration::from_millis(1500));
            let run = runner::current();
            run.line("Test: a body ...");
            run.add_traffic(252, 10_000);
        }),
        "fatal" => Arc::new(|| {
            labrt::sleep(Duration::from_secs(2));
            runner::fatal!("the count is {}", 1);
        }),
        "asserts" => Arc::new(|| assert_eq!(1 + 1, 3, "arithmetic")),
        "deadlock" => Arc::new(|| {
            let (_sender, receiver) = labrt::channel::unbounded::<()>();
            let _client = runner::spawn(|| labrt::sleep(Duration::from_millis(20)));
            let _ = receiver.recv();
        }),
        "inconclusive" => Arc::new(|| runner::inconclusive("the search gave up")),
        "unlucky" => Arc::new(|| {
            let drawn = labrt::random_range(0..4_u32);
            assert!(drawn > 0, "drew {drawn}");
        }),
        "leaves-files" => Arc::new(|| {
            for number in 0..3_u8 {
                runner::current().artifact("notes", "notes.jsonl", move |path, failed| {
                    // The first has nothing to write.
                    if number == 0 {
                        return Ok(None);
                    }
                    std::fs::write(path, format!("{number} {failed}"))?;
                    Ok(Some(runner::Highlight::default()))
                });
            }
            runner::current().on_failure(|failed| {
                let again = failed.rerun(7, "other input").verdict;
                vec![format!("with seed 7 and another input: {}", again.word())]
            });
            let input = runner::current().input();
            assert!(input.is_some_and(|input| &*input == "other input"), "the input matters");
        }),
        "differs" => {
            let runs = AtomicU64::new(0);
            Arc::new(move || {
                labrt::sleep(Duration::from_millis(1));
                let bytes = runs.fetch_add(1, Ordering::SeqCst).to_le_bytes();
                labrt::sim::message("count", &bytes);
            })
        }
        _ => return Err(format!("there is no body {name}")),
    })
}

struct Script;

impl goldenscript::Runner for Script {
    type Command = Command;

    /// `judge <body> [<variable>=<value>]...`: what the test prints, and whether it passes.
    fn run(&mut self, command: &Command, _context: &Context) -> Result<String, Box<dyn Error>> {
        if command.name != "judge" {
            return Err(format!("there is no command {}", command.name).into());
        }
        let mut args = command.consume_args();
        let name = args.next_pos().ok_or("which body?")?.to_owned();
        let mut variables = Vec::new();
        while let Some(variable) = args.next_key() {
            variables.push(variable);
        }
        args.reject_next()?;
        let body = body(&name)?;
        let test = TestId::new(name.replace('-', "_"), "runner");
        let settings = settings(&variables)?;
        let judged = runner::judge(&test, &TestOptions::default(), &settings, move || body());
        let verdict = if judged.passed { "passed" } else { "failed" };
        Ok(format!("{}({verdict}, runs: {})\n", masked(&judged.text), judged.runs))
    }
}

/// Without what differs from machine to machine and from edit to edit.
fn masked(text: &str) -> String {
    let folder = runner::runs_folder();
    let folder = folder.parent().expect("a folder above").display().to_string();
    let mut masked = String::new();
    for line in text.replace(&folder, "target").lines() {
        // A frame of a backtrace, and where it is if the build has line tables.
        let line_start = line.trim_start();
        let is_frame = line_start.split_once(": ").is_some_and(|it| it.0.parse::<u32>().is_ok());
        if is_frame || line_start.starts_with("at ") {
            continue;
        }
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        for at in 0..words.len() {
            let hash = words[at].trim_end_matches([',', ')', '.']).to_owned();
            if hash.len() == 16 && u64::from_str_radix(&hash, 16).is_ok_and(|hash| hash > 1) {
                words[at] = words[at].replace(&hash, "…");
            }
            let next = words.get(at + 1).map_or("", String::as_str);
            // A line and a column, a figure of the wall clock or of its like.
            if let Some((file, _)) = words[at].split_once(".rs:") {
                let end = if words[at].ends_with(',') { "," } else { "" };
                let end =
                    if words[at].ends_with("):") || words[at].ends_with(')') { ")" } else { end };
                words[at] = format!("{file}.rs:…{end}");
            } else if next.starts_with("wall") && words[at].ends_with('s')
                || next == "RPCs" && words.get(at + 2).is_some_and(|word| word == "per")
            {
                words[at] = "…".to_owned();
            }
        }
        masked.push_str(&words.join(" "));
        masked.push('\n');
    }
    masked
}

#[test]
fn reports_are_as_recorded() {
    goldenscript::run(&mut Script, "tests/runner/scripts/reports").expect("goldenfile");
}
