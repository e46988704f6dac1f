//! `porcupine check` and `porcupine show`: histories in files.
//!
//! Exit status: 0 linearizable, 1 not, 2 unknown, 3 bad input. Of several files: bad input if there is
//! one, else not linearizable if there is one, else unknown if there is one.

mod annotations;
mod jepsen;
mod jsonl;
mod read;
mod source;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use porcupine::models::{AppendKv, Register, VersionedKv};
use porcupine::{
    Annotation, Budget, Model, Options, PartitionReport, PictureOptions, Report, Verdict,
    check_operations, check_operations_verbose, explain, picture,
};

use crate::read::Read;
use crate::source::{Progress, open};

/// Checks whether recorded histories are linearizable.
#[derive(Parser)]
#[command(name = "porcupine", version)]
struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Say whether histories are linearizable (exit status 0 yes, 1 no, 2 unknown, 3 bad input)
    Check {
        /// Files, packed with gzip or not; - is standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        how: How,
        /// Say which operations contradict each other
        #[arg(long)]
        explain: bool,
        /// Draw the (first) history into this file
        #[arg(long, value_name = "OUT")]
        html: Option<PathBuf>,
        /// Draw these beside it: faults, checks, notes, one JSON object a line
        #[arg(long, value_name = "FILE", requires = "html")]
        annotations: Option<PathBuf>,
    },
    /// Draw a history (exit status 0 when it is drawn, whatever the verdict)
    Show {
        /// The file, packed with gzip or not; - is standard input
        file: PathBuf,
        #[command(flatten)]
        how: How,
        /// Where to draw it
        #[arg(long, value_name = "OUT")]
        html: PathBuf,
        /// Draw these beside it: faults, checks, notes, one JSON object a line
        #[arg(long, value_name = "FILE")]
        annotations: Option<PathBuf>,
    },
}

#[derive(Args)]
struct How {
    /// What the object is [default: register for jepsen, else versioned-kv]
    #[arg(long)]
    model: Option<ModelName>,
    /// [default: jepsen for .log, else jsonl]
    #[arg(long)]
    format: Option<Format>,
    /// Give up after this time, such as 500ms, 30s, 2m
    #[arg(long, value_parser = duration)]
    timeout: Option<Duration>,
    /// Give up after so many steps for a partition; unlike a time, the same everywhere
    #[arg(long)]
    steps: Option<u64>,
    /// Give up above about so much memory for a partition, such as 500M, 4G (what a state owns is not counted)
    #[arg(long, value_parser = size)]
    memory: Option<usize>,
    /// Threads that work on partitions [default: as many as there are cores]
    #[arg(long)]
    threads: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ModelName {
    /// get, put with a version
    VersionedKv,
    /// get, put, append
    AppendKv,
    /// read, write, compare-and-set
    Register,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    Jsonl,
    Jepsen,
}

fn duration(text: &str) -> Result<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 =
        text[..digits].parse().context("a time is a number and a unit: 500ms, 30s")?;
    let unit = match &text[digits..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        other => bail!("unknown unit {other:?}: use ms, s, m or h"),
    };
    Duration::try_from_secs_f64(number * unit).context("no such time")
}

fn size(text: &str) -> Result<usize> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: usize =
        text[..digits].parse().context("a size is a number and a unit: 500M, 4G")?;
    let shift = match &text[digits..] {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        other => bail!("unknown unit {other:?}: use K, M or G"),
    };
    number.checked_mul(1 << shift).context("more memory than there can be")
}

fn main() -> ExitCode {
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => {
            let asked = !error.use_stderr(); // --help, --version
            // Nowhere to say that standard output is closed.
            let _ = error.print();
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(3) };
        }
    };
    let mut worst = 0;
    let mut rank = |status: u8| {
        // 3 over 1 over 2 over 0
        let order = |status| [0, 2, 1, 3][usize::from(status)];
        if order(status) > order(worst) {
            worst = status;
        }
    };
    let (files, how, explain, html, annotations) = match &command.what {
        What::Check { files, how, explain, html, annotations } => {
            (&files[..], how, *explain, html.as_deref(), annotations)
        }
        What::Show { file, how, html, annotations } => {
            (std::slice::from_ref(file), how, false, Some(&**html), annotations)
        }
    };
    let annotations = match annotations.as_deref().map_or(Ok(Vec::new()), read_annotations) {
        Ok(annotations) => annotations,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::from(3);
        }
    };
    let annotations = &annotations[..];
    let show = matches!(command.what, What::Show { .. });
    for (number, file) in files.iter().enumerate() {
        let html = html.filter(|_| number == 0);
        match file_verdict(file, how, &Wanted { explain, html, annotations }) {
            // Drawn, which is what was asked for.
            Ok(_) if show => {}
            Ok(Verdict::Ok) => {}
            Ok(Verdict::Illegal) => rank(1),
            Ok(Verdict::Unknown) => rank(2),
            Err(error) => {
                eprintln!("{}: {error:#}", file.display());
                rank(3);
            }
        }
    }
    ExitCode::from(worst)
}

struct Wanted<'a> {
    explain: bool,
    html: Option<&'a Path>,
    annotations: &'a [Annotation],
}

fn read_annotations(file: &Path) -> Result<Vec<Annotation>> {
    let read = || annotations::read(open(file, &Progress::new(file))?);
    read().with_context(|| file.display().to_string())
}

fn file_verdict(file: &Path, how: &How, wanted: &Wanted<'_>) -> Result<Verdict> {
    let is_log = file.to_string_lossy().trim_end_matches(".gz").ends_with(".log");
    let format = how.format.unwrap_or(if is_log { Format::Jepsen } else { Format::Jsonl });
    let model = how.model.unwrap_or(match format {
        Format::Jepsen => ModelName::Register,
        Format::Jsonl => ModelName::VersionedKv,
    });
    let progress = Progress::new(file);
    let from = open(file, &progress)?;
    match (format, model) {
        (Format::Jepsen, ModelName::Register) => {
            verdict(&Register::new(), jepsen::register(from)?, file, how, wanted, progress)
        }
        (Format::Jsonl, ModelName::VersionedKv) => {
            verdict(&VersionedKv, jsonl::versioned_kv(from)?, file, how, wanted, progress)
        }
        (Format::Jsonl, ModelName::AppendKv) => {
            verdict(&AppendKv::new(), jsonl::append_kv(from)?, file, how, wanted, progress)
        }
        (Format::Jepsen, _) => bail!("a jepsen log is a history of --model register"),
        (Format::Jsonl, ModelName::Register) => bail!("--model register needs --format jepsen"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a command runs in real time: --timeout, threads, and how long it took"
)]
fn verdict<M: Model>(
    model: &M,
    read: Read<M::Input, M::Output>,
    file: &Path,
    how: &How,
    wanted: &Wanted<'_>,
    progress: Progress,
) -> Result<Verdict>
where
    M::Input: Clone,
    M::Output: Clone,
{
    progress.checking(read.history.len());
    let begin = Instant::now();
    let stop = || how.timeout.is_some_and(|limit| begin.elapsed() > limit);
    let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let options = Options {
        threads: how.threads.unwrap_or_else(cores),
        budget: Budget { steps: how.steps, memory: how.memory, stop: Some(&stop) },
    };
    let checked = if wanted.html.is_some() {
        check_operations_verbose(model, &read.history, &options)
    } else {
        check_operations(model, &read.history, &options)
    };
    let took = begin.elapsed();
    progress.done();
    let report = checked.map_err(|error| match error.entry() {
        Some(entry) => {
            anyhow!(error).context(format!("line {} (entry {entry})", read.lines[entry]))
        }
        None => anyhow!(error),
    })?;
    let out = &mut Vec::new();
    describe(out, model, &read, file, &report, took)?;
    let explanation = if wanted.explain && report.verdict() == Verdict::Illegal {
        explain(model, &read.history, &options)?
    } else {
        None
    };
    if let Some(explanation) = &explanation {
        for line in explanation.text.lines() {
            writeln!(out, "  {line}")?;
        }
    }
    if let Some(html) = wanted.html {
        let page = picture(
            model,
            &read.history,
            &report,
            &PictureOptions {
                title: &file.display().to_string(),
                marked: explanation.as_ref().map_or(&[], |found| &found.operations),
                text: explanation.as_ref().map_or("", |found| &found.text),
                annotations: wanted.annotations,
            },
        );
        std::fs::write(html, page).with_context(|| format!("cannot write {}", html.display()))?;
        writeln!(out, "{}: drawn into {}", file.display(), html.display())?;
    }
    match std::io::stdout().lock().write_all(out) {
        // Whoever read it has seen enough; the exit status still counts.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    Ok(report.verdict())
}

fn describe<M: Model>(
    out: &mut impl Write,
    model: &M,
    read: &Read<M::Input, M::Output>,
    file: &Path,
    report: &Report,
    took: Duration,
) -> Result<()> {
    let operations = read.history.len();
    let milliseconds = took.as_secs_f64() * 1e3;
    let file = file.display();
    let size = format!("{operations} operations, {milliseconds:.1} ms");
    match report.verdict() {
        Verdict::Ok => writeln!(out, "{file}: linearizable ({size})")?,
        Verdict::Unknown => {
            let why = report.limit().map_or(String::new(), |limit| limit.to_string());
            writeln!(out, "{file}: unknown: {why} ({size})")?;
        }
        Verdict::Illegal => {
            writeln!(out, "{file}: NOT linearizable ({size})")?;
            for part in report.partitions() {
                stuck(out, model, read, part)?;
            }
        }
    }
    Ok(())
}

/// One line for an illegal partition.
fn stuck<M: Model>(
    out: &mut impl Write,
    model: &M,
    read: &Read<M::Input, M::Output>,
    part: &PartitionReport,
) -> Result<()> {
    let Some(stuck) = part.stuck else { return Ok(()) };
    let operation = &read.history[stuck.operation];
    let name = if part.name.is_empty() { String::new() } else { format!("{}: ", part.name) };
    writeln!(
        out,
        "  {name}no order up to the {} at {} of client {}'s {} (line {})",
        if stuck.at_return { "return" } else { "call" },
        stuck.time,
        operation.client,
        model.describe_operation(&operation.input, operation.output()),
        read.lines[stuck.operation],
    )?;
    Ok(())
}
