//! Candidates: running for leader (Figure 2, Candidates; §5.2).
//!
//! ```text
//!   election timeout ─► next term, own vote, ask everybody ─┬─► majority of votes: leader
//!                            ▲                              ├─► a leader or a later term: follower
//!                            └── election timeout ──────────┘
//! ```
//!
//! Servers that do not answer are asked again every heartbeat interval: a lost vote must not cost
//! a whole election.

use std::collections::BTreeMap;

use super::event::SentWhat;
use super::quorum::majority;
use super::{Effects, Node, Role};
use crate::marks::Mark;
use crate::messages::{Request, RequestVoteArgs};
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
}

impl Node {
    /// Starts an election: a new term, the own vote, a new timeout, a question to everybody.
    pub(super) fn start_election(&mut self, effects: &mut Effects, dice: &mut dyn Dice) {
        let me = self.config.id;
        self.mark_if(matches!(self.role, Role::Candidate(_)), Mark::ElectionStartsOver);
        self.durable.enter_term(self.term().next());
        self.durable.vote(me);
        self.election_timeout = self.config.timing.draw_election_timeout(dice);
        self.restart_election_timer();
        self.role = Role::Candidate(Candidate {
            answers: BTreeMap::from([(me, true)]),
            ask_again_at: self.now + self.config.timing.heartbeat,
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

    /// Takes an answer to a question of the current term.
    pub(super) fn take_vote(&mut self, from: ServerId, granted: bool, effects: &mut Effects) {
        let Role::Candidate(candidate) = &mut self.role else { return };
        *candidate.answers.entry(from).or_default() |= granted;
        if self.has_majority() {
            self.become_leader(effects);
        }
    }

    fn ask_for_votes(&mut self, effects: &mut Effects) {
        let args =
            RequestVoteArgs { term: self.term(), candidate: self.config.id, last: self.last() };
        for peer in self.peers() {
            let Role::Candidate(candidate) = &self.role else { return };
            if !candidate.answers.contains_key(&peer) {
                self.call(peer, SentWhat::Vote, Request::Vote(args.clone()), effects);
            }
        }
    }

    fn has_majority(&self) -> bool {
        let Role::Candidate(candidate) = &self.role else { return false };
        let votes = candidate.answers.values().filter(|&&granted| granted).count();
        votes >= majority(self.config.servers)
    }
}
