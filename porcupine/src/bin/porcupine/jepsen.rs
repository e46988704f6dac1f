//! Register histories as Jepsen logs them.
//!
//! ```text
//! INFO  jepsen.util - 0   :invoke :cas    [1 2]
//! INFO  jepsen.util - 0   :fail   :cas    [1 2]        the register held something else
//! INFO  jepsen.util - 1   :info   :write  :timed-out   may take effect at any later time, or never
//! INFO  jepsen.util - 2   :fail   :read   :timed-out   tells nothing
//! ```
//!
//! The line number is the time. Lines of other loggers and of the nemesis are skipped.

use std::collections::BTreeMap;
use std::io::BufRead;

use anyhow::{Context, Result, bail};
use porcupine::models::register::{Input, Output};
use porcupine::{Operation, Returned};

use crate::read::Read;

pub(crate) fn register(from: impl BufRead) -> Result<Read<Input, Output>> {
    let mut read = Read { history: Vec::new(), lines: Vec::new() };
    let mut seen_lines = false;
    // Position of the open operation of each process.
    let mut open = BTreeMap::new();
    let mut void = Vec::new();
    for (number, line) in (1..).zip(from.lines()) {
        let context = || format!("line {number}");
        let line = line.with_context(context)?;
        seen_lines |= !line.trim().is_empty();
        entry(&line, number, &mut read, &mut open, &mut void).with_context(context)?;
    }
    if seen_lines && read.history.is_empty() {
        bail!("no line says \"jepsen.util - <process> :invoke ...\": not a jepsen log");
    }
    // Reads that failed: nobody was told anything.
    for at in void.into_iter().rev() {
        read.history.remove(at);
        read.lines.remove(at);
    }
    Ok(read)
}

fn entry(
    line: &str,
    number: u32,
    read: &mut Read<Input, Output>,
    open: &mut BTreeMap<i64, usize>,
    void: &mut Vec<usize>,
) -> Result<()> {
    let Some((_, entry)) = line.split_once("jepsen.util - ") else { return Ok(()) };
    let mut words = entry.split_ascii_whitespace();
    let Some(Ok(process)) = words.next().map(str::parse::<i64>) else {
        return Ok(()); // :nemesis
    };
    let (kind, function) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let rest: Vec<&str> = words.collect();
    if kind == ":invoke" {
        let input = match (function, &*rest) {
            (":read", _) => Input::Read,
            (":write", [value]) => Input::Write(integer(value)?),
            (":cas", [old, new]) => Input::Cas(
                integer(old.trim_start_matches('['))?,
                integer(new.trim_end_matches(']'))?,
            ),
            _ => bail!("expected :read, :write N or :cas [N N] after :invoke"),
        };
        if open.insert(process, read.history.len()).is_some() {
            bail!("process {process} invokes while its last operation is open");
        }
        read.history.push(Operation::pending(process, u64::from(number), input));
        read.lines.push(number);
        return Ok(());
    }
    let Some(at) = open.remove(&process) else {
        bail!("process {process} did not invoke anything");
    };
    let asked = &mut read.history[at];
    let expected = match asked.input {
        Input::Read => ":read",
        Input::Write(_) => ":write",
        Input::Cas(..) => ":cas",
    };
    if function != expected {
        bail!("process {process} invoked {expected}, not {function}");
    }
    let output = match (kind, function, &*rest) {
        (":info", _, _) => return Ok(()),
        (":ok", ":read", ["nil"]) => Output::Value(None),
        (":ok", ":read", [value]) => Output::Value(Some(integer(value)?)),
        (":ok", ":write" | ":cas", _) => Output::Done,
        (":fail", ":read", _) => {
            void.push(at);
            void.sort_unstable();
            return Ok(());
        }
        (":fail", ":cas", [_, _]) => Output::Differs,
        _ => bail!("cannot read {kind} {function} {}", rest.join(" ")),
    };
    asked.returned = Some(Returned { time: u64::from(number), output });
    Ok(())
}

fn integer(text: &str) -> Result<i64> {
    text.parse().with_context(|| format!("{text:?} is not an integer"))
}
