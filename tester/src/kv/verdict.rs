//! From a recorded history to a verdict: the one place that knows porcupine.

use kvapi::Error;
use porcupine::models::versioned_kv::{Input, Output, VersionedKv};
use porcupine::{Budget, Model as _, Operation, Options, Verdict, check_operations};

use super::op_log::{Answer, Op, Request};

/// Steps the search may take for one key: some seconds. Histories of the labs take a few for each operation.
const STEPS: u64 = 20_000_000;

/// Bytes the search may hold for one key.
const MEMORY: usize = 1 << 30;

/// Whether a history can be explained by a service that does one operation at a time.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Legality {
    /// It can.
    Legal,
    /// It cannot; where it stops being possible, in words.
    Illegal(String),
    /// The search ended without an answer, and why. Not a pass.
    Undecided(String),
}

/// Judges a history of the versioned service.
pub fn judge_history(ops: &[Op]) -> Legality {
    let history: Vec<Operation<Input, Output>> = ops.iter().filter_map(operation).collect();
    let budget = Budget { steps: Some(STEPS), memory: Some(MEMORY), ..Budget::default() };
    let options = Options { budget, ..Options::default() };
    let report = match check_operations(&VersionedKv, &history, &options) {
        Ok(report) => report,
        Err(error) => return Legality::Undecided(format!("not a history: {error}")),
    };
    match report.verdict() {
        Verdict::Ok => Legality::Legal,
        Verdict::Unknown => Legality::Undecided(match report.limit() {
            Some(limit) => format!("after {} operations: {limit}", history.len()),
            None => format!("after {} operations", history.len()),
        }),
        Verdict::Illegal => Legality::Illegal(match report.first_illegal() {
            None => "no order explains it".to_owned(),
            Some(part) => {
                let at = part.stuck.and_then(|stuck| history.get(stuck.operation));
                let what = at.map_or_else(String::new, |op| {
                    let text = VersionedKv.describe_operation(&op.input, op.output());
                    format!("; it stops making sense at client {}: {text}", op.client)
                });
                format!("no order of the operations on key {:?} explains it{what}", part.name)
            }
        }),
    }
}

/// An operation in the model's words. A get that never returned says nothing.
fn operation(op: &Op) -> Option<Operation<Input, Output>> {
    let input = match &op.request {
        Request::Get { key } => Input::get(key),
        Request::Put { key, value, version } => Input::put(key, value, version.get()),
    };
    let call = op.call.as_nanos();
    let Some((at, answer)) = &op.returned else {
        let put = matches!(op.request, Request::Put { .. });
        return put.then(|| Operation::pending(op.client, call, input));
    };
    let output = match answer {
        Answer::Value(value, version) => Output::value(value, version.get()),
        Answer::Done => Output::Done,
        Answer::Failed(Error::NoKey) => Output::NoKey,
        Answer::Failed(Error::Version) => Output::Version,
        Answer::Failed(Error::Maybe) => Output::Maybe,
        // A clerk keeps these to itself. The model knows no such answer: give one that no operation of the kind may have.
        Answer::Failed(Error::WrongLeader | Error::WrongGroup) => match op.request {
            Request::Get { .. } => Output::Done,
            Request::Put { .. } => Output::value("", 0),
        },
    };
    Some(Operation::new(op.client, call, input, at.as_nanos(), output))
}
