//! The machine of these tests: a counter.

use rsm::StateMachine;
use serde::{Deserialize, Serialize};

/// What can be submitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Add one.
    Inc,
    /// Do nothing.
    Null,
    /// Must never be executed: only submitted where it cannot commit.
    Dec,
}

/// What comes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The counter after an increment.
    Inc(u64),
    /// Nothing.
    Null,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Counter {
    pub value: u64,
}

impl StateMachine for Counter {
    type Request = Request;
    type Reply = Reply;

    fn do_op(&mut self, request: Request) -> Reply {
        match request {
            Request::Inc => {
                self.value += 1;
                Reply::Inc(self.value)
            }
            Request::Null => Reply::Null,
            Request::Dec => panic!("a request was executed that cannot have been committed"),
        }
    }
}
