//! Raft's rules and nothing else: Figure 2 of the paper and Section 7 as a state machine.
//!
//! ```text
//!                     ┌──────────────────────────┐    save     → disk      first
//!   now, event, dice ─►  Node::step              ├─►  reply,
//!                     │  no clock, thread, I/O,  │    messages → network   then
//!                     │  lock or randomness      │    install,
//!                     └──────────────────────────┘    committed → service  last
//! ```
//!
//! The same inputs always give the same outputs. The order in which [`Effects`] are carried out is
//! the order of their fields; whoever drives a [`Node`] needs no other knowledge of Raft:
//!
//! ```
//! use raft_core::consensus::{Config, Event, Node, RoleKind};
//! use raft_core::timing::Time;
//! use raft_core::types::{Command, ServerId};
//!
//! // A group of one elects itself and commits alone.
//! let mut dice = |low: u64, _high: u64| low;
//! let mut node = Node::new(Config::new(ServerId::new(0), 1), Time::ZERO, &mut dice)?;
//! let effects = node.step(node.wake_at(), Event::Tick, &mut dice);
//! assert_eq!(effects.new_role, Some(RoleKind::Leader));
//! assert!(effects.save.header, "its vote for itself is to be saved");
//!
//! let effects = node.step(node.wake_at(), Event::Propose(Command::from("x := 1")), &mut dice);
//! let (first, last) = effects.committed.expect("a majority of one has it");
//! assert_eq!(first, last);
//! assert_eq!(&node.entry(first).expect("in the log").command[..], b"x := 1");
//! # Ok::<(), raft_core::consensus::RestoreError>(())
//! ```
//!
//! # Where to find what
//!
//! | of the paper | here |
//! |---|---|
//! | Figure 2, State | `durable` (persistent), [`Node`] (volatile), `progress` (leaders') |
//! | Figure 2, Rules for Servers | `step` below (all servers), `follower`, `candidate`, `leader` |
//! | Figure 2, RPCs: receiver implementation | `follower` (all three start there), `snapshot` |
//! | §5.3, log matching, backing up by terms | `log`, `progress` |
//! | §5.3 and §5.4.2, commit | `quorum`, `leader` |
//! | §7, Figure 13 | `snapshot` |
//! | §8, read-only operations | `read` |
//! | Figure 3, properties | `invariants` (one server's share of them) |
//!
//! `docs/FIGURE2.md` lists every rule with its function and its test.
//!
//! # Left out on purpose
//!
//! - The no-op entry at the start of a term (§8): the labs count indexes from 1 without gaps. So
//!   entries of earlier terms commit with the first command of the new one.
//! - Membership changes (§6), and snapshots in chunks (Figure 13's `offset` and `done`).

mod candidate;
mod durable;
mod effects;
mod event;
mod follower;
mod invariants;
mod leader;
mod log;
mod progress;
mod quorum;
mod read;
mod snapshot;

pub use durable::{RestoreError, Saved};
pub use effects::{Effects, LogWrite, Outgoing, Save};
pub use event::{Event, Sent};
pub use read::ReadRefused;

use candidate::Candidate;
use durable::Durable;
use event::SentWhat;
use follower::Follower;
use leader::Leader;

use crate::marks::{Mark, Marks};
use crate::messages::{
    AppendEntriesReply, AppendOutcome, InstallSnapshotReply, Reply, Request, RequestVoteReply,
    VoteKind,
};
use crate::timing::{Dice, Time, Timing};
use crate::types::{Entry, Index, LogPosition, ServerId, Snapshot, Term};

/// The configuration of a server, fixed at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    pub id: ServerId,
    /// How many servers the group has, this one included; their ids are 0 and up.
    pub servers: u32,
    /// The intervals.
    pub timing: Timing,
    /// Which rules beyond the paper's are in force.
    pub rules: Rules,
    /// Whether saves become durable later than the step that hands them out, as `Event::Saved`
    /// reports. If not, every save counts as durable when its step ends.
    pub delayed_saves: bool,
    /// A leader rejects commands when so many of its entries are not committed…
    pub max_uncommitted_entries: usize,
    /// … or so many bytes of commands. One command is accepted whatever its size.
    pub max_uncommitted_bytes: usize,
    /// At most so many entries in one message…
    pub batch_entries: usize,
    /// … and so many bytes of commands, unless a single command is larger. Keeps a message
    /// bounded while a follower that was away for long catches up.
    pub batch_bytes: usize,
}

/// Rules of Ongaro's dissertation that go beyond the paper. They are on by default: without them a
/// group stops serving under faults that leave a majority healthy and connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    /// A server enters a new term only if a majority would vote for it (§9.6), so a server that
    /// cannot win does not depose a leader that serves.
    pub pre_vote: bool,
    /// A leader that has not heard from a majority for the longest election timeout steps down, and
    /// a server that hears a leader rejects votes for others (§4.2.3, §6.2).
    pub check_quorum: bool,
}

impl Rules {
    /// The rules of the paper's Figure 2 alone.
    pub const PAPER: Rules = Rules { pre_vote: false, check_quorum: false };
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { pre_vote: true, check_quorum: true }
    }
}

impl Config {
    /// The usual intervals and limits, and the rules of the paper alone.
    pub fn paper(id: ServerId, servers: u32) -> Config {
        Config { rules: Rules::PAPER, ..Config::new(id, servers) }
    }

    /// The usual intervals, limits and rules.
    pub fn new(id: ServerId, servers: u32) -> Config {
        Config {
            id,
            servers,
            timing: Timing::default(),
            rules: Rules::default(),
            delayed_saves: false,
            max_uncommitted_entries: 100_000,
            max_uncommitted_bytes: 64 * 1024 * 1024,
            batch_entries: 1024,
            batch_bytes: 64 * 1024,
        }
    }
}

/// One server: all of Figure 2's state and its rules.
///
/// Invariants, checked after every step in debug builds: `base <= applied <= commit <= last`; term,
/// commit, applied and base never fall.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    config: Config,
    /// Term, vote, log, snapshot: what survives a crash.
    durable: Durable,
    /// Highest index known to be committed. Never falls while the server runs; starts at the end
    /// of the snapshot, as nothing else is known after a crash.
    commit: Index,
    /// Highest index handed out for applying. Catches up with `commit` at the end of every step.
    applied: Index,
    role: Role,
    /// When to start an election. Not meaningful on a leader.
    election_due: Time,
    /// This role's election timeout, in ticks; drawn when it begins (§5.2).
    election_timeout: u64,
    /// When this server last heard the leader of a term that it was in. No meaning on a leader.
    leader_heard: Time,
    /// The time of the last step. Never falls.
    now: Time,
    /// Number of the next request to another server.
    next_number: u64,
    /// What this step has reached; empty between steps.
    marks: Marks,
}

// A node is a plain value: a search over all states copies, compares and hashes nodes.
const _: fn() = || {
    fn is_value<T: Clone + Eq + std::hash::Hash>() {}
    is_value::<Node>();
};

/// What a server is in its current term (§5.1, Figure 4), with what only that role knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Role {
    Follower(Follower),
    Candidate(Candidate),
    Leader(Leader),
}

/// A role's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoleKind {
    /// Answers; runs for leader when it hears nothing.
    Follower,
    /// Asks whether it would win an election; has not entered a new term (dissertation §9.6).
    PreCandidate,
    /// Gathers votes.
    Candidate,
    /// Takes commands and replicates them.
    Leader,
}

/// What a leader knows of one follower: Figure 2's volatile state on leaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProgressView {
    /// "matchIndex".
    pub matched: Index,
    /// "nextIndex".
    pub next: Index,
    /// Whether entries, a probe or a snapshot are on their way.
    pub outstanding: bool,
}

/// The numbers of one server at one moment, for logs, tests and checkers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    pub id: ServerId,
    /// Its role.
    pub role: RoleKind,
    /// "currentTerm".
    pub term: Term,
    /// "votedFor".
    pub voted_for: Option<ServerId>,
    /// "commitIndex".
    pub commit: Index,
    /// "lastApplied".
    pub applied: Index,
    /// The end of the snapshot.
    pub base: LogPosition,
    /// The end of the log.
    pub last: LogPosition,
}

impl Node {
    /// A server that never ran: term 0, no vote, an empty log.
    ///
    /// # Errors
    ///
    /// The configuration contradicts itself.
    pub fn new(config: Config, now: Time, dice: &mut dyn Dice) -> Result<Node, RestoreError> {
        Node::restore(config, Saved::default(), now, dice)
    }

    /// A server that comes back with what it had saved, as a follower. What the snapshot covers
    /// counts as committed and as handed out: the service starts from the snapshot itself.
    ///
    /// # Errors
    ///
    /// The saved state or the configuration contradicts itself. Do not start the server: a server
    /// that forgets a vote or an entry makes others lose committed entries.
    pub fn restore(
        config: Config,
        saved: Saved,
        now: Time,
        dice: &mut dyn Dice,
    ) -> Result<Node, RestoreError> {
        let Config { id, servers, .. } = config;
        config.timing.validate().map_err(RestoreError::Timing)?;
        if id.get() >= servers as usize {
            return Err(RestoreError::NotAMember { id, servers });
        }
        if let Some(voted_for) = saved.voted_for
            && voted_for.get() >= servers as usize
        {
            return Err(RestoreError::UnknownVote { voted_for, servers });
        }
        let durable = Durable::restore(saved)?;
        let base = durable.log().base().index;
        let election_timeout = config.timing.draw_election_timeout(dice);
        let node = Node {
            config,
            durable,
            commit: base,
            applied: base,
            role: Role::Follower(Follower::default()),
            election_due: now + election_timeout,
            election_timeout,
            leader_heard: Time::ZERO,
            now,
            next_number: 0,
            marks: Marks::default(),
        };
        node.check_whole_log();
        Ok(node)
    }

    /// Handles one event. `now` is the present time; a time before that of an earlier step counts
    /// as the time of that step.
    pub fn step(&mut self, now: Time, event: Event, dice: &mut dyn Dice) -> Effects {
        self.now = self.now.max(now);
        let before = self.view();
        let mut effects = Effects::default();
        match event {
            Event::Tick => self.tick(&mut effects, dice),
            Event::Propose(command) => self.propose(command, &mut effects),
            Event::Read => self.read(&mut effects),
            Event::Request(request) => self.answer(request, &mut effects, dice),
            Event::Reply { from, sent, reply } => {
                self.take_reply(from, sent, reply, &mut effects, dice)
            }
            Event::Failed { from, sent } => self.take_failure(from, sent, &mut effects),
            Event::Saved { number } => {
                self.durable.saved(number);
                self.advance_commit();
            }
            Event::SnapshotTaken { index, data } => self.take_snapshot(index, data),
        }
        self.finish(before, &mut effects);
        effects
    }

    /// Save `number` and all before it are on the disk, as [`Event::Saved`] says. For a driver that
    /// has just written the save of a step: a server that does not lead has nothing else to do
    /// then. Returns whether the caller has to take the step `Event::Saved`, too.
    pub fn note_saved(&mut self, number: u64) -> bool {
        self.durable.saved(number);
        self.is_leader()
    }

    /// When the next `Event::Tick` is due; moves with every step.
    pub fn wake_at(&self) -> Time {
        match &self.role {
            Role::Follower(_) => self.election_due,
            Role::Candidate(candidate) => self.election_due.min(candidate.ask_again_at),
            Role::Leader(leader) => leader.wake_at(&self.config),
        }
    }

    fn tick(&mut self, effects: &mut Effects, dice: &mut dyn Dice) {
        match &self.role {
            Role::Leader(_) => self.tick_leader(effects, dice),
            // Followers and candidates: election timeout elapses (§5.2).
            _ if self.now >= self.election_due => self.run_for_leader(effects, dice),
            Role::Candidate(_) => self.ask_for_votes_again(effects),
            Role::Follower(_) => {}
        }
    }

    /// Answers another server. A higher term makes this server a follower first (Figure 2, All
    /// Servers); a lower one is refused, whatever is asked.
    ///
    /// Pre-votes and votes against a live leader change no term.
    fn answer(&mut self, request: Request, effects: &mut Effects, dice: &mut dyn Dice) {
        let from_peer = self.is_peer(request.from());
        if let Request::Vote(args) = &request {
            let pre_vote = args.kind == VoteKind::PreVote;
            if pre_vote || from_peer && args.term > self.term() && self.is_kept_by_leader(args) {
                self.mark_if(!pre_vote, Mark::VoteRefusedLiveLeader);
                let granted = pre_vote && from_peer && self.grant_pre_vote(args);
                effects.reply = Some(Reply::Vote(RequestVoteReply { term: self.term(), granted }));
                return;
            }
        }
        if from_peer && request.term() > self.term() {
            self.mark_if(self.is_leader(), Mark::LeaderDeposedByRequest);
            self.become_follower(request.term(), dice);
        }
        let stale = request.term() < self.term() || !from_peer;
        self.mark_if(stale, Mark::StaleRequest);
        let term = self.term();
        effects.reply = Some(match request {
            Request::Vote(args) => {
                let granted = !stale && self.grant_vote(&args);
                Reply::Vote(RequestVoteReply { term, granted })
            }
            Request::Append(args) => {
                let outcome =
                    if stale { AppendOutcome::StaleTerm } else { self.append_entries(args, dice) };
                Reply::Append(AppendEntriesReply { term, outcome })
            }
            Request::Snapshot(args) => {
                if !stale {
                    self.install_snapshot(args, effects, dice);
                }
                Reply::Snapshot(InstallSnapshotReply { term })
            }
        });
    }

    /// Takes an answer. It counts only if it answers a request of the current term, and says
    /// something about this term; its role must still be the one that asked.
    fn take_reply(
        &mut self,
        from: ServerId,
        sent: Sent,
        reply: Reply,
        effects: &mut Effects,
        dice: &mut dyn Dice,
    ) {
        if !self.is_peer(from) {
            return;
        }
        if reply.term() > self.term() {
            self.mark_if(self.is_leader(), Mark::LeaderDeposedByReply);
            return self.become_follower(reply.term(), dice);
        }
        if let (SentWhat::PreVote, Reply::Vote(reply)) = (sent.what, &reply) {
            // The answer comes from a server that has not entered the term that was asked about.
            if sent.term == self.term() {
                self.take_pre_vote(from, sent.number, reply.granted, effects, dice);
            }
            return;
        }
        if sent.term != self.term() || reply.term() != self.term() {
            self.marks.insert(Mark::StaleReply);
            return;
        }
        self.note_contact(from, sent.number);
        match (sent.what, reply) {
            (SentWhat::Vote, Reply::Vote(reply)) => {
                self.take_vote(from, sent.number, reply.granted, effects);
            }
            (SentWhat::Append { prev, last }, Reply::Append(reply)) => {
                self.take_append_outcome(from, sent.number, prev, last, reply.outcome, effects);
                self.note_answer(from, sent.number, effects);
            }
            (SentWhat::Snapshot { last }, Reply::Snapshot(_)) => {
                self.take_match(from, last.index, effects);
                self.note_answer(from, sent.number, effects);
            }
            // An answer of another kind than the request: no server of ours sends it.
            _ => {}
        }
    }

    fn take_failure(&mut self, from: ServerId, sent: Sent, effects: &mut Effects) {
        // A vote that was not answered is asked for again in time; a heartbeat too.
        if self.is_peer(from) && sent.term == self.term() {
            self.take_lost_request(from, sent.number, effects);
        }
    }

    /// Becomes a follower in `term`, which is this one or a later one (Figure 2, All Servers and
    /// Candidates). The election timer goes on: only hearing from a leader or giving a vote
    /// restarts it. A leader, who had none, starts one.
    fn become_follower(&mut self, term: Term, dice: &mut dyn Dice) {
        if term > self.term() {
            self.durable.enter_term(term);
        }
        if matches!(self.role, Role::Leader(_)) {
            self.election_timeout = self.config.timing.draw_election_timeout(dice);
            self.restart_election_timer();
        }
        self.role = Role::Follower(Follower::default());
    }

    /// Whether a save has not become durable for so long that the disk must be taken for stuck.
    fn disk_is_stuck(&self) -> bool {
        let since = self.durable.waits_for_disk_since();
        since.is_some_and(|since| self.now.since(since) >= self.config.timing.disk_patience)
    }

    fn mark_if(&mut self, reached: bool, mark: Mark) {
        if reached {
            self.marks.insert(mark);
        }
    }

    fn restart_election_timer(&mut self) {
        self.election_due = self.now + self.election_timeout;
    }

    /// Whatever happened: notes what is to be saved and what became committed.
    fn finish(&mut self, before: View, effects: &mut Effects) {
        effects.marks = std::mem::take(&mut self.marks);
        effects.save = self.durable.take_save(self.now);
        effects.save_number = self.durable.saves();
        if !self.config.delayed_saves {
            self.durable.saved(effects.save_number);
        }
        // A snapshot beyond what was handed out can only be the leader's.
        let base = self.base().index;
        if self.applied < base {
            effects.install = self.snapshot().cloned();
            self.applied = base;
        }
        if self.applied < self.commit {
            effects.committed = Some((self.applied.next(), self.commit));
            self.applied = self.commit;
        }
        let role = self.role();
        let restarted = role == RoleKind::Candidate && self.term() != before.term;
        effects.new_role = (role != before.role || restarted).then_some(role);
        self.check(&before);
    }

    /// Adds a request to the effects. Returns its number.
    fn call(
        &mut self,
        to: ServerId,
        what: SentWhat,
        request: Request,
        effects: &mut Effects,
    ) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        let sent = Sent { term: self.term(), number, what };
        effects.messages.push(Outgoing { to, request, sent });
        number
    }

    /// The other servers.
    fn peers(&self) -> impl Iterator<Item = ServerId> + use<> {
        let me = self.config.id;
        (0..self.config.servers).map(ServerId::new).filter(move |&id| id != me)
    }

    fn is_peer(&self, id: ServerId) -> bool {
        id != self.config.id && id.get() < self.config.servers as usize
    }
}

/// Accessors for drivers, tests and checkers.
impl Node {
    /// This server.
    pub fn id(&self) -> ServerId {
        self.config.id
    }

    /// What it was told at its start.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its role in [`term`](Node::term).
    pub fn role(&self) -> RoleKind {
        match &self.role {
            Role::Follower(_) => RoleKind::Follower,
            Role::Candidate(candidate) if candidate.kind == VoteKind::PreVote => {
                RoleKind::PreCandidate
            }
            Role::Candidate(_) => RoleKind::Candidate,
            Role::Leader(_) => RoleKind::Leader,
        }
    }

    /// Whether it believes that it leads.
    pub fn is_leader(&self) -> bool {
        self.role() == RoleKind::Leader
    }

    /// Who leads the current term, if this server knows.
    pub fn leader(&self) -> Option<ServerId> {
        match &self.role {
            Role::Follower(follower) => follower.leader,
            Role::Candidate(_) => None,
            Role::Leader(_) => Some(self.config.id),
        }
    }

    /// "currentTerm".
    pub fn term(&self) -> Term {
        self.durable.term()
    }

    /// "votedFor".
    pub fn voted_for(&self) -> Option<ServerId> {
        self.durable.voted_for()
    }

    /// "commitIndex".
    pub fn commit(&self) -> Index {
        self.commit
    }

    /// "lastApplied": the highest index handed out in [`Effects`].
    pub fn applied(&self) -> Index {
        self.applied
    }

    /// The position before the first entry of the log: the end of the snapshot.
    pub fn base(&self) -> LogPosition {
        self.durable.log().base()
    }

    /// The last entry's position; the base if there is none.
    pub fn last(&self) -> LogPosition {
        self.durable.log().last()
    }

    /// The entry at `index`; `None` if it is in the snapshot or does not exist.
    pub fn entry(&self, index: Index) -> Option<&Entry> {
        self.durable.log().entry(index)
    }

    /// The term of the entry at `index`, which may be the base.
    pub fn term_at(&self, index: Index) -> Option<Term> {
        self.durable.log().term_at(index)
    }

    /// All entries after the base, with their indexes.
    pub fn entries(&self) -> impl Iterator<Item = (Index, &Entry)> {
        self.durable.log().iter()
    }

    /// The snapshot, if there is one; it ends at the base.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.durable.snapshot()
    }

    /// The last entry that is on the disk, as far as the driver has reported it.
    pub fn durable_last(&self) -> Index {
        if self.config.delayed_saves { self.durable.durable_last() } else { self.last().index }
    }

    /// On a leader: what it knows of a follower.
    pub fn progress(&self, peer: ServerId) -> Option<ProgressView> {
        let Role::Leader(leader) = &self.role else { return None };
        if !self.is_peer(peer) {
            return None;
        }
        leader.progress.get(peer.get()).map(|progress| ProgressView {
            matched: progress.matched(),
            next: progress.next(),
            outstanding: progress.latest().is_some(),
        })
    }

    /// The state of the server as numbers, in one value.
    pub fn view(&self) -> View {
        View {
            id: self.config.id,
            role: self.role(),
            term: self.term(),
            voted_for: self.voted_for(),
            commit: self.commit,
            applied: self.applied,
            base: self.base(),
            last: self.last(),
        }
    }
}
