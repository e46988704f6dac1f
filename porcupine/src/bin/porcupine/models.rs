//! From a file to the history of a model.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _};

use anyhow::{Context, Result, anyhow, bail};
use porcupine::formats::{
    self, Format, History, Readable, Records, Rules, Value, balances, keyed_history,
    keys_are_inside, one_list_each,
};
use porcupine::models::{
    AppendKv, Bank, Counter, Keyed, Lease, ListAppend, Lock, MultiRegister, Mutex, PriorityQueue,
    Queue, ReentrantLock, Register, Set, VersionedKv,
};

use crate::exit::Exit;
use crate::{Check, FailedCas, FormatName, How, Keys, ModelName, readable};

/// What readers give.
pub(crate) type Read<I, O> = History<I, O>;

/// How much of a file is looked at to find out how it is written.
const BEGINNING: usize = 1 << 16;

/// Reads a history and checks it.
pub(crate) fn with_history(
    mut from: Box<dyn BufRead>,
    how: &How,
    check: Check<'_>,
) -> Result<Exit> {
    let mut beginning = Vec::new();
    from.by_ref().take(BEGINNING as u64).read_to_end(&mut beginning).context("cannot read it")?;
    let format = match how.format {
        Some(FormatName::Jsonl) => Format::JsonLines,
        Some(FormatName::Edn) => Format::Edn,
        Some(FormatName::Txt) => Format::Txt,
        Some(FormatName::Log) => Format::Log,
        None if beginning.trim_ascii().is_empty() => Format::JsonLines,
        None => Format::detect(&beginning).with_context(|| {
            let begin = String::from_utf8_lossy(&beginning);
            let begin: String = begin.trim().chars().take(40).collect();
            format!("line 1: begins like no known format ({begin:?}); say --format if it is one")
        })?,
    };
    // The stores of the labs have lines and readers of their own.
    let store = format == Format::JsonLines
        && (how
            .model
            .is_some_and(|model| matches!(model, ModelName::VersionedKv | ModelName::AppendKv))
            || how.model.is_none() && first_is_of_store(&beginning));
    let from = beginning.chain(from);
    if store {
        if how.init.is_some() {
            bail!("--init: the stores begin empty");
        }
        return match how.model.unwrap_or(ModelName::VersionedKv) {
            ModelName::AppendKv => {
                let read = readable(formats::append_kv(from))?;
                check.run(&AppendKv::new(), ModelName::AppendKv, read)
            }
            model => {
                let read = formats::versioned_kv(from).map_err(|error| {
                    let appends = error.to_string().contains("op \"append\"");
                    let error = anyhow!(error);
                    if appends && how.model.is_none() {
                        return error.context("a history with append needs --model append-kv");
                    }
                    error
                });
                check.run(&VersionedKv, model, read?)
            }
        };
    }
    let records = readable(Records::read(from, format))?;
    if records.records.is_empty() && !how.allow_empty {
        bail!("nothing to check: the file has no operations; --allow-empty accepts that");
    }
    let model = match how.model {
        Some(model) => model,
        None => looks_like(&records)?,
    };
    of_model(model, &records, how, check)
}

/// Whether the first line is an operation of a key-value store.
fn first_is_of_store(beginning: &[u8]) -> bool {
    let first = beginning.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    let Some(first) = first else { return true };
    match serde_json::from_slice::<serde_json::Value>(first) {
        Ok(line) => line["op"].as_str().is_none_or(|op| matches!(op, "get" | "put" | "append")),
        Err(_) => true, // whose reader says what is wrong
    }
}

/// The model that has all functions of the records.
fn looks_like(records: &Records) -> Result<ModelName> {
    let mut functions: Vec<&str> = records.records.iter().map(|record| &*record.function).collect();
    functions.sort_unstable();
    functions.dedup();
    let all = |known: &[&str]| functions.iter().all(|function| known.contains(function));
    let has = |function: &str| functions.contains(&function);
    let text = |value: &Value| value.to_string();
    Ok(if functions.is_empty() || all(Register::<Value>::FUNCTIONS) {
        ModelName::Register
    } else if all(AppendKv::FUNCTIONS) {
        ModelName::AppendKv
    } else if all(&["txn"]) {
        let appends = records.records.iter().any(|record| text(&record.value).contains("append"));
        if appends { ModelName::ListAppend } else { ModelName::MultiRegister }
    } else if all(Queue::<Value>::FUNCTIONS) {
        ModelName::Queue
    } else if all(PriorityQueue::<Value>::FUNCTIONS) {
        ModelName::PriorityQueue
    } else if all(Mutex::FUNCTIONS) {
        ModelName::Mutex
    } else if all(Lease::FUNCTIONS) {
        ModelName::Lease
    } else if all(Bank::<Value>::FUNCTIONS) {
        ModelName::Bank
    } else if all(&["add", "read"]) {
        bail!("adds and reads may be of --model counter or --model set: say which");
    } else if all(Counter::FUNCTIONS) {
        ModelName::Counter
    } else if all(Set::<Value>::FUNCTIONS) && has("add") {
        ModelName::Set
    } else {
        bail!("no model has all of the operations {}: say --model", functions.join(", "));
    })
}

fn of_model(model: ModelName, records: &Records, how: &How, check: Check<'_>) -> Result<Exit> {
    let unused = || match &how.init {
        Some(_) => bail!("--init: this model begins empty"),
        None => Ok(()),
    };
    match model {
        ModelName::VersionedKv => bail!("--model versioned-kv reads JSON lines only"),
        ModelName::Register => {
            let initial = how.init.clone().unwrap_or(Value::Nil);
            keyed(Register::starting_at(initial), model, records, how, check)
        }
        ModelName::MultiRegister => {
            let initial = match &how.init {
                None | Some(Value::Nil) => BTreeMap::new(),
                Some(Value::Map(entries)) => entries.iter().cloned().collect(),
                Some(other) => bail!("--init {other}: expected a map, such as {{:x 0 :y 0}}"),
            };
            keyed(MultiRegister::starting_at(initial), model, records, how, check)
        }
        ModelName::Counter => {
            let initial = match &how.init {
                None => 0,
                Some(Value::Int(number)) => *number,
                Some(other) => bail!("--init {other}: expected a whole number"),
            };
            keyed(Counter::starting_at(initial), model, records, how, check)
        }
        ModelName::Bank => {
            let Some(init) = &how.init else {
                bail!("--init: a bank needs its balances, such as {{0 50, 1 50}}");
            };
            let initial = balances(init).map_err(|problem| anyhow!("--init: {problem}"))?;
            keyed(Bank::new(initial), model, records, how, check)
        }
        ModelName::AppendKv => {
            unused()?;
            let model = AppendKv::new();
            // It has keys of its own, so it needs no others.
            let read =
                readable(formats::history(&model, records, &rules::<AppendKv>(records, how)))?;
            check.run(&model, ModelName::AppendKv, read)
        }
        _ => {
            unused()?;
            match model {
                ModelName::Set => keyed(Set::new(), model, records, how, check),
                ModelName::Queue => keyed(Queue::new(), model, records, how, check),
                ModelName::PriorityQueue => keyed(PriorityQueue::new(), model, records, how, check),
                ModelName::ListAppend if one_list_each(records) => {
                    keyed(ListAppend::one_list_each(), model, records, how, check)
                }
                ModelName::ListAppend => keyed(ListAppend::new(), model, records, how, check),
                ModelName::Lock => keyed(Lock, model, records, how, check),
                ModelName::ReentrantLock => keyed(ReentrantLock::new(), model, records, how, check),
                ModelName::Lease => keyed(Lease, model, records, how, check),
                _ => keyed(Mutex::new(), model, records, how, check),
            }
        }
    }
}

fn rules<M: Readable>(records: &Records, how: &How) -> Rules {
    Rules {
        failed_cas_differs: how.failed_cas == FailedCas::Differs,
        keys_inside: match how.keys {
            Keys::Auto => keys_are_inside::<M>(records),
            Keys::Inside => true,
            Keys::Field => false,
        },
    }
}

fn keyed<M: Readable>(
    model: M,
    name: ModelName,
    records: &Records,
    how: &How,
    check: Check<'_>,
) -> Result<Exit>
where
    M::Input: Clone,
    M::Output: Clone,
{
    let read = readable(keyed_history(&model, records, &rules::<M>(records, how)))?;
    check.run(&Keyed(model), name, read)
}
