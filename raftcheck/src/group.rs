//! What is known of all servers of one group together.

use std::collections::{BTreeMap, VecDeque};

/// Indexes of which a group keeps what it knows; older ones are forgotten.
const KEPT: usize = 20_000;

/// What the servers of one group have shown so far.
///
/// The methods record what one server shows and return the invariant that this breaks.
#[derive(Default)]
pub(crate) struct Group {
    name: String,
    servers: usize,
    /// Who led in each term.
    leaders: BTreeMap<u64, usize>,
    /// Votes by term and voter.
    votes: BTreeMap<u64, BTreeMap<usize, usize>>,
    /// The highest term that each server was ever seen in; only of servers that show their state.
    terms: BTreeMap<usize, u64>,
    /// What is known of each index after `forgotten`.
    slots: VecDeque<Slot>,
    forgotten: u64,
    /// The highest index that any server has committed.
    committed: u64,
}

#[derive(Default)]
struct Slot {
    /// The first entry seen at this index.
    seen: Option<Variant>,
    /// Others seen there: nearly always none.
    others: Vec<Variant>,
    /// The term of the committed entry.
    committed: Option<u64>,
    /// The command that a service was given, and by whom.
    applied: Option<(u64, usize)>,
}

#[derive(Clone, Copy)]
struct Variant {
    term: u64,
    /// The term of the entry before, if it was known.
    before: Option<u64>,
    command: u64,
}

/// A broken invariant: its name, and what happened.
pub(crate) type Breach = (&'static str, String);
pub(crate) type Checked = Result<(), Breach>;

pub(crate) fn breach<T>(name: &'static str, detail: String) -> Result<T, Breach> {
    Err((name, detail))
}

fn or_none(term: Option<u64>) -> String {
    term.map_or_else(|| "none".to_owned(), |term| format!("T{term}"))
}

impl Group {
    pub(crate) fn new(name: String, servers: usize) -> Group {
        Group { name, servers, ..Group::default() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
    }

    pub(crate) fn committed(&self) -> u64 {
        self.committed
    }

    /// Server `me` is in `term`, now or after a restart.
    pub(crate) fn term(&mut self, me: usize, term: u64) -> Checked {
        let seen = self.terms.entry(me).or_default();
        if term < *seen {
            return breach("monotonic state", format!("term went from T{seen} to T{term}"));
        }
        *seen = term;
        Ok(())
    }

    /// A vote that is saved or was sent.
    pub(crate) fn vote(&mut self, voter: usize, term: u64, candidate: usize) -> Checked {
        let before = self.votes.entry(term).or_default().insert(voter, candidate);
        match before {
            Some(other) if other != candidate => {
                let detail = format!("voted for S{other} and for S{candidate} in T{term}");
                breach("election safety", detail)
            }
            _ => Ok(()),
        }
    }

    /// Server `me` leads `term`, by its state, its word, or its messages.
    pub(crate) fn leads(&mut self, me: usize, term: u64) -> Checked {
        match self.leaders.insert(term, me) {
            Some(other) if other != me => breach(
                "election safety",
                format!("T{term} has a second leader; the first was S{other}"),
            ),
            _ => Ok(()),
        }
    }

    /// A new leader that shows its state has the votes of a majority, if all servers show theirs.
    pub(crate) fn elected(&self, me: usize, term: u64) -> Checked {
        let votes = self.votes.get(&term);
        let votes = votes.map_or(0, |votes| votes.values().filter(|&&to| to == me).count());
        if self.terms.len() == self.servers && votes * 2 <= self.servers {
            let detail = format!("leads T{term} with {votes} votes of {} servers", self.servers);
            return breach("election safety", detail);
        }
        Ok(())
    }

    /// A new leader of `term` has all that is committed, from `first` on.
    pub(crate) fn complete(
        &mut self,
        term: u64,
        first: u64,
        term_at: impl Fn(u64) -> Option<u64>,
    ) -> Checked {
        for index in first..=self.committed {
            let Some(committed) = self.slot(index).and_then(|slot| slot.committed) else {
                continue;
            };
            let found = term_at(index);
            if found != Some(committed) {
                return breach(
                    "leader completeness",
                    format!(
                        "leads T{term} without the entry committed at {index} in T{committed}; has {} there",
                        or_none(found)
                    ),
                );
            }
        }
        Ok(())
    }

    /// An entry of a log or of a message.
    pub(crate) fn entry(
        &mut self,
        index: u64,
        term: u64,
        before: Option<u64>,
        command: u64,
    ) -> Checked {
        let Some(slot) = self.slot(index) else { return Ok(()) };
        let fresh = Variant { term, before, command };
        let mut known = slot.seen.iter_mut().chain(&mut slot.others);
        let Some(known) = known.find(|known| known.term == term) else {
            match slot.seen {
                None => slot.seen = Some(fresh),
                Some(_) => slot.others.push(fresh),
            }
            return Ok(());
        };
        let known_before = known.before;
        let follows_another = matches!((known_before, before), (Some(a), Some(b)) if a != b);
        if follows_another || known.command != command {
            let detail = format!(
                "entry {index} of T{term} follows {} here and {} elsewhere, commands {}",
                or_none(before),
                or_none(known_before),
                if known.command == command { "equal" } else { "differ" }
            );
            return breach("log matching", detail);
        }
        known.before = known_before.or(before);
        Ok(())
    }

    /// A server has committed the entry of `term` at `index`.
    pub(crate) fn commits(&mut self, index: u64, term: u64) -> Checked {
        let Some(slot) = self.slot(index) else { return Ok(()) };
        let known = *slot.committed.get_or_insert(term);
        if known != term {
            let detail = format!(
                "commits an entry of T{term} at {index}, where one of T{known} is committed"
            );
            return breach("state machine safety", detail);
        }
        Ok(())
    }

    /// A server's commit index.
    pub(crate) fn committed_up_to(&mut self, index: u64) {
        self.committed = self.committed.max(index);
    }

    /// A service was given `command` at `index`.
    pub(crate) fn applies(&mut self, me: usize, index: u64, command: u64) -> Checked {
        let Some(slot) = self.slot(index) else { return Ok(()) };
        let (known, by) = *slot.applied.get_or_insert((command, me));
        if known != command {
            let detail = format!("applies another command at {index} than S{by} did");
            return breach("state machine safety", detail);
        }
        Ok(())
    }

    fn slot(&mut self, index: u64) -> Option<&mut Slot> {
        let mut at = index.checked_sub(self.forgotten + 1)? as usize;
        if at > self.slots.len() + KEPT {
            self.slots.clear();
            self.forgotten = index - 1;
            at = 0;
        }
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, Slot::default);
        }
        while self.slots.len() > KEPT {
            self.slots.pop_front();
            self.forgotten += 1;
        }
        let at = index.checked_sub(self.forgotten + 1)? as usize;
        self.slots.get_mut(at)
    }
}
