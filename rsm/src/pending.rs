//! Who waits for which log entry.

use std::collections::BTreeMap;

use labrt::oneshot;
use raft::{Index, Term};

use crate::error::{ReadError, SubmitError};
use crate::marks::Mark;
use crate::operation::OperationId;

type Outcome<R> = Result<R, SubmitError>;

/// The callers that wait on this server, by the index they wait for.
pub(crate) struct Pending<R> {
    waiters: BTreeMap<Index, Waiter<R>>,
    /// The last index that was executed, or covered by a snapshot. Never falls.
    applied: Index,
    /// Those who wait until an index is executed.
    readers: BTreeMap<Index, Vec<Reader>>,
    /// Set for good when the server goes down.
    closed: bool,
}

/// Is called once what it must see is executed, or this server was shut down.
type Reader = Box<dyn FnOnce(Result<(), ReadError>) + Send>;

/// Readers whose wait is over. They look at the machine, so they are called once the lock is free.
#[must_use = "readers that nobody calls wait in vain"]
pub(crate) struct Ready {
    readers: Vec<Reader>,
    outcome: Result<(), ReadError>,
}

impl Ready {
    pub(crate) fn call(self) {
        for reader in self.readers {
            reader(self.outcome);
        }
    }
}

struct Waiter<R> {
    id: OperationId,
    /// The term in which it was proposed.
    term: Term,
    to: oneshot::Sender<Outcome<R>>,
}

impl<R> Waiter<R> {
    fn end(self, outcome: Outcome<R>) {
        // A caller that is gone (its node crashed) needs no answer.
        let _ = self.to.send(outcome);
    }
}

impl<R> Pending<R> {
    pub(crate) fn new() -> Pending<R> {
        Pending {
            waiters: BTreeMap::new(),
            applied: Index::ZERO,
            readers: BTreeMap::new(),
            closed: false,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Adds a waiter for the entry just proposed. One that still waited there has lost its entry.
    pub(crate) fn add(
        &mut self,
        index: Index,
        term: Term,
        id: OperationId,
    ) -> oneshot::Receiver<Outcome<R>> {
        let (to, waiting) = oneshot::channel();
        if let Some(older) = self.waiters.insert(index, Waiter { id, term, to }) {
            Mark::WaiterReplaced.reach();
            older.end(Err(SubmitError::WrongLeader));
        }
        waiting
    }

    /// The operation `id` was executed at `index`, with this reply: ends the wait at that index, one way or the other.
    pub(crate) fn executed(&mut self, index: Index, id: OperationId, reply: R) -> Ready {
        if let Some(waiter) = self.waiters.remove(&index) {
            let mine = waiter.id == id;
            if !mine {
                Mark::WaiterOvertaken.reach();
            }
            waiter.end(if mine { Ok(reply) } else { Err(SubmitError::WrongLeader) });
        }
        self.reached(index)
    }

    /// The caller of this operation has stopped waiting. By now the place may be empty, or taken by another waiter, who stays.
    pub(crate) fn give_up(&mut self, index: Index, id: OperationId) {
        if self.waiters.get(&index).is_some_and(|waiter| waiter.id == id) {
            self.waiters.remove(&index);
        }
    }

    /// A snapshot covers everything up to `index`: what was executed there will not be told.
    pub(crate) fn covered(&mut self, index: Index) -> Ready {
        if !self.waiters.is_empty() {
            Mark::SnapshotWhileWaiting.reach();
        }
        let later = self.waiters.split_off(&index.next());
        for (_, waiter) in std::mem::replace(&mut self.waiters, later) {
            Mark::WaiterCovered.reach();
            waiter.end(Err(SubmitError::WrongLeader));
        }
        self.reached(index)
    }

    fn reached(&mut self, index: Index) -> Ready {
        self.applied = self.applied.max(index);
        let mut readers = Vec::new();
        while let Some(first) = self.readers.first_entry()
            && *first.key() <= self.applied
        {
            readers.extend(first.remove());
        }
        Ready { readers, outcome: Ok(()) }
    }

    pub(crate) fn has_executed(&self, index: Index) -> bool {
        index <= self.applied
    }

    /// Has `reader` called once `index` is executed.
    pub(crate) fn call_at(
        &mut self,
        index: Index,
        reader: impl FnOnce(Result<(), ReadError>) + Send + 'static,
    ) {
        Mark::ReadWaitsForMachine.reach();
        self.readers.entry(index).or_default().push(Box::new(reader));
    }

    /// This server has learned of `term`: whatever was proposed before it may have been overwritten.
    pub(crate) fn end_older_terms(&mut self, term: Term) {
        for (_, waiter) in self.waiters.extract_if(.., |_, waiter| waiter.term < term) {
            Mark::WaiterOfOlderTerm.reach();
            waiter.end(Err(SubmitError::WrongLeader));
        }
    }

    /// The server goes down.
    pub(crate) fn close(&mut self) -> Ready {
        self.closed = true;
        for (_, waiter) in std::mem::take(&mut self.waiters) {
            Mark::ShutDownWhileWaiting.reach();
            waiter.end(Err(SubmitError::ShutDown));
        }
        let readers = std::mem::take(&mut self.readers).into_values().flatten().collect();
        Ready { readers, outcome: Err(ReadError::ShutDown) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::IdSource;

    /// A caller's time is up while a newer leader's entry has replaced its own, and the next caller waits at that index already.
    #[test]
    fn a_late_give_up_leaves_the_next_waiter_alone() {
        let ids = IdSource::new();
        let (mine, next) = (ids.next(), ids.next());
        let mut pending = Pending::new();
        let (index, term) = (Index::new(5), Term::new(1));
        let first = pending.add(index, term, mine);
        let second = pending.add(index, term.next(), next);
        assert_eq!(first.recv(), Ok(Err(SubmitError::WrongLeader)), "its place was taken");
        pending.give_up(index, mine);
        pending.executed(index, next, "reply").call();
        assert_eq!(second.recv(), Ok(Ok("reply")));
    }

    /// Another operation is executed where a caller waits for its own: that is no reply to it.
    #[test]
    fn a_foreign_reply_is_nobodys() {
        let ids = IdSource::new();
        let (mine, foreign) = (ids.next(), ids.next());
        let mut pending = Pending::new();
        let waiting = pending.add(Index::new(5), Term::new(1), mine);
        pending.executed(Index::new(5), foreign, "reply").call();
        assert_eq!(waiting.recv(), Ok(Err(SubmitError::WrongLeader)));
    }
}
