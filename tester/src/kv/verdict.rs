//! From a recorded history to a verdict: the one place that knows porcupine.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::sync::Arc;

use kvapi::Error;
use porcupine::models::append_kv::{self, AppendKv};
use porcupine::models::versioned_kv::{Input, Output, VersionedKv};
use porcupine::{Budget, Model, Operation, Options, Step, Verdict, check_operations};

use super::op_log::{Answer, Op, Request};
use super::text::Text;

/// Steps the search may take for one key: some seconds. Histories of the labs take a few for each
/// operation.
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
    judge_with(&VersionedKv, ops, versioned)
}

/// Judges a history of the service with Put, Append and Get.
pub fn judge_append_history(ops: &[Op]) -> Legality {
    let mut keys: BTreeMap<&str, Vec<&Op>> = BTreeMap::new();
    for op in ops {
        keys.entry(op.request.key()).or_default().push(op);
    }
    let mut result = Legality::Legal;
    for (key, ops) in keys {
        let model = Foreseen { model: AppendKv::new(), end: end(&ops) };
        let key = Arc::from(key);
        match judge_with(&model, &ops, |at, op| unversioned(at, op, &key)) {
            Legality::Legal => {}
            illegal @ Legality::Illegal(_) => return illegal,
            undecided @ Legality::Undecided(_) => result = undecided,
        }
    }
    result
}

/// Operations that cannot be ordered, whatever the others did.
pub(crate) struct Contradiction {
    /// Their places in the history.
    pub(crate) ops: Vec<usize>,
    /// Where the search got stuck.
    pub(crate) stuck: usize,
    /// The same in words, several lines.
    pub(crate) text: String,
}

/// What is wrong with a history, if something is. The history says by itself which service it is
/// of.
pub(crate) fn contradiction(ops: &[Op]) -> Option<Contradiction> {
    let unversioned_op = |op: &Op| {
        matches!(op.request, Request::Set { .. } | Request::Append { .. })
            || matches!(op.returned, Some((_, Answer::Text(_))))
    };
    if !ops.iter().any(unversioned_op) {
        let all = ops.iter().enumerate().collect();
        return contradiction_with(&VersionedKv, all, versioned);
    }
    let mut keys: BTreeMap<&str, Vec<(usize, &Op)>> = BTreeMap::new();
    for (at, op) in ops.iter().enumerate() {
        keys.entry(op.request.key()).or_default().push((at, op));
    }
    keys.into_iter().find_map(|(key, ops)| {
        let only: Vec<&Op> = ops.iter().map(|(_, op)| *op).collect();
        let model = Foreseen { model: AppendKv::new(), end: end(&only) };
        let key = Arc::from(key);
        contradiction_with(&model, ops, |at, op| unversioned(at, op, &key))
    })
}

/// The same of some operations, with their places in the history.
fn contradiction_with<M: Model>(
    model: &M,
    ops: Vec<(usize, &Op)>,
    mut translate: impl FnMut(usize, &Op) -> Translated<M>,
) -> Option<Contradiction>
where
    M::Input: Clone,
    M::Output: Clone,
{
    let (mut places, mut history) = (Vec::new(), Vec::new());
    for (at, op) in ops {
        if let Some(operation) = translate(at, op).ok()? {
            places.push(at);
            history.push(operation);
        }
    }
    let found = porcupine::explain(model, &history, &options()).ok()??;
    Some(Contradiction {
        ops: found.operations.iter().map(|at| places[*at]).collect(),
        stuck: places[found.stuck.operation],
        text: found.text,
    })
}

fn options() -> Options<'static> {
    let budget = Budget { steps: Some(STEPS), memory: Some(MEMORY), ..Budget::default() };
    Options { budget, ..Options::default() }
}

/// An operation in a model's words; `None` if it says nothing. An error if the model's service does
/// not have it.
type Translated<M> = Result<Option<Operation<<M as Model>::Input, <M as Model>::Output>>, String>;

fn judge_with<M: Model>(
    model: &M,
    ops: &[impl Borrow<Op>],
    mut translate: impl FnMut(usize, &Op) -> Translated<M>,
) -> Legality {
    let mut history = Vec::with_capacity(ops.len());
    for (at, op) in ops.iter().map(Borrow::borrow).enumerate() {
        match translate(at, op) {
            Ok(operation) => history.extend(operation),
            Err(why) => return Legality::Undecided(format!("not a history: {why}")),
        }
    }
    judge(model, &history)
}

fn judge<M: Model>(model: &M, history: &[Operation<M::Input, M::Output>]) -> Legality {
    let report = match check_operations(model, history, &options()) {
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
                    let text = model.describe_operation(&op.input, op.output());
                    format!("; it stops making sense at client {}: {text}", op.client)
                });
                format!("no order of the operations on key {:?} explains it{what}", part.name)
            }
        }),
    }
}

fn foreign<T>(op: &Op) -> Result<T, String> {
    Err(format!("{:?} is not an operation of this service", op.request))
}

/// The write at this place of the history, of which nobody knows whether and when it takes effect.
/// Its client goes on, so it is an operation of a client of its own that never returned.
fn unanswered<I, O>(at: usize, call: u64, input: I) -> Operation<I, O> {
    let alone = i64::try_from(at).map_or(i64::MIN, |at| -1 - at);
    Operation::pending(alone, call, input)
}

/// A get that never returned says nothing.
fn versioned(at: usize, op: &Op) -> Translated<VersionedKv> {
    let input = match &op.request {
        Request::Get { key } => Input::get(key),
        Request::Put { key, value, version } => Input::put(key, value, version.get()),
        Request::Set { .. } | Request::Append { .. } => return foreign(op),
    };
    let call = op.call.as_nanos();
    let get = matches!(op.request, Request::Get { .. });
    let Some((returned, answer)) = &op.returned else {
        return Ok((!get).then(|| Operation::pending(op.client, call, input)));
    };
    let output = match answer {
        Answer::Value(value, version) => Output::value(value, version.get()),
        Answer::Text(_) => return foreign(op),
        Answer::Done => Output::Done,
        Answer::Failed(Error::NoKey) => Output::NoKey,
        Answer::Failed(Error::Version) => Output::Version,
        Answer::Failed(Error::Maybe) => Output::Maybe,
        Answer::Failed(Error::TooLarge) => return Ok(None), // certainly not done
        Answer::Failed(Error::TimedOut) if get => return Ok(None),
        Answer::Failed(Error::TimedOut) => return Ok(Some(unanswered(at, call, input))),
        // A clerk keeps these to itself. The model knows no such answer: give one that no operation
        // of the kind may have.
        Answer::Failed(Error::WrongLeader | Error::WrongGroup) if get => Output::Done,
        Answer::Failed(Error::WrongLeader | Error::WrongGroup) => Output::value("", 0),
    };
    Ok(Some(Operation::new(op.client, call, input, returned.as_nanos(), output)))
}

/// A Get that never returned proves nothing and is left out. A write with an uncertain answer
/// becomes a write that never returned, of a separate client.
fn unversioned(at: usize, op: &Op, key: &Arc<str>) -> Translated<Foreseen> {
    let key = Arc::clone(key);
    let input = match &op.request {
        Request::Get { .. } => append_kv::Input::Get { key },
        Request::Set { value, .. } => append_kv::Input::Put { key, value: value.as_str().into() },
        Request::Append { value, .. } => {
            append_kv::Input::Append { key, value: value.as_str().into() }
        }
        Request::Put { .. } => return foreign(op),
    };
    let call = op.call.as_nanos();
    let get = matches!(op.request, Request::Get { .. });
    let Some((returned, answer)) = &op.returned else {
        return Ok((!get).then(|| Operation::pending(op.client, call, input)));
    };
    let output = match answer {
        Answer::Text(text) => Told::Text(text.clone()),
        Answer::Done => Told::Done,
        Answer::Failed(Error::TooLarge) => return Ok(None), // certainly not done
        Answer::Failed(Error::TimedOut) if get => return Ok(None),
        Answer::Failed(Error::Maybe | Error::TimedOut) if !get => {
            return Ok(Some(unanswered(at, call, input)));
        }
        Answer::Value(..) | Answer::Failed(_) => return foreign(op),
    };
    Ok(Some(Operation::new(op.client, call, input, returned.as_nanos(), output)))
}

/// What a client of the service with Put, Append and Get was told: porcupine's output, except that
/// values are not copied.
#[derive(Clone, PartialEq, Debug)]
enum Told {
    Text(Text),
    Done,
}

impl Told {
    fn output(&self) -> append_kv::Output {
        match self {
            Told::Text(text) => text.with(append_kv::Output::value),
            Told::Done => append_kv::Output::Done,
        }
    }
}

/// Porcupine's model of Put, Append and Get, with a look ahead.
///
/// Appends that overlap fit together in any order, each order gives another value, and only a later
/// Get tells which it was: without one the search would try them all. Where a key's Puts all end
/// before its Appends begin, and a Get sees what came of all of them, no value on the way can be
/// anything but a beginning of that one. Cutting off the others changes no verdict: from them there
/// is no way to that Get.
struct Foreseen {
    model: AppendKv,
    /// What the last Get saw.
    end: Option<Arc<str>>,
}

/// What the last Get of a key saw, if it came after all writes and these were Puts before Appends.
fn end(ops: &[&Op]) -> Option<Arc<str>> {
    let last = ops.iter().max_by_key(|op| op.call)?;
    let Some((_, Answer::Text(value))) = &last.returned else { return None };
    let returned = |op: &Op| match op.returned {
        Some((at, Answer::Done)) => Some(at),
        _ => None, // may take effect at any time
    };
    let mut puts_end = labrt::Instant::from_nanos(0);
    let mut appends_begin = last.call;
    for op in ops {
        match op.request {
            Request::Get { .. } => continue,
            Request::Append { .. } => appends_begin = appends_begin.min(op.call),
            Request::Set { .. } | Request::Put { .. } => puts_end = puts_end.max(returned(op)?),
        }
        if returned(op)? >= last.call {
            return None;
        }
    }
    (puts_end < appends_begin).then(|| value.with(|value| Arc::from(value)))
}

impl Model for Foreseen {
    type State = append_kv::State;
    type Input = append_kv::Input;
    type Output = Told;

    fn init(&self) -> Self::State {
        self.model.init()
    }

    fn step(
        &self,
        state: &Self::State,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Step<Self::State> {
        if let (append_kv::Input::Get { key }, Some(Told::Text(seen))) = (input, output) {
            let legal = seen.with(|seen| seen == state.get(key));
            return if legal { Step::Unchanged } else { Step::Illegal };
        }
        let step = self.model.step(state, input, output.map(Told::output).as_ref());
        if let (Step::To(after), append_kv::Input::Append { key, .. }) = (&step, input)
            && let Some(end) = &self.end
            && !end.starts_with(after.get(key))
        {
            return Step::Illegal;
        }
        step
    }

    fn read_only(&self, input: &Self::Input, _output: Option<&Self::Output>) -> bool {
        matches!(input, append_kv::Input::Get { .. })
    }

    fn partition<'a>(&self, input: &'a Self::Input) -> Cow<'a, str> {
        self.model.partition(input)
    }

    fn describe_operation(&self, input: &Self::Input, output: Option<&Self::Output>) -> String {
        self.model.describe_operation(input, output.map(Told::output).as_ref())
    }

    fn describe_state(&self, state: &Self::State) -> String {
        self.model.describe_state(state)
    }
}
