//! One server of a replicated store: what the services have in common.

use std::fmt;

use rsm::{Reads, Rsm, StateMachine};

/// One server of a replicated store, each service with a machine of its own. Clones are handles to
/// the same server.
pub struct Replica<M: StateMachine> {
    rsm: Rsm<M>,
    reads: Reads,
}

impl<M: StateMachine> Replica<M> {
    pub(crate) fn launch(options: rsm::Options, machine: M) -> Result<Replica<M>, rsm::Error> {
        Ok(Replica { rsm: Rsm::start(options, machine)?, reads: Reads::default() })
    }

    /// The same server, answering Gets this way.
    #[must_use]
    pub fn with_reads(mut self, reads: Reads) -> Replica<M> {
        self.reads = reads;
        self
    }

    pub(crate) fn reads(&self) -> Reads {
        self.reads
    }

    /// The replicated state machine below.
    pub fn rsm(&self) -> &Rsm<M> {
        &self.rsm
    }

    /// Stops this server and its Raft.
    pub fn kill(&self) {
        self.rsm.kill();
    }
}

impl<M: StateMachine> Clone for Replica<M> {
    fn clone(&self) -> Replica<M> {
        Replica { rsm: self.rsm.clone(), reads: self.reads }
    }
}

impl<M: StateMachine> fmt::Debug for Replica<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("rsm", &self.rsm)
            .field("reads", &self.reads)
            .finish_non_exhaustive()
    }
}
