//! `lab log`: the trace of a run in columns.

use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use events::Record;
use view::columns::{Columns, Layout};
use view::trace::Records;

use crate::{Which, typed};

/// What an event is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Topic {
    /// Roles, terms and votes
    Election,
    /// Log and commit index, AppendEntries, saves
    Append,
    /// Snapshots saved, sent, installed
    Snapshot,
    /// The stations of each call
    Rpc,
    /// Services: operations of clerks, replicated state machines, shards
    Kv,
    /// Starts, crashes, partitions and other faults, checks
    Fault,
    /// Marks: places in the code that good tests reach now and then
    Mark,
}

impl From<Topic> for events::Topic {
    fn from(topic: Topic) -> events::Topic {
        match topic {
            Topic::Election => events::Topic::Election,
            Topic::Append => events::Topic::Append,
            Topic::Snapshot => events::Topic::Snapshot,
            Topic::Rpc => events::Topic::Rpc,
            Topic::Kv => events::Topic::Service,
            Topic::Fault => events::Topic::Fault,
            Topic::Mark => events::Topic::Mark,
        }
    }
}

/// What is to be shown.
#[derive(Args)]
pub struct LogArgs {
    #[command(flatten)]
    which: Which,
    /// The seed of the run; default: the only one there is a trace of
    #[arg(long)]
    seed: Option<u64>,
    /// Take this trace instead of that of a test
    #[arg(long)]
    file: Option<PathBuf>,
    /// What to show; default: everything but rpc and mark
    #[arg(long, value_delimiter = ',', value_enum)]
    topics: Vec<Topic>,
    /// Nodes to show, such as S0,S2 or server-1-0; default: all
    #[arg(long, value_delimiter = ',')]
    nodes: Vec<String>,
    /// From this time on, in seconds
    #[arg(long)]
    from: Option<f64>,
    /// Up to this time, in seconds
    #[arg(long)]
    to: Option<f64>,
    /// Characters of a line; default: those of the terminal
    #[arg(long)]
    width: Option<usize>,
    /// No colours, which is the default where the output is no terminal
    #[arg(long)]
    no_color: bool,
    /// Colours, whatever the output is
    #[arg(long, conflicts_with = "no_color")]
    color: bool,
}

/// Where the width of the terminal is unknown.
const WIDTH: usize = 160;

/// Prints the trace. One that is not there yet is made by a replay.
///
/// # Errors
/// When there is no such trace, and none can be made.
pub fn show(asked: &LogArgs) -> Result<()> {
    let path = match &asked.file {
        Some(path) => path.clone(),
        None => trace_of(asked)?,
    };
    let name = || path.display().to_string();
    let records = Records::open(&path).with_context(|| format!("cannot read {}", name()))?;
    let cut = records.cut();
    let records: Vec<Record> = records.collect::<io::Result<_>>().with_context(name)?;
    let all = [Topic::Election, Topic::Append, Topic::Snapshot, Topic::Kv, Topic::Fault];
    let topics = if asked.topics.is_empty() { all.to_vec() } else { asked.topics.clone() };
    let terminal = io::stdout().is_terminal();
    let layout = Layout {
        width: asked.width.or_else(width_of_terminal).unwrap_or(WIDTH),
        colour: asked.color
            || terminal && !asked.no_color && std::env::var_os("NO_COLOR").is_none(),
        topics: topics.into_iter().map(Into::into).collect(),
        nodes: asked.nodes.clone(),
        from: nanos(asked.from)?.unwrap_or(0),
        to: nanos(asked.to)?.unwrap_or(u64::MAX),
    };
    let mut columns = Columns::of(records.iter(), &layout);
    let mut print = || -> io::Result<()> {
        let mut out = BufWriter::new(io::stdout().lock());
        if cut > 0 {
            writeln!(out, "(the first {cut} events were left out)")?;
        }
        columns.print(records.iter(), &layout, &mut out)?;
        out.flush()
    };
    match print() {
        // Whoever reads it, such as `head`, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

fn nanos(seconds: Option<f64>) -> Result<Option<u64>> {
    match seconds {
        None => Ok(None),
        Some(seconds) if (0.0..1e9).contains(&seconds) => Ok(Some((seconds * 1e9).round() as u64)),
        Some(seconds) => bail!("{seconds} is not a time of a run in seconds"),
    }
}

fn width_of_terminal() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let size = || console::Term::stdout().size_checked().map(|(_, columns)| columns.into());
    columns.or_else(size).filter(|width| *width > 0)
}

/// The trace of the run that is asked for, made now if there is none.
fn trace_of(asked: &LogArgs) -> Result<PathBuf> {
    let Some(test) = &asked.which.test else {
        let [test, seed, file] =
            [("test", "name"), ("seed", "n"), ("file", "path")].map(|(it, value)| typed(it, value));
        bail!("which run? Give {test} {seed}, or {file}")
    };
    let folder = runner::runs_folder();
    let found = traces(&folder, test, asked.seed);
    if let [path] = found.as_slice() {
        return Ok(path.clone());
    }
    if !found.is_empty() {
        let list: Vec<String> =
            found.iter().map(|path| typed("file", &path.display().to_string())).collect();
        bail!("there are traces of several runs:\n  {}", list.join("\n  "));
    }
    replay(asked, test)?;
    match traces(&folder, test, asked.seed).as_slice() {
        [path] => Ok(path.clone()),
        _ => bail!("no trace of {test} in {}", folder.display()),
    }
}

/// The traces of tests of this name, else of those whose names contain it.
fn traces(folder: &Path, test: &str, seed: Option<u64>) -> Vec<PathBuf> {
    let name = test.rsplit("::").next().unwrap_or(test);
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<(bool, PathBuf)> = Vec::new();
    for entry in entries.flatten() {
        let run = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path().join("trace.jsonl");
        let Some((of, under)) = run.rsplit_once('-') else { continue };
        let seed_fits = seed.is_none_or(|seed| under == seed.to_string());
        if of.contains(name) && seed_fits && path.is_file() {
            found.push((of == name, path));
        }
    }
    let exact = found.iter().any(|(exact, _)| *exact);
    let mut paths: Vec<PathBuf> =
        found.into_iter().filter(|(it, _)| *it || !exact).map(|(_, path)| path).collect();
    paths.sort();
    paths
}

/// Has the run repeated, by this program itself. What it prints is not part of the log.
fn replay(asked: &LogArgs, test: &str) -> Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["replay", "--test", test, "--lab", &asked.which.lab]);
    command.args(["--profile", &asked.which.profile]);
    if let Some(binary) = &asked.which.binary {
        command.arg("--binary").arg(binary);
    }
    if let Some(seed) = asked.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    // It may fail: that is why one looks at it.
    let status =
        command.stdout(Stdio::from(io::stderr())).status().context("cannot start a replay")?;
    if status.code() == Some(2) {
        bail!("the run could not be repeated");
    }
    Ok(())
}
