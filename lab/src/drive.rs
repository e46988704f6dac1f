//! Runs tests under seeds in worker processes, as many at once as there are cores, until all is done.
//!
//! ```text
//!   chunks.rs ──(test, seeds)──▶ worker process ──lines──▶ this loop ──▶ a result a run
//!       ▲                             │ ended early: the seed under way has failed,
//!       └─────────── the rest ────────┘ the sweep goes on with the next one
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use labrt::Instant;
use labrt::channel::{RecvTimeoutError, Sender, unbounded};
use runner::protocol::{Line, RunRecord};

use crate::binaries::Test;
use crate::chunks::{Chunk, Chunks};
use crate::worker::{News, Worker, describe_end};

/// What is to be run.
pub struct Plan<'a> {
    pub tests: &'a [Test],
    /// First seed and the one after the last.
    pub seeds: (u64, u64),
    /// Workers at once.
    pub jobs: usize,
    /// `LAB_WORKER`: `once` or `twice`.
    pub work: &'a str,
    /// `LAB_BACKEND`.
    pub backend: &'a str,
    /// Wall clock for all of it.
    pub time: Option<Duration>,
    /// How long a worker may say nothing.
    pub patience: Duration,
}

/// What came of one run.
pub enum Outcome {
    /// It ended and told.
    Ended(Box<RunRecord>),
    /// Its process ended, or had to be ended: kind, what there is to say, last lines.
    Lost { kind: String, what: String, detail: Vec<String> },
}

/// How a drive came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Complete,
    TimeIsUp,
    Interrupted,
}

/// Told of everything as it comes.
pub trait Watcher {
    /// A run has ended.
    fn run(&mut self, test: &Test, seed: u64, outcome: Outcome);
    /// Marks that there are, reached or not.
    fn marks(&mut self, _names: Vec<String>) {}
    /// A test that tells nothing of its runs: not a lab test.
    fn not_a_lab_test(&mut self, test: &Test);
    /// Now and then; the estimate is of the work that has not been handed out, for one process, in seconds.
    fn tick(&mut self, seconds_left: f64);
}

struct Busy {
    worker: Worker,
    chunk: Chunk,
    /// The seed whose run has begun.
    under_way: Option<u64>,
    /// The seed whose run comes next.
    next: u64,
    heard: Instant,
    /// It said nothing for too long and was killed.
    silent: bool,
}

/// Does everything in the plan. Failures of runs are not errors.
///
/// # Errors
/// When processes cannot be started or waited for.
pub fn drive(plan: &Plan<'_>, interrupts: &Interrupts, watcher: &mut dyn Watcher) -> Result<End> {
    let (news, inbox) = unbounded();
    interrupts.send_to(&news);
    let mut chunks = Chunks::new(plan.tests.len(), plan.seeds);
    let mut workers: BTreeMap<u64, Busy> = BTreeMap::new();
    let mut started = 0_u64;
    let begin = labrt::now();
    let end = loop {
        while workers.len() < plan.jobs {
            let Some(chunk) = chunks.next() else { break };
            let test = &plan.tests[chunk.test];
            let variables = [
                ("LAB_WORKER", plan.work.to_owned()),
                ("LAB_BACKEND", plan.backend.to_owned()),
                ("LAB_SEED", chunk.seeds.0.to_string()),
                ("LAB_SEEDS", (chunk.seeds.1 - chunk.seeds.0).to_string()),
            ];
            let worker = Worker::start(started, test, &variables, &news)?;
            let (next, heard) = (chunk.seeds.0, labrt::now());
            let busy = Busy { worker, chunk, under_way: None, next, heard, silent: false };
            workers.insert(started, busy);
            started += 1;
        }
        if workers.is_empty() {
            break End::Complete;
        }
        if plan.time.is_some_and(|time| begin.elapsed() >= time) {
            break End::TimeIsUp;
        }
        match inbox.recv_timeout(Duration::from_millis(200)) {
            Ok(News::Interrupt) => break End::Interrupted,
            Ok(News::Line(number, line)) => {
                if let Some(busy) = workers.get_mut(&number) {
                    hear(busy, line, plan, &mut chunks, watcher);
                }
            }
            Ok(News::Closed(number)) => {
                if let Some(busy) = workers.remove(&number) {
                    bury(busy, plan, &mut chunks, watcher)?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => unreachable!("we hold a sender"),
        }
        for busy in workers.values_mut() {
            if !busy.silent && busy.heard.elapsed() > plan.patience {
                busy.silent = true;
                busy.worker.kill();
            }
        }
        watcher.tick(chunks.seconds_left() / plan.jobs as f64);
    };
    // What is still under way does not count.
    for busy in workers.values_mut() {
        busy.worker.kill();
    }
    for busy in workers.into_values() {
        busy.worker.wait()?;
    }
    Ok(end)
}

fn hear(
    busy: &mut Busy,
    line: Line,
    plan: &Plan<'_>,
    chunks: &mut Chunks,
    watcher: &mut dyn Watcher,
) {
    busy.heard = labrt::now();
    match line {
        Line::RunBegan(seed) => busy.under_way = Some(seed),
        Line::Marks(names) => watcher.marks(names),
        Line::RunEnded(ended) => {
            let Some(seed) = busy.under_way.take() else { return };
            busy.next = seed + 1;
            chunks.took(busy.chunk.test, ended.wall_s);
            watcher.run(&plan.tests[busy.chunk.test], seed, Outcome::Ended(ended));
        }
        _ => {}
    }
}

/// Looks at how a worker ended, and puts back what it did not come to.
fn bury(busy: Busy, plan: &Plan<'_>, chunks: &mut Chunks, watcher: &mut dyn Watcher) -> Result<()> {
    let Busy { worker, chunk, under_way, next, silent, .. } = busy;
    let test = &plan.tests[chunk.test];
    let (status, stderr) = worker.wait()?;
    let lost = |seed: u64, watcher: &mut dyn Watcher| {
        let (mut kind, mut what) = describe_end(status, &stderr);
        if silent {
            kind = "no answer".to_owned();
            what = format!("nothing was heard of the run for {} s", plan.patience.as_secs());
        }
        let from = stderr.len().saturating_sub(10);
        let detail = stderr[from..].to_vec();
        watcher.run(test, seed, Outcome::Lost { kind, what, detail });
    };
    match under_way {
        Some(seed) => {
            lost(seed, watcher);
            chunks.put_back(chunk.test, (seed + 1, chunk.seeds.1));
        }
        None if next > chunk.seeds.0 => {
            // It gave up after a run that has to be left behind, such as one that never yields.
            chunks.put_back(chunk.test, (next, chunk.seeds.1));
        }
        None => {
            // No run has begun, and none will: trying further seeds would end in the same way.
            chunks.give_up(chunk.test);
            if status.success() {
                watcher.not_a_lab_test(test);
            } else {
                lost(chunk.seeds.0, watcher);
            }
        }
    }
    Ok(())
}

/// Ctrl-C and a request to terminate, for whichever drive is going on.
#[derive(Clone, Default)]
pub struct Interrupts {
    shared: std::sync::Arc<labrt::Mutex<Interrupted>>,
}

#[derive(Default)]
struct Interrupted {
    yet: bool,
    to: Option<Sender<News>>,
}

impl Interrupts {
    /// Catches them from now on.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn catch() -> Result<Interrupts> {
        let interrupts = Interrupts::default();
        let shared = interrupts.shared.clone();
        ctrlc::set_handler(move || {
            let mut state = shared.lock();
            state.yet = true;
            if let Some(to) = &state.to {
                // Without a drive there is nobody to tell.
                let _ = to.send(News::Interrupt);
            }
        })?;
        Ok(interrupts)
    }

    fn send_to(&self, news: &Sender<News>) {
        let mut state = self.shared.lock();
        if state.yet {
            let _ = news.send(News::Interrupt);
        }
        state.to = Some(news.clone());
    }
}
