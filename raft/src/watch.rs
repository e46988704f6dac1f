//! A watch over all servers of a simulation: the five properties of the paper's Figure 3 and what they rest on, after every step.
//!
//! | name in the report | property |
//! |---|---|
//! | election safety | at most one leader a term, elected by the recorded votes of a majority, one vote a server and term (§5.2) |
//! | leader append-only | a leader never removes an entry of its own log (§5.3) |
//! | log matching | entries with the same index and term hold the same command and follow the same entry (§5.3) |
//! | leader completeness | a new leader's log has every entry that any server has committed (§5.4) |
//! | state machine safety | what is committed at an index is the same on all servers, and never changes (§5.4.3) |
//! | commit rule | a leader commits by counting only in its own term (§5.4.2) |
//! | monotonic state | term, commit and applied index of a server never fall |
//! | acknowledged entries | an entry reported as matched in a term stays in the log for that term |
//! | saved before shown | a message shows nothing that the disk does not hold (Figure 2, "Updated on stable storage …") |
//! | reads see what is committed | a confirmed read includes all that any server had committed when it came (§8) |
//! | snapshot within applied | a snapshot ends at an entry that the service was given (§7) |
//!
//! The first breach stops the run ([`labrt::sim::breach`]). Each check costs what the step changed, not what the log is long, so the
//! watch is on in every simulated test. It reads the disk, the node and the messages, and keeps its own books; it takes nothing from the
//! code it watches but what that code says.

use std::collections::{BTreeMap, VecDeque};

use labrt::Persister;
use parking_lot::Mutex;

use crate::consensus::{Effects, Event, Node};
use crate::driver::read_header;
use crate::messages::{AppendOutcome, Reply, Request};
use crate::types::{Entry, Index, LogPosition, ServerId, Term};

/// The books on all groups of a simulation.
#[derive(Default)]
pub(crate) struct Watch {
    groups: Mutex<BTreeMap<u64, Group>>,
}

/// What the watch remembers of one life of one server.
#[derive(Default)]
pub(crate) struct Seat {
    group: u64,
    me: ServerId,
    term: Term,
    leads: bool,
    commit: Index,
    applied: Index,
    /// End of the log after the last step.
    last: Index,
    /// The highest index reported to a leader as matched, and in which term.
    acknowledged: (Term, Index),
    /// Reads that are not confirmed: number, and what was committed anywhere when it came.
    reads: VecDeque<(u64, Index)>,
    /// The saved header as it was last seen, and what it says.
    header: Vec<u8>,
    saved: (Term, Option<ServerId>, LogPosition),
}

/// What a request asked for, noted before the step consumes it.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    from: ServerId,
    term: Term,
    /// For AppendEntries: the last index it speaks of.
    last: Index,
}

impl Asked {
    /// Of a request; of no other event.
    pub(crate) fn of(event: &Event) -> Option<Asked> {
        let Event::Request(request) = event else { return None };
        let last = match request {
            Request::Append(args) => args.prev.index + args.entries.len(),
            _ => Index::ZERO,
        };
        Some(Asked { from: request.from(), term: request.term(), last })
    }
}

#[derive(Default)]
struct Group {
    servers: u32,
    /// Who led in each term.
    leaders: BTreeMap<Term, ServerId>,
    /// Who voted for whom.
    votes: BTreeMap<Term, BTreeMap<ServerId, ServerId>>,
    /// The highest term each server was ever seen in.
    terms: BTreeMap<ServerId, Term>,
    /// What is known of each index after `forgotten`.
    slots: VecDeque<Slot>,
    forgotten: u64,
    /// The highest index any server has committed.
    committed: Index,
}

#[derive(Default)]
struct Slot {
    /// The entry seen at this index.
    seen: Option<Variant>,
    /// Others seen there: nearly always none.
    others: Vec<Variant>,
    committed: Option<Term>,
}

struct Variant {
    term: Term,
    before: Term,
    command: u32,
}

/// Indexes of which the books are kept; older ones are forgotten.
const KEPT: usize = 20_000;

/// Every entry is looked at on every server: this has to be quick.
fn fingerprint(entry: &Entry) -> u32 {
    crc32fast::hash(&entry.command)
}

fn shown(what: Option<impl std::fmt::Display>) -> String {
    what.map_or_else(|| "none".to_owned(), |what| what.to_string())
}

fn breach(seat: &Seat, name: &'static str, detail: &str) -> ! {
    labrt::sim::breach(name, &format!("group {}, {}: {detail}", seat.group, seat.me))
}

impl Watch {
    /// A server starts, or starts again.
    pub(crate) fn sit_down(&self, group: u64, servers: u32, node: &Node) -> Seat {
        let mut groups = self.groups.lock();
        let books = groups.entry(group).or_default();
        books.servers = servers;
        let seat = Seat {
            group,
            me: node.id(),
            term: node.term(),
            commit: node.commit(),
            applied: node.applied(),
            last: node.last().index,
            ..Seat::default()
        };
        let seen = books.terms.get(&seat.me).copied().unwrap_or_default();
        if node.term() < seen {
            let detail = format!("restarted in {} after having been in {seen}", node.term());
            breach(&seat, "monotonic state", &detail);
        }
        seat
    }

    /// Checks one step of a server, after its save and before anything else of its effects is carried out.
    pub(crate) fn check(
        &self,
        seat: &mut Seat,
        node: &Node,
        effects: &Effects,
        asked: Option<Asked>,
        disk: &Persister,
    ) {
        if effects.reply.is_some() || !effects.messages.is_empty() {
            saved_before_shown(seat, node, disk);
        }
        let mut groups = self.groups.lock();
        let Some(group) = groups.get_mut(&seat.group) else { return };
        if node.term() != seat.term {
            group.term_changed(seat, node);
        }
        group.vote_shown(seat, node, effects, asked);
        if let Some(write) = effects.save.log {
            removed_entries(seat, node, write.first, effects.save.snapshot);
            let mut index = write.first;
            while index <= write.last {
                group.entry_saved(seat, node, index);
                index = index.next();
            }
        }
        if node.is_leader() && !seat.leads {
            group.new_leader(seat, node);
        }
        if node.commit() != seat.commit {
            group.commit_moved(seat, node);
        }
        if node.applied() < seat.applied || node.applied() > node.commit() {
            let detail = format!(
                "applied went from {} to {}, commit index is {}",
                seat.applied,
                node.applied(),
                node.commit()
            );
            breach(seat, "monotonic state", &detail);
        }
        // Only a leader's snapshot may go beyond what the service was given.
        let own_snapshot = effects.save.snapshot && asked.is_none();
        let given = if own_snapshot { seat.applied } else { node.applied() };
        if node.base().index > given {
            let detail = format!("the snapshot ends at {}, applied is {given}", node.base());
            breach(seat, "snapshot within applied", &detail);
        }
        acknowledge(seat, effects, asked);
        reads_seen(seat, node, effects, group.committed);
        seat.term = node.term();
        seat.leads = node.is_leader();
        seat.commit = node.commit();
        seat.applied = node.applied();
        seat.last = node.last().index;
    }
}

/// A read that is confirmed sees all that was committed when it came, on whatever server.
fn reads_seen(seat: &mut Seat, node: &Node, effects: &Effects, committed: Index) {
    if let Some(Ok(number)) = effects.read {
        seat.reads.push_back((number, committed));
    }
    if let Some((up_to, index)) = effects.confirmed {
        while let Some(&(number, committed)) = seat.reads.front()
            && number <= up_to
        {
            seat.reads.pop_front();
            if index < committed {
                let detail =
                    format!("read {number} sees {index}, but {committed} was committed before it");
                breach(seat, "reads see what is committed", &detail);
            }
        }
    }
    if !node.is_leader() {
        seat.reads.clear();
    }
}

/// A message leaves: everything it can show must be on the disk.
fn saved_before_shown(seat: &mut Seat, node: &Node, disk: &Persister) {
    let changed = disk.with_header(|header| {
        let changed = header != seat.header;
        if changed {
            seat.header.clear();
            seat.header.extend_from_slice(header);
        }
        changed
    });
    if changed {
        match read_header(&seat.header) {
            Ok(saved) => seat.saved = saved,
            Err(error) => breach(seat, "saved before shown", &error.to_string()),
        }
    }
    let (term, vote, base) = seat.saved;
    if term != node.term() || vote != node.voted_for() {
        let detail = format!(
            "a message leaves in {} with vote {}, but the disk has {term} with vote {}",
            node.term(),
            shown(node.voted_for()),
            shown(vote)
        );
        breach(seat, "saved before shown", &detail);
    }
    let saved_last = base.index + disk.record_count();
    if saved_last != node.last().index || base != node.base() {
        let detail = format!(
            "a message leaves with the log after {} up to {}, but the disk has it after {base} up to {saved_last}",
            node.base(),
            node.last().index
        );
        breach(seat, "saved before shown", &detail);
    }
}

/// Entries from `first` on were cut, if there were any.
fn removed_entries(seat: &Seat, node: &Node, first: Index, snapshot: bool) {
    if first > seat.last || snapshot {
        return;
    }
    if seat.leads && seat.term == node.term() {
        let detail = format!("a leader replaced its log from {first} on");
        breach(seat, "leader append-only", &detail);
    }
    let (term, acknowledged) = seat.acknowledged;
    if term == node.term() && first <= acknowledged {
        let detail =
            format!("the log was cut at {first}, though matched up to {acknowledged} in {term}");
        breach(seat, "acknowledged entries", &detail);
    }
    if first <= seat.commit {
        let detail = format!("the log was cut at {first}, below the commit index {}", seat.commit);
        breach(seat, "state machine safety", &detail);
    }
}

/// Notes what a reply reports as matched.
fn acknowledge(seat: &mut Seat, effects: &Effects, asked: Option<Asked>) {
    let (Some(Reply::Append(reply)), Some(asked)) = (&effects.reply, asked) else { return };
    if reply.outcome == AppendOutcome::Matched {
        let (term, index) = seat.acknowledged;
        let index = if term == asked.term { index.max(asked.last) } else { asked.last };
        seat.acknowledged = (asked.term, index);
    }
}

impl Group {
    fn term_changed(&mut self, seat: &mut Seat, node: &Node) {
        let seen = self.terms.entry(seat.me).or_default();
        if node.term() < seat.term || node.term() < *seen {
            let detail = format!("term went from {} to {}", seat.term.max(*seen), node.term());
            breach(seat, "monotonic state", &detail);
        }
        *seen = node.term();
        seat.leads = false;
    }

    /// Notes a vote that is now known outside, and that no server votes twice.
    fn vote_shown(&mut self, seat: &Seat, node: &Node, effects: &Effects, asked: Option<Asked>) {
        let candidate = match (&effects.reply, asked) {
            (Some(Reply::Vote(reply)), Some(asked)) if reply.granted => asked.from,
            _ if node.term() != seat.term && node.voted_for() == Some(seat.me) => seat.me,
            _ => return,
        };
        let votes = self.votes.entry(node.term()).or_default();
        let before = votes.insert(seat.me, candidate);
        if let Some(other) = before
            && other != candidate
        {
            let detail = format!("voted for {other} and for {candidate} in {}", node.term());
            breach(seat, "election safety", &detail);
        }
    }

    fn new_leader(&mut self, seat: &Seat, node: &Node) {
        let term = node.term();
        if let Some(other) = self.leaders.insert(term, seat.me)
            && other != seat.me
        {
            breach(
                seat,
                "election safety",
                &format!("{term} has a second leader; the first was {other}"),
            );
        }
        let votes = self.votes.get(&term);
        let votes = votes.map_or(0, |votes| votes.values().filter(|&&to| to == seat.me).count());
        if votes * 2 <= self.servers as usize {
            let detail = format!("leads {term} with {votes} votes of {} servers", self.servers);
            breach(seat, "election safety", &detail);
        }
        let mut index = node.base().index.next();
        while index <= self.committed {
            let committed = self.slot(index).and_then(|slot| slot.committed);
            if let Some(committed) = committed
                && node.term_at(index) != Some(committed)
            {
                let detail = format!(
                    "leads {term} without the entry committed at {index} in {committed}; has {} there",
                    shown(node.term_at(index))
                );
                breach(seat, "leader completeness", &detail);
            }
            index = index.next();
        }
    }

    fn slot(&mut self, index: Index) -> Option<&mut Slot> {
        let at = index.get().checked_sub(self.forgotten + 1)? as usize;
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, Slot::default);
        }
        while self.slots.len() > KEPT {
            self.slots.pop_front();
            self.forgotten += 1;
        }
        let at = index.get().checked_sub(self.forgotten + 1)? as usize;
        self.slots.get_mut(at)
    }

    fn entry_saved(&mut self, seat: &Seat, node: &Node, index: Index) {
        let Some(entry) = node.entry(index) else { return };
        let before = node.term_at(index.prev()).unwrap_or_default();
        let Some(slot) = self.slot(index) else { return };
        let command = fingerprint(entry);
        let fresh = Variant { term: entry.term, before, command };
        match slot.seen.iter().chain(&slot.others).find(|known| known.term == entry.term) {
            None if slot.seen.is_none() => slot.seen = Some(fresh),
            None => slot.others.push(fresh),
            Some(known) if known.before == before && known.command == command => {}
            Some(known) => {
                let detail = format!(
                    "entry {index} of {} follows {before} here and {} elsewhere, commands {}",
                    entry.term,
                    known.before,
                    if known.command == command { "equal" } else { "differ" }
                );
                breach(seat, "log matching", &detail);
            }
        }
    }

    fn commit_moved(&mut self, seat: &Seat, node: &Node) {
        let commit = node.commit();
        if commit < seat.commit || commit > node.last().index {
            let detail = format!(
                "commit index went from {} to {commit}, the log ends at {}",
                seat.commit,
                node.last().index
            );
            breach(seat, "monotonic state", &detail);
        }
        if node.is_leader() && node.term_at(commit) != Some(node.term()) {
            let detail = format!(
                "the leader of {} commits up to {commit}, an entry of {}",
                node.term(),
                shown(node.term_at(commit))
            );
            breach(seat, "commit rule", &detail);
        }
        let mut index = seat.commit.next().max(node.base().index);
        while index <= commit {
            if let Some(term) = node.term_at(index)
                && let Some(slot) = self.slot(index)
            {
                let known = *slot.committed.get_or_insert(term);
                if known != term {
                    let detail = format!(
                        "commits an entry of {term} at {index}, where one of {known} is committed"
                    );
                    breach(seat, "state machine safety", &detail);
                }
            }
            index = index.next();
        }
        self.committed = self.committed.max(commit);
    }
}
