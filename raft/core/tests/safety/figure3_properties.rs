//! Figure 3, "Raft guarantees that each of these properties is true at all times", seen from
//! outside over all servers of a group.
//!
//! The checker sees every step whose effects leave the server. It keeps its own records and shares
//! no code with what it checks.

use std::collections::BTreeMap;

use raft_core::consensus::{Effects, Node, RoleKind, View};
use raft_core::messages::{AppendOutcome, Reply, Request, VoteKind};
use raft_core::types::{Entry, Index, ServerId, Term};

use crate::disk::Disk;

#[derive(Default)]
pub struct Properties {
    /// Who led each term.
    leaders: BTreeMap<Term, ServerId>,
    /// What was ever in a log, with the term of the entry before it.
    entries: BTreeMap<(Index, Term), (Entry, Term)>,
    /// What was ever committed, from index 1, with the term in which it first was.
    committed: Vec<(Entry, Term)>,
    /// A digest of all commands up to each index, from index 0.
    digests: Vec<u64>,
    /// The log of each leader after its last step.
    leader_logs: BTreeMap<ServerId, (Term, BTreeMap<Index, Entry>)>,
    /// Whom each server told that it has its vote.
    votes: BTreeMap<(ServerId, Term), ServerId>,
    /// The numbers of each server after its last step, since it was started.
    before: BTreeMap<ServerId, View>,
    /// How often snapshots were installed.
    pub installed: usize,
    /// How often a log lost entries.
    pub truncated: usize,
}

impl Properties {
    /// A server was started: its commit index and role may have fallen.
    pub fn restarted(&mut self, node: &Node) {
        self.before.insert(node.id(), node.view());
        self.leader_logs.remove(&node.id());
        self.log_matching(node);
    }

    /// A server made a step and saved what it had to. `request` is what it answered.
    pub fn after_step(
        &mut self,
        node: &Node,
        disk: &Disk,
        request: Option<&Request>,
        effects: &Effects,
    ) {
        let view = node.view();
        if let Some(before) = self.before.insert(node.id(), view) {
            self.nothing_falls(&before, &view);
            let had = before.last.index.distance_from(before.base.index);
            let cut = effects.save.log.is_some_and(|write| write.keep < had);
            self.truncated += usize::from(cut);
        }
        self.election_safety(node);
        self.leader_append_only(node);
        self.log_matching(node);
        self.state_machine_safety(node, effects);
        self.leader_completeness(node);
        self.saved_before_shown(node, disk, request, effects);
    }

    /// All servers: what one step committed must be in the logs of all later leaders, also of those
    /// that were elected before.
    pub fn after_commit<'a>(&self, nodes: impl Iterator<Item = &'a Node>) {
        nodes.for_each(|node| self.leader_completeness(node));
    }

    pub fn committed(&self) -> usize {
        self.committed.len()
    }

    pub fn elections(&self) -> usize {
        self.leaders.len()
    }

    /// What a service is that applied everything up to `index`.
    pub fn digest_at(&self, index: Index) -> u64 {
        self.digests.get(index.get() as usize).copied().unwrap_or_default()
    }

    fn nothing_falls(&self, before: &View, now: &View) {
        assert!(now.term >= before.term, "a term falls: {before:?} to {now:?}");
        assert!(now.commit >= before.commit, "a commit index falls: {before:?} to {now:?}");
        assert!(now.applied >= before.applied, "an applied index falls: {before:?} to {now:?}");
    }

    /// "Election Safety: at most one leader can be elected in a given term." (§5.2)
    fn election_safety(&mut self, node: &Node) {
        if node.is_leader() {
            let leader = *self.leaders.entry(node.term()).or_insert(node.id());
            assert_eq!(leader, node.id(), "election safety broken: two leaders in {}", node.term());
        }
    }

    /// "Leader Append-Only: a leader never overwrites or deletes entries in its log; it only
    /// appends new entries." (§5.3)
    fn leader_append_only(&mut self, node: &Node) {
        if node.role() != RoleKind::Leader {
            self.leader_logs.remove(&node.id());
            return;
        }
        let log: BTreeMap<Index, Entry> =
            node.entries().map(|(index, entry)| (index, entry.clone())).collect();
        if let Some((term, before)) = self.leader_logs.get(&node.id())
            && *term == node.term()
        {
            for (index, entry) in before.range(node.base().index.next()..) {
                assert!(
                    log.get(index) == Some(entry),
                    "leader append-only broken: {} had {entry:?} at {index}, now {:?}",
                    node.id(),
                    log.get(index)
                );
            }
        }
        self.leader_logs.insert(node.id(), (node.term(), log));
    }

    /// "Log Matching: if two logs contain an entry with the same index and term, then the logs are
    /// identical in all entries up through the given index." (§5.3)
    ///
    /// Step by step from the entry to the one before it: equal entries have equal predecessors.
    fn log_matching(&mut self, node: &Node) {
        let mut prev = node.base().term;
        for (index, entry) in node.entries() {
            let known =
                self.entries.entry((index, entry.term)).or_insert_with(|| (entry.clone(), prev));
            assert!(
                known.0 == *entry && known.1 == prev,
                "log matching broken at {index} of {}: {entry:?} after {prev}, elsewhere {:?} \
                 after {}",
                node.id(),
                known.0,
                known.1
            );
            prev = entry.term;
        }
    }

    /// "State Machine Safety: if a server has applied a log entry at a given index to its state
    /// machine, no other server will ever apply a different log entry for the same index." (§5.4.3)
    ///
    /// Also: entries come in order, and a snapshot is the state that those entries lead to.
    fn state_machine_safety(&mut self, node: &Node, effects: &Effects) {
        if self.digests.is_empty() {
            self.digests.push(0);
        }
        if let Some(snapshot) = &effects.install {
            self.installed += 1;
            let index = snapshot.last.index;
            assert!(
                index.get() <= self.committed.len() as u64,
                "a snapshot of the future: {index}"
            );
            assert_eq!(
                *snapshot.data,
                self.digest_at(index).to_le_bytes(),
                "state machine safety broken: the snapshot at {index} is of another state"
            );
        }
        let Some((first, last)) = effects.committed else { return };
        let mut index = first;
        while index <= last {
            let entry = node.entry(index).expect("what is handed out can be read");
            let slot = index.get() as usize - 1;
            if slot == self.committed.len() {
                self.committed.push((entry.clone(), node.term()));
                self.digests.push(digest(self.digests[slot], entry));
            }
            let (known, since) = &mut self.committed[slot];
            assert!(
                known == entry,
                "state machine safety broken at {index}: {} applies {entry:?}, elsewhere {known:?}",
                node.id()
            );
            *since = node.term().min(*since);
            index = index.next();
        }
    }

    /// "Leader Completeness: if a log entry is committed in a given term, then that entry will be
    /// present in the logs of the leaders for all higher-numbered terms." (§5.4)
    fn leader_completeness(&self, node: &Node) {
        if !node.is_leader() {
            return;
        }
        let base = node.base().index.get() as usize;
        for (slot, (entry, since)) in self.committed.iter().enumerate().skip(base) {
            let index = Index::new(slot as u64 + 1);
            assert!(
                *since >= node.term() || node.entry(index) == Some(entry),
                "leader completeness broken: {} leads {} without {entry:?}, committed at {index} \
                 in {since}",
                node.id(),
                node.term()
            );
        }
    }

    /// Figure 2: "Updated on stable storage before responding to RPCs". What a message or an answer
    /// shows of a server is on its disk; and a vote goes to one candidate a term, restarts or not.
    fn saved_before_shown(
        &mut self,
        node: &Node,
        disk: &Disk,
        request: Option<&Request>,
        effects: &Effects,
    ) {
        // A pre-vote names a term that its sender has not entered.
        let is_pre_vote = |request: &Request| matches!(request, Request::Vote(args) if args.kind == VoteKind::PreVote);
        let calls = effects.messages.iter().filter(|call| !is_pre_vote(&call.request));
        let shown = calls.map(|call| call.request.term());
        for term in shown.chain(effects.reply.iter().map(Reply::term)) {
            assert!(disk.term() >= term, "{} shows {term}, saved is {}", node.id(), disk.term());
        }
        match (request, &effects.reply) {
            (Some(Request::Vote(asked)), Some(Reply::Vote(reply)))
                if reply.granted && asked.kind != VoteKind::PreVote =>
            {
                assert_eq!(disk.voted_for(), Some(asked.candidate), "a vote shown is saved");
                self.one_vote(node.id(), reply.term, asked.candidate);
            }
            (Some(Request::Append(asked)), Some(Reply::Append(reply)))
                if reply.outcome == AppendOutcome::Matched =>
            {
                let saved = disk.read();
                for (i, entry) in asked.entries.iter().enumerate() {
                    let index = asked.prev.index + i + 1;
                    if index > saved.base.index {
                        let slot = index.distance_from(saved.base.index) - 1;
                        assert_eq!(saved.entries.get(slot), Some(entry), "taken at {index}");
                    }
                }
            }
            _ => {}
        }
        for call in &effects.messages {
            if let Request::Vote(args) = &call.request
                && args.kind != VoteKind::PreVote
            {
                assert_eq!(disk.voted_for(), Some(node.id()), "a candidate's own vote is saved");
                self.one_vote(node.id(), call.request.term(), node.id());
            }
        }
    }

    fn one_vote(&mut self, voter: ServerId, term: Term, candidate: ServerId) {
        let known = *self.votes.entry((voter, term)).or_insert(candidate);
        assert_eq!(known, candidate, "{voter} votes twice in {term}");
    }
}

/// What applying one more entry makes of a state.
fn digest(before: u64, entry: &Entry) -> u64 {
    entry.command.iter().fold(before.rotate_left(7) ^ entry.term.get(), |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}
