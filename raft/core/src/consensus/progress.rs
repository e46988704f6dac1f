//! What the leader knows of one follower's log, and what it is waiting for (§5.3).
//!
//! ```text
//!   1 …… matched │ matched+1 …… next-1 │ next …… last
//!   known equal  │ believed equal,     │ not sent
//!                │ or sent, no answer  │
//! ```
//!
//! Requests with entries, probes and snapshots that are on their way are *in flight*: an answer to
//! one of them decides how to go on. On a fast link there is at most one, and commands that arrive
//! meanwhile gather for the next one. On a slow link there are several
//! ([`Timing::pipeline_above`](crate::timing::Timing::pipeline_above)). Heartbeats are not in
//! flight: they ask about the last entry that is, and replace its answer if that was lost.
//!
//! A follower that does not answer is *silent*: it is sent empty AppendEntries only, until it
//! answers one of them. So a dead follower does not cost a copy of the log or a snapshot with every
//! heartbeat.

use std::collections::VecDeque;

use crate::timing::{Time, Timing};
use crate::types::{Index, LogPosition};

/// The most requests in flight to one follower.
const WINDOW: usize = 32;

/// Progress of one follower. Made anew at every election (Figure 2, "Volatile state on leaders").
///
/// Invariant: `matched < next`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Progress {
    /// Highest index known to be equal on leader and follower ("matchIndex"). Never decreases,
    /// unless the follower has lost its disk ([`lost_entries`](Progress::lost_entries)).
    matched: Index,
    /// The first index to send next ("nextIndex"). Backs off when the follower rejects.
    next: Index,
    /// The requests whose answers decide how to go on, oldest first. At most `WINDOW`; a snapshot
    /// is alone.
    in_flight: VecDeque<InFlight>,
    /// How far the rejections since `matched` last moved have led back: `next` does not go beyond
    /// it for another rejection. Requests overtake each other, so a rejection may describe the
    /// follower's log as it was before an earlier one, with the first, farthest hint again;
    /// following that would undo the way back, and on a network that delays most answers it would
    /// never be made.
    retreat: Index,
    /// A rejection of a request with a smaller number dates from before the last backing off and
    /// says nothing new. Never decreases.
    rejections_from: u64,
    /// Calls in a row that came to nothing. From the second on the follower counts as silent.
    pub(super) failures: u32,
    /// Whether entries or a snapshot were not answered in time, and nothing was answered since.
    unanswered: bool,
    /// How often entries or a snapshot had to be given up since `matched` last moved. Each time
    /// the wait before the next attempt doubles.
    attempts: u32,
    /// When the next heartbeat is due.
    pub(super) heartbeat_due: Time,
    /// The commit index that this follower can have from what was sent. Never decreases.
    pub(super) told_commit: Index,
    /// One more than the largest `Sent::number` it has answered, for reads. Never decreases.
    pub(super) answered: u64,
    /// When it last answered in this term; at first, when the term began. Never falls.
    pub(super) heard: Time,
    /// Smoothed time between a request and its answer, in ticks; 0 before the first.
    round_trip: u64,
    /// A rejection of this request or a later one says that the follower's log is shorter than
    /// `matched`, and one before it said so too.
    loss_suspected_from: Option<u64>,
}

/// A request to a follower whose answer decides the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct InFlight {
    /// `Sent::number` of the request.
    pub(super) number: u64,
    pub(super) sent_at: Time,
    /// `next` before it was sent, to go back to if it is lost.
    pub(super) resume: Index,
    /// The last entry it carries, or the one it asks about.
    pub(super) last: LogPosition,
    pub(super) is_snapshot: bool,
}

/// Nothing was rejected since `matched` last moved.
const NO_RETREAT: Index = Index::new(u64::MAX);

impl Progress {
    /// A follower of which nothing is known yet: the guess is that its log equals the leader's.
    pub(super) fn new(leader_last: Index, now: Time) -> Progress {
        Progress {
            matched: Index::ZERO,
            next: leader_last.next(),
            in_flight: VecDeque::new(),
            retreat: NO_RETREAT,
            rejections_from: 0,
            failures: 0,
            unanswered: false,
            attempts: 0,
            heartbeat_due: Time::ZERO,
            told_commit: Index::ZERO,
            answered: 0,
            heard: now,
            round_trip: 0,
            loss_suspected_from: None,
        }
    }

    pub(super) fn matched(&self) -> Index {
        self.matched
    }

    pub(super) fn next(&self) -> Index {
        self.next
    }

    /// The latest request in flight.
    pub(super) fn latest(&self) -> Option<&InFlight> {
        self.in_flight.back()
    }

    /// Notes that a request up to `request.last` leaves.
    pub(super) fn send(&mut self, request: InFlight) {
        self.next = request.last.index.next();
        self.in_flight.push_back(request);
        self.check();
    }

    /// Notes that the follower's log equals the leader's up to `index`.
    ///
    /// Within a term this never becomes untrue: the follower saved it and only removes what differs
    /// from this leader's log. So late and repeated answers are as good as prompt ones, and an
    /// older index is ignored. Returns whether `matched` moved.
    pub(super) fn advance(&mut self, index: Index) -> bool {
        while self.in_flight.front().is_some_and(|request| request.last.index <= index) {
            self.in_flight.pop_front();
        }
        if index <= self.matched {
            return false;
        }
        self.matched = index;
        self.attempts = 0;
        self.retreat = NO_RETREAT;
        self.next = self.next.max(index.next());
        self.check();
        true
    }

    /// Request `number` was answered at `now`, whatever the answer says: the follower is not
    /// silent, and if the request is in flight, its round trip is measured.
    pub(super) fn answered_at(&mut self, number: u64, now: Time) {
        self.heard = now;
        self.failures = 0;
        self.unanswered = false;
        if let Some(request) = self.in_flight.iter().find(|request| request.number == number) {
            let sample = now.since(request.sent_at);
            self.round_trip =
                if self.round_trip == 0 { sample } else { (7 * self.round_trip + sample) / 8 };
        }
    }

    /// Whether a rejection of request `number`, which asked about `prev`, says something new.
    pub(super) fn heeds_rejection(&self, number: u64, prev: Index) -> bool {
        let awaiting_snapshot = self.latest().is_some_and(|request| request.is_snapshot);
        number >= self.rejections_from && prev > self.matched && !awaiting_snapshot
    }

    /// Backs off after a rejection at `prev` to where the follower's hint points, which is at least
    /// one step (§5.3). `next_number` is the number of the request that will be sent next.
    pub(super) fn back_off(&mut self, hint: Index, prev: Index, next_number: u64) {
        self.in_flight.clear();
        self.rejections_from = next_number;
        self.next = hint.min(prev).min(self.retreat).max(self.matched.next());
        self.retreat = self.next;
        self.check();
    }

    /// The follower's answer to request `number` says that its log ends at `last`. Returns whether
    /// it has lost entries that it had acknowledged: its disk was emptied. Then everything is to be
    /// sent again.
    ///
    /// A single answer is no proof, as requests overtake each other. Two are, if the second request
    /// was sent after the first answer had arrived: nothing was on its way in between that could
    /// make the log longer.
    pub(super) fn lost_entries(&mut self, number: u64, last: Index, next_number: u64) -> bool {
        if last >= self.matched || number < self.answered {
            return false;
        }
        match self.loss_suspected_from {
            Some(from) if number >= from => {
                self.loss_suspected_from = None;
                self.matched = Index::ZERO;
                self.in_flight.clear();
                self.rejections_from = next_number;
                self.next = last.next();
                self.retreat = NO_RETREAT;
                self.told_commit = Index::ZERO;
                self.check();
                true
            }
            Some(_) => false,
            None => {
                self.loss_suspected_from = Some(next_number);
                false
            }
        }
    }

    /// Gives up request `number` and all after it: what they carried has to be sent again. Returns
    /// whether it was in flight.
    pub(super) fn give_up(&mut self, number: u64) -> bool {
        let Some(at) = self.in_flight.iter().position(|request| request.number == number) else {
            return false;
        };
        self.next = self.in_flight[at].resume.max(self.matched.next());
        self.in_flight.truncate(at);
        self.check();
        true
    }

    /// Gives up everything in flight if the oldest request is overdue at `now`. From then on the
    /// follower is silent.
    pub(super) fn give_up_overdue(&mut self, now: Time, timing: &Timing) {
        let Some(&oldest) = self.in_flight.front() else { return };
        if now.since(oldest.sent_at) >= self.patience(&oldest, timing) {
            self.give_up(oldest.number);
            self.unanswered = true;
            self.attempts = self.attempts.saturating_add(1);
        }
    }

    /// How long to wait for the answer to a request before it is sent again, in ticks.
    fn patience(&self, request: &InFlight, timing: &Timing) -> u64 {
        let (base, limit) = if request.is_snapshot {
            (timing.resend_snapshot, timing.resend_max)
        } else {
            (timing.resend, timing.election_max)
        };
        let base = base.max(2 * self.round_trip);
        (base << self.attempts.min(16)).min(limit.max(base))
    }

    /// Whether nobody knows that the follower still answers: it is sent small probes only.
    pub(super) fn is_silent(&self) -> bool {
        self.failures >= 2 || self.unanswered
    }

    /// Whether the follower can be sent something at `now`.
    pub(super) fn is_ready(&self, now: Time, timing: &Timing) -> bool {
        !self.is_silent() && self.send_at(timing) <= now
    }

    /// When the next entries may leave, as far as those in flight decide it.
    pub(super) fn send_at(&self, timing: &Timing) -> Time {
        match self.latest() {
            None => Time::ZERO,
            Some(latest)
                if self.round_trip >= timing.pipeline_above
                    && !latest.is_snapshot
                    && self.in_flight.len() < WINDOW =>
            {
                latest.sent_at + self.round_trip / WINDOW as u64
            }
            Some(_) => Time::NEVER,
        }
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
