//! A lock that knows who holds it.

use crate::model::{Model, Step};

/// The model. Free at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lock;

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// This owner acquires the lock.
    Acquire(u64),
    /// This owner releases the lock.
    Release(u64),
}

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The lock was free and now is the owner's; or was the owner's and now is free.
    Done,
    /// It was held already (by anyone); or was not the owner's to release.
    Refused,
}

impl Model for Lock {
    /// Who holds it.
    type State = Option<u64>;
    type Input = Input;
    type Output = Output;

    fn init(&self) -> Option<u64> {
        None
    }

    fn step(
        &self,
        holder: &Option<u64>,
        input: &Input,
        output: Option<&Output>,
    ) -> Step<Option<u64>> {
        let (possible, after) = match *input {
            Input::Acquire(owner) => (holder.is_none(), Some(owner)),
            Input::Release(owner) => (*holder == Some(owner), None),
        };
        match (possible, output) {
            (true, None | Some(Output::Done)) => Step::To(after),
            (false, None | Some(Output::Refused)) => Step::Unchanged,
            _ => Step::Illegal,
        }
    }

    fn read_only(&self, _input: &Input, output: Option<&Output>) -> bool {
        matches!(output, Some(Output::Refused))
    }

    fn describe_state(&self, holder: &Option<u64>) -> String {
        holder.map_or("free".into(), |owner| format!("held by {owner}"))
    }
}
