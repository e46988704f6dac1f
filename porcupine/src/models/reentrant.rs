//! A lock that its owner may take again, and must release as often.

use crate::model::{Model, Step};

/// The model. Free at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReentrantLock {
    most: Option<u32>,
}

impl ReentrantLock {
    /// A lock that may be taken any number of times.
    pub fn new() -> Self {
        ReentrantLock::default()
    }

    /// A lock that its owner may hold at most `most` times at once.
    pub fn at_most(most: u32) -> Self {
        ReentrantLock { most: Some(most) }
    }
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Takes the lock for this owner, once more if the owner has it.
    Acquire(u64),
    /// Gives one of this owner's holds back.
    Release(u64),
}

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Taken, or given back.
    Done,
    /// Another owner had it, or the owner had it as often as allowed; or it was not the owner's to
    /// release.
    Refused,
}

/// Who holds it, and how often (at least once).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    pub owner: u64,
    /// How often.
    pub times: u32,
}

impl Model for ReentrantLock {
    type State = Option<Held>;
    type Input = Input;
    type Output = Output;

    fn init(&self) -> Option<Held> {
        None
    }

    fn step(
        &self,
        held: &Option<Held>,
        input: &Input,
        output: Option<&Output>,
    ) -> Step<Option<Held>> {
        // The state afterwards, if the lock can do it.
        let after = match (*held, *input) {
            (None, Input::Acquire(owner)) if self.most != Some(0) => {
                Some(Some(Held { owner, times: 1 }))
            }
            (Some(held), Input::Acquire(owner)) if held.owner == owner => {
                let times = held.times.checked_add(1);
                times
                    .filter(|times| self.most.is_none_or(|most| *times <= most))
                    .map(|times| Some(Held { owner, times }))
            }
            (Some(held), Input::Release(owner)) if held.owner == owner => {
                Some((held.times > 1).then(|| Held { owner, times: held.times - 1 }))
            }
            _ => None,
        };
        match (after, output) {
            (Some(after), None | Some(Output::Done)) => Step::To(after),
            (None, None | Some(Output::Refused)) => Step::Unchanged,
            _ => Step::Illegal,
        }
    }

    fn read_only(&self, _input: &Input, output: Option<&Output>) -> bool {
        matches!(output, Some(Output::Refused))
    }

    fn describe_operation(&self, input: &Input, output: Option<&Output>) -> String {
        let call = match input {
            Input::Acquire(owner) => format!("acquire for {owner}"),
            Input::Release(owner) => format!("release for {owner}"),
        };
        match output {
            None => format!("{call}: no answer"),
            Some(Output::Done) => format!("{call}: ok"),
            Some(Output::Refused) => format!("{call}: refused"),
        }
    }

    fn describe_state(&self, held: &Option<Held>) -> String {
        match held {
            None => "free".into(),
            Some(Held { owner, times }) => format!("held by {owner}, {times} times"),
        }
    }
}
