//! Keys with values that can be replaced and extended: get, put, append.
//!
//! A key that nobody wrote holds the empty string.
//!
//! # What a get gives away
//!
//! If the values written to a key all differ, and none is the beginning of another, a get can be taken
//! apart into the writes that made it:
//!
//! ```text
//!   append b ──┐   append c ──┐
//!   append a ──┼──────────────┼──  get → "abc"     b was appended to a value that ended with a,
//!                                                  c to one that ended with b, a to the empty one
//! ```
//!
//! A write happens at most once and a get that was answered must find its value. So in *every*
//! linearization of the history b follows a directly; a state in which it does not is a dead end and is
//! not entered. With this, the order of concurrent appends is mostly known before the search begins.
//! Where values repeat, nothing is assumed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::history::Operation;
use crate::model::{Model, Step};

/// The model. By default a history is split by key.
#[derive(Clone, Debug, Default)]
pub struct AppendKv {
    whole: bool,
    /// For each key what the gets of a history give away.
    known: BTreeMap<Arc<str>, Neighbours>,
}

impl AppendKv {
    /// The model, each key on its own.
    pub fn new() -> Self {
        AppendKv { whole: false, known: BTreeMap::new() }
    }

    /// The model that keeps all keys in one state and does not split the history. Slower, and never
    /// needed for this object; it shows what splitting is worth.
    pub fn whole() -> Self {
        AppendKv { whole: true, known: BTreeMap::new() }
    }
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Read a key.
    Get {
        /// Which.
        key: Arc<str>,
    },
    /// Replace a value.
    Put {
        /// Which.
        key: Arc<str>,
        /// The new value.
        value: Arc<str>,
    },
    /// Extend a value.
    Append {
        /// Which.
        key: Arc<str>,
        /// What to add at its end.
        value: Arc<str>,
    },
}

impl Input {
    /// A get.
    pub fn get(key: &str) -> Input {
        Input::Get { key: key.into() }
    }

    /// A put.
    pub fn put(key: &str, value: &str) -> Input {
        Input::Put { key: key.into(), value: value.into() }
    }

    /// An append.
    pub fn append(key: &str, value: &str) -> Input {
        Input::Append { key: key.into(), value: value.into() }
    }

    /// The key.
    pub fn key(&self) -> &str {
        match self {
            Input::Get { key } | Input::Put { key, .. } | Input::Append { key, .. } => key,
        }
    }
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A get found this.
    Value(Arc<str>),
    /// A put or an append took effect.
    Done,
}

impl Output {
    /// What a get gives.
    pub fn value(value: &str) -> Output {
        Output::Value(value.into())
    }
}

/// One key and what it holds. Values grow long, so they are shared, and only what is added is hashed.
#[derive(Clone, Debug)]
struct Slot {
    key: Arc<str>,
    value: Arc<String>,
    /// The value's bytes as the digits of a number: it does not tell in which pieces they came.
    hash: u64,
    /// Number of the write it ends with, if the key's writes have numbers. Follows from the value.
    last: u32,
}

impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.value.len() == other.value.len()
            && (Arc::ptr_eq(&self.value, &other.value) || self.value == other.value)
            && (Arc::ptr_eq(&self.key, &other.key) || self.key == other.key)
    }
}

impl Eq for Slot {}

impl Hash for Slot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
        self.hash.hash(state);
    }
}

/// The hash of a value that is longer by `more`.
fn extend_hash(hash: u64, more: &str) -> u64 {
    const BASE: u64 = 0x9E37_79B9_7F4A_7C15;
    more.bytes().fold(hash, |hash, byte| {
        hash.wrapping_mul(BASE).wrapping_add(u64::from(byte)).wrapping_add(1)
    })
}

/// All keys that were written, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State(Vec<Slot>);

impl State {
    /// What a key holds.
    pub fn get(&self, key: &str) -> &str {
        match self.find(key) {
            Ok(at) => &self.0[at].value,
            Err(_) => "",
        }
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|slot| (*slot.key).cmp(key))
    }

    fn last(&self, key: &str) -> u32 {
        self.find(key).map_or(NOTHING, |at| self.0[at].last)
    }

    /// The state in which a key holds what it did and `more`, or only `more`: the write of number `last`.
    fn with(&self, key: &Arc<str>, keep: bool, more: &str, last: u32) -> State {
        let (value, hash) = match self.find(key) {
            Ok(at) if keep => (self.0[at].value.as_str(), self.0[at].hash),
            _ => ("", 0),
        };
        let mut value_after = String::with_capacity(value.len() + more.len());
        value_after.push_str(value);
        value_after.push_str(more);
        let slot = Slot {
            key: key.clone(),
            value: Arc::new(value_after),
            hash: extend_hash(hash, more),
            last,
        };
        let mut after = self.0.clone();
        match self.find(key) {
            Ok(at) => after[at] = slot,
            Err(at) => after.insert(at, slot),
        }
        State(after)
    }
}

/// No write: the empty value.
const NOTHING: u32 = u32::MAX - 1;
/// Not given away.
const UNKNOWN: u32 = u32::MAX;

/// Which write to a key comes directly before and after which, in every linearization.
#[derive(Clone, Debug)]
struct Neighbours {
    /// The values written, sorted; their positions are their numbers.
    values: Vec<Arc<str>>,
    before: Vec<u32>,
    after: Vec<u32>,
}

impl Neighbours {
    /// `None` when the values cannot be told apart.
    fn new(mut values: Vec<Arc<str>>) -> Option<Self> {
        values.sort_unstable();
        // Sorted, a value is followed directly by one that begins with it, if there is one.
        let ambiguous = values.windows(2).any(|pair| pair[1].starts_with(&*pair[0]));
        if ambiguous || values.first().is_some_and(|value| value.is_empty()) {
            return None;
        }
        let unknown = vec![UNKNOWN; values.len()];
        Some(Neighbours { before: unknown.clone(), after: unknown, values })
    }

    /// Takes apart what a get found, of which the first `known` bytes were taken apart before. `last` is
    /// the write these end with; the result is the one that all of it ends with.
    fn learn(&mut self, seen: &str, known: usize, mut last: u32) -> Option<u32> {
        let mut rest = &seen[known..];
        while !rest.is_empty() {
            let next = self.values.partition_point(|value| **value <= *rest).checked_sub(1)?;
            rest = rest.strip_prefix(&*self.values[next])?;
            // After the empty value, different ones may come at different times.
            if last != NOTHING {
                self.after[last as usize] = next as u32;
            }
            self.before[next] = last;
            last = next as u32;
        }
        Some(last)
    }

    fn number(&self, value: &str) -> Option<u32> {
        self.values.binary_search_by(|known| (**known).cmp(value)).ok().map(|at| at as u32)
    }
}

impl AppendKv {
    /// The number of a write, or `None` when it cannot come here: another one comes next, or another
    /// one comes before it.
    fn follows(&self, key: &str, last: u32, value: &str, replaces: bool) -> Option<u32> {
        let Some(known) = self.known.get(key) else { return Some(UNKNOWN) };
        let Some(number) = known.number(value) else { return Some(UNKNOWN) };
        let next = match last {
            NOTHING | UNKNOWN => UNKNOWN,
            last => known.after[last as usize],
        };
        if replaces {
            // What it replaces has nothing after it, and nothing is before it.
            let before = known.before[number as usize];
            let legal = next == UNKNOWN && (before == UNKNOWN || before == NOTHING);
            return legal.then_some(number);
        }
        let before = known.before[number as usize];
        let legal = (next == UNKNOWN || next == number)
            && (before == UNKNOWN || last == UNKNOWN || before == last);
        legal.then_some(number)
    }
}

impl Model for AppendKv {
    type State = State;
    type Input = Input;
    type Output = Output;

    fn init(&self) -> State {
        State::default()
    }

    fn step(&self, state: &State, input: &Input, output: Option<&Output>) -> Step<State> {
        match (input, output) {
            (Input::Get { .. }, None) => Step::Unchanged,
            (Input::Get { key }, Some(Output::Value(seen))) if state.get(key) == &**seen => {
                Step::Unchanged
            }
            (Input::Put { key, value }, None | Some(Output::Done)) => {
                match self.follows(key, state.last(key), value, true) {
                    Some(number) => Step::To(state.with(key, false, value, number)),
                    None => Step::Illegal,
                }
            }
            (Input::Append { key, value }, None | Some(Output::Done)) => {
                match self.follows(key, state.last(key), value, false) {
                    Some(number) => Step::To(state.with(key, true, value, number)),
                    None => Step::Illegal,
                }
            }
            _ => Step::Illegal,
        }
    }

    fn read_only(&self, input: &Input, _output: Option<&Output>) -> bool {
        matches!(input, Input::Get { .. })
    }

    fn independent(&self, one: &Input, other: &Input) -> bool {
        one.key() != other.key()
    }

    fn informed(&self, history: &[Operation<Input, Output>]) -> Option<AppendKv> {
        let mut written: BTreeMap<&Arc<str>, Vec<Arc<str>>> = BTreeMap::new();
        for operation in history {
            if let Input::Put { key, value } | Input::Append { key, value } = &operation.input {
                written.entry(key).or_default().push(value.clone());
            }
        }
        let mut known: BTreeMap<Arc<str>, Neighbours> = written
            .into_iter()
            .filter_map(|(key, values)| Some((key.clone(), Neighbours::new(values)?)))
            .collect();
        // Gets of a key mostly extend each other: take apart only what is new.
        let mut longest: BTreeMap<&str, (&str, u32)> = BTreeMap::new();
        for operation in history {
            if let (Input::Get { key }, Some(Output::Value(seen))) =
                (&operation.input, operation.output())
                && let Some(neighbours) = known.get_mut(key)
            {
                let (before, last) = longest.get(&**key).copied().unwrap_or(("", NOTHING));
                let (start, last) =
                    if seen.starts_with(before) { (before.len(), last) } else { (0, NOTHING) };
                if let Some(last) = neighbours.learn(seen, start, last) {
                    longest.insert(key, (seen, last));
                }
            }
        }
        Some(AppendKv { whole: self.whole, known })
    }

    fn partition<'a>(&self, input: &'a Input) -> Cow<'a, str> {
        Cow::Borrowed(if self.whole { "" } else { input.key() })
    }

    fn describe_operation(&self, input: &Input, output: Option<&Output>) -> String {
        let answer = match output {
            None => "no answer".into(),
            Some(Output::Done) => "ok".into(),
            Some(Output::Value(value)) => format!("'{value}'"),
        };
        match input {
            Input::Get { key } => format!("get('{key}') -> {answer}"),
            Input::Put { key, value } => format!("put('{key}', '{value}') -> {answer}"),
            Input::Append { key, value } => format!("append('{key}', '{value}') -> {answer}"),
        }
    }

    fn describe_state(&self, state: &State) -> String {
        match &*state.0 {
            [] => "no value".into(),
            [slot] if !self.whole => format!("'{}'", slot.value),
            slots => {
                let all: Vec<_> =
                    slots.iter().map(|slot| format!("{}: '{}'", slot.key, slot.value)).collect();
                all.join(", ")
            }
        }
    }
}
