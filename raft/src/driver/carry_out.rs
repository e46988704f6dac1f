//! A step of the core, and the execution of its effects in the order that is the safety argument.

use std::sync::Arc;

use labrt::{StoredSnapshot, Write, WriteError, oneshot};
use log::error;

use super::reads::Ended;
use super::saving::Waiting;
use super::{Shared, State, dice, peer, persistence};
use crate::consensus::{Effects, Event, Outgoing, ReadRefused, Save};
use crate::messages::{AppendOutcome, Reply, Request};
use crate::types::{Index, LogPosition, ServerId, Term};

/// The answer to a request.
pub(super) enum Answer {
    /// There is none: the event was no request, or the server was stopped.
    None,
    /// It may leave.
    Now(Reply),
    /// It comes once the disk holds what it shows.
    Later(oneshot::Receiver<Reply>),
}

/// The part of the effects that the caller of a step needs.
pub(super) struct Outcome {
    /// The answer to a request.
    pub(super) reply: Answer,
    /// Where a proposal went.
    pub(super) proposed: Option<LogPosition>,
    /// The proposal was rejected because too much is not committed.
    pub(super) overloaded: bool,
    /// The result of a read: its number, or why it is rejected.
    pub(super) read: Option<Result<u64, ReadRefused>>,
    /// Reads up to this number may be answered, from this index on.
    pub(super) confirmed: Option<(u64, Index)>,
    /// The reads that this step has ended. Their callbacks run after the lock is released.
    pub(super) ended: Ended,
}

/// The most calls at once to a peer, snapshots not counted. More than the core keeps in flight, so
/// the limit matters only if the peer does not answer.
pub(super) const MAX_CALLS: u32 = 64;

/// The calls to a peer that have not come back.
#[derive(Clone, Copy, Default)]
pub(super) struct Calls {
    pub(super) snapshots: u32,
    pub(super) others: u32,
}

impl State {
    /// Whether an answer shows nothing that is not on the disk. `asked` is the last index that an
    /// AppendEntries speaks of.
    fn shows_only_saved(&self, reply: &Reply, asked: Index) -> bool {
        let durable = match reply {
            Reply::Vote(_) => true,
            Reply::Append(reply) => {
                reply.outcome != AppendOutcome::Matched || asked <= self.node.durable_last()
            }
            Reply::Snapshot(_) => false,
        };
        durable && self.saving.has_saved_header()
    }
}

impl Shared {
    /// Takes one step, applies its effects, releases the lock and completes the reads that have
    /// ended. The caller has checked that the server was not killed.
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

    /// The same for a caller that needs the lock longer. It completes the reads itself, after
    /// releasing the lock.
    pub(super) fn step_locked(self: &Arc<Shared>, state: &mut State, event: Event) -> Outcome {
        let now = self.time();
        let term = state.node.term();
        let shown = self.observers.before(&state.node, &event);
        let asked = match &event {
            Event::Request(Request::Append(args)) => args.prev.index + args.entries.len(),
            _ => Index::ZERO,
        };
        let effects = state.node.step(now, event, &mut dice);
        let saved = match self.save(state, &effects) {
            Ok(saved) => saved,
            Err(error) => return self.disk_failed(state, error),
        };
        let step = self.observers.stepped(
            shown,
            saved,
            &self.home,
            &state.node,
            &effects,
            &self.persister,
        );
        let Effects {
            save,
            save_number,
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
        let (first, waiting): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| saved || message.may_precede_save());
        for message in first {
            self.send(state, message);
        }
        let reply = match reply {
            None => Answer::None,
            Some(reply) if saved || state.shows_only_saved(&reply, asked) => Answer::Now(reply),
            Some(reply) => {
                let (to, answer) = oneshot::channel();
                let matched = matches!(&reply, Reply::Append(reply) if reply.outcome == AppendOutcome::Matched);
                let acknowledged = if matched { asked } else { Index::ZERO };
                let shown = step.map(|view| (view, acknowledged));
                let reply = Some((to, reply));
                let messages = Vec::new();
                state.saving.wait(Waiting { save: save_number, reply, messages, shown });
                Answer::Later(answer)
            }
        };
        if !waiting.is_empty() {
            let shown = step.map(|view| (view, Index::ZERO));
            state.saving.wait(Waiting { save: save_number, reply: None, messages: waiting, shown });
        }
        if install.is_some() || committed.is_some() {
            self.queue.push(&state.node, install, committed);
        }
        self.wake_others(state, term);
        let mut ended = state.reads.end(confirmed, state.node.is_leader(), now);
        // In a group of one, the server's own copy commits an entry. In others, it is the answer of
        // a follower that has its copy.
        if saved && !save.is_empty() && self.peers.len() == 1 {
            let number = save_number;
            ended.append(self.step_locked(state, Event::Saved { number }).ended);
        }
        Outcome { reply, proposed, overloaded, read, confirmed, ended }
    }

    /// Hands to the disk what must be durable: the snapshot first, then the header together with
    /// the log. A crash between the two leaves a log that overlaps the snapshot, which the next
    /// start trims. Returns whether everything that this step shows is on the disk already.
    ///
    /// # Errors
    /// A write failed. Nothing that depends on it may leave the server.
    fn save(&self, state: &mut State, effects: &Effects) -> Result<bool, WriteError> {
        let number = effects.save_number;
        if effects.save.is_empty() {
            return Ok(state.saving.has_saved(number));
        }
        let [snapshot, log] = self.writes(state, effects.save);
        if state.saving.is_idle() && self.persister.is_instant() {
            for write in [snapshot, log].into_iter().flatten() {
                self.persister.write(write)?;
            }
            state.saving.written_at_once(number);
            state.node.note_saved(number);
            return Ok(true);
        }
        state.saving.add(number, [snapshot, log].into_iter().flatten());
        self.to_save.notify_one();
        Ok(false)
    }

    /// The writes of a save, in order: the snapshot, and header with log.
    fn writes(&self, state: &mut State, save: Save) -> [Option<Write>; 2] {
        let State { node, scratch, .. } = state;
        let mut first = None;
        if save.snapshot
            && let Some(snapshot) = node.snapshot()
        {
            let stored = StoredSnapshot {
                meta: persistence::snapshot_meta(snapshot),
                data: snapshot.data.clone(),
            };
            first = Some(Write { snapshot: Some(stored), ..Write::default() });
        }
        if !save.header && save.log.is_none() {
            return [first, None];
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
        [first, Some(write)]
    }

    /// The writer task: saves what waits for the disk, without Raft's lock, and releases what
    /// waited for that. Runs until the server is killed.
    pub(super) fn run_writer(self: &Arc<Shared>) {
        let mut state = self.state.lock();
        while !state.killed {
            let Some((writes, number)) = state.saving.take() else {
                self.to_save.wait(&mut state);
                continue;
            };
            drop(state);
            let written = writes.into_iter().try_for_each(|write| self.persister.write(write));
            state = self.state.lock();
            if state.killed {
                break;
            }
            let ended = match written {
                Err(error) => self.disk_failed(&mut state, error).ended,
                Ok(()) => {
                    for waiting in state.saving.written(number) {
                        self.release(&mut state, waiting);
                    }
                    self.step_locked(&mut state, Event::Saved { number }).ended
                }
            };
            if !ended.is_empty() {
                drop(state);
                ended.tell();
                state = self.state.lock();
            }
        }
        state.saving.clear();
    }

    /// Shows what a step has to show, now that its save is durable.
    fn release(self: &Arc<Shared>, state: &mut State, waiting: Waiting) {
        let Waiting { save: _, reply, messages, shown } = waiting;
        if let Some((view, acknowledged)) = shown {
            self.observers.released(&view, acknowledged, &self.persister);
        }
        if let Some((to, reply)) = reply {
            let _ = to.send(reply); // the caller's task may have ended
        }
        for message in messages {
            self.send(state, message);
        }
    }

    /// Kills the server: state that it has promised, or is about to promise, may not be on its
    /// disk.
    #[cold]
    fn disk_failed(&self, state: &mut State, error: WriteError) -> Outcome {
        error!(target: "raft::disk", "{} stops: {error}", self.me);
        let ended = self.stop(state);
        self.wake_stopped();
        Outcome {
            reply: Answer::None,
            proposed: None,
            overloaded: false,
            read: None,
            confirmed: None,
            ended,
        }
    }

    /// Starts a call. Its reply will be a separate event.
    ///
    /// A peer that does not answer gets no more calls than [`MAX_CALLS`]; a call beyond that is
    /// dropped, as if the network had lost it.
    fn send(self: &Arc<Shared>, state: &mut State, message: Outgoing) {
        let Outgoing { to, request, sent } = message;
        let Some(calls) = state.calls.get_mut(to.get()) else { return };
        let (count, limit) = match request {
            Request::Snapshot(_) => (&mut calls.snapshots, 1),
            _ => (&mut calls.others, MAX_CALLS),
        };
        if *count >= limit {
            return;
        }
        *count += 1;
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
