//! A number that can be added to and read.

use crate::model::{Model, Step};

/// The model. A counter starts at 0, or at [`Counter::starting_at`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter {
    initial: i64,
}

impl Counter {
    /// A counter that starts at 0.
    pub fn new() -> Self {
        Counter::default()
    }

    /// A counter that starts at `initial`.
    pub fn starting_at(initial: i64) -> Self {
        Counter { initial }
    }
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Adds a number, which may be negative. A sum outside 64 bits wraps around.
    Add(i64),
    /// Adds a number and answers the sum.
    AddAndGet(i64),
    /// Answers the sum.
    Read,
}

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The number was added.
    Done,
    /// The sum.
    Value(i64),
}

impl Model for Counter {
    type State = i64;
    type Input = Input;
    type Output = Output;

    fn init(&self) -> i64 {
        self.initial
    }

    fn step(&self, sum: &i64, input: &Input, output: Option<&Output>) -> Step<i64> {
        let (added, seen) = match (*input, output) {
            (Input::Read, None) => return Step::Unchanged,
            (Input::Read, Some(Output::Value(seen))) if seen == sum => return Step::Unchanged,
            (Input::Add(n), None | Some(Output::Done)) | (Input::AddAndGet(n), None) => (n, None),
            (Input::AddAndGet(n), Some(Output::Value(seen))) => (n, Some(*seen)),
            _ => return Step::Illegal,
        };
        let after = sum.wrapping_add(added);
        if seen.is_some_and(|seen| seen != after) {
            Step::Illegal
        } else if added == 0 {
            Step::Unchanged
        } else {
            Step::To(after)
        }
    }

    fn read_only(&self, input: &Input, _output: Option<&Output>) -> bool {
        matches!(input, Input::Read | Input::Add(0) | Input::AddAndGet(0))
    }

    /// Sums do not depend on the order.
    fn independent(&self, one: &Input, other: &Input) -> bool {
        matches!((one, other), (Input::Add(_), Input::Add(_)) | (Input::Read, Input::Read))
    }

    fn describe_operation(&self, input: &Input, output: Option<&Output>) -> String {
        let call = match input {
            Input::Add(n) => format!("add {n}"),
            Input::AddAndGet(n) => format!("add {n} and get"),
            Input::Read => "read".into(),
        };
        match output {
            None => format!("{call}: no answer"),
            Some(Output::Done) => format!("{call}: ok"),
            Some(Output::Value(sum)) => format!("{call}: {sum}"),
        }
    }
}
