//! Leaders: replicating and committing (Figure 2, Leaders; §5.3, §5.4.2).
//!
//! What a follower is sent, and when:
//!
//! ```text
//!   elected                      an empty AppendEntries: who leads; does your log end like mine?
//!   command, answer arrived      the entries from `next` on, if nothing is in flight
//!                                (on a slow link: also while earlier entries are in flight)
//!   answer: rejected             back by a whole term, at once
//!   call failed                  the same again at once; after a second failure only heartbeats
//!   `spread_commit` of silence   an empty AppendEntries, if it does not know the commit index
//!   `heartbeat` of silence       an empty AppendEntries
//!   no answer for too long       only empty AppendEntries, until one is answered
//!   `next` is in the snapshot    the snapshot, in place of entries (§7)
//! ```

use super::event::SentWhat;
use super::progress::{InFlight, Progress};
use super::quorum::{majority, replicated_on_majority};
use super::read::Reads;
use super::{Config, Effects, Node, Role};
use crate::marks::Mark;
use crate::messages::{AppendEntriesArgs, AppendOutcome, InstallSnapshotArgs, Request};
use crate::timing::{Dice, Time};
use crate::types::{Command, Entry, Index, LogPosition, ServerId};

/// What only a leader knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Leader {
    /// By server; the leader's own is not used.
    pub(super) progress: Vec<Progress>,
    /// When to send followers a commit index that no message has carried yet.
    spread_at: Time,
    /// Bytes of the commands after the commit index.
    uncommitted_bytes: usize,
    /// When entries that wait for a place in a slow link's pipeline are to be sent.
    pipeline_at: Time,
    /// When to look whether a majority still answers (check-quorum). Not later than the moment at
    /// which an election timeout without such answers elapses.
    quorum_check_at: Time,
    /// Reads that wait for the confirmation of a majority.
    pub(super) reads: Reads,
}

impl Leader {
    pub(super) fn wake_at(&self, config: &Config) -> Time {
        let others = self.progress.iter().enumerate().filter(|(id, _)| *id != config.id.get());
        let at = self
            .pipeline_at
            .min(self.spread_at)
            .min(self.reads.due(&config.timing))
            .min(self.quorum_check_at);
        others.fold(at, |at, (_, progress)| at.min(progress.heartbeat_due))
    }
}

impl Leader {
    /// When this leader has to step down unless a majority answers before (check-quorum).
    fn quorum_lost_at(&self, config: &Config) -> Time {
        let others = majority(config.servers) - 1;
        if !config.rules.check_quorum || others == 0 {
            return Time::NEVER;
        }
        let me = config.id.get();
        let peers = || self.progress.iter().enumerate().filter(|(id, _)| *id != me);
        let heard = |at: Time| peers().filter(|(_, peer)| peer.heard >= at).count() >= others;
        let since = peers().map(|(_, peer)| peer.heard).filter(|&at| heard(at)).max();
        since.unwrap_or(Time::ZERO) + config.timing.election_max
    }
}

impl Node {
    /// Takes office (Figure 2, Leaders): nothing is known of the followers' logs, and each follower
    /// gets a message of the new leader at once.
    pub(super) fn become_leader(&mut self, effects: &mut Effects) {
        let last = self.last().index;
        let progress = (0..self.config.servers).map(|_| Progress::new(last, self.now)).collect();
        let mut leader = Leader {
            progress,
            spread_at: Time::NEVER,
            pipeline_at: Time::NEVER,
            uncommitted_bytes: self.command_bytes(self.commit, last),
            quorum_check_at: Time::NEVER,
            reads: Reads::default(),
        };
        leader.quorum_check_at = leader.quorum_lost_at(&self.config);
        self.role = Role::Leader(leader);
        for peer in self.peers() {
            self.send_next(peer, effects);
        }
        self.advance_commit();
    }

    /// Appends a client's command and begins to replicate it (Figure 2, Leaders; §5.3).
    pub(super) fn propose(&mut self, command: Command, effects: &mut Effects) {
        if !self.is_leader() {
            return;
        }
        if self.is_overloaded() {
            self.marks.insert(Mark::LeaderOverloaded);
            effects.overloaded = true;
            return;
        }
        let size = command.len();
        self.durable.append(Entry { term: self.term(), command });
        if let Role::Leader(leader) = &mut self.role {
            leader.uncommitted_bytes += size;
        }
        effects.proposed = Some(self.last());
        for peer in self.peers() {
            self.send_if_ready(peer, effects);
        }
        if self.config.servers == 1 {
            self.advance_commit();
        }
    }

    /// Whether the entries that are not committed have reached a limit. Without one, a leader that
    /// has lost its majority, or is faster than it, would fill its memory.
    fn is_overloaded(&self) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        let entries = self.last().index.distance_from(self.commit);
        entries >= self.config.max_uncommitted_entries.max(1)
            || entries > 0 && leader.uncommitted_bytes >= self.config.max_uncommitted_bytes
    }

    /// Bytes of the commands after `after` up to `last`.
    fn command_bytes(&self, after: Index, last: Index) -> usize {
        let log = self.durable.log();
        (1..=last.distance_from(after))
            .filter_map(|i| log.entry(after + i))
            .map(|entry| entry.command.len())
            .sum()
    }

    /// A server has answered request `number`, in this term: it is connected and accepts this
    /// leader.
    pub(super) fn note_contact(&mut self, from: ServerId, number: u64) {
        let now = self.now;
        if let Some(progress) = self.progress_mut(from) {
            progress.answered_at(number, now);
        }
    }

    pub(super) fn tick_leader(&mut self, effects: &mut Effects, dice: &mut dyn Dice) {
        let now = self.now;
        if self.disk_is_stuck() {
            self.marks.insert(Mark::LeaderDiskStuck);
            return self.become_follower(self.term(), dice);
        }
        if let Role::Leader(leader) = &mut self.role
            && now >= leader.quorum_check_at
        {
            leader.quorum_check_at = leader.quorum_lost_at(&self.config);
            if now >= leader.quorum_check_at {
                self.marks.insert(Mark::LeaderLostQuorum);
                return self.become_follower(self.term(), dice);
            }
        }
        for peer in self.peers() {
            if self.progress_mut(peer).is_some_and(|progress| now >= progress.heartbeat_due) {
                self.send_heartbeat(peer, effects);
            }
        }
        self.go_on_with_reads(effects);
        let Role::Leader(leader) = &mut self.role else { return };
        if self.now >= leader.pipeline_at {
            leader.pipeline_at = Time::NEVER;
            for peer in self.peers() {
                self.send_if_ready(peer, effects);
            }
        }
        let Role::Leader(leader) = &mut self.role else { return };
        if self.now >= leader.spread_at {
            leader.spread_at = Time::NEVER;
            self.spread_commit(effects);
        }
    }

    /// Handles the outcome of an AppendEntries that this leader sent in this term.
    pub(super) fn take_append_outcome(
        &mut self,
        from: ServerId,
        number: u64,
        prev: Index,
        last: Index,
        outcome: AppendOutcome,
        effects: &mut Effects,
    ) {
        let next_number = self.next_number;
        let hint = match outcome {
            AppendOutcome::Matched => return self.take_match(from, last, effects),
            AppendOutcome::TooShort { last } => {
                let Some(progress) = self.progress_mut(from) else { return };
                if progress.lost_entries(number, last, next_number) {
                    self.marks.insert(Mark::FollowerLostEntries);
                    return self.send_next(from, effects);
                }
                self.marks.insert(Mark::BackingUpTooShort);
                last.next()
            }
            // If we have that term too, our last entry of it is where the logs may agree; if not,
            // none of the follower's entries of that term can stay.
            AppendOutcome::Conflict { term, first } => {
                match self.durable.log().last_index_of(term) {
                    Some(known) => {
                        self.marks.insert(Mark::BackingUpKnownTerm);
                        known.next()
                    }
                    None => {
                        self.marks.insert(Mark::BackingUpUnknownTerm);
                        first
                    }
                }
            }
            AppendOutcome::StaleTerm => return,
        };
        let Some(progress) = self.progress_mut(from) else { return };
        if progress.heeds_rejection(number, prev) {
            progress.back_off(hint, prev, next_number);
            self.send_next(from, effects);
        } else {
            self.marks.insert(Mark::StaleRefusal);
            self.send_if_ready(from, effects);
        }
    }

    /// Notes that a follower's log equals ours up to `index` (Figure 2, Leaders: success).
    pub(super) fn take_match(&mut self, from: ServerId, index: Index, effects: &mut Effects) {
        let Some(progress) = self.progress_mut(from) else { return };
        // What is committed needs no further copies counted.
        if progress.advance(index) && index > self.commit {
            self.advance_commit();
        }
        self.send_if_ready(from, effects);
        self.plan_spreading_commit();
    }

    /// A call failed: it is repeated once at once, then with the heartbeats, so that an unreachable
    /// server does not get a flood of calls.
    pub(super) fn take_lost_request(&mut self, from: ServerId, number: u64, effects: &mut Effects) {
        let (now, timing) = (self.now, self.config.timing);
        let Some(progress) = self.progress_mut(from) else { return };
        if !progress.give_up(number) {
            return; // a heartbeat, or something that was sent again since
        }
        progress.failures = progress.failures.saturating_add(1);
        if progress.is_ready(now, &timing) {
            self.send_next(from, effects);
        }
    }

    /// Commits what a majority has, if that is an entry of this term; with it, all before
    /// (Figure 2, Leaders). Entries of earlier terms are never committed by counting (§5.4.2): a
    /// server without them might still be elected (Figure 8).
    pub(super) fn advance_commit(&mut self) {
        let me = self.config.id;
        let last = self.durable_last();
        let Role::Leader(leader) = &self.role else { return };
        let matched = leader
            .progress
            .iter()
            .enumerate()
            .map(|(id, progress)| if id == me.get() { last } else { progress.matched() });
        let index = replicated_on_majority(matched);
        if index <= self.commit {
            return;
        }
        if self.term_at(index) == Some(self.term()) {
            let earlier = self.term_at(self.commit.next()) != Some(self.term());
            self.mark_if(earlier, Mark::CommitsEarlierTerms);
            let bytes = self.command_bytes(self.commit, index);
            self.commit = index;
            if let Role::Leader(leader) = &mut self.role {
                leader.uncommitted_bytes = leader.uncommitted_bytes.saturating_sub(bytes);
            }
            self.plan_spreading_commit();
        } else {
            self.marks.insert(Mark::CommitWaits);
        }
    }

    /// Sends what a follower still needs, as soon as what is in flight allows it.
    fn send_if_ready(&mut self, peer: ServerId, effects: &mut Effects) {
        let last = self.last().index;
        let (now, timing) = (self.now, self.config.timing);
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress.get_mut(peer.get()) else { return };
        let new = if progress.latest().is_some() { progress.next() <= last } else { true };
        if !new || progress.matched() >= last || progress.is_silent() {
            return;
        }
        match progress.send_at(&timing) {
            at if at <= now => self.send_next(peer, effects),
            at => leader.pipeline_at = leader.pipeline_at.min(at),
        }
    }

    /// Sends the next entries, or the snapshot if the log no longer has them; an empty
    /// AppendEntries if the follower has all.
    fn send_next(&mut self, peer: ServerId, effects: &mut Effects) {
        let Some(progress) = self.progress_mut(peer) else { return };
        let (resume, matched) = (progress.next(), progress.matched());
        let Some(prev) = self.durable.log().position_at(resume.prev()) else {
            return self.send_snapshot(peer, resume, effects);
        };
        let Config { batch_entries, batch_bytes, .. } = self.config;
        let entries = self.durable.log().batch(resume, batch_entries.max(1), batch_bytes);
        let last_index = prev.index + entries.len();
        let last = LogPosition {
            index: last_index,
            term: entries.last().map_or(prev.term, |entry| entry.term),
        };
        let number = self.send_append(peer, prev, entries, effects);
        if last_index > matched {
            let request = InFlight { number, sent_at: self.now, resume, last, is_snapshot: false };
            self.progress_mut(peer).expect("still leader").send(request);
        }
    }

    /// Sends the whole snapshot (§7: "when the leader has already discarded the next log entry").
    fn send_snapshot(&mut self, peer: ServerId, resume: Index, effects: &mut Effects) {
        let snapshot = self.snapshot().expect("a log without its beginning has a snapshot").clone();
        let last = snapshot.last;
        self.marks.insert(Mark::SnapshotSent);
        let args = InstallSnapshotArgs { term: self.term(), leader: self.config.id, snapshot };
        let number = self.call(peer, SentWhat::Snapshot { last }, Request::Snapshot(args), effects);
        let heartbeat_due = self.now + self.config.timing.heartbeat;
        let sent_at = self.now;
        let progress = self.progress_mut(peer).expect("still leader");
        progress.heartbeat_due = heartbeat_due;
        progress.send(InFlight { number, sent_at, resume, last, is_snapshot: true });
    }

    /// Sends an empty AppendEntries. While something is in flight that is not overdue, it asks
    /// about the last entry in flight: if that answer was lost, this one replaces it; if the
    /// request was lost, this one is rejected. To a silent follower it asks about the entry before
    /// `next`, or the end of the snapshot if the log does not reach back so far.
    pub(super) fn send_heartbeat(&mut self, peer: ServerId, effects: &mut Effects) {
        let (now, timing) = (self.now, self.config.timing);
        let Some(progress) = self.progress_mut(peer) else { return };
        progress.give_up_overdue(now, &timing);
        let prev = if let Some(latest) = progress.latest() {
            latest.last
        } else if progress.is_silent() {
            let prev = progress.next().prev().max(self.base().index);
            self.durable.log().position_at(prev).expect("the log has what is before `next`")
        } else {
            return self.send_next(peer, effects);
        };
        self.send_append(peer, prev, Vec::new(), effects);
    }

    /// Sends the commit index to followers that have committed entries without knowing it.
    fn spread_commit(&mut self, effects: &mut Effects) {
        let commit = self.commit;
        let (now, timing) = (self.now, self.config.timing);
        for peer in self.peers() {
            let Some(progress) = self.progress_mut(peer) else { return };
            if progress.is_ready(now, &timing)
                && progress.told_commit < commit.min(progress.matched())
            {
                self.send_next(peer, effects);
            }
        }
    }

    /// Sets the time for `spread_commit`, if a follower needs it and it is not set.
    fn plan_spreading_commit(&mut self) {
        let at = self.now + self.config.timing.spread_commit;
        let (me, commit) = (self.config.id, self.commit);
        let Role::Leader(leader) = &mut self.role else { return };
        let mut others = leader.progress.iter().enumerate().filter(|(id, _)| *id != me.get());
        if leader.spread_at == Time::NEVER
            && others.any(|(_, progress)| progress.told_commit < commit.min(progress.matched()))
        {
            leader.spread_at = at;
        }
    }

    /// Sends one AppendEntries and records what it carries. Returns its number.
    fn send_append(
        &mut self,
        peer: ServerId,
        prev: LogPosition,
        entries: Vec<Entry>,
        effects: &mut Effects,
    ) -> u64 {
        let last = prev.index + entries.len();
        let leader_commit = self.commit;
        let args = AppendEntriesArgs {
            term: self.term(),
            leader: self.config.id,
            prev,
            entries,
            leader_commit,
        };
        let what = SentWhat::Append { prev: prev.index, last };
        let number = self.call(peer, what, Request::Append(args), effects);
        let heartbeat_due = self.now + self.config.timing.heartbeat;
        if let Some(progress) = self.progress_mut(peer) {
            progress.heartbeat_due = heartbeat_due;
            progress.told_commit = progress.told_commit.max(leader_commit.min(last));
        }
        number
    }

    pub(super) fn progress_mut(&mut self, peer: ServerId) -> Option<&mut Progress> {
        match &mut self.role {
            Role::Leader(leader) => leader.progress.get_mut(peer.get()),
            _ => None,
        }
    }
}
