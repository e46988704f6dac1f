//! Keys with values that can be replaced and extended: get, put, append.
//!
//! A key that nobody wrote holds the empty string.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::hash::hash_of;
use crate::model::{Model, Step};

/// The model. By default a history is split by key.
#[derive(Clone, Copy, Debug, Default)]
pub struct AppendKv {
    whole: bool,
}

impl AppendKv {
    /// The model, each key on its own.
    pub fn new() -> Self {
        AppendKv { whole: false }
    }

    /// The model that keeps all keys in one state and does not split the history. Slower, and never
    /// needed for this object; it shows what splitting is worth.
    pub fn whole() -> Self {
        AppendKv { whole: true }
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

/// One key and what it holds. Values grow long, so they are shared and hashed once.
#[derive(Clone, Debug)]
struct Slot {
    key: Arc<str>,
    value: Arc<str>,
    hash: u64,
}

impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && (Arc::ptr_eq(&self.value, &other.value) || self.value == other.value)
            && (Arc::ptr_eq(&self.key, &other.key) || self.key == other.key)
    }
}

impl Eq for Slot {}

impl Hash for Slot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
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

    fn with(&self, key: &Arc<str>, value: Arc<str>) -> State {
        let slot = Slot { hash: hash_of(&(&**key, &*value)), key: key.clone(), value };
        let mut after = self.0.clone();
        match self.find(key) {
            Ok(at) => after[at] = slot,
            Err(at) => after.insert(at, slot),
        }
        State(after)
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
                Step::To(state.with(key, value.clone()))
            }
            (Input::Append { key, value }, None | Some(Output::Done)) => {
                Step::To(state.with(key, [state.get(key), value].concat().into()))
            }
            _ => Step::Illegal,
        }
    }

    fn read_only(&self, input: &Input, _output: Option<&Output>) -> bool {
        matches!(input, Input::Get { .. })
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
