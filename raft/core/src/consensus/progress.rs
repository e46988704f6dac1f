//! What the leader knows of one follower's log, and what it is waiting for (§5.3).
//!
//! ```text
//!   1 …… matched │ matched+1 …… next-1 │ next …… last
//!   known equal  │ believed equal,     │ not sent
//!                │ or sent, no answer  │
//! ```
//!
//! At most one request with entries (or a probe, or a snapshot) is on its way to a follower; while
//! it is, `next` stands behind what it carries and new commands gather for the next one. What goes
//! out besides are heartbeats, which ask about the same place: they speed things up when the
//! answer to the entries is lost.

use crate::timing::Time;
use crate::types::{Index, LogPosition};

/// Progress of one follower. Made anew at every election (Figure 2, "Volatile state on leaders").
///
/// Invariant: `matched < next`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Progress {
    /// Highest index known to be equal on leader and follower ("matchIndex"). Never decreases.
    matched: Index,
    /// The first index to send next ("nextIndex"). Falls back when the follower refuses.
    next: Index,
    /// The request whose answer decides how to go on.
    pub(super) outstanding: Option<Outstanding>,
    /// How far the refusals since `matched` last moved have led back: `next` does not go beyond it
    /// for another refusal. Requests overtake each other, so a refusal may tell of the follower's
    /// log as it was refused before, with the first, farthest hint again; following that would
    /// undo the way back, and on a network that delays most answers it would never be made.
    retreat: Index,
    /// A refusal of a request with a smaller number is of the time before the last falling back
    /// and says nothing new. Never decreases.
    refusals_from: u64,
    /// Calls in a row that came to nothing. From the second on, only heartbeats try again.
    pub(super) failures: u32,
    /// When something must have been sent again.
    pub(super) heartbeat_due: Time,
    /// The commit index that this follower can have from what was sent. Never decreases.
    pub(super) told_commit: Index,
    /// One more than the largest `Sent::number` it has answered, for reads. Never decreases.
    pub(super) answered: u64,
    /// When it last answered in this term; at first, when the term began. Never falls.
    pub(super) heard: Time,
}

/// A request to a follower that decides how to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Outstanding {
    /// `Sent::number` of the request.
    pub(super) number: u64,
    pub(super) sent_at: Time,
    /// `next` before it was sent, to go back to if it is lost.
    pub(super) resume: Index,
    /// The last entry it carries, or the one it asks about.
    pub(super) last: LogPosition,
    pub(super) is_snapshot: bool,
}

/// Nothing was refused since `matched` last moved.
const NO_RETREAT: Index = Index::new(u64::MAX);

impl Progress {
    /// A follower of which nothing is known yet: the guess is that its log equals the leader's.
    pub(super) fn new(leader_last: Index, now: Time) -> Progress {
        Progress {
            matched: Index::ZERO,
            next: leader_last.next(),
            outstanding: None,
            retreat: NO_RETREAT,
            refusals_from: 0,
            failures: 0,
            heartbeat_due: Time::ZERO,
            told_commit: Index::ZERO,
            answered: 0,
            heard: now,
        }
    }

    pub(super) fn matched(&self) -> Index {
        self.matched
    }

    pub(super) fn next(&self) -> Index {
        self.next
    }

    /// Notes that a request up to `outstanding.last` leaves.
    pub(super) fn send(&mut self, outstanding: Outstanding) {
        self.next = outstanding.last.index.next();
        self.outstanding = Some(outstanding);
        self.check();
    }

    /// Notes that the follower's log equals the leader's up to `index`.
    ///
    /// Within a term this never becomes untrue: the follower saved it and only removes what differs
    /// from this leader's log. So late and repeated answers are as good as prompt ones, and an
    /// older index is ignored. Returns whether `matched` moved.
    pub(super) fn advance(&mut self, index: Index) -> bool {
        if self.outstanding.is_some_and(|outstanding| outstanding.last.index <= index) {
            self.outstanding = None;
        }
        if index <= self.matched {
            return false;
        }
        self.matched = index;
        self.retreat = NO_RETREAT;
        self.next = self.next.max(index.next());
        self.check();
        true
    }

    /// Whether a refusal of request `number`, which asked about `prev`, says something new.
    pub(super) fn heeds_refusal(&self, number: u64, prev: Index) -> bool {
        let awaiting_snapshot = self.outstanding.is_some_and(|outstanding| outstanding.is_snapshot);
        number >= self.refusals_from && prev > self.matched && !awaiting_snapshot
    }

    /// Falls back after a refusal at `prev` to where the follower's hint points, which is at least
    /// one step (§5.3). `next_number` is the number of the request that will be sent next.
    pub(super) fn fall_back(&mut self, hint: Index, prev: Index, next_number: u64) {
        self.outstanding = None;
        self.refusals_from = next_number;
        self.next = hint.min(prev).min(self.retreat).max(self.matched.next());
        self.retreat = self.next;
        self.check();
    }

    /// Gives the outstanding request up: what it carried has to be sent again.
    pub(super) fn give_up(&mut self) {
        if let Some(outstanding) = self.outstanding.take() {
            self.next = outstanding.resume.max(self.matched.next());
        }
        self.check();
    }

    /// Whether the follower can be sent something right now.
    pub(super) fn is_ready(&self) -> bool {
        self.outstanding.is_none() && self.failures < 2
    }

    pub(super) fn check(&self) {
        debug_assert!(
            self.matched < self.next,
            "matched {} has reached next {}",
            self.matched,
            self.next
        );
    }
}
