//! Shows the steps of our own Raft to the invariant checker.
//!
//! The crate `raftcheck` works on plain values. [`raft::observer`] gives the values of a step; what
//! a foreign Raft shows, it hands to `raftcheck` itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use raft::SavedHeader;
use raft::messages::{AppendOutcome, Reply};
use raft::observer::{self, Observer, Released, Step};
use raftcheck::{Changes, Checker, GroupId, Log, Message, Saved, Server};

/// Checks all servers of this run that start from now on. Once is enough; on threads it does
/// nothing.
pub(crate) fn check_run() {
    #[derive(Default)]
    struct Registered(Mutex<bool>);
    let Some(registered) = labrt::sim::local::<Registered>() else { return };
    let Some(checker) = Checker::of_run() else { return };
    if !std::mem::replace(&mut *registered.0.lock(), true) {
        observer::register(Arc::new(Invariants { checker, lives: Mutex::default() }));
    }
}

/// A group that the checker knows. `None` on threads.
pub(crate) fn add_group(gid: u64, servers: usize) -> Option<GroupId> {
    Some(Checker::of_run()?.add_group(format!("group {gid}"), servers))
}

struct Invariants {
    checker: Arc<Checker>,
    lives: Mutex<Lives>,
}

#[derive(Default)]
struct Lives {
    /// By [`Step::life`].
    servers: BTreeMap<u64, Life>,
    /// Groups of servers that belong to no cluster, by node.
    alone: BTreeMap<u64, GroupId>,
}

struct Life {
    server: Server,
    /// The saved header as it was last seen, and what it says.
    header: Vec<u8>,
    saved: SavedHeader,
}

impl Invariants {
    fn start(&self, lives: &mut Lives, step: &Step<'_>) {
        let server = self.checker.at(step.home).unwrap_or_else(|| {
            let servers = step.node.config().servers as usize;
            let new = || self.checker.add_group(step.home.name(), servers);
            let group = *lives.alone.entry(step.home.id()).or_insert_with(new);
            self.checker.life(group, step.node.id().get())
        });
        let log = Log::From(step.node.base().index.next().get());
        server.observe_changes(step.node, Changes { log, ..Changes::default() });
        let life = Life { server, header: Vec::new(), saved: SavedHeader::default() };
        lives.servers.insert(step.life, life);
    }
}

impl Observer for Invariants {
    fn step(&self, step: &Step<'_>) {
        let mut lives = self.lives.lock();
        if step.before.is_none() {
            return self.start(&mut lives, step);
        }
        let Some(life) = lives.servers.get_mut(&step.life) else { return };
        let effects = step.effects;
        if step.saved && (effects.reply.is_some() || !effects.messages.is_empty()) {
            life.check_saved(step);
        }
        let server = &life.server;
        let log = effects.save.log.map_or(Log::Same, |write| Log::From(write.first.get()));
        let snapshot = effects.save.snapshot;
        let own_snapshot = snapshot && step.request.is_none();
        server.observe_changes(step.node, Changes { log, snapshot, own_snapshot });
        if let (Some(reply), Some(request)) = (&effects.reply, step.request) {
            let term = request.term.get();
            match reply {
                Reply::Vote(reply) if reply.granted && !request.pre_vote => {
                    server.sends(&Message::VoteGranted { term, candidate: request.from.get() });
                }
                Reply::Append(reply) if reply.outcome == AppendOutcome::Matched => {
                    server.sends(&Message::Matched { term, index: request.last.get() });
                }
                _ => {}
            }
        }
        if let Some(Ok(number)) = effects.read {
            server.read_asked(number);
        }
        if let Some((up_to, index)) = effects.confirmed {
            server.read_confirmed(up_to, index.get());
        }
    }

    fn released(&self, released: &Released<'_>) {
        if let Some(life) = self.lives.lock().servers.get_mut(&released.life) {
            life.check_released(released);
        }
    }
}

impl Life {
    /// What a step shows leaves after its save: the disk must hold it, or something later.
    fn check_released(&mut self, released: &Released<'_>) {
        self.read_header(released.persister);
        let SavedHeader { term, voted_for, base } = self.saved;
        let view = released.view;
        let last = base.index + released.persister.record_count();
        let same_term = term == view.term;
        let vote_kept = !same_term || view.voted_for.is_none() || voted_for == view.voted_for;
        if term < view.term || !vote_kept || same_term && last < released.acknowledged {
            let detail = format!(
                "{} shows {} with vote {:?} and acknowledges {}, but the disk has {term} with vote \
                 {voted_for:?} and a log up to {last}",
                view.id, view.term, view.voted_for, released.acknowledged
            );
            labrt::sim::breach("saved before shown", &detail);
        }
    }

    /// A message leaves: everything that it can show must be on the disk.
    fn check_saved(&mut self, step: &Step<'_>) {
        let disk = step.persister;
        self.read_header(disk);
        let SavedHeader { term, voted_for, base } = self.saved;
        let saved = Saved {
            term: term.get(),
            voted_for: voted_for.map(|server| server.get()),
            first_index: base.index.next().get(),
            last_index: (base.index + disk.record_count()).get(),
        };
        self.server.holds(step.node, saved);
    }

    /// Reads the header on the disk, if it is another one than last time.
    fn read_header(&mut self, disk: &labrt::Persister) {
        let changed = disk.with_header(|header| {
            let changed = header != self.header;
            if changed {
                self.header.clear();
                self.header.extend_from_slice(header);
            }
            changed
        });
        if changed {
            match SavedHeader::read(&self.header) {
                Ok(saved) => self.saved = saved,
                Err(error) => labrt::sim::breach("saved before shown", &error.to_string()),
            }
        }
    }
}
