//! From records to the operations of a model.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Error, History, KeyedHistory, Outcome, Problem, Record, Records, Value};
use crate::history::{Operation, Returned};
use crate::model::Model;
use crate::models::{
    AppendKv, Bank, Counter, Lease, ListAppend, Lock, MultiRegister, Mutex, PriorityQueue, Queue,
    ReentrantLock, Register, Set, append_kv, bank, counter, keyed, lease, list_append, lock,
    multi_register, mutex, priority_queue, queue, reentrant, register, set,
};

/// How records are to be understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// A compare-and-set that failed found another value. Without this it did not happen, which is
    /// what `:fail` means; the logs of Jepsen's first etcd tests mean the former.
    pub failed_cas_differs: bool,
    /// Each value is a pair of a key and the value proper ([`keys_are_inside`]).
    pub keys_inside: bool,
}

/// One call, without the key that may have been in its value.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub process: i64,
    pub function: &'a str,
    /// The object, if there are several.
    pub key: Option<&'a Value>,
    pub value: &'a Value,
}

/// A model whose operations can be read from files. Implement it to read histories of a model of
/// your own.
pub trait Readable: Model {
    /// The functions it has.
    const FUNCTIONS: &'static [&'static str];

    /// Whether `value` can be the argument of `function`. A pair of key and value is told from an
    /// argument by this.
    fn is_argument(function: &str, value: &Value) -> bool;

    /// The operation that is asked for.
    ///
    /// # Errors
    ///
    /// When the model has no such function, or not with such an argument.
    fn input(&self, call: &Call<'_>) -> Result<Self::Input, Problem>;

    /// What the client was told, if the operation happened.
    ///
    /// # Errors
    ///
    /// When the operation has no such answer.
    fn output(&self, input: &Self::Input, answer: &Value) -> Result<Self::Output, Problem>;

    /// What the client was told, by its name. By default there are no names.
    ///
    /// # Errors
    ///
    /// When the operation has no answer of this name.
    fn named(&self, input: &Self::Input, name: &str) -> Result<Self::Output, Problem> {
        let _ = input;
        Err(Problem::unknown_name("err", name, &["OK", "Fail", "Info"]))
    }

    /// What the client of an operation that failed was told, if the operation happened
    /// nevertheless. By default it did not.
    fn failed(&self, input: &Self::Input, rules: &Rules) -> Option<Self::Output> {
        let _ = (input, rules);
        None
    }
}

/// The operations of a file about one object.
///
/// # Errors
///
/// Names the first line that does not fit the model.
pub fn history<M: Readable>(
    model: &M,
    records: &Records,
    rules: &Rules,
) -> Result<History<M::Input, M::Output>, Error> {
    read(model, records, rules, |_, input| input)
}

/// The operations of a file about many objects, each under a key: for
/// [`Keyed`](crate::models::Keyed).
///
/// The key is a field of its own, or inside the value ([`Rules::keys_inside`]).
///
/// # Errors
///
/// Names the first line that does not fit the model, or has no key.
pub fn keyed_history<M: Readable>(
    model: &M,
    records: &Records,
    rules: &Rules,
) -> Result<KeyedHistory<M::Input, M::Output>, Error> {
    let mut names: BTreeMap<Value, Arc<str>> = BTreeMap::new();
    read(model, records, rules, |key, input| {
        let nothing = Value::Nil;
        let key = key.unwrap_or(&nothing);
        let key = match names.get(key) {
            Some(name) => name.clone(),
            None if *key == Value::Nil => "".into(),
            None => {
                let name = key.plain();
                names.insert(key.clone(), name.clone());
                name
            }
        };
        keyed::Input { key, input }
    })
}

/// Whether the values of all calls are pairs of a key and an argument: all are pairs, and not all
/// of these can be arguments themselves.
pub fn keys_are_inside<M: Readable>(records: &Records) -> bool {
    let pairs = records.records.iter().all(|record| record.value.as_pair().is_some());
    pairs
        && records.records.iter().any(|record| !M::is_argument(&record.function, &record.value))
        && records.records.iter().all(|record| {
            record.value.as_pair().is_some_and(|(_, value)| M::is_argument(&record.function, value))
        })
}

fn read<M: Readable, I>(
    model: &M,
    records: &Records,
    rules: &Rules,
    mut with_key: impl FnMut(Option<&Value>, M::Input) -> I,
) -> Result<History<I, M::Output>, Error> {
    let inside = rules.keys_inside;
    let mut history = History { operations: Vec::new(), lines: Vec::new(), unit: records.unit };
    for record in &records.records {
        let at = |problem| Error::at(record.line, problem);
        let (key, value) =
            if inside { split(&record.value).map_err(at)? } else { (None, &record.value) };
        let key = key.or(record.key.as_ref());
        let call = Call { process: record.process, function: &record.function, key, value };
        if !M::FUNCTIONS.contains(&call.function) {
            return Err(at(Problem::unknown_name("op", call.function, M::FUNCTIONS)));
        }
        let input = model.input(&call).map_err(at)?;
        let returned = match &record.outcome {
            Outcome::Unknown => None,
            Outcome::Failed { time } => match model.failed(&input, rules) {
                Some(output) => Some(Returned { time: *time, output }),
                None => continue,
            },
            Outcome::Ok { time, value, line } => {
                let at = |problem| Error::at(*line, problem);
                // The answer of an operation with a key inside has it too; of some it is the bare
                // answer.
                let answer = match value.as_pair() {
                    Some((its_key, answer)) if inside && Some(its_key) == key => answer,
                    _ => value,
                };
                Some(Returned { time: *time, output: model.output(&input, answer).map_err(at)? })
            }
            Outcome::Named { time, name } => {
                Some(Returned { time: *time, output: model.named(&input, name).map_err(at)? })
            }
        };
        history.lines.push(record.line);
        history.operations.push(operation(record, with_key(key, input), returned));
    }
    Ok(history)
}

fn operation<I, O>(record: &Record, input: I, returned: Option<Returned<O>>) -> Operation<I, O> {
    let meta = record.meta.clone();
    Operation { client: record.process, call: record.call, input, returned, meta }
}

fn split(value: &Value) -> Result<(Option<&Value>, &Value), Problem> {
    match value.as_pair() {
        Some((key, value)) => Ok((Some(key), value)),
        None => Err(Problem::NoKey { found: value.to_string() }),
    }
}

/// The functions are checked before the model is asked.
fn no_such(function: &str) -> Problem {
    Problem::unknown_name("op", function, &[])
}

fn wrong(what: impl Into<String>, found: &Value, expected: &'static str) -> Problem {
    Problem::Value { what: what.into(), found: found.to_string(), expected }
}

fn integer(what: &str, value: &Value) -> Result<i64, Problem> {
    value.as_int().ok_or_else(|| wrong(what, value, "a whole number"))
}

impl Readable for Register<Value> {
    const FUNCTIONS: &'static [&'static str] = &["read", "write", "cas"];

    fn is_argument(function: &str, value: &Value) -> bool {
        match function {
            "read" => *value == Value::Nil,
            "cas" => value.as_pair().is_some_and(|(_, new)| new.as_pair().is_none()),
            _ => true,
        }
    }

    fn input(&self, call: &Call<'_>) -> Result<register::Input<Value>, Problem> {
        Ok(match call.function {
            "read" => register::Input::Read,
            "write" => register::Input::Write(call.value.clone()),
            "cas" => {
                let pair = call.value.as_pair();
                let (old, new) =
                    pair.ok_or_else(|| wrong("the argument of cas", call.value, "[old new]"))?;
                register::Input::Cas(old.clone(), new.clone())
            }
            other => return Err(no_such(other)),
        })
    }

    fn output(
        &self,
        input: &register::Input<Value>,
        answer: &Value,
    ) -> Result<register::Output<Value>, Problem> {
        Ok(match input {
            register::Input::Read => register::Output::Value(Some(answer.clone())),
            _ => register::Output::Done,
        })
    }

    fn named(
        &self,
        input: &register::Input<Value>,
        name: &str,
    ) -> Result<register::Output<Value>, Problem> {
        match (input, name) {
            (register::Input::Cas(..), "Differs") => Ok(register::Output::Differs),
            _ => Err(Problem::unknown_name("err", name, &["OK", "Fail", "Info", "Differs"])),
        }
    }

    fn failed(
        &self,
        input: &register::Input<Value>,
        rules: &Rules,
    ) -> Option<register::Output<Value>> {
        let differs = rules.failed_cas_differs && matches!(input, register::Input::Cas(..));
        differs.then_some(register::Output::Differs)
    }
}

impl Readable for AppendKv {
    const FUNCTIONS: &'static [&'static str] = &["get", "put", "append"];

    fn is_argument(function: &str, value: &Value) -> bool {
        match function {
            "get" => *value == Value::Nil,
            _ => matches!(value, Value::Text(_)),
        }
    }

    fn input(&self, call: &Call<'_>) -> Result<append_kv::Input, Problem> {
        let key = call.key.ok_or(Problem::MissingField { name: "key" })?.plain();
        let value = || match call.value {
            Value::Text(value) => Ok(value.clone()),
            other => Err(wrong("the value", other, "a string")),
        };
        Ok(match call.function {
            "get" => append_kv::Input::Get { key },
            "put" => append_kv::Input::Put { key, value: value()? },
            "append" => append_kv::Input::Append { key, value: value()? },
            other => return Err(no_such(other)),
        })
    }

    fn output(
        &self,
        input: &append_kv::Input,
        answer: &Value,
    ) -> Result<append_kv::Output, Problem> {
        match (input, answer) {
            (append_kv::Input::Get { .. }, Value::Text(value)) => {
                Ok(append_kv::Output::Value(value.clone()))
            }
            (append_kv::Input::Get { .. }, Value::Nil) => Ok(append_kv::Output::value("")),
            (append_kv::Input::Get { .. }, other) => Err(wrong("the answer", other, "a string")),
            _ => Ok(append_kv::Output::Done),
        }
    }
}

impl Readable for Counter {
    const FUNCTIONS: &'static [&'static str] = &["add", "add-and-get", "read"];

    fn is_argument(function: &str, value: &Value) -> bool {
        match function {
            "read" => *value == Value::Nil,
            _ => value.as_int().is_some(),
        }
    }

    fn input(&self, call: &Call<'_>) -> Result<counter::Input, Problem> {
        let amount = || integer("the amount", call.value);
        Ok(match call.function {
            "add" => counter::Input::Add(amount()?),
            "add-and-get" => counter::Input::AddAndGet(amount()?),
            "read" => counter::Input::Read,
            other => return Err(no_such(other)),
        })
    }

    fn output(&self, input: &counter::Input, answer: &Value) -> Result<counter::Output, Problem> {
        Ok(match input {
            counter::Input::Add(_) => counter::Output::Done,
            _ => counter::Output::Value(integer("the sum", answer)?),
        })
    }
}

impl Readable for Set<Value> {
    const FUNCTIONS: &'static [&'static str] = &["add", "remove", "contains", "read", "members"];

    fn is_argument(function: &str, value: &Value) -> bool {
        !matches!(function, "read" | "members") || *value == Value::Nil
    }

    fn input(&self, call: &Call<'_>) -> Result<set::Input<Value>, Problem> {
        let value = call.value.clone();
        Ok(match call.function {
            "add" => set::Input::Add(value),
            "remove" => set::Input::Remove(value),
            "contains" => set::Input::Contains(value),
            "read" | "members" => set::Input::Members,
            other => return Err(no_such(other)),
        })
    }

    fn output(
        &self,
        input: &set::Input<Value>,
        answer: &Value,
    ) -> Result<set::Output<Value>, Problem> {
        Ok(match (input, answer) {
            (set::Input::Members, Value::Seq(values) | Value::Set(values)) => {
                set::Output::Members(values.iter().cloned().collect())
            }
            (set::Input::Members, Value::Nil) => set::Output::Members(Default::default()),
            (set::Input::Members, other) => return Err(wrong("the answer", other, "a set")),
            (set::Input::Contains(_), Value::Bool(is)) => set::Output::Is(*is),
            (set::Input::Contains(_), other) => {
                return Err(wrong("the answer", other, "true or false"));
            }
            (_, Value::Bool(changed)) => set::Output::Changed(*changed),
            _ => set::Output::Done,
        })
    }
}

impl Readable for Queue<Value> {
    const FUNCTIONS: &'static [&'static str] = &["enqueue", "dequeue"];

    fn is_argument(function: &str, value: &Value) -> bool {
        function != "dequeue" || *value == Value::Nil
    }

    fn input(&self, call: &Call<'_>) -> Result<queue::Input<Value>, Problem> {
        Ok(match call.function {
            "enqueue" => queue::Input::Enqueue(call.value.clone()),
            "dequeue" => queue::Input::Dequeue,
            other => return Err(no_such(other)),
        })
    }

    /// A dequeue that finds nothing answers `nil`.
    fn output(
        &self,
        input: &queue::Input<Value>,
        answer: &Value,
    ) -> Result<queue::Output<Value>, Problem> {
        Ok(match (input, answer) {
            (queue::Input::Enqueue(_), _) => queue::Output::Done,
            (queue::Input::Dequeue, Value::Nil) => queue::Output::Empty,
            (queue::Input::Dequeue, value) => queue::Output::Value(value.clone()),
        })
    }

    fn named(
        &self,
        input: &queue::Input<Value>,
        name: &str,
    ) -> Result<queue::Output<Value>, Problem> {
        match (input, name) {
            (queue::Input::Dequeue, "Empty") => Ok(queue::Output::Empty),
            _ => Err(Problem::unknown_name("err", name, &["OK", "Fail", "Info", "Empty"])),
        }
    }
}

impl Readable for PriorityQueue<Value> {
    const FUNCTIONS: &'static [&'static str] =
        &["enqueue", "insert", "dequeue", "remove-min", "min"];

    fn is_argument(function: &str, value: &Value) -> bool {
        matches!(function, "enqueue" | "insert") || *value == Value::Nil
    }

    fn input(&self, call: &Call<'_>) -> Result<priority_queue::Input<Value>, Problem> {
        Ok(match call.function {
            "enqueue" | "insert" => priority_queue::Input::Insert(call.value.clone()),
            "dequeue" | "remove-min" => priority_queue::Input::RemoveMin,
            "min" => priority_queue::Input::Min,
            other => return Err(no_such(other)),
        })
    }

    /// A queue that holds nothing answers `nil`.
    fn output(
        &self,
        input: &priority_queue::Input<Value>,
        answer: &Value,
    ) -> Result<priority_queue::Output<Value>, Problem> {
        Ok(match (input, answer) {
            (priority_queue::Input::Insert(_), _) => priority_queue::Output::Done,
            (_, Value::Nil) => priority_queue::Output::Empty,
            (_, value) => priority_queue::Output::Value(value.clone()),
        })
    }

    fn named(
        &self,
        input: &priority_queue::Input<Value>,
        name: &str,
    ) -> Result<priority_queue::Output<Value>, Problem> {
        match (input, name) {
            (priority_queue::Input::Insert(_), _) => {
                Err(Problem::unknown_name("err", name, &["OK", "Fail", "Info"]))
            }
            (_, "Empty") => Ok(priority_queue::Output::Empty),
            _ => Err(Problem::unknown_name("err", name, &["OK", "Fail", "Info", "Empty"])),
        }
    }
}

/// The owner that an operation of a lock is for: its argument, or else the process.
fn owner(call: &Call<'_>) -> Result<u64, Problem> {
    let number = match call.value {
        Value::Nil => call.process,
        value => integer("the owner", value)?,
    };
    let negative = |_| wrong("the owner", &Value::Int(number), "not negative");
    u64::try_from(number).map_err(negative)
}

fn is_owner(value: &Value) -> bool {
    matches!(value, Value::Nil | Value::Int(_))
}

const REFUSED: [&str; 4] = ["OK", "Fail", "Info", "Refused"];

impl Readable for Mutex {
    const FUNCTIONS: &'static [&'static str] = &["acquire", "release"];

    fn is_argument(_function: &str, value: &Value) -> bool {
        is_owner(value)
    }

    fn input(&self, call: &Call<'_>) -> Result<mutex::Input, Problem> {
        Ok(match call.function {
            "acquire" => mutex::Input::Acquire,
            "release" => mutex::Input::Release,
            other => return Err(no_such(other)),
        })
    }

    fn output(&self, _input: &mutex::Input, _answer: &Value) -> Result<mutex::Output, Problem> {
        Ok(mutex::Output::Done)
    }

    fn named(&self, _input: &mutex::Input, name: &str) -> Result<mutex::Output, Problem> {
        match name {
            "Refused" => Ok(mutex::Output::Refused),
            _ => Err(Problem::unknown_name("err", name, &REFUSED)),
        }
    }
}

impl Readable for Lock {
    const FUNCTIONS: &'static [&'static str] = &["acquire", "release"];

    fn is_argument(_function: &str, value: &Value) -> bool {
        is_owner(value)
    }

    fn input(&self, call: &Call<'_>) -> Result<lock::Input, Problem> {
        Ok(match call.function {
            "acquire" => lock::Input::Acquire(owner(call)?),
            "release" => lock::Input::Release(owner(call)?),
            other => return Err(no_such(other)),
        })
    }

    fn output(&self, _input: &lock::Input, _answer: &Value) -> Result<lock::Output, Problem> {
        Ok(lock::Output::Done)
    }

    fn named(&self, _input: &lock::Input, name: &str) -> Result<lock::Output, Problem> {
        match name {
            "Refused" => Ok(lock::Output::Refused),
            _ => Err(Problem::unknown_name("err", name, &REFUSED)),
        }
    }
}

impl Readable for ReentrantLock {
    const FUNCTIONS: &'static [&'static str] = &["acquire", "release"];

    fn is_argument(_function: &str, value: &Value) -> bool {
        is_owner(value)
    }

    fn input(&self, call: &Call<'_>) -> Result<reentrant::Input, Problem> {
        Ok(match call.function {
            "acquire" => reentrant::Input::Acquire(owner(call)?),
            "release" => reentrant::Input::Release(owner(call)?),
            other => return Err(no_such(other)),
        })
    }

    fn output(
        &self,
        _input: &reentrant::Input,
        _answer: &Value,
    ) -> Result<reentrant::Output, Problem> {
        Ok(reentrant::Output::Done)
    }

    fn named(&self, _input: &reentrant::Input, name: &str) -> Result<reentrant::Output, Problem> {
        match name {
            "Refused" => Ok(reentrant::Output::Refused),
            _ => Err(Problem::unknown_name("err", name, &REFUSED)),
        }
    }
}

impl Readable for Lease {
    const FUNCTIONS: &'static [&'static str] = &["acquire", "renew", "release"];

    fn is_argument(function: &str, value: &Value) -> bool {
        match function {
            "acquire" => *value == Value::Nil,
            _ => value.as_int().is_some(),
        }
    }

    fn input(&self, call: &Call<'_>) -> Result<lease::Input, Problem> {
        Ok(match call.function {
            "acquire" => lease::Input::Acquire,
            "renew" => lease::Input::Renew(token(call.value)?),
            "release" => lease::Input::Release(token(call.value)?),
            other => return Err(no_such(other)),
        })
    }

    fn output(&self, input: &lease::Input, answer: &Value) -> Result<lease::Output, Problem> {
        Ok(match input {
            lease::Input::Acquire => lease::Output::Granted(token(answer)?),
            _ => lease::Output::Done,
        })
    }

    fn named(&self, _input: &lease::Input, name: &str) -> Result<lease::Output, Problem> {
        match name {
            "Refused" => Ok(lease::Output::Refused),
            _ => Err(Problem::unknown_name("err", name, &REFUSED)),
        }
    }
}

fn token(value: &Value) -> Result<u64, Problem> {
    let token = integer("the token", value)?;
    u64::try_from(token).map_err(|_| wrong("the token", value, "not negative"))
}

impl Readable for Bank<Value> {
    const FUNCTIONS: &'static [&'static str] = &["transfer", "read"];

    fn is_argument(function: &str, value: &Value) -> bool {
        match function {
            "read" => *value == Value::Nil,
            _ => matches!(value, Value::Map(_)),
        }
    }

    fn input(&self, call: &Call<'_>) -> Result<bank::Input<Value>, Problem> {
        let part = |name| {
            let expected = "a map with from, to and amount";
            call.value.get(name).ok_or_else(|| wrong("the transfer", call.value, expected))
        };
        Ok(match call.function {
            "read" => bank::Input::Read,
            "transfer" => bank::Input::Transfer {
                from: part("from")?.clone(),
                to: part("to")?.clone(),
                amount: integer("the amount", part("amount")?)?,
            },
            other => return Err(no_such(other)),
        })
    }

    fn output(
        &self,
        input: &bank::Input<Value>,
        answer: &Value,
    ) -> Result<bank::Output<Value>, Problem> {
        Ok(match input {
            bank::Input::Read => bank::Output::Balances(balances(answer)?),
            bank::Input::Transfer { .. } => bank::Output::Done,
        })
    }

    fn named(
        &self,
        input: &bank::Input<Value>,
        name: &str,
    ) -> Result<bank::Output<Value>, Problem> {
        match (input, name) {
            (bank::Input::Transfer { .. }, "Refused") => Ok(bank::Output::Refused),
            _ => Err(Problem::unknown_name("err", name, &REFUSED)),
        }
    }
}

/// The balances in a map, or in a vector, whose positions then are the accounts.
///
/// JSON has strings for keys only; digits are numbers.
///
/// # Errors
///
/// When it is neither, or a balance is not a whole number.
pub fn balances(value: &Value) -> Result<BTreeMap<Value, i64>, Problem> {
    let amount = |value: &Value| integer("a balance", value);
    match value {
        Value::Map(entries) => entries
            .iter()
            .map(|(account, value)| {
                let number = account.as_name().and_then(|name| name.parse().ok());
                Ok((number.map_or_else(|| account.clone(), Value::Int), amount(value)?))
            })
            .collect(),
        Value::Seq(values) => (0..)
            .zip(values.iter())
            .map(|(at, value)| Ok((Value::Int(at), amount(value)?)))
            .collect(),
        other => Err(wrong("the balances", other, "a map")),
    }
}

/// The micro-operations of a transaction: name, key, value.
fn transaction(value: &Value) -> Result<Vec<(&str, &Value, &Value)>, Problem> {
    let steps =
        value.as_seq().ok_or_else(|| wrong("the transaction", value, "a sequence of steps"))?;
    steps
        .iter()
        .map(|step| {
            let expected = "[function key value]";
            match step.as_seq() {
                Some([function, key, value]) => {
                    let name = function.as_name().ok_or_else(|| wrong("a step", step, expected))?;
                    Ok((name, key, value))
                }
                _ => Err(wrong("a step", step, expected)),
            }
        })
        .collect()
}

fn is_transaction(value: &Value) -> bool {
    transaction(value).is_ok()
}

/// What the reads of a transaction found, from the transaction as it was answered.
fn found(answer: &Value, expected: usize) -> Result<Vec<&Value>, Problem> {
    let steps = transaction(answer)?;
    if steps.len() != expected {
        return Err(wrong("the answer", answer, "as many steps as were asked for"));
    }
    let reads = steps.into_iter().filter(|(name, _, _)| matches!(*name, "r" | "read"));
    Ok(reads.map(|(_, _, value)| value).collect())
}

impl Readable for MultiRegister<Value, Value> {
    const FUNCTIONS: &'static [&'static str] = &["txn"];

    fn is_argument(_function: &str, value: &Value) -> bool {
        is_transaction(value)
    }

    fn input(&self, call: &Call<'_>) -> Result<multi_register::Input<Value, Value>, Problem> {
        transaction(call.value)?
            .into_iter()
            .map(|(name, key, value)| match name {
                "r" | "read" => Ok(multi_register::Access::Read(key.clone())),
                // Nothing is what a read finds before the first write.
                "w" | "write" if *value == Value::Nil => {
                    Err(wrong("a written value", value, "not nil"))
                }
                "w" | "write" => Ok(multi_register::Access::Write(key.clone(), value.clone())),
                other => Err(Problem::unknown_name("step", other, &["r", "read", "w", "write"])),
            })
            .collect()
    }

    fn output(
        &self,
        input: &multi_register::Input<Value, Value>,
        answer: &Value,
    ) -> Result<multi_register::Output<Value>, Problem> {
        let found = found(answer, input.len())?;
        Ok(found.into_iter().map(|value| (*value != Value::Nil).then(|| value.clone())).collect())
    }
}

impl Readable for ListAppend<Value, Value> {
    const FUNCTIONS: &'static [&'static str] = &["txn"];

    fn is_argument(_function: &str, value: &Value) -> bool {
        is_transaction(value)
    }

    fn input(&self, call: &Call<'_>) -> Result<list_append::Input<Value, Value>, Problem> {
        transaction(call.value)?
            .into_iter()
            .map(|(name, key, value)| match name {
                "r" | "read" => Ok(list_append::Access::Read(key.clone())),
                "append" => Ok(list_append::Access::Append(key.clone(), value.clone())),
                other => Err(Problem::unknown_name("step", other, &["r", "read", "append"])),
            })
            .collect()
    }

    fn output(
        &self,
        input: &list_append::Input<Value, Value>,
        answer: &Value,
    ) -> Result<list_append::Output<Value>, Problem> {
        found(answer, input.len())?
            .into_iter()
            .map(|value| match value {
                Value::Nil => Ok(Vec::new()),
                Value::Seq(values) => Ok(values.to_vec()),
                other => Err(wrong("a list", other, "a sequence")),
            })
            .collect()
    }
}

/// Whether each transaction of a list-append history works on one list only.
pub fn one_list_each(records: &Records) -> bool {
    records.records.iter().all(|record| {
        transaction(&record.value)
            .is_ok_and(|steps| steps.windows(2).all(|pair| pair[0].1 == pair[1].1))
    })
}
