//! `porcupine check` and `porcupine show`: histories in files.
//!
//! Exit status: 0 linearizable, 1 not linearizable, 2 the check cannot be carried out, 3 no answer within
//! the budget, 130 interrupted. Of several files the worst counts: 130, then 2, 1, 3, 0.

mod exit;
mod models;
mod output;
mod source;
mod weaker;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use porcupine::formats::{Error, Value, annotations};
use porcupine::{
    Annotation, Budget, Model, Options, PictureOptions, Verdict, check_operations,
    check_operations_verbose, explain, picture,
};

use crate::exit::Exit;
use crate::models::{Read, with_history};
use crate::source::{Progress, history_file, is_same, open};

/// Checks whether recorded histories are linearizable.
#[derive(Parser)]
#[command(name = "porcupine", version)]
struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Say whether histories are linearizable (exit status 0 yes, 1 no, 2 cannot be checked, 3 unknown)
    Check {
        /// Files, or folders of Jepsen and Maelstrom; plain, gzip or zstd; - is standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        how: How,
        /// Say which operations contradict each other
        #[arg(long)]
        explain: bool,
        /// Print one JSON object a file, with the verdict of each partition
        #[arg(long)]
        json: bool,
        /// Draw the (first) history into this file
        #[arg(long, value_name = "OUT")]
        html: Option<PathBuf>,
        /// Draw these beside it: faults, checks, notes, one JSON object a line
        #[arg(long, value_name = "FILE", requires = "html")]
        annotations: Option<PathBuf>,
    },
    /// Draw a history (exit status 0 when it is drawn, whatever the verdict)
    Show {
        /// The file, plain, gzip or zstd; - is standard input
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
    /// What the object is [default: what the operations look like]
    #[arg(long)]
    model: Option<ModelName>,
    /// [default: what the file looks like]
    #[arg(long)]
    format: Option<FormatName>,
    /// What the object holds at first, in EDN, such as 0 or '{:x 0 :y 0}'
    #[arg(long, value_name = "VALUE", value_parser = Value::from_edn, allow_hyphen_values = true)]
    init: Option<Value>,
    /// Where the key of an operation is
    #[arg(long, value_enum, default_value_t = Keys::Auto)]
    keys: Keys,
    /// What a failed compare-and-set means
    #[arg(long, value_enum, default_value_t = FailedCas::DidNotHappen)]
    failed_cas: FailedCas,
    /// Accept a file without operations
    #[arg(long)]
    allow_empty: bool,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModelName {
    /// get, put with a version (JSON lines only)
    VersionedKv,
    /// get, put, append
    AppendKv,
    /// read, write, cas
    Register,
    /// txn of read and write
    MultiRegister,
    /// add, add-and-get, read
    Counter,
    /// add, remove, contains, read
    Set,
    /// enqueue, dequeue
    Queue,
    /// insert, remove-min, min
    PriorityQueue,
    /// txn of read and append
    ListAppend,
    /// transfer, read
    Bank,
    /// acquire, release, by anybody
    Mutex,
    /// acquire, release, by the owner
    Lock,
    /// acquire, release, by the owner, several times
    ReentrantLock,
    /// acquire, renew, release, with a token
    Lease,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum FormatName {
    /// One operation a line, as JSON
    Jsonl,
    /// history.edn of Jepsen and Maelstrom, key-value logs of Porcupine
    Edn,
    /// history.txt of Jepsen and Maelstrom
    Txt,
    /// jepsen.log, old or new
    Log,
}

/// Where keys are.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Keys {
    /// Inside if all values are pairs and could not be values otherwise
    Auto,
    /// Each value is [key value], as of jepsen.independent
    Inside,
    /// A field of its own, or nowhere
    Field,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum FailedCas {
    /// It did not happen: what :fail means
    DidNotHappen,
    /// It found another value, as in the logs of Jepsen's first etcd tests
    Differs,
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

/// Set by the first interrupt: the check stops and what is known is printed. The second one kills.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => {
            let asked = !error.use_stderr(); // --help, --version
            // Nowhere to say that standard output is closed.
            let _ = error.print();
            return ExitCode::from(if asked { Exit::Passed } else { Exit::CannotRun }.code());
        }
    };
    // Without a handler the second-best happens: the signal ends the program.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
    });
    ExitCode::from(run(&command).code())
}

fn run(command: &Command) -> Exit {
    let (files, how, html, annotations) = match &command.what {
        What::Check { files, how, html, annotations, .. } => {
            (&files[..], how, html.as_deref(), annotations.as_deref())
        }
        What::Show { file, how, html, annotations } => {
            (std::slice::from_ref(file), how, Some(&**html), annotations.as_deref())
        }
    };
    if let Some(html) = html
        && let Some(input) = files
            .iter()
            .map(|file| &**file)
            .chain(annotations)
            .find(|input| history_file(input).is_ok_and(|input| is_same(&input, html)))
    {
        eprintln!("--html {}: would overwrite the input {}", html.display(), input.display());
        return Exit::CannotRun;
    }
    let annotations = match annotations.map_or(Ok(Vec::new()), read_annotations) {
        Ok(annotations) => annotations,
        Err(error) => {
            eprintln!("{error:#}");
            return Exit::CannotRun;
        }
    };
    let mut worst = Exit::Passed;
    for (number, file) in files.iter().enumerate() {
        let html = html.filter(|_| number == 0);
        let wanted = match command.what {
            What::Check { explain, json, .. } => {
                Wanted { explain, json, show: false, html, annotations: &annotations }
            }
            What::Show { .. } => {
                Wanted { explain: false, json: false, show: true, html, annotations: &annotations }
            }
        };
        worst = worst.max(check_file(file, how, &wanted).unwrap_or_else(|error| {
            if wanted.json {
                let _ = output::print(&output::error(file, &format!("{error:#}")));
            }
            eprintln!("{}: {error:#}", file.display());
            Exit::CannotRun
        }));
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Exit::Interrupted;
        }
    }
    worst
}

struct Wanted<'a> {
    explain: bool,
    json: bool,
    /// Drawing it is all that was asked for.
    show: bool,
    html: Option<&'a Path>,
    annotations: &'a [Annotation],
}

fn read_annotations(file: &Path) -> Result<Vec<Annotation>> {
    let read = || readable(annotations(open(file, &Progress::new(file))?));
    read().with_context(|| file.display().to_string())
}

fn check_file(file: &Path, how: &How, wanted: &Wanted<'_>) -> Result<Exit> {
    let path = history_file(file)?;
    let progress = Progress::new(&path);
    let from = open(&path, &progress)?;
    with_history(from, how, Check { file, how, wanted, progress })
}

/// What is done with a history once its model is known.
struct Check<'a> {
    file: &'a Path,
    how: &'a How,
    wanted: &'a Wanted<'a>,
    progress: Progress,
}

impl Check<'_> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a command runs in real time: --timeout, threads, and how long it took"
    )]
    fn run<M: Model>(
        self,
        model: &M,
        name: ModelName,
        read: Read<M::Input, M::Output>,
    ) -> Result<Exit>
    where
        M::Input: Clone,
        M::Output: Clone,
    {
        let Check { file, how, wanted, progress } = self;
        if read.operations.is_empty() && !how.allow_empty {
            bail!("nothing to check: no operation happened; --allow-empty accepts that");
        }
        progress.checking(read.operations.len());
        let begin = Instant::now();
        let stop = || {
            INTERRUPTED.load(Ordering::Relaxed)
                || how.timeout.is_some_and(|limit| begin.elapsed() > limit)
        };
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let options = Options {
            threads: how.threads.unwrap_or_else(cores),
            budget: Budget { steps: how.steps, memory: how.memory, stop: Some(&stop) },
            ..Options::default()
        };
        let checked = if wanted.html.is_some() || wanted.json {
            check_operations_verbose(model, &read.operations, &options)
        } else {
            check_operations(model, &read.operations, &options)
        };
        let took = begin.elapsed();
        progress.done();
        let report = checked.map_err(|error| {
            let entry = error.entry();
            let error = anyhow::Error::new(error);
            match entry {
                Some(entry) => error.context(format!("line {} (entry {entry})", read.lines[entry])),
                None => error,
            }
        })?;
        let illegal = report.verdict() == Verdict::Illegal;
        let explanation = if illegal && (wanted.explain || wanted.html.is_some()) {
            explain(model, &read.operations, &options)?
        } else {
            None
        };
        let weaker = if illegal { weaker::check(model, &read.operations, &stop)? } else { None };
        let summary = output::Summary {
            file,
            model: name,
            read: &read,
            report: &report,
            took,
            explanation: explanation.as_ref().filter(|_| wanted.explain),
            weaker,
        };
        let mut out =
            if wanted.json { output::json(model, &summary) } else { output::text(model, &summary) };
        if let Some(html) = wanted.html {
            let mut reason = explanation.as_ref().map_or(String::new(), |found| found.text.clone());
            if let Some(weaker) = weaker {
                reason += &weaker.text();
            }
            let page = picture(
                model,
                &read.operations,
                &report,
                &PictureOptions {
                    title: &file.display().to_string(),
                    marked: explanation.as_ref().map_or(&[], |found| &found.operations),
                    text: &reason,
                    annotations: wanted.annotations,
                },
            );
            std::fs::write(html, page)
                .with_context(|| format!("cannot write {}", html.display()))?;
            if !wanted.json {
                out += &format!("{}: drawn into {}\n", file.display(), html.display());
            }
        }
        output::print(&out)?;
        Ok(match report.verdict() {
            _ if wanted.show => Exit::Passed,
            Verdict::Ok => Exit::Passed,
            Verdict::Illegal => Exit::Failed,
            Verdict::Unknown => Exit::Inconclusive,
        })
    }
}

/// What is wrong with a line goes before what the reader says about the file.
fn readable<T>(result: Result<T, Error>) -> Result<T> {
    result.map_err(anyhow::Error::new)
}
