//! Asking one server after the other until one gives an answer.

use labrpc::{CallError, ClientEnd};
use rsm::LeaderHint;

/// The servers of one group, as a clerk sees them.
#[derive(Debug)]
pub(crate) struct Servers {
    ends: Vec<ClientEnd>,
    leader: LeaderHint,
}

/// Why a clerk could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClerkError {
    /// There is nobody to ask.
    #[error("a clerk needs at least one server")]
    NoServers,
}

/// An answer that counts.
#[derive(Debug)]
pub(crate) struct Answered<R> {
    pub(crate) answer: R,
    /// Whether it answers the first request sent, so that no earlier one can have been executed.
    pub(crate) first_try: bool,
}

impl Servers {
    pub(crate) fn new(ends: Vec<ClientEnd>) -> Result<Servers, ClerkError> {
        if ends.is_empty() {
            return Err(ClerkError::NoServers);
        }
        let leader = LeaderHint::new(ends.len());
        Ok(Servers { ends, leader })
    }

    /// Makes the call to one server after the other until one gives an answer; `None` is a server that says it cannot.
    pub(crate) fn ask<R>(
        &self,
        mut call: impl FnMut(&ClientEnd) -> Result<Option<R>, CallError>,
    ) -> Answered<R> {
        let mut attempt = self.leader.attempt();
        let mut first_try = true;
        loop {
            // When nothing came back, for whatever reason, the server may have executed it all the same.
            if let Ok(Some(answer)) = call(&self.ends[attempt.server()]) {
                attempt.answered();
                return Answered { answer, first_try };
            }
            first_try = false;
            attempt.failed();
        }
    }
}
