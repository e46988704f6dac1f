//! How a server answers Gets.

use std::time::Duration;

use rsm::{Rsm, StateMachine, SubmitError};

/// How a server answers Gets. Both ways are linearizable; servers of one group may differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reads {
    /// Through the log, like writes.
    #[default]
    Logged,
    /// Without a log entry: from the leader's own state, after a majority has confirmed that it still leads. Where that cannot be,
    /// because a new leader has committed nothing yet, through the log.
    ReadIndex,
}

/// How long a request may wait. A leader that is cut off cannot know it; a client that can reach others must not be kept by it
/// for long. A whole election takes less.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

impl Reads {
    /// The answer that `look` takes from the machine, or that `logged` gets through the log.
    pub(crate) fn get<M: StateMachine>(
        self,
        rsm: &Rsm<M>,
        look: impl FnOnce(&M) -> M::Reply,
        logged: impl FnOnce() -> Result<M::Reply, SubmitError>,
    ) -> Result<M::Reply, SubmitError> {
        match self {
            Reads::Logged => logged(),
            Reads::ReadIndex => match rsm.read(PATIENCE, look) {
                Ok(reply) => Ok(reply),
                Err(rsm::ReadError::Raft(raft::ReadError::NothingCommitted)) => logged(),
                Err(_) => Err(SubmitError::WrongLeader),
            },
        }
    }
}
