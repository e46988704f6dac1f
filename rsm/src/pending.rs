//! Who waits for what on this server.
//!
//! A caller is registered under the id of its operation *before* the operation is proposed, and
//! placed at a log index when Raft has named one. The entry may be executed in between: it is found
//! by its id. So no lock is held while Raft accepts a proposal.
//!
//! Nothing here calls a caller's closure: what has ended is returned as [`Ended`], and is called
//! once the lock is free.

use std::collections::{BTreeMap, BTreeSet};

use labrt::Instant;
use raft::{Index, Term};

use crate::error::{ReadError, SubmitError};
use crate::marks::Mark;
use crate::operation::OperationId;

/// Is called once, with the reply or the reason why there is none.
pub(crate) type Then<R> = Box<dyn FnOnce(Result<R, SubmitError>) + Send>;

/// Is called once what it must see is executed, or this server was shut down.
type Reader = Box<dyn FnOnce(Result<(), ReadError>) + Send>;

/// The callers that wait on this server.
pub(crate) struct Pending<R> {
    waiters: BTreeMap<OperationId, Waiter<R>>,
    /// The waiters that have a place, by their place.
    places: BTreeMap<Index, OperationId>,
    /// The waiters that have a deadline, by their deadline.
    deadlines: BTreeSet<(Instant, OperationId)>,
    /// When the next look at the deadlines is due, if one is.
    next_look: Option<Instant>,
    /// The last index that was executed, or covered by a snapshot. Never decreases.
    applied: Index,
    /// The newest term this server has learned of. Never decreases.
    term: Term,
    /// Readers that wait until an index is executed.
    readers: BTreeMap<Index, Vec<Reader>>,
    /// Set for good when the server goes down.
    closed: bool,
}

struct Waiter<R> {
    /// Where its entry is in the log, and the term in which it was proposed; `None` until Raft has
    /// accepted it.
    place: Option<(Index, Term)>,
    deadline: Option<Instant>,
    then: Then<R>,
}

/// Callers whose wait is over.
#[must_use = "callers that nobody calls wait for ever"]
pub(crate) struct Ended<R> {
    waiters: Vec<(Then<R>, Result<R, SubmitError>)>,
    readers: Vec<Reader>,
    seen: Result<(), ReadError>,
}

impl<R> Ended<R> {
    fn nobody() -> Ended<R> {
        Ended { waiters: Vec::new(), readers: Vec::new(), seen: Ok(()) }
    }

    /// Calls them. They belong to users of this crate: no lock may be held.
    pub(crate) fn call(self) {
        for (then, outcome) in self.waiters {
            then(outcome);
        }
        for reader in self.readers {
            reader(self.seen);
        }
    }
}

impl<R> Pending<R> {
    pub(crate) fn new() -> Pending<R> {
        Pending {
            waiters: BTreeMap::new(),
            places: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            next_look: None,
            applied: Index::ZERO,
            term: Term::default(),
            readers: BTreeMap::new(),
            closed: false,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Adds the caller of an operation that is about to be proposed. Returns when the deadlines
    /// must be looked at, if nobody else does so in time.
    ///
    /// # Errors
    /// The caller, when the server is down.
    pub(crate) fn register(
        &mut self,
        id: OperationId,
        deadline: Option<Instant>,
        then: Then<R>,
    ) -> Result<Option<Instant>, Then<R>> {
        if self.closed {
            return Err(then);
        }
        self.waiters.insert(id, Waiter { place: None, deadline, then });
        let Some(deadline) = deadline else { return Ok(None) };
        self.deadlines.insert((deadline, id));
        let sooner = self.next_look.is_none_or(|look| deadline < look);
        if sooner {
            self.next_look = Some(deadline);
        }
        Ok(sooner.then_some(deadline))
    }

    /// The operation was accepted at `index` in `term`. Its caller may have been answered already.
    /// A caller that still waits at this index has lost its entry.
    pub(crate) fn placed(&mut self, id: OperationId, index: Index, term: Term) -> Ended<R> {
        let mut ended = Ended::nobody();
        if !self.waiters.contains_key(&id) {
            return ended;
        }
        if let Some(older) = self.places.remove(&index) {
            Mark::WaiterReplaced.reach();
            ended.waiters.extend(self.end(older, Err(SubmitError::WrongLeader)));
        }
        if index <= self.applied || term < self.term {
            // Another entry was executed there, a snapshot covers the place, or a newer leader may
            // have overwritten it.
            ended.waiters.extend(self.end(id, Err(SubmitError::WrongLeader)));
        } else if let Some(waiter) = self.waiters.get_mut(&id) {
            waiter.place = Some((index, term));
            self.places.insert(index, id);
        }
        ended
    }

    /// Takes out the caller of an operation that Raft did not accept.
    pub(crate) fn take(&mut self, id: OperationId) -> Option<Then<R>> {
        let waiter = self.waiters.remove(&id)?;
        if let Some((index, _)) = waiter.place
            && self.places.get(&index) == Some(&id)
        {
            self.places.remove(&index);
        }
        if let Some(deadline) = waiter.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        Some(waiter.then)
    }

    fn end(
        &mut self,
        id: OperationId,
        outcome: Result<R, SubmitError>,
    ) -> Option<(Then<R>, Result<R, SubmitError>)> {
        self.take(id).map(|then| (then, outcome))
    }

    /// The operation `id` was executed at `index`, with this reply.
    pub(crate) fn executed(&mut self, index: Index, id: OperationId, reply: R) -> Ended<R> {
        let mut ended = Ended::nobody();
        ended.waiters.extend(self.end(id, Ok(reply)));
        if let Some(other) = self.places.remove(&index) {
            Mark::WaiterOvertaken.reach();
            ended.waiters.extend(self.end(other, Err(SubmitError::WrongLeader)));
        }
        self.reached(index, &mut ended);
        ended
    }

    /// A snapshot covers everything up to `index`: the replies of what was executed there are not
    /// known here.
    pub(crate) fn covered(&mut self, index: Index) -> Ended<R> {
        if !self.waiters.is_empty() {
            Mark::SnapshotWhileWaiting.reach();
        }
        let mut ended = Ended::nobody();
        while let Some((&first, &id)) = self.places.first_key_value()
            && first <= index
        {
            Mark::WaiterCovered.reach();
            ended.waiters.extend(self.end(id, Err(SubmitError::WrongLeader)));
        }
        self.reached(index, &mut ended);
        ended
    }

    fn reached(&mut self, index: Index, ended: &mut Ended<R>) {
        self.applied = self.applied.max(index);
        while let Some(first) = self.readers.first_entry()
            && *first.key() <= self.applied
        {
            ended.readers.extend(first.remove());
        }
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

    /// This server has learned of `term`: a leader of that term may have overwritten what was
    /// proposed before it.
    pub(crate) fn end_older_terms(&mut self, term: Term) -> Ended<R> {
        self.term = self.term.max(term);
        let older = |(id, waiter): (&OperationId, &Waiter<R>)| {
            waiter.place.is_some_and(|(_, proposed)| proposed < term).then_some(*id)
        };
        let older: Vec<OperationId> = self.waiters.iter().filter_map(older).collect();
        let mut ended = Ended::nobody();
        for id in older {
            Mark::WaiterOfOlderTerm.reach();
            ended.waiters.extend(self.end(id, Err(SubmitError::WrongLeader)));
        }
        ended
    }

    /// Ends the callers whose deadline has passed. Returns when the next look is due, too.
    pub(crate) fn expire(&mut self, now: Instant) -> (Ended<R>, Option<Instant>) {
        let mut ended = Ended::nobody();
        while let Some(&(deadline, id)) = self.deadlines.first()
            && deadline <= now
        {
            Mark::LostPatience.reach();
            ended.waiters.extend(self.end(id, Err(SubmitError::TimedOut)));
        }
        self.next_look = self.deadlines.first().map(|(deadline, _)| *deadline);
        (ended, self.next_look)
    }

    /// The server goes down.
    pub(crate) fn close(&mut self) -> Ended<R> {
        self.closed = true;
        self.places.clear();
        self.deadlines.clear();
        self.next_look = None;
        let mut ended = Ended::nobody();
        ended.seen = Err(ReadError::ShutDown);
        for (_, waiter) in std::mem::take(&mut self.waiters) {
            Mark::ShutDownWhileWaiting.reach();
            ended.waiters.push((waiter.then, Err(SubmitError::ShutDown)));
        }
        ended.readers = std::mem::take(&mut self.readers).into_values().flatten().collect();
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::IdSource;
    use labrt::oneshot::{self, Receiver};

    type Outcome = Result<&'static str, SubmitError>;

    struct Fixture {
        ids: IdSource,
        pending: Pending<&'static str>,
    }

    impl Fixture {
        fn new() -> Fixture {
            Fixture { ids: IdSource::new(), pending: Pending::new() }
        }

        fn register(&mut self, deadline: Option<Instant>) -> (OperationId, Receiver<Outcome>) {
            let id = self.ids.next();
            let (to, waiting) = oneshot::channel();
            let then = Box::new(move |outcome| to.send(outcome).expect("the test waits"));
            assert!(self.pending.register(id, deadline, then).is_ok());
            (id, waiting)
        }
    }

    const FIVE: Index = Index::new(5);
    const ONE: Term = Term::new(1);
    const LOST: Outcome = Err(SubmitError::WrongLeader);

    /// A newer leader's entry has replaced the caller's own, and the next caller waits there.
    #[test]
    fn a_place_taken_by_another_ends_the_wait() {
        let mut f = Fixture::new();
        let (mine, first) = f.register(None);
        f.pending.placed(mine, FIVE, ONE).call();
        let (next, second) = f.register(None);
        f.pending.placed(next, FIVE, ONE.next()).call();
        assert_eq!(first.try_recv(), Ok(LOST), "its place was taken");
        assert!(f.pending.take(mine).is_none());
        f.pending.executed(FIVE, next, "reply").call();
        assert_eq!(second.try_recv(), Ok(Ok("reply")));
    }

    /// Another operation is executed where a caller waits for its own: that is no reply to it.
    #[test]
    fn a_foreign_reply_ends_the_wait_without_one() {
        let mut f = Fixture::new();
        let (mine, waiting) = f.register(None);
        f.pending.placed(mine, FIVE, ONE).call();
        f.pending.executed(FIVE, f.ids.next(), "reply").call();
        assert_eq!(waiting.try_recv(), Ok(LOST));
    }

    /// The reader is faster than the proposer: whatever happens between the proposal and its place,
    /// the caller is answered, once.
    #[test]
    fn events_before_the_place_is_known_are_not_missed() {
        let mut f = Fixture::new();
        let (executed, reply) = f.register(None);
        f.pending.executed(FIVE, executed, "reply").call();
        assert_eq!(reply.try_recv(), Ok(Ok("reply")));
        f.pending.placed(executed, FIVE, ONE).call();
        // A snapshot covers its index.
        let (covered, waiting) = f.register(None);
        f.pending.covered(Index::new(9)).call();
        f.pending.placed(covered, Index::new(6), ONE).call();
        assert_eq!(waiting.try_recv(), Ok(LOST));
        // A newer term.
        let (old, waiting) = f.register(None);
        f.pending.end_older_terms(ONE.next()).call();
        f.pending.placed(old, Index::new(10), ONE).call();
        assert_eq!(waiting.try_recv(), Ok(LOST));
        // The end.
        let (last, waiting) = f.register(None);
        f.pending.close().call();
        f.pending.placed(last, Index::new(11), ONE.next()).call();
        assert_eq!(waiting.try_recv(), Ok(Err(SubmitError::ShutDown)));
        let refused = f.pending.register(f.ids.next(), None, Box::new(|_| {}));
        assert!(refused.is_err(), "nobody can wait any more");
    }

    /// Deadlines end waits in their order, and say when to look again.
    #[test]
    fn deadlines_end_waits() {
        let at = Instant::from_nanos;
        let mut f = Fixture::new();
        let (_, late) = f.register(Some(at(30)));
        let (placed, soon) = f.register(Some(at(20)));
        let (_, endless) = f.register(None);
        f.pending.placed(placed, FIVE, ONE).call();
        let (ended, next) = f.pending.expire(at(20));
        ended.call();
        assert_eq!((soon.try_recv(), next), (Ok(Err(SubmitError::TimedOut)), Some(at(30))));
        assert!(late.try_recv().is_err() && endless.try_recv().is_err());
        // Its place is free for the next one.
        let (other, waiting) = f.register(None);
        f.pending.placed(other, FIVE, ONE.next()).call();
        f.pending.executed(FIVE, other, "reply").call();
        assert_eq!(waiting.try_recv(), Ok(Ok("reply")));
        let (ended, next) = f.pending.expire(at(40));
        ended.call();
        assert_eq!((late.try_recv(), next), (Ok(Err(SubmitError::TimedOut)), None));
    }
}
