//! Keys with a value and a version; a put names the version it replaces.
//!
//! ```text
//!   get(k)         the value and its version; ErrNoKey while nothing was put (version 0)
//!   put(k, x, v)   version is v:      x is the value, v + 1 the version     OK, or ErrMaybe
//!                  version is not v:  nothing happens                       ErrVersion, or ErrMaybe;
//!                                     (no value yet, and v is not 0:        ErrNoKey as well)
//! ```
//!
//! `ErrMaybe` is what a client says that sent a put twice and got the second one refused: it cannot
//! know whether the first one took effect.

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::{Model, Outlook, Step};

/// The model. Histories are partitioned by key.
#[derive(Clone, Copy, Debug, Default)]
pub struct VersionedKv;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Read a key.
    Get { key: Arc<str> },
    /// Replace a value, if the version still is the given one.
    Put {
        /// The version the put replaces; 0 creates the key.
        version: u64,
        value: Arc<str>,
        /// Which key.
        key: Arc<str>,
    },
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A get found this.
    Value {
        /// The version, 1 after the first put.
        version: u64,
        value: Arc<str>,
    },
    /// A put took effect (`OK`).
    Done,
    /// There is no such key (`ErrNoKey`).
    NoKey,
    /// A put was refused for its version (`ErrVersion`).
    Version,
    /// A put took effect, or not (`ErrMaybe`).
    Maybe,
}

impl Input {
    /// A get.
    pub fn get(key: &str) -> Input {
        Input::Get { key: key.into() }
    }

    /// A put.
    pub fn put(key: &str, value: &str, version: u64) -> Input {
        Input::Put { version, value: value.into(), key: key.into() }
    }

    /// The key.
    pub fn key(&self) -> &str {
        match self {
            Input::Get { key } | Input::Put { key, .. } => key,
        }
    }
}

impl Output {
    /// What a successful get gives.
    pub fn value(value: &str, version: u64) -> Output {
        Output::Value { version, value: value.into() }
    }
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Number of puts that took effect; 0 while the key does not exist.
    pub version: u64,
    /// The last value.
    pub value: Arc<str>,
}

impl Model for VersionedKv {
    type State = State;
    type Input = Input;
    type Output = Output;

    fn init(&self) -> State {
        State { version: 0, value: "".into() }
    }

    fn step(&self, state: &State, input: &Input, output: Option<&Output>) -> Step<State> {
        match self.outlook(state, input, output) {
            Outlook::Spent | Outlook::Idle => Step::Unchanged,
            Outlook::Moves => match input {
                Input::Put { value, version, .. } => {
                    Step::To(State { version: version + 1, value: value.clone() })
                }
                Input::Get { .. } => Step::Illegal,
            },
            Outlook::Never | Outlook::NotYet | Outlook::Unsure => Step::Illegal,
        }
    }

    /// Gets, and puts that were refused. Not `ErrMaybe`: it may be the one that took effect.
    fn read_only(&self, input: &Input, output: Option<&Output>) -> bool {
        match input {
            Input::Get { .. } => true,
            Input::Put { .. } => matches!(output, Some(Output::Version | Output::NoKey)),
        }
    }

    /// Versions never fall. So an answer that names one is settled once that version has passed.
    #[inline]
    fn outlook(&self, state: &State, input: &Input, output: Option<&Output>) -> Outlook {
        use std::cmp::Ordering::{Equal, Greater, Less};
        match (input, output) {
            (Input::Get { .. }, Some(Output::Value { version, value })) => {
                match state.version.cmp(version) {
                    Less => Outlook::NotYet,
                    Equal if *version > 0 && state.value == *value => Outlook::Spent,
                    Equal | Greater => Outlook::Never,
                }
            }
            (Input::Get { .. }, Some(Output::NoKey)) => {
                if state.version == 0 {
                    Outlook::Spent
                } else {
                    Outlook::Never
                }
            }
            (Input::Get { .. }, None) => Outlook::Spent,
            (Input::Put { version, .. }, Some(Output::Done)) => match state.version.cmp(version) {
                Less => Outlook::NotYet,
                Equal => Outlook::Moves,
                Greater => Outlook::Never,
            },
            (Input::Put { version, .. }, Some(Output::Version)) => {
                if state.version != *version {
                    Outlook::Spent
                } else {
                    Outlook::NotYet
                }
            }
            (Input::Put { version, .. }, Some(Output::NoKey)) => {
                if state.version == 0 && *version != 0 { Outlook::Spent } else { Outlook::Never }
            }
            (Input::Put { version, .. }, Some(Output::Maybe) | None) => {
                match state.version.cmp(version) {
                    Less => Outlook::Idle,
                    Equal => Outlook::Moves,
                    Greater => Outlook::Spent,
                }
            }
            // Answers of the other kind of operation.
            (Input::Get { .. }, Some(Output::Done | Output::Version | Output::Maybe))
            | (Input::Put { .. }, Some(Output::Value { .. })) => Outlook::Never,
        }
    }

    fn partition<'a>(&self, input: &'a Input) -> Cow<'a, str> {
        Cow::Borrowed(input.key())
    }

    fn describe_operation(&self, input: &Input, output: Option<&Output>) -> String {
        let answer = match output {
            Some(Output::Value { version, value }) => format!("('{value}', '{version}', 'OK')"),
            Some(Output::NoKey) if matches!(input, Input::Get { .. }) => {
                "('', '0', 'ErrNoKey')".into()
            }
            Some(Output::Done) => "('OK')".into(),
            Some(Output::NoKey) => "('ErrNoKey')".into(),
            Some(Output::Version) => "('ErrVersion')".into(),
            Some(Output::Maybe) => "('ErrMaybe')".into(),
            None => "no answer".into(),
        };
        match input {
            Input::Get { key } => format!("get('{key}') -> {answer}"),
            Input::Put { version, value, key } => {
                format!("put('{key}', '{value}', '{version}') -> {answer}")
            }
        }
    }

    fn describe_state(&self, state: &State) -> String {
        match state.version {
            0 => "no value".into(),
            version => format!("'{}' at version {version}", state.value),
        }
    }
}
