//! What a history that is not linearizable still meets.

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::Result;
use porcupine::{
    Budget, Model, Operation, Options, Verdict, check_monotonic_reads, check_read_your_writes,
    check_sequential,
};

/// Longer histories are not looked at.
const MOST: usize = 20_000;
/// Steps for one question, and the time for all of them together.
const STEPS: u64 = 200_000;
const TIME: Duration = Duration::from_secs(2);

/// The verdicts of weaker conditions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weaker {
    pub(crate) sequential: Verdict,
    pub(crate) read_your_writes: Verdict,
    pub(crate) monotonic_reads: Verdict,
}

/// Looks at all of them. `None` for a history that is too long.
#[expect(clippy::disallowed_methods, reason = "a command runs in real time")]
pub(crate) fn check<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Option<Weaker>>
where
    M::Input: Clone,
    M::Output: Clone,
{
    if history.len() > MOST {
        return Ok(None);
    }
    let begin = Instant::now();
    let stop = || stop() || begin.elapsed() > TIME;
    let budget = Budget { steps: Some(STEPS), memory: Some(1 << 28), stop: Some(&stop) };
    let options = Options { budget, ..Options::default() };
    Ok(Some(Weaker {
        sequential: check_sequential(model, history, &options)?,
        read_your_writes: check_read_your_writes(model, history, &options)?,
        monotonic_reads: check_monotonic_reads(model, history, &options)?,
    }))
}

impl Weaker {
    fn all(self) -> [(Verdict, &'static str); 3] {
        [
            (self.sequential, "sequentially consistent"),
            (self.read_your_writes, "reads your writes"),
            (self.monotonic_reads, "monotonic reads"),
        ]
    }

    /// One line; nothing when nothing is known.
    pub(crate) fn text(self) -> String {
        let with = |verdict| {
            let found = self.all().into_iter().filter(move |(found, _)| *found == verdict);
            found.map(|(_, name)| name).collect::<Vec<_>>()
        };
        let (holds, violated) = (with(Verdict::Ok), with(Verdict::Illegal));
        let mut text = String::new();
        if !holds.is_empty() {
            let _ = write!(text, "still {}", holds.join(", "));
        }
        if !violated.is_empty() {
            let then = if text.is_empty() { "not " } else { "; not " };
            let _ = write!(text, "{then}{}", violated.join(", "));
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }
}
