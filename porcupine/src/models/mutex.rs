//! A lock that does not know who holds it: whoever releases it, it is free.
//!
//! [`Lock`](super::Lock) knows its owner, [`ReentrantLock`](super::ReentrantLock) also how often
//! the owner took it.

use crate::model::{Model, Step};

/// The model. Free at first, or held ([`Mutex::held`]).
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutex {
    held: bool,
}

impl Mutex {
    /// A mutex that is free.
    pub fn new() -> Self {
        Mutex::default()
    }

    /// A mutex that somebody holds before the first operation.
    pub fn held() -> Self {
        Mutex { held: true }
    }
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Takes the mutex.
    Acquire,
    /// Makes it free.
    Release,
}

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// It was free and is taken; or it was taken and is free.
    Done,
    /// It was taken already; or there was nothing to release.
    Refused,
}

impl Model for Mutex {
    /// Whether it is held.
    type State = bool;
    type Input = Input;
    type Output = Output;

    fn init(&self) -> bool {
        self.held
    }

    fn step(&self, held: &bool, input: &Input, output: Option<&Output>) -> Step<bool> {
        let after = *input == Input::Acquire;
        match (*held != after, output) {
            (true, None | Some(Output::Done)) => Step::To(after),
            (false, None | Some(Output::Refused)) => Step::Unchanged,
            _ => Step::Illegal,
        }
    }

    fn read_only(&self, _input: &Input, output: Option<&Output>) -> bool {
        matches!(output, Some(Output::Refused))
    }

    fn describe_operation(&self, input: &Input, output: Option<&Output>) -> String {
        let call = match input {
            Input::Acquire => "acquire",
            Input::Release => "release",
        };
        match output {
            None => format!("{call}: no answer"),
            Some(Output::Done) => format!("{call}: ok"),
            Some(Output::Refused) => format!("{call}: refused"),
        }
    }

    fn describe_state(&self, held: &bool) -> String {
        if *held { "held".into() } else { "free".into() }
    }
}
