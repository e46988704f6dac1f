//! Followers: answering votes and entries (Figure 2, Rules for Servers and both RPCs' receivers).
//!
//! A follower only answers. Its log is made equal to the leader's in three steps, each for a
//! reason:
//!
//! ```text
//!   prev found?     no: refuse, and say where the logs part           (AppendEntries, 2)
//!   entries         first that differs: cut from there, only there    (AppendEntries, 3)
//!                   append what is missing                            (AppendEntries, 4)
//!   leader_commit   believe it up to the last entry checked here      (AppendEntries, 5)
//! ```
//!
//! Cutting only at a real difference matters because requests arrive late and out of order: an old
//! one that carries fewer entries must not remove what a newer one brought, which may be committed.

use super::{Node, Role, RoleKind};
use crate::marks::Mark;
use crate::messages::{AppendEntriesArgs, AppendOutcome, RequestVoteArgs, VoteKind};
use crate::timing::Dice;
use crate::types::{Index, LogPosition, ServerId};

/// What only a follower knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Follower {
    /// The leader of the current term, once it was heard.
    pub(super) leader: Option<ServerId>,
}

impl Node {
    /// Decides on a vote for a candidate of the current term (RequestVote, 2): one vote a term, the
    /// first to ask (§5.2), if its log is at least as up-to-date as ours (§5.4.1). Who has the vote
    /// gets the same answer again.
    ///
    /// Giving it restarts the election timer; being asked in vain does not, so that servers which
    /// cannot win do not hold up one that can.
    pub(super) fn grant_vote(&mut self, args: &RequestVoteArgs) -> bool {
        let free = self.voted_for().is_none_or(|voted_for| voted_for == args.candidate);
        let up_to_date = args.last.at_least_as_up_to_date_as(self.last());
        self.mark_if(!free, Mark::VoteRefusedGiven);
        self.mark_if(!up_to_date, Mark::VoteRefusedOldLog);
        if !free || !up_to_date {
            return false;
        }
        self.mark_if(self.voted_for().is_some(), Mark::VoteRepeated);
        self.durable.vote(args.candidate);
        self.restart_election_timer();
        true
    }

    /// Whether this server would vote for the sender of a pre-vote (dissertation §9.6): the
    /// sender's term is not behind, its log is at least as up-to-date as ours, and no leader is
    /// alive. Changes nothing.
    pub(super) fn grant_pre_vote(&mut self, args: &RequestVoteArgs) -> bool {
        let up_to_date = args.last.at_least_as_up_to_date_as(self.last());
        let live_leader = self.has_live_leader();
        self.mark_if(live_leader, Mark::PreVoteRefusedLiveLeader);
        self.mark_if(!up_to_date, Mark::VoteRefusedOldLog);
        args.term > self.term() && up_to_date && !live_leader
    }

    /// Whether a vote request must be rejected without entering its term, because this server has
    /// heard a leader within the shortest election timeout (dissertation §4.2.3). A leader that may
    /// still be alive is not deposed by a server that does not hear it. Part of check-quorum:
    /// without it, a leader that nobody can reach would be kept.
    pub(super) fn is_kept_by_leader(&self, args: &RequestVoteArgs) -> bool {
        self.config.rules.check_quorum && args.kind == VoteKind::Vote && self.has_live_leader()
    }

    /// Whether this server leads, or has heard a leader within the shortest election timeout.
    fn has_live_leader(&self) -> bool {
        let heard = self.leader_heard + self.config.timing.election_min;
        match self.role() {
            // With the paper's rules a leader may have lost its majority without knowing.
            RoleKind::Leader => self.config.rules.check_quorum,
            _ => self.leader().is_some() && self.now < heard,
        }
    }

    /// Notes that the leader of the current term spoke. A candidate gives up (Figure 2,
    /// Candidates). Returns false if this cannot be: we lead this term ourselves.
    pub(super) fn hear_leader(&mut self, leader: ServerId, dice: &mut dyn Dice) -> bool {
        if self.is_leader() {
            return false;
        }
        if matches!(self.role, Role::Candidate(_)) {
            self.mark_if(self.role() == RoleKind::Candidate, Mark::CandidateHearsLeader);
            self.become_follower(self.term(), dice);
        }
        self.role = Role::Follower(Follower { leader: Some(leader) });
        self.leader_heard = self.now;
        self.restart_election_timer();
        true
    }

    /// Takes the entries of the current term's leader (AppendEntries, 2 to 5).
    pub(super) fn append_entries(
        &mut self,
        args: AppendEntriesArgs,
        dice: &mut dyn Dice,
    ) -> AppendOutcome {
        if !self.hear_leader(args.leader, dice) {
            return AppendOutcome::StaleTerm;
        }
        let checked = args.prev.index + args.entries.len();
        let base = self.base();
        let mut entries = args.entries.into_iter();
        let mut index = args.prev.index.next();
        if args.prev.index < base.index {
            // What the snapshot includes is committed, so the leader has the same (§5.4.3).
            let covered = base.index.distance_from(args.prev.index);
            self.marks.insert(Mark::AppendBelowSnapshot);
            entries.by_ref().take(covered).for_each(drop);
            index = base.index.next();
        } else if let Some(refusal) = self.refuse(args.prev) {
            return refusal;
        }
        let mut known = 0;
        let mut new = false;
        for entry in entries {
            match self.durable.log().term_at(index) {
                Some(term) if term == entry.term => known += 1,
                Some(_) => {
                    // §5.4: a leader has all committed entries. If not, going on would lose one.
                    assert!(
                        index > self.commit,
                        "leader completeness broken (Figure 3): {} leads {} with another entry \
                         {index}, but {} is committed on {}",
                        args.leader,
                        args.term,
                        self.commit,
                        self.id()
                    );
                    self.marks.insert(Mark::SuffixCut);
                    self.durable.truncate_from(index);
                    self.durable.append(entry);
                    new = true;
                }
                None => {
                    self.durable.append(entry);
                    new = true;
                }
            }
            index = index.next();
        }
        self.mark_if(known > 0 && !new, Mark::DuplicateAppend);
        self.commit = self.commit.max(args.leader_commit.min(checked));
        AppendOutcome::Matched
    }

    /// Why this log cannot take entries after `prev`, if so; with what the leader needs to find
    /// the common part at once (end of §5.3).
    fn refuse(&self, prev: LogPosition) -> Option<AppendOutcome> {
        let log = self.durable.log();
        match log.term_at(prev.index) {
            None => Some(AppendOutcome::TooShort { last: log.last_index() }),
            Some(term) if term == prev.term => None,
            Some(term) => {
                let first: Index = log.first_index_of(term).max(self.commit.next());
                Some(AppendOutcome::Conflict { term, first })
            }
        }
    }
}
