//! A step of the core and the carrying out of its effects, in the order that is the safety argument.

use std::sync::Arc;

use labrt::{StoredSnapshot, Write, WriteError};
use log::error;

use super::reads::Ended;
use super::{Shared, State, dice, peer, persistence};
use crate::consensus::{Effects, Event, Outgoing, ReadRefused, Save};
use crate::messages::Reply;
use crate::types::{Index, LogPosition, ServerId, Term};

/// What the caller of a step gets of its effects.
pub(super) struct Outcome {
    /// The answer to a request.
    pub(super) reply: Option<Reply>,
    /// Where a proposal went.
    pub(super) proposed: Option<LogPosition>,
    /// The proposal was rejected because too much is not committed.
    pub(super) overloaded: bool,
    /// What became of a read: its number, or why it is refused.
    pub(super) read: Option<Result<u64, ReadRefused>>,
    /// Reads up to this number may be answered, from this index on.
    pub(super) confirmed: Option<(u64, Index)>,
    /// The reads that this step has ended, to be told once the lock is free.
    pub(super) ended: Ended,
}

impl Shared {
    /// Takes one step, carries its effects out, lets the lock go and tells the readers. The caller has seen that the server was not
    /// killed.
    pub(super) fn step(
        self: &Arc<Shared>,
        mut state: labrt::MutexGuard<'_, State>,
        event: Event,
    ) -> Outcome {
        let mut outcome = self.step_locked(&mut state, event);
        drop(state);
        std::mem::take(&mut outcome.ended).tell();
        outcome
    }

    /// The same, for a caller that has more to do under the lock; it tells the readers after that.
    pub(super) fn step_locked(self: &Arc<Shared>, state: &mut State, event: Event) -> Outcome {
        let now = self.time();
        let term = state.node.term();
        let shown = self.observers.before(&state.node, &event);
        let effects = state.node.step(now, event, &mut dice);
        if let Err(error) = self.save(state, effects.save) {
            return self.disk_failed(state, error);
        }
        self.observers.stepped(shown, &self.home, &state.node, &effects, &self.persister);
        let Effects {
            save: _,
            save_number: _,
            overloaded,
            reply,
            messages,
            install,
            committed,
            proposed,
            read,
            confirmed,
            new_role: _,
            marks,
        } = effects;
        crate::marks::reach(marks);
        for message in messages {
            self.send(message);
        }
        if install.is_some() || committed.is_some() {
            self.queue.push(&state.node, install, committed);
        }
        self.wake_others(state, term);
        let ended = state.reads.end(confirmed, state.node.is_leader(), now);
        Outcome { reply, proposed, overloaded, read, confirmed, ended }
    }

    /// What must be durable becomes durable: the snapshot first, then the header together with the log. A crash between the two
    /// leaves a log that overlaps the snapshot, which the next start trims.
    ///
    /// # Errors
    /// A write failed. Nothing that depends on it may leave the server.
    fn save(&self, state: &mut State, save: Save) -> Result<(), WriteError> {
        if save.is_empty() {
            return Ok(());
        }
        let State { node, scratch, .. } = state;
        if save.snapshot
            && let Some(snapshot) = node.snapshot()
        {
            let stored = StoredSnapshot {
                meta: persistence::snapshot_meta(snapshot),
                data: snapshot.data.clone(),
            };
            self.persister.write(Write { snapshot: Some(stored), ..Write::default() })?;
        }
        if !save.header && save.log.is_none() {
            return Ok(());
        }
        let mut write = Write::default();
        if save.header {
            write.header = Some(persistence::header(node.term(), node.voted_for(), node.base()));
        }
        if let Some(log) = save.log {
            write.keep_records = Some(log.keep);
            write.drop_front = log.drop_front;
            write.append.reserve(log.last.next().distance_from(log.first));
            let mut index = log.first;
            while index <= log.last {
                let entry = node.entry(index).expect("an entry to be saved is in the log");
                write.append.push(persistence::record(entry, scratch));
                index = index.next();
            }
        }
        self.persister.write(write)
    }

    /// Kills the server: what it has promised, or is about to promise, may not be on its disk.
    #[cold]
    fn disk_failed(&self, state: &mut State, error: WriteError) -> Outcome {
        error!(target: "raft::disk", "{} stops: {error}", self.me);
        let ended = self.stop(state);
        self.wake_stopped();
        Outcome {
            reply: None,
            proposed: None,
            overloaded: false,
            read: None,
            confirmed: None,
            ended,
        }
    }

    /// Starts a call; its reply will be an event of its own.
    fn send(self: &Arc<Shared>, message: Outgoing) {
        let Outgoing { to, request, sent } = message;
        let shared = Arc::clone(self);
        peer::start(shared, to, request, sent);
    }

    /// Wakes the tasks that wait for what this step may have changed.
    fn wake_others(&self, state: &State, term_before: Term) {
        if state.node.wake_at() < state.ticker_wakes {
            self.tick_earlier.notify_one();
        }
        if state.awaiting_term > 0 && state.node.term() > term_before {
            self.term_grew.notify_all();
        }
    }

    /// The end of another server, by its number.
    pub(super) fn end_of(&self, server: ServerId) -> Option<&labrpc::ClientEnd> {
        self.peers.get(server.get())
    }
}
