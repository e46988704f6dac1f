//! One worker: a test binary that runs one test under a range of seeds and reports when a run
//! begins and when it has ended.
//!
//! Each range has a process of its own, because a run can end its process: an abort, an overflowing
//! stack, a kill from outside.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use labrt::channel::Sender;
use runner::protocol::Line;

use crate::binaries::Test;

/// A message to the driver.
pub enum Message {
    /// A line of the worker with this number.
    Line(u64, Line),
    /// The worker has closed its output: it is about to end.
    Closed(u64),
    /// The user wants to stop.
    Interrupt,
}

/// Lines of stderr that are kept.
const TAIL: usize = 30;

/// A worker process.
pub struct Worker {
    child: Child,
    stderr: Arc<labrt::Mutex<VecDeque<String>>>,
    stderr_read: Option<labrt::JoinHandle<()>>,
}

impl Worker {
    /// Starts worker `number` on `count` seeds from `first` on. Its lines go to `messages`.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn start(
        number: u64,
        test: &Test,
        variables: &[(&str, String)],
        messages: &Sender<Message>,
    ) -> Result<Worker> {
        let mut command = test.command();
        command.envs(variables.iter().map(|(name, value)| (*name, value)));
        let key = report_key();
        command.env("LAB_REPORT", &key);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C at a terminal is for the driver: a worker that it ended would look as if it had
        // failed.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", test.binary.display()))?;
        if let Some(stdout) = child.stdout.take() {
            let messages = messages.clone();
            labrt::spawn_named("worker stdout", move || {
                read_lines(number, &key, stdout, &messages)
            });
        }
        let stderr: Arc<labrt::Mutex<VecDeque<String>>> = Arc::default();
        let to = Arc::clone(&stderr);
        let stderr_read = child.stderr.take().map(|from| {
            labrt::spawn_named("worker stderr", move || {
                for line in lossy_lines(from) {
                    let mut tail = to.lock();
                    tail.push_back(line);
                    if tail.len() > TAIL {
                        tail.pop_front();
                    }
                }
            })
        });
        Ok(Worker { child, stderr, stderr_read })
    }

    /// Ends the process.
    pub fn kill(&mut self) {
        // It may just have ended by itself.
        let _ = self.child.kill();
    }

    /// Waits for the end of the process. Gives how it ended and the end of its stderr.
    ///
    /// # Errors
    /// When the system does not say how it ended.
    pub fn wait(mut self) -> Result<(ExitStatus, Vec<String>)> {
        let status = self.child.wait().context("cannot wait for a worker")?;
        if let Some(read) = self.stderr_read.take() {
            let _ = read.join();
        }
        let tail = self.stderr.lock().drain(..).collect();
        Ok((status, tail))
    }
}

/// A key that nothing else prints.
pub fn report_key() -> String {
    format!("lab-{}-{}", std::process::id(), labrt::now().as_nanos())
}

fn read_lines(number: u64, key: &str, stdout: impl Read, messages: &Sender<Message>) {
    for text in lossy_lines(stdout) {
        if let Some(line) = Line::parse(key, &text)
            && messages.send(Message::Line(number, line)).is_err()
        {
            return;
        }
    }
    // It fails when the sweep is over.
    let _ = messages.send(Message::Closed(number));
}

/// Lines, whatever bytes they have, until the stream ends.
fn lossy_lines(stream: impl Read) -> impl Iterator<Item = String> {
    let mut stream = BufReader::new(stream);
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        match stream.read_until(b'\n', &mut line) {
            Ok(1..) => Some(String::from_utf8_lossy(&line).trim_end().to_owned()),
            _ => None,
        }
    })
}

/// A name for how a process has ended, and the line of its stderr that explains most.
pub fn describe_end(status: ExitStatus, stderr: &[String]) -> (String, String) {
    let how = match signal_of(status) {
        Some(6) => "aborted (signal 6)".to_owned(),
        Some(11) => "segmentation fault (signal 11)".to_owned(),
        Some(number) => format!("killed (signal {number})"),
        None => format!("process ended ({status})"),
    };
    let telling =
        |line: &&String| line.contains("stack overflow") || line.contains("has overflowed");
    if let Some(line) = stderr.iter().find(telling) {
        return ("stack overflow".to_owned(), line.clone());
    }
    let panicked = stderr.iter().rposition(|line| line.contains(" panicked at "));
    let line = match panicked {
        // The message stands on the line below.
        Some(at) => {
            stderr[at..].iter().take(2).map(|line| line.trim()).collect::<Vec<_>>().join(" ")
        }
        None => {
            let last = stderr.iter().rev().find(|line| !line.trim().is_empty());
            last.cloned().unwrap_or_else(|| "nothing on its stderr".to_owned())
        }
    };
    (how, line)
}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_status: ExitStatus) -> Option<i32> {
    None
}
