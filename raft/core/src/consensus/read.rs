//! Reads without log entries (§8, last paragraph).
//!
//! A leader that answers a read from its own state could be wrong for two reasons. Each has a
//! remedy:
//!
//! ```text
//!   it does not know yet what is         no read before an entry of its own term is committed:
//!   committed (a new leader)             until then its commit index may be behind its
//!                                        predecessor's
//!   it does not know that it was         a majority answers, in its term, requests that were
//!   deposed (one that was cut off)       sent after the read arrived: at that moment no later
//!                                        leader can have committed anything
//! ```
//! The read is answered from a state that includes the commit index at the time when the requests
//! were sent.
//!
//!
//! A *round* asks a majority for all reads that have arrived before it. Reads that arrive during a
//! round wait for the next one, so the number of messages does not grow with the number of reads.
//! The next round starts when half as many reads wait as the last round confirmed, or after
//! `gather_reads` ticks. A single client never waits for that; with many clients, two groups
//! alternate.
//!
//! Every request of the round counts, whatever it carries and whatever the answer is: an answer in
//! this term shows that its sender knows no later term.

use super::quorum::majority;
use super::{Effects, Node, Role};
use crate::marks::Mark;
use crate::timing::{Time, Timing};
use crate::types::{Index, ServerId};

/// What a leader knows of reads. Only meaningful within its term.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Reads {
    /// Reads that came so far; the last one's number.
    asked: u64,
    /// Those that a majority has confirmed: the last one's number.
    confirmed: u64,
    /// How many the last round confirmed, and when.
    last_round: (u64, Time),
    /// The majority that is being asked.
    round: Option<Round>,
}

impl Reads {
    /// When the next action is due if no further read arrives.
    pub(super) fn due(&self, timing: &Timing) -> Time {
        if let Some(round) = &self.round {
            return if round.others.is_empty() { Time::NEVER } else { round.others_at };
        }
        let waiting = self.asked - self.confirmed;
        let (before, ended) = self.last_round;
        if waiting == 0 {
            Time::NEVER
        } else if 2 * waiting >= before {
            Time::ZERO
        } else {
            ended + timing.gather_reads
        }
    }
}

/// One round of confirmation: a majority is asked whether this server still leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Round {
    /// Answers to this request and later ones count.
    first_number: u64,
    /// The last read that came before it.
    up_to: u64,
    /// The commit index at its beginning.
    index: Index,
    /// When to ask the servers that were not needed for a majority.
    others_at: Time,
    others: Vec<ServerId>,
}

/// Why a read cannot be answered without a log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ReadRefused {
    /// This server does not lead: ask another one.
    #[error("this server is not the leader: ask another one")]
    NotLeader,
    /// This leader has committed nothing in its term, so it may not know of everything that is
    /// committed: send the read through the log, which also ends this state.
    #[error("the leader has committed nothing in its term yet: read through the log")]
    NothingCommitted,
}

impl Node {
    /// Accepts a read: assigns a number, and starts a round unless one is in progress.
    pub(super) fn read(&mut self, effects: &mut Effects) {
        let known = self.term_at(self.commit) == Some(self.term());
        let Role::Leader(leader) = &mut self.role else {
            effects.read = Some(Err(ReadRefused::NotLeader));
            return;
        };
        if !known {
            self.marks.insert(Mark::ReadOfNewLeader);
            effects.read = Some(Err(ReadRefused::NothingCommitted));
            return;
        }
        leader.reads.asked += 1;
        effects.read = Some(Ok(leader.reads.asked));
        if leader.reads.round.is_some() {
            self.marks.insert(Mark::ReadWaitsForRound);
        }
        self.go_on_with_reads(effects);
    }

    /// Asks a majority, or those that were not asked yet, if the time has come.
    pub(super) fn go_on_with_reads(&mut self, effects: &mut Effects) {
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.reads.due(&self.config.timing) > self.now {
            return;
        }
        match &mut leader.reads.round {
            None => self.start_round(effects),
            Some(round) => {
                self.marks.insert(Mark::ReadAsksAll);
                let others = std::mem::take(&mut round.others);
                self.ask(others, effects);
            }
        }
    }

    /// A follower has answered, in this term, what was sent to it as this number.
    pub(super) fn note_answer(&mut self, from: ServerId, number: u64, effects: &mut Effects) {
        let Some(progress) = self.progress_mut(from) else { return };
        progress.answered = progress.answered.max(number + 1);
        self.finish_round(effects);
    }

    /// Asks as many as a majority needs, those first that have answered last; the others if that
    /// was not enough.
    fn start_round(&mut self, effects: &mut Effects) {
        let (first_number, index) = (self.next_number, self.commit);
        let mut ask: Vec<_> = self.peers().collect();
        let others_at = self.now + self.config.timing.gather_reads;
        let needed = majority(self.config.servers) - 1;
        let Role::Leader(leader) = &mut self.role else { return };
        ask.sort_by_key(|peer| std::cmp::Reverse(leader.progress[peer.get()].answered));
        let others = ask.split_off(needed);
        let up_to = leader.reads.asked;
        leader.reads.round = Some(Round { first_number, up_to, index, others_at, others });
        self.ask(ask, effects);
        self.finish_round(effects);
    }

    fn ask(&mut self, peers: Vec<ServerId>, effects: &mut Effects) {
        for peer in peers {
            // A server that cannot be reached still gets heartbeats, and their answers count as
            // well.
            if self.progress_mut(peer).is_some_and(|progress| !progress.is_silent()) {
                self.send_heartbeat(peer, effects);
            }
        }
    }

    fn finish_round(&mut self, effects: &mut Effects) {
        let (me, servers) = (self.config.id, self.config.servers);
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(Round { first_number, up_to, index, .. }) = leader.reads.round else { return };
        let others = leader.progress.iter().enumerate().filter(|(id, _)| *id != me.get());
        let answered = others.filter(|(_, progress)| progress.answered > first_number).count();
        if answered + 1 < majority(servers) {
            return;
        }
        let reads = &mut leader.reads;
        reads.round = None;
        reads.last_round = (up_to - reads.confirmed, self.now);
        reads.confirmed = up_to;
        effects.confirmed = Some((up_to, index));
        self.go_on_with_reads(effects);
    }
}
