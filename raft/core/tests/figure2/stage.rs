//! The props of the scenes: a server with a given log, other servers' messages, short names.
//!
//! Logs are written as lists of terms, as the paper draws them: `[1, 1, 2]` has entries of term 1
//! at indexes 1 and 2 and one of term 2 at index 3.

use std::sync::Arc;

use raft_core::consensus::{Config, Effects, Event, Node, Outgoing, RoleKind, Saved};
use raft_core::messages::{
    AppendEntriesArgs, AppendEntriesReply, AppendOutcome, InstallSnapshotArgs,
    InstallSnapshotReply, Reply, Request, RequestVoteArgs, RequestVoteReply, VoteKind,
};
use raft_core::timing::{Dice, Time};
use raft_core::types::{Command, Entry, Index, LogPosition, ServerId, Snapshot, Term};

use crate::disk::Disk;

pub const HEARTBEAT: u64 = 100;
pub const ELECTION: u64 = 300;

/// Dice that always fall low: every election timeout is `ELECTION`.
pub fn low_dice() -> impl Dice {
    |low: u64, _high: u64| low
}

pub fn id(number: u32) -> ServerId {
    ServerId::new(number)
}

pub fn ix(number: u64) -> Index {
    Index::new(number)
}

pub fn term(number: u64) -> Term {
    Term::new(number)
}

/// Position `index@term`.
pub fn at(index: u64, of_term: u64) -> LogPosition {
    LogPosition { index: ix(index), term: term(of_term) }
}

/// The entry that every log has at that position: index and term determine it (Log Matching).
pub fn entry(index: u64, of_term: u64) -> Entry {
    Entry { term: term(of_term), command: Command::from(format!("{index}@{of_term}").as_str()) }
}

/// Entries of these terms, the first at `first`.
pub fn entries(first: u64, terms: &[u64]) -> Vec<Entry> {
    terms.iter().zip(first..).map(|(&of_term, index)| entry(index, of_term)).collect()
}

pub fn snapshot(index: u64, of_term: u64) -> Snapshot {
    Snapshot { last: at(index, of_term), data: snapshot_bytes(index) }
}

pub fn snapshot_bytes(index: u64) -> Arc<Vec<u8>> {
    format!("state at {index}").into_bytes().into()
}

/// A saved log of these terms, in the term of its last entry, without a vote.
pub fn saved(terms: &[u64]) -> Saved {
    Saved {
        term: term(terms.last().copied().unwrap_or(0)),
        entries: entries(1, terms),
        ..Saved::default()
    }
}

/// The server the scene is about, with its disk and what its service was given.
pub struct Actor {
    pub node: Node,
    pub disk: Disk,
    pub now: Time,
    /// Indexes handed to the service: entries as they are, snapshots as their last index.
    pub applied: Vec<Given>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    Entry(u64, u64),
    Snapshot(u64),
}

impl Actor {
    pub fn start(number: u32, servers: u32, saved: Saved) -> Actor {
        Actor::start_with(Config::paper(id(number), servers), saved)
    }

    pub fn start_with(config: Config, saved: Saved) -> Actor {
        let disk = Disk::from(saved.clone());
        let node = Node::restore(config, saved, Time::ZERO, &mut low_dice()).expect("sound state");
        Actor { node, disk, now: Time::ZERO, applied: Vec::new() }
    }

    /// Server 0 of three, a follower with this log, in the term of its last entry.
    pub fn follower(terms: &[u64]) -> Actor {
        Actor::start(0, 3, saved(terms))
    }

    /// Server 0, candidate in the term after that of its last entry, with the requests it sent.
    pub fn candidate(servers: u32, terms: &[u64]) -> (Actor, Effects) {
        let mut actor = Actor::start(0, servers, saved(terms));
        let effects = actor.time_out();
        assert_eq!(actor.node.role(), RoleKind::Candidate);
        (actor, effects)
    }

    /// Server 0, elected in the term after that of its last entry, with the messages it sent on
    /// taking office, which nobody has answered.
    pub fn leader(servers: u32, terms: &[u64]) -> (Actor, Effects) {
        let (mut actor, mut effects) = Actor::candidate(servers, terms);
        for peer in 1..=servers / 2 {
            let asked = to(&effects, peer).clone();
            let elected = actor.reply(&asked, vote_reply(actor.node.term().get(), true));
            if actor.node.is_leader() {
                effects = elected;
            }
        }
        assert!(actor.node.is_leader());
        (actor, effects)
    }

    /// A leader whose followers have answered that their logs equal its own.
    pub fn leader_of_equals(servers: u32, terms: &[u64]) -> Actor {
        let (mut actor, elected) = Actor::leader(servers, terms);
        for call in &elected.messages {
            actor.matched(call);
        }
        actor
    }

    /// Lets something happen, and carries out what it leads to except for the messages.
    pub fn step(&mut self, event: Event) -> Effects {
        let effects = self.node.step(self.now, event, &mut low_dice());
        self.disk.write_snapshot(&self.node, &effects.save);
        self.disk.write_state(&self.node, &effects.save);
        self.disk.check_holds(&self.node);
        self.node.check_whole_log();
        if let Some(snapshot) = &effects.install {
            self.applied.push(Given::Snapshot(snapshot.last.index.get()));
        }
        if let Some((first, last)) = effects.committed {
            for index in first.get()..=last.get() {
                let entry = self.node.entry(ix(index)).expect("committed entries can be read");
                self.applied.push(Given::Entry(index, entry.term.get()));
            }
        }
        effects
    }

    /// Another server asks; returns the answer.
    pub fn ask(&mut self, request: Request) -> Reply {
        self.step(Event::Request(request)).reply.expect("every request has an answer")
    }

    pub fn ask_append(&mut self, request: Request) -> AppendOutcome {
        match self.ask(request) {
            Reply::Append(AppendEntriesReply { outcome, .. }) => outcome,
            other => panic!("another kind of answer: {other:?}"),
        }
    }

    pub fn ask_vote(&mut self, request: Request) -> bool {
        match self.ask(request) {
            Reply::Vote(RequestVoteReply { granted, .. }) => granted,
            other => panic!("another kind of answer: {other:?}"),
        }
    }

    /// An answer to a call of this server arrives.
    pub fn reply(&mut self, call: &Outgoing, reply: Reply) -> Effects {
        self.step(Event::Reply { from: call.to, sent: call.sent, reply })
    }

    /// The follower took what the call brought.
    pub fn matched(&mut self, call: &Outgoing) -> Effects {
        let of_term = call.request.term().get();
        self.reply(call, append_reply(of_term, AppendOutcome::Matched))
    }

    /// The follower refused it.
    pub fn refused(&mut self, call: &Outgoing, outcome: AppendOutcome) -> Effects {
        let of_term = call.request.term().get();
        self.reply(call, append_reply(of_term, outcome))
    }

    pub fn failed(&mut self, call: &Outgoing) -> Effects {
        self.step(Event::Failed { from: call.to, sent: call.sent })
    }

    pub fn propose(&mut self, text: &str) -> Effects {
        self.step(Event::Propose(Command::from(text)))
    }

    /// Lets time pass, without a tick.
    pub fn wait(&mut self, ticks: u64) {
        self.now = self.now + ticks;
    }

    /// Lets time pass, with a tick at its end.
    pub fn tick_after(&mut self, ticks: u64) -> Effects {
        self.wait(ticks);
        self.step(Event::Tick)
    }

    /// The election timeout passes in silence.
    pub fn time_out(&mut self) -> Effects {
        self.tick_after(ELECTION)
    }

    /// Crashes and comes back with what is on the disk.
    pub fn restart(&mut self) {
        self.node = Node::restore(*self.node.config(), self.disk.read(), self.now, &mut low_dice())
            .expect("what was saved can be restored");
        self.applied.clear();
    }

    pub fn role(&self) -> RoleKind {
        self.node.role()
    }

    /// The terms of the log after the snapshot.
    pub fn terms(&self) -> Vec<u64> {
        self.node.entries().map(|(_, entry)| entry.term.get()).collect()
    }

    pub fn matched_of(&self, peer: u32) -> u64 {
        self.node.progress(id(peer)).expect("a leader").matched.get()
    }

    pub fn next_of(&self, peer: u32) -> u64 {
        self.node.progress(id(peer)).expect("a leader").next.get()
    }
}

/// The one call to a server among the effects.
pub fn to(effects: &Effects, peer: u32) -> &Outgoing {
    let mut calls = effects.messages.iter().filter(|call| call.to == id(peer));
    let call = calls.next().unwrap_or_else(|| panic!("no call to {peer}: {effects:?}"));
    assert!(calls.next().is_none(), "more than one call to {peer}: {effects:?}");
    call
}

pub fn is_silent_to(effects: &Effects, peer: u32) -> bool {
    effects.messages.iter().all(|call| call.to != id(peer))
}

/// The AppendEntries in a call.
pub fn append_in(call: &Outgoing) -> &AppendEntriesArgs {
    match &call.request {
        Request::Append(args) => args,
        other => panic!("not an AppendEntries: {other:?}"),
    }
}

/// The terms of the entries in a call.
pub fn terms_in(call: &Outgoing) -> Vec<u64> {
    append_in(call).entries.iter().map(|entry| entry.term.get()).collect()
}

pub fn snapshot_in(call: &Outgoing) -> &Snapshot {
    match &call.request {
        Request::Snapshot(args) => &args.snapshot,
        other => panic!("not an InstallSnapshot: {other:?}"),
    }
}

pub fn vote(of_term: u64, candidate: u32, last: LogPosition) -> Request {
    Request::Vote(RequestVoteArgs {
        term: term(of_term),
        candidate: id(candidate),
        last,
        kind: VoteKind::Vote,
    })
}

/// Entries from server 1, leader of that term.
pub fn append(of_term: u64, prev: LogPosition, terms: &[u64], commit: u64) -> Request {
    Request::Append(AppendEntriesArgs {
        term: term(of_term),
        leader: id(1),
        prev,
        entries: entries(prev.index.get() + 1, terms),
        leader_commit: ix(commit),
    })
}

/// A snapshot from server 1, leader of that term.
pub fn install(of_term: u64, index: u64, last_term: u64) -> Request {
    Request::Snapshot(InstallSnapshotArgs {
        term: term(of_term),
        leader: id(1),
        snapshot: snapshot(index, last_term),
    })
}

pub fn vote_reply(of_term: u64, granted: bool) -> Reply {
    Reply::Vote(RequestVoteReply { term: term(of_term), granted })
}

pub fn append_reply(of_term: u64, outcome: AppendOutcome) -> Reply {
    Reply::Append(AppendEntriesReply { term: term(of_term), outcome })
}

pub fn snapshot_reply(of_term: u64) -> Reply {
    Reply::Snapshot(InstallSnapshotReply { term: term(of_term) })
}

pub fn taken(index: u64) -> Event {
    Event::SnapshotTaken { index: ix(index), data: snapshot_bytes(index) }
}
