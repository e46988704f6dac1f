//! One life of one server: what it showed last, and the checks of each step.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::group::{Checked, Group, breach};
use crate::state::{RaftState, Role};

/// One life of one server, from its start to its crash or shutdown. Clones are handles to the same
/// life. The default belongs to no group and checks nothing.
#[derive(Clone, Default)]
pub struct Server {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    group: Arc<Mutex<Group>>,
    me: usize,
    shown: Mutex<Shown>,
}

/// What a server showed last.
#[derive(Default)]
struct Shown {
    /// Nothing was shown yet: the first state is where this life starts from.
    started: bool,
    term: u64,
    vote: Option<usize>,
    leads: bool,
    commit: u64,
    applied: u64,
    first: u64,
    last: u64,
    /// The highest index reported to a leader as matched, and in which term.
    acknowledged: (u64, u64),
    /// Reads that are not confirmed: number, and what was committed anywhere when it came.
    reads: VecDeque<(u64, u64)>,
    /// Term and command of the entries from `first` on. Kept for servers that do not say what has
    /// changed.
    log: VecDeque<(u64, u64)>,
    /// The last index given to the service, as the test reports it.
    delivered: u64,
}

/// What a step has changed, as far as the server says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Changes {
    /// The log.
    pub log: Log,
    /// The step has taken a snapshot of its own service: it must end at an entry that the service
    /// was given.
    pub own_snapshot: bool,
    /// The step has replaced the beginning of the log by a snapshot, its own or a leader's.
    pub snapshot: bool,
}

/// What a step has changed in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Log {
    /// Not said: the checker compares the whole log with the one of the last step.
    #[default]
    Unknown,
    /// Nothing but its beginning, which a snapshot may have replaced.
    Same,
    /// The entries from this index on are new. What stood there before was cut.
    From(u64),
}

/// What the disk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    pub term: u64,
    /// The vote in that term.
    pub voted_for: Option<usize>,
    /// Index of the first entry after the snapshot.
    pub first_index: u64,
    /// Index of the last entry.
    pub last_index: u64,
}

/// A message that a server chooses to show. See [`Server::sends`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A request for votes. It shows the sender's vote for itself.
    RequestVote {
        /// The candidate's term.
        term: u64,
    },
    /// A vote that is given.
    VoteGranted {
        /// The voter's term.
        term: u64,
        /// Who gets the vote.
        candidate: usize,
    },
    /// Entries, or a heartbeat. It shows that the sender leads.
    AppendEntries {
        /// The leader's term.
        term: u64,
        /// Index of the entry before the first one sent.
        prev_index: u64,
        prev_term: u64,
        /// Term and [`hash`](crate::hash) of each entry.
        entries: Vec<(u64, u64)>,
    },
    /// The answer that the log equals the leader's up to an index.
    Matched {
        /// The leader's term.
        term: u64,
        index: u64,
    },
}

impl Server {
    pub(crate) fn new(group: Arc<Mutex<Group>>, me: usize) -> Server {
        Server { inner: Some(Arc::new(Inner { group, me, shown: Mutex::default() })) }
    }

    /// Checks the state after a step: to be called after the step was saved, and before anything of
    /// it leaves the server. The first call of a life shows what the server starts from.
    pub fn observe(&self, state: &impl RaftState) {
        self.observe_changes(state, Changes::default());
    }

    /// The same for a server that says what the step has changed, which is checked faster.
    pub fn observe_changes(&self, state: &impl RaftState, changes: Changes) {
        self.check(|shown, group, me| shown.step(group, me, state, changes));
    }

    /// A message leaves: what the last observed state has must be on the disk.
    pub fn holds(&self, state: &impl RaftState, saved: Saved) {
        self.check(|_, _, _| holds(state, saved));
    }

    /// The server sends, or has sent, this message.
    pub fn sends(&self, message: &Message) {
        self.check(|shown, group, me| match *message {
            Message::RequestVote { term } => group.vote(me, term, me),
            Message::VoteGranted { term, candidate } => group.vote(me, term, candidate),
            Message::AppendEntries { term, prev_index, prev_term, ref entries } => {
                group.leads(me, term)?;
                let mut before = prev_term;
                for (index, &(term, command)) in (prev_index + 1..).zip(entries) {
                    group.entry(index, term, Some(before), command)?;
                    before = term;
                }
                Ok(())
            }
            Message::Matched { term, index } => {
                let (known, highest) = shown.acknowledged;
                let index = if known == term { index.max(highest) } else { index };
                shown.acknowledged = (term, index);
                Ok(())
            }
        });
    }

    /// The server says which term it is in, and whether it leads it.
    pub fn reports(&self, term: u64, leads: bool) {
        self.check(|shown, group, me| {
            if term < shown.term {
                return breach("monotonic state", fell("term", shown.term, term));
            }
            shown.term = term;
            if leads { group.leads(me, term) } else { Ok(()) }
        });
    }

    /// The service was given this command, as a [`hash`](crate::hash).
    pub fn applied(&self, index: u64, command: u64) {
        self.check(|shown, group, me| {
            if shown.delivered != 0 && index != shown.delivered + 1 {
                let detail = format!("applies {index} after {}", shown.delivered);
                return breach("monotonic state", detail);
            }
            shown.delivered = index;
            group.applies(me, index, command)
        });
    }

    /// The service was given a snapshot that ends at `index`.
    pub fn applied_snapshot(&self, index: u64) {
        self.check(|shown, _, _| {
            if index < shown.delivered {
                let detail = format!("applies a snapshot up to {index} after {}", shown.delivered);
                return breach("monotonic state", detail);
            }
            shown.delivered = index;
            Ok(())
        });
    }

    /// A read came and got this number, which counts up within a term.
    pub fn read_asked(&self, number: u64) {
        self.check(|shown, group, _| {
            shown.reads.push_back((number, group.committed()));
            Ok(())
        });
    }

    /// The reads up to this number may be answered from a state that includes `index`.
    pub fn read_confirmed(&self, up_to: u64, index: u64) {
        self.check(|shown, _, _| {
            while let Some(&(number, committed)) = shown.reads.front()
                && number <= up_to
            {
                shown.reads.pop_front();
                if index < committed {
                    let detail = format!(
                        "read {number} sees {index}, but {committed} was committed before it"
                    );
                    return breach("reads see what is committed", detail);
                }
            }
            Ok(())
        });
    }

    fn check(&self, check: impl FnOnce(&mut Shown, &mut Group, usize) -> Checked) {
        let Some(inner) = self.inner.as_deref() else { return };
        let mut group = inner.group.lock();
        let outcome = check(&mut inner.shown.lock(), &mut group, inner.me);
        if let Err((name, detail)) = outcome {
            let detail = format!("{}, S{}: {detail}", group.name(), inner.me);
            drop(group);
            labrt::sim::breach(name, &detail);
        }
    }
}

fn fell(what: &str, from: u64, to: u64) -> String {
    let t = if what == "term" { "T" } else { "" };
    format!("{what} went from {t}{from} to {t}{to}")
}

fn holds(state: &impl RaftState, saved: Saved) -> Checked {
    let or_none = |vote: Option<usize>| vote.map_or_else(|| "none".into(), |to| format!("S{to}"));
    if (saved.term, saved.voted_for) != (state.term(), state.voted_for()) {
        let detail = format!(
            "a message leaves in T{} with vote {}, but the disk has T{} with vote {}",
            state.term(),
            or_none(state.voted_for()),
            saved.term,
            or_none(saved.voted_for)
        );
        return breach("saved before shown", detail);
    }
    if (saved.first_index, saved.last_index) != (state.first_index(), state.last_index()) {
        let detail = format!(
            "a message leaves with a log from {} to {}, but the disk has it from {} to {}",
            state.first_index(),
            state.last_index(),
            saved.first_index,
            saved.last_index
        );
        return breach("saved before shown", detail);
    }
    Ok(())
}

impl Shown {
    fn step(
        &mut self,
        group: &mut Group,
        me: usize,
        state: &impl RaftState,
        changes: Changes,
    ) -> Checked {
        let term = state.term();
        if self.started && term < self.term {
            return breach("monotonic state", fell("term", self.term, term));
        }
        if term != self.term || !self.started {
            group.term(me, term)?;
            self.leads = false;
        }
        let vote = state.voted_for();
        if let Some(candidate) = vote
            && (term, vote) != (self.term, self.vote)
        {
            group.vote(me, term, candidate)?;
        }
        let changed = self.changed_from(state, changes);
        if let Some(first) = changed {
            let cut = first <= self.last && !(changes.snapshot || state.first_index() > self.first);
            if cut && self.started {
                self.cut(term, first)?;
            }
            let mut before = state.term_at(first.wrapping_sub(1));
            for index in first..=state.last_index() {
                let (Some(of), Some(command)) = (state.term_at(index), state.command_at(index))
                else {
                    continue;
                };
                group.entry(index, of, before, command)?;
                before = Some(of);
            }
        }
        if state.role() == Role::Leader && !self.leads {
            group.leads(me, term)?;
            group.elected(me, term)?;
            group.complete(term, state.first_index(), |index| state.term_at(index))?;
        }
        self.commit_moved(group, state)?;
        self.applied_moved(state, changes)?;
        if state.role() != Role::Leader {
            self.reads.clear();
        }
        self.started = true;
        self.term = term;
        self.vote = vote;
        self.leads = state.role() == Role::Leader;
        self.commit = state.commit_index();
        self.applied = state.last_applied();
        self.first = state.first_index();
        self.last = state.last_index();
        Ok(())
    }

    /// The first index from which on the log is another one.
    fn changed_from(&mut self, state: &impl RaftState, changes: Changes) -> Option<u64> {
        match changes.log {
            Log::Same => None,
            Log::From(first) => Some(first),
            Log::Unknown => {
                let (first, last) = (state.first_index(), state.last_index());
                let gone = first.saturating_sub(self.first).min(self.log.len() as u64);
                self.log.drain(..gone as usize);
                let entry = |index| Some((state.term_at(index)?, state.command_at(index)?));
                let same = (first..=last)
                    .zip(&self.log)
                    .take_while(|&(index, known)| entry(index) == Some(*known))
                    .count();
                let cut = same < self.log.len();
                self.log.truncate(same);
                let from = first + same as u64;
                self.log.extend((from..=last).map(|index| entry(index).unwrap_or_default()));
                (cut || from <= last).then_some(from)
            }
        }
    }

    /// Entries from `first` on were removed or replaced.
    fn cut(&self, term: u64, first: u64) -> Checked {
        if self.leads && self.term == term {
            let detail = format!("a leader replaced its log from {first} on");
            return breach("leader append-only", detail);
        }
        let (of, acknowledged) = self.acknowledged;
        if of == term && first <= acknowledged {
            let detail =
                format!("the log was cut at {first}, though matched up to {acknowledged} in T{of}");
            return breach("acknowledged entries", detail);
        }
        if first <= self.commit {
            let detail =
                format!("the log was cut at {first}, below the commit index {}", self.commit);
            return breach("state machine safety", detail);
        }
        Ok(())
    }

    fn commit_moved(&self, group: &mut Group, state: &impl RaftState) -> Checked {
        let commit = state.commit_index();
        let known = if self.started { self.commit } else { 0 };
        if commit == known {
            return Ok(());
        }
        if commit < known || commit > state.last_index() {
            let detail = format!(
                "commit index went from {known} to {commit}, the log ends at {}",
                state.last_index()
            );
            return breach("monotonic state", detail);
        }
        if self.started
            && state.role() == Role::Leader
            && let Some(of) = state.term_at(commit)
            && of != state.term()
        {
            let detail = format!(
                "the leader of T{} commits up to {commit}, an entry of T{of}",
                state.term()
            );
            return breach("commit rule", detail);
        }
        for index in (known + 1).max(state.first_index().saturating_sub(1))..=commit {
            if let Some(term) = state.term_at(index) {
                group.commits(index, term)?;
            }
        }
        group.committed_up_to(commit);
        Ok(())
    }

    fn applied_moved(&self, state: &impl RaftState, changes: Changes) -> Checked {
        let (applied, commit) = (state.last_applied(), state.commit_index());
        if self.started && applied < self.applied || applied > commit {
            let detail = format!(
                "applied went from {} to {applied}, commit index is {commit}",
                self.applied
            );
            return breach("monotonic state", detail);
        }
        // Only a leader's snapshot may go beyond what the service was given.
        let given = if changes.own_snapshot { self.applied } else { commit };
        let end = state.first_index().saturating_sub(1);
        if end > given {
            let detail = format!("the snapshot ends at {end}, applied is {given}");
            return breach("snapshot within applied", detail);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_no_group_checks_nothing() {
        let server = Server::default();
        server.reports(5, true);
        server.reports(4, true);
    }
}
