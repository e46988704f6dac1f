//! The summary of sweeps as `merge` prints it, and reports that it rejects, to the letter. They are
//! recorded in `merge.txt`; `UPDATE_GOLDENFILES=1 cargo test -p lab` records them anew.

use std::error::Error;
use std::path::PathBuf;

use goldenscript::{Command, Context};

use super::{temporary, text};

/// Reports are small: one part of the labs, tests with a range of seeds and failures.
struct Script {
    files: Vec<PathBuf>,
}

impl goldenscript::Runner for Script {
    type Command = Command;

    fn run(&mut self, command: &Command, _context: &Context) -> Result<String, Box<dyn Error>> {
        let mut args = command.consume_args();
        let mut names = Vec::new();
        while let Some(name) = args.next_pos() {
            names.push(name);
        }
        args.reject_next()?;
        match command.name.as_str() {
            // report NAME JSON: a report, as a file.
            "report" => {
                let path = temporary(names[0]);
                std::fs::write(&path, names[1])?;
                self.files.push(path);
                Ok(String::new())
            }
            // merge NAME...: what the command prints, for make; `merge-here`, for a user.
            "merge" | "merge-here" => {
                let paths: Vec<String> =
                    names.iter().map(|name| temporary(name).display().to_string()).collect();
                let arguments: Vec<&str> =
                    std::iter::once("merge").chain(paths.iter().map(String::as_str)).collect();
                let output = super::command(command.name == "merge", &arguments).output()?;
                let folder = temporary("").display().to_string();
                let text = text(&output).replace(&folder, "");
                Ok(format!("{text}(exit code {})\n", output.status.code().unwrap_or(-1)))
            }
            other => Err(format!("there is no command {other}").into()),
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        for path in &self.files {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[test]
fn merges_are_as_recorded() {
    let mut script = Script { files: Vec::new() };
    goldenscript::run(&mut script, "tests/command/merge.txt").expect("goldenfile");
}
