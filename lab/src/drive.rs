//! Runs tests under seeds in worker processes, as many at once as there are cores.
//!
//! ```text
//!   chunks.rs ──(test, seeds)──▶ worker process ──lines──▶ this loop ──▶ Listener
//!       ▲                             │ ended early: the seed under way has failed,
//!       └── seeds that were not run ──┘ the rest is run by another worker
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use labrt::channel::{RecvTimeoutError, Sender, unbounded};
use labrt::{Instant, Mutex};
use runner::Backend;
use runner::protocol::{Line, RunRecord};

use crate::binaries::Test;
use crate::chunks::{Chunk, Chunks};
use crate::worker::{Message, Worker, describe_end};

/// What is to be run.
pub struct Plan<'a> {
    pub tests: &'a [Test],
    /// First seed and the one after the last.
    pub seeds: (u64, u64),
    /// Workers at once.
    pub jobs: usize,
    /// Make each run twice and compare the two.
    pub twice: bool,
    pub backend: Backend,
    /// Wall-clock time for all of it.
    pub time: Option<Duration>,
    /// How long a worker may be silent.
    pub patience: Duration,
}

/// The result of one run.
pub enum Outcome {
    Ended(Box<RunRecord>),
    /// Its process ended, or had to be ended: kind, first line, last lines of its stderr.
    Lost {
        kind: String,
        what: String,
        detail: Vec<String>,
    },
}

/// How a drive has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Complete,
    TimeIsUp,
    Interrupted,
}

/// Takes the results of a drive.
pub trait Listener {
    /// A run has ended.
    fn run(&mut self, test: &Test, seed: u64, outcome: Outcome);
    /// A worker knows these marks, reached or not.
    fn marks(&mut self, _names: Vec<String>) {}
    /// A test reports no runs: it is not a lab test.
    fn not_a_lab_test(&mut self, _test: &Test) {}
    /// Called several times a second. `seconds_left`: an estimate of the work that is not handed
    /// out yet.
    fn tick(&mut self, seconds_left: f64);
}

struct Busy {
    worker: Worker,
    chunk: Chunk,
    /// The seed whose run has begun.
    under_way: Option<u64>,
    /// The seed whose run comes next.
    next: u64,
    last_line: Instant,
    /// It was silent for too long and was killed.
    silent: bool,
}

/// Makes all runs of the plan. Failures of runs are not errors.
///
/// # Errors
/// When processes cannot be started or waited for.
pub fn drive(plan: &Plan<'_>, interrupts: &Interrupts, listener: &mut dyn Listener) -> Result<End> {
    let (sender, messages) = unbounded();
    interrupts.send_to(&sender);
    let mut chunks = Chunks::new(plan.tests.len(), plan.seeds);
    let mut workers: BTreeMap<u64, Busy> = BTreeMap::new();
    let mut started = 0_u64;
    let begin = labrt::now();
    let end = loop {
        while workers.len() < plan.jobs {
            let Some(chunk) = chunks.take() else { break };
            let (first, end) = chunk.seeds;
            let variables = [
                ("LAB_WORKER", if plan.twice { "twice" } else { "once" }.to_owned()),
                ("LAB_BACKEND", plan.backend.to_string()),
                ("LAB_SEED", first.to_string()),
                ("LAB_SEEDS", (end - first).to_string()),
            ];
            let worker = Worker::start(started, &plan.tests[chunk.test], &variables, &sender)?;
            let last_line = labrt::now();
            let busy =
                Busy { worker, chunk, under_way: None, next: first, last_line, silent: false };
            workers.insert(started, busy);
            started += 1;
        }
        if workers.is_empty() {
            break End::Complete;
        }
        if plan.time.is_some_and(|time| begin.elapsed() >= time) {
            break End::TimeIsUp;
        }
        match messages.recv_timeout(Duration::from_millis(200)) {
            Ok(Message::Interrupt) => break End::Interrupted,
            Ok(Message::Line(number, line)) => {
                if let Some(busy) = workers.get_mut(&number) {
                    take_line(busy, line, plan, &mut chunks, listener);
                }
            }
            Ok(Message::Closed(number)) => {
                if let Some(busy) = workers.remove(&number) {
                    reap(busy, plan, &mut chunks, listener)?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => unreachable!("we hold a sender"),
        }
        for busy in workers.values_mut() {
            if !busy.silent && busy.last_line.elapsed() > plan.patience {
                busy.silent = true;
                busy.worker.kill();
            }
        }
        listener.tick(chunks.seconds_left() / plan.jobs as f64);
    };
    // Runs that are still under way do not count.
    for busy in workers.values_mut() {
        busy.worker.kill();
    }
    for busy in workers.into_values() {
        busy.worker.wait()?;
    }
    Ok(end)
}

fn take_line(
    busy: &mut Busy,
    line: Line,
    plan: &Plan<'_>,
    chunks: &mut Chunks,
    listener: &mut dyn Listener,
) {
    busy.last_line = labrt::now();
    match line {
        Line::RunBegan(seed) => busy.under_way = Some(seed),
        Line::Marks(names) => listener.marks(names),
        Line::RunEnded(record) => {
            let Some(seed) = busy.under_way.take() else { return };
            busy.next = seed + 1;
            chunks.took(busy.chunk.test, record.wall_s);
            listener.run(&plan.tests[busy.chunk.test], seed, Outcome::Ended(record));
        }
        _ => {}
    }
}

/// Records how a worker has ended, and puts back the seeds that it has not run.
fn reap(
    busy: Busy,
    plan: &Plan<'_>,
    chunks: &mut Chunks,
    listener: &mut dyn Listener,
) -> Result<()> {
    let Busy { worker, chunk, under_way, next, silent, .. } = busy;
    let test = &plan.tests[chunk.test];
    let (status, stderr) = worker.wait()?;
    let lost = || {
        let (mut kind, mut what) = describe_end(status, &stderr);
        if silent {
            kind = "no answer".to_owned();
            what = format!("the worker was silent for {} s", plan.patience.as_secs());
        }
        let detail = stderr[stderr.len().saturating_sub(10)..].to_vec();
        Outcome::Lost { kind, what, detail }
    };
    match under_way {
        Some(seed) => {
            listener.run(test, seed, lost());
            chunks.put_back(chunk.test, (seed + 1, chunk.seeds.1));
        }
        // It gave up after a run that has to be left behind, such as one that never yields.
        None if next > chunk.seeds.0 => chunks.put_back(chunk.test, (next, chunk.seeds.1)),
        None => {
            // No run has begun, and none will: further seeds would end in the same way.
            chunks.give_up(chunk.test);
            if status.success() {
                listener.not_a_lab_test(test);
            } else {
                listener.run(test, chunk.seeds.0, lost());
            }
        }
    }
    Ok(())
}

/// Ctrl-C and requests to terminate, for the drive that is going on.
#[derive(Clone, Default)]
pub struct Interrupts {
    shared: Arc<Mutex<Interrupted>>,
}

#[derive(Default)]
struct Interrupted {
    yet: bool,
    to: Option<Sender<Message>>,
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
                let _ = to.send(Message::Interrupt); // it fails when no drive is going on
            }
        })?;
        Ok(interrupts)
    }

    fn send_to(&self, sender: &Sender<Message>) {
        let mut state = self.shared.lock();
        if state.yet {
            let _ = sender.send(Message::Interrupt);
        }
        state.to = Some(sender.clone());
    }
}
