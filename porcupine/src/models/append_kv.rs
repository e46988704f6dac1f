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
//!
//! # What no get shows
//!
//! A value that no get of the history begins with can only be replaced: no get can find it, nor
//! anything it is extended to. All such values of a key are one state, *unseen*, in which appends
//! change nothing. So writes that no get shows need no order.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::history::Operation;
use crate::model::{Model, Outlook, Step};

/// The model. By default a history is split by key.
#[derive(Clone, Debug, Default)]
pub struct AppendKv {
    whole: bool,
    /// For each key what the gets of a history give away.
    known: BTreeMap<Arc<str>, Neighbours>,
    /// For each key written in a history the values that gets begin with.
    seen: BTreeMap<Arc<str>, Seen>,
}

impl AppendKv {
    /// The model, each key on its own.
    pub fn new() -> Self {
        AppendKv::default()
    }

    /// The model that keeps all keys in one state and does not split the history. Slower, and never
    /// needed for this object; it shows what splitting is worth.
    pub fn whole() -> Self {
        AppendKv { whole: true, ..AppendKv::default() }
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
    /// The value is one that no get begins with. It is not kept then.
    unseen: bool,
}

impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.unseen == other.unseen
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
        self.unseen.hash(state);
    }
}

/// The hash of a value that is longer by `more`.
fn extend_hash(hash: u64, more: &str) -> u64 {
    more.bytes().fold(hash, extend_hash_by)
}

fn extend_hash_by(hash: u64, byte: u8) -> u64 {
    const BASE: u64 = 0x9E37_79B9_7F4A_7C15;
    hash.wrapping_mul(BASE).wrapping_add(u64::from(byte)).wrapping_add(1)
}

/// All keys that were written, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State(Vec<Slot>);

impl State {
    /// What a key holds; the empty string if it holds a value that no get shows.
    pub fn get(&self, key: &str) -> &str {
        match self.find(key) {
            Ok(at) => &self.0[at].value,
            Err(_) => "",
        }
    }

    /// Whether a key holds a value that no get of the history begins with.
    fn is_unseen(&self, key: &str) -> bool {
        self.find(key).is_ok_and(|at| self.0[at].unseen)
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|slot| (*slot.key).cmp(key))
    }

    fn last(&self, key: &str) -> u32 {
        self.find(key).map_or(NOTHING, |at| self.0[at].last)
    }

    /// The state in which a key holds what it did and `more`, or only `more`: the write of number
    /// `last`.
    fn with(
        &self,
        key: &Arc<str>,
        keep: bool,
        more: &str,
        last: u32,
        seen: Option<&Seen>,
    ) -> Step<State> {
        let found = self.find(key);
        let (value, hash) = match found {
            Ok(at) if keep => (self.0[at].value.as_str(), self.0[at].hash),
            _ => ("", 0),
        };
        let hash = extend_hash(hash, more);
        let slot = if seen.is_none_or(|seen| seen.contains(value.len() + more.len(), hash)) {
            let mut value_after = String::with_capacity(value.len() + more.len());
            value_after.push_str(value);
            value_after.push_str(more);
            Slot { key: key.clone(), value: Arc::new(value_after), hash, last, unseen: false }
        } else if self.is_unseen(key) {
            return Step::Unchanged;
        } else {
            let value = Arc::default();
            Slot { key: key.clone(), value, hash: 0, last: UNKNOWN, unseen: true }
        };
        let mut after = self.0.clone();
        match found {
            Ok(at) => after[at] = slot,
            Err(at) => after.insert(at, slot),
        }
        Step::To(State(after))
    }
}

/// The beginnings of the values that gets of one key found: length and hash of each.
///
/// Two beginnings with equal hashes are taken for one. Then a value counts as seen that is not,
/// which is correct, only slower.
#[derive(Clone, Debug, Default)]
struct Seen(BTreeSet<(usize, u64)>);

impl Seen {
    fn contains(&self, length: usize, hash: u64) -> bool {
        self.0.contains(&(length, hash))
    }

    fn insert(&mut self, length: usize, hash: u64) {
        self.0.insert((length, hash));
    }

    /// Adds all beginnings of a value, of which the first `known` bytes with this hash were added
    /// before.
    fn learn(&mut self, value: &str, known: usize, mut hash: u64) {
        self.insert(0, 0);
        for (at, byte) in value.bytes().enumerate().skip(known) {
            hash = extend_hash_by(hash, byte);
            self.insert(at + 1, hash);
        }
    }
}

/// Beginnings of values to keep for one key. With more, every value counts as seen.
const MOST_SEEN: usize = 1 << 20;

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

    /// Takes apart what a get found, of which the first `known` bytes with this hash were taken apart
    /// before. `last` is the write these end with; the result is the one that all of it ends with.
    fn learn(
        &mut self,
        seen: &str,
        known: usize,
        mut last: u32,
        mut hash: u64,
        beginnings: &mut Seen,
    ) -> Option<u32> {
        beginnings.insert(0, 0);
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
            hash = extend_hash(hash, &self.values[next]);
            beginnings.insert(seen.len() - rest.len(), hash);
        }
        Some(last)
    }

    /// Whether no get shows this write.
    fn is_unseen(&self, value: &str) -> bool {
        self.number(value).is_some_and(|number| self.before[number as usize] == UNKNOWN)
    }

    fn number(&self, value: &str) -> Option<u32> {
        self.values.binary_search_by(|known| (**known).cmp(value)).ok().map(|at| at as u32)
    }
}

impl AppendKv {
    /// Whether no get shows this write. If it never returned, no order needs it.
    fn explains_nothing(&self, input: &Input) -> bool {
        let (Input::Put { key, value } | Input::Append { key, value }) = input else {
            return false;
        };
        self.known.get(key).is_some_and(|known| known.is_unseen(value))
    }

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
        if output.is_none() && self.explains_nothing(input) {
            return Step::Illegal;
        }
        match (input, output) {
            (Input::Get { .. }, None) => Step::Unchanged,
            (Input::Get { key }, Some(Output::Value(seen)))
                if state.get(key) == &**seen && !state.is_unseen(key) =>
            {
                Step::Unchanged
            }
            (Input::Put { key, value }, None | Some(Output::Done)) => {
                match self.follows(key, state.last(key), value, true) {
                    Some(number) => state.with(key, false, value, number, self.seen.get(key)),
                    None => Step::Illegal,
                }
            }
            (Input::Append { key, value }, None | Some(Output::Done)) => {
                if state.is_unseen(key) {
                    return Step::Unchanged;
                }
                match self.follows(key, state.last(key), value, false) {
                    Some(number) => state.with(key, true, value, number, self.seen.get(key)),
                    None => Step::Illegal,
                }
            }
            _ => Step::Illegal,
        }
    }

    fn outlook(&self, _state: &State, input: &Input, output: Option<&Output>) -> Outlook {
        if output.is_none() && self.explains_nothing(input) {
            Outlook::Never
        } else {
            Outlook::Unsure
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
        let mut beginnings: BTreeMap<Arc<str>, Seen> =
            written.keys().map(|key| (Arc::clone(*key), Seen::default())).collect();
        let mut known: BTreeMap<Arc<str>, Neighbours> = written
            .into_iter()
            .filter_map(|(key, values)| Some((key.clone(), Neighbours::new(values)?)))
            .collect();
        // Gets of a key mostly extend each other: take apart only what is new.
        let mut longest: BTreeMap<&str, (&str, u32, u64)> = BTreeMap::new();
        for operation in history {
            let (Input::Get { key }, Some(Output::Value(seen))) =
                (&operation.input, operation.output())
            else {
                continue;
            };
            let Some(beginnings) = beginnings.get_mut(key) else { continue };
            let (before, last, hash) = longest.get(&**key).copied().unwrap_or(("", NOTHING, 0));
            let (start, last, hash) =
                if seen.starts_with(before) { (before.len(), last, hash) } else { (0, NOTHING, 0) };
            let last = match known.get_mut(key) {
                Some(neighbours) => match neighbours.learn(seen, start, last, hash, beginnings) {
                    Some(last) => last,
                    None => continue, // nothing written gives this value: the get is never legal
                },
                None => {
                    if beginnings.0.len() <= MOST_SEEN {
                        beginnings.learn(seen, start, hash);
                    }
                    UNKNOWN
                }
            };
            longest.insert(key, (seen, last, extend_hash(hash, &seen[start..])));
        }
        beginnings.retain(|_, beginnings| beginnings.0.len() <= MOST_SEEN);
        Some(AppendKv { whole: self.whole, known, seen: beginnings })
    }

    fn partition<'a>(&self, input: &'a Input) -> Cow<'a, str> {
        Cow::Borrowed(if self.whole { "" } else { input.key() })
    }

    fn state_bytes(&self, state: &State) -> usize {
        // The slot that was written last has a value of its own; the others are shared.
        let longest = state.0.iter().map(|slot| slot.value.capacity()).max();
        state.0.capacity() * size_of::<Slot>() + longest.unwrap_or(0)
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
            [slot] if slot.unseen => "a value that no get shows".into(),
            [slot] if !self.whole => format!("'{}'", slot.value),
            slots => {
                let all: Vec<_> =
                    slots.iter().map(|slot| format!("{}: '{}'", slot.key, slot.value)).collect();
                all.join(", ")
            }
        }
    }
}
