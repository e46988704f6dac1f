//! How the command ends. The command `lab` of the labs uses the same numbers.

/// Exit statuses, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// 0: every history is linearizable, or what was asked for is drawn.
    Passed,
    /// 3: a budget ended before there was an answer. Never take it for a yes.
    Inconclusive,
    /// 1: a history is not linearizable.
    Failed,
    /// 2: an input cannot be read, the arguments make no sense, an output cannot be written.
    CannotRun,
    /// 130: interrupted from outside.
    Interrupted,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Passed => 0,
            Exit::Failed => 1,
            Exit::CannotRun => 2,
            Exit::Inconclusive => 3,
            Exit::Interrupted => 130,
        }
    }
}
