//! Candidates: running for leader (Figure 2, Candidates; §5.2).
//!
//! ```text
//!   election timeout ─► pre-vote: would a majority vote for this server? ─► yes
//!          ▲                 │ no majority within an election timeout        │
//!          └─────────────────┘                                               ▼
//!          ▲                            next term, own vote, ask everybody ─┬─► majority: leader
//!          └── election timeout ────────────────────────────────────────────┴─► a leader or a
//!                                                                               later term: follower
//! ```
//!
//! The pre-vote (dissertation §9.6) keeps a server that cannot win from raising terms: it is cut
//! off from the majority, or its log is behind, or the others have a live leader. With the paper's
//! plain rules ([`Rules::PAPER`](super::Rules::PAPER)) an election begins with the next term at
//! once.
//!
//! Servers that do not answer are asked again every heartbeat interval, so a lost vote does not
//! cost a whole election. A rejected pre-vote is asked for again too: the leader that the other
//! server has heard may be dead, and that server finds out a little later.

use std::collections::BTreeMap;

use super::event::SentWhat;
use super::quorum::majority;
use super::{Effects, Node, Role};
use crate::marks::Mark;
use crate::messages::{Request, RequestVoteArgs, VoteKind};
use crate::timing::{Dice, Time};
use crate::types::ServerId;

/// What only a candidate knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Candidate {
    /// The answers of this term, its own included. A vote, once given, is never taken back, so a
    /// second answer changes nothing.
    answers: BTreeMap<ServerId, bool>,
    /// When to ask those who have not answered again.
    pub(super) ask_again_at: Time,
    /// What the others are asked for.
    pub(super) kind: VoteKind,
    /// Answers to requests with a smaller number belong to an earlier attempt in this term.
    first_number: u64,
}

impl Node {
    /// The election timeout elapsed: asks whether an election can be won, or starts it.
    pub(super) fn run_for_leader(&mut self, effects: &mut Effects, dice: &mut dyn Dice) {
        if self.disk_is_stuck() {
            return self.restart_election_timer();
        }
        if !self.config.rules.pre_vote || self.config.servers == 1 {
            return self.start_election(VoteKind::Vote, effects, dice);
        }
        self.mark_if(self.role() == super::RoleKind::PreCandidate, Mark::PreVoteStartsOver);
        self.campaign(VoteKind::PreVote, effects, dice);
    }

    /// Starts an election: a new term, the own vote, a new timeout, a question to everybody.
    pub(super) fn start_election(
        &mut self,
        kind: VoteKind,
        effects: &mut Effects,
        dice: &mut dyn Dice,
    ) {
        self.mark_if(self.role() == super::RoleKind::Candidate, Mark::ElectionStartsOver);
        self.durable.enter_term(self.term().next());
        self.durable.vote(self.config.id);
        self.campaign(kind, effects, dice);
    }

    /// Begins to gather answers, with a new election timeout.
    fn campaign(&mut self, kind: VoteKind, effects: &mut Effects, dice: &mut dyn Dice) {
        self.election_timeout = self.config.timing.draw_election_timeout(dice);
        self.restart_election_timer();
        self.role = Role::Candidate(Candidate {
            answers: BTreeMap::from([(self.config.id, true)]),
            ask_again_at: self.now + self.config.timing.heartbeat,
            kind,
            first_number: self.next_number,
        });
        if self.has_majority() {
            self.become_leader(effects);
        } else {
            self.ask_for_votes(effects);
        }
    }

    /// Asks those again who have not answered, if it is time to.
    pub(super) fn ask_for_votes_again(&mut self, effects: &mut Effects) {
        let again_at = self.now + self.config.timing.heartbeat;
        let Role::Candidate(candidate) = &mut self.role else { return };
        if self.now >= candidate.ask_again_at {
            candidate.ask_again_at = again_at;
            self.ask_for_votes(effects);
        }
    }

    /// Takes an answer to request `number` of the current term.
    pub(super) fn take_vote(
        &mut self,
        from: ServerId,
        number: u64,
        granted: bool,
        effects: &mut Effects,
    ) {
        let Role::Candidate(candidate) = &mut self.role else { return };
        if candidate.kind == VoteKind::PreVote || number < candidate.first_number {
            return;
        }
        *candidate.answers.entry(from).or_default() |= granted;
        if self.has_majority() {
            self.become_leader(effects);
        }
    }

    /// Takes an answer to pre-vote request `number`, sent in the current term.
    pub(super) fn take_pre_vote(
        &mut self,
        from: ServerId,
        number: u64,
        granted: bool,
        effects: &mut Effects,
        dice: &mut dyn Dice,
    ) {
        let Role::Candidate(candidate) = &mut self.role else { return };
        if candidate.kind != VoteKind::PreVote || number < candidate.first_number {
            return;
        }
        // Only what was asked last counts: a leader may have been heard since an earlier yes.
        candidate.answers.insert(from, granted);
        if self.has_majority() {
            self.start_election(VoteKind::Vote, effects, dice);
        }
    }

    fn ask_for_votes(&mut self, effects: &mut Effects) {
        let Role::Candidate(Candidate { kind, .. }) = self.role else { return };
        let (term, what) = match kind {
            VoteKind::PreVote => (self.term().next(), SentWhat::PreVote),
            VoteKind::Vote | VoteKind::Transfer => (self.term(), SentWhat::Vote),
        };
        let args = RequestVoteArgs { term, candidate: self.config.id, last: self.last(), kind };
        for peer in self.peers() {
            let Role::Candidate(candidate) = &self.role else { return };
            let answer = candidate.answers.get(&peer);
            let ask = match kind {
                VoteKind::PreVote => answer != Some(&true),
                VoteKind::Vote | VoteKind::Transfer => answer.is_none(),
            };
            if ask {
                self.call(peer, what, Request::Vote(args.clone()), effects);
            }
        }
    }

    fn has_majority(&self) -> bool {
        let Role::Candidate(candidate) = &self.role else { return false };
        let votes = candidate.answers.values().filter(|&&granted| granted).count();
        votes >= majority(self.config.servers)
    }
}
