//! A lock that may be lost: a lease runs out when the object's clock says so, and nobody is told.
//!
//! Each lease that is granted has a *token*, one more than the last (a fencing token). What must
//! hold whatever the clock does: a token that was replaced by a newer one is never accepted again.
//!
//! ```text
//!   acquire   free or run out: a new token          granted, the token
//!             another's lease still runs             refused
//!   renew     the token is the last, not run out     ok
//!   release   the token is the last, not run out     ok, then free
//!             replaced, released or run out          refused
//! ```
//!
//! Running out is not an operation. The model needs none: that an acquire was granted, or a renewal
//! of the last token refused, tells that the lease had run out by then.

use crate::model::{Model, Step};

/// The model. Free at first; the first token is 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lease;

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Asks for a new lease.
    Acquire,
    /// Asks to hold the lease with this token for longer.
    Renew(u64),
    /// Gives the lease with this token back.
    Release(u64),
}

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A new lease, with this token.
    Granted(u64),
    /// Renewed or released.
    Done,
    /// Another lease runs; or this one does not.
    Refused,
}

/// The last token, and whether its lease may still run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// 0 before the first lease.
    pub token: u64,
    /// `false` after a release, or when it is known that the lease ran out.
    pub runs: bool,
}

impl Model for Lease {
    type State = State;
    type Input = Input;
    type Output = Output;

    fn init(&self) -> State {
        State::default()
    }

    fn step(&self, state: &State, input: &Input, output: Option<&Output>) -> Step<State> {
        let stopped = State { runs: false, ..*state };
        let after = match (*input, output) {
            (Input::Acquire, None | Some(Output::Granted(_))) => {
                State { token: state.token.saturating_add(1), runs: true }
            }
            (Input::Acquire, Some(Output::Refused)) if state.runs => *state,
            (Input::Renew(token), Some(Output::Done)) if state.runs && token == state.token => {
                *state
            }
            (Input::Renew(token) | Input::Release(token), Some(Output::Refused)) => {
                if token == state.token { stopped } else { *state }
            }
            (Input::Renew(_), None) => *state,
            (Input::Release(token), Some(Output::Done)) if state.runs && token == state.token => {
                stopped
            }
            (Input::Release(token), None) if token == state.token => stopped,
            (Input::Release(_), None) => *state,
            _ => return Step::Illegal,
        };
        match output {
            Some(Output::Granted(token)) if *token != after.token => Step::Illegal,
            _ if after == *state => Step::Unchanged,
            _ => Step::To(after),
        }
    }

    fn read_only(&self, input: &Input, output: Option<&Output>) -> bool {
        matches!(
            (input, output),
            (Input::Acquire, Some(Output::Refused)) | (Input::Renew(_), None | Some(Output::Done))
        )
    }

    fn describe_operation(&self, input: &Input, output: Option<&Output>) -> String {
        let call = match input {
            Input::Acquire => "acquire".into(),
            Input::Renew(token) => format!("renew {token}"),
            Input::Release(token) => format!("release {token}"),
        };
        match output {
            None => format!("{call}: no answer"),
            Some(Output::Granted(token)) => format!("{call}: token {token}"),
            Some(Output::Done) => format!("{call}: ok"),
            Some(Output::Refused) => format!("{call}: refused"),
        }
    }

    fn describe_state(&self, state: &State) -> String {
        match state {
            State { token, runs: true } => format!("token {token} runs, or ran out unnoticed"),
            State { token, runs: false } => format!("free after token {token}"),
        }
    }
}
