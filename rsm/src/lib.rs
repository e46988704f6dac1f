//! A replicated state machine on Raft: any deterministic [`StateMachine`] becomes a service that survives the loss of a minority
//! of its servers.
//!
//! # The life of one submit
//! ```text
//!   caller            Rsm::submit              Raft                    reader task (one a server)
//!     │  request        │                        │                          │
//!     ├────────────────▶│ Operation{id, request} │                          │
//!     │                 ├───────────────────────▶│ log, replicate, commit   │
//!     │                 │ Proposed{index, term}  │                          │
//!     │                 │◀───────────────────────┤   ApplyMsg::Command      │
//!     │                 │                        ├─────────────────────────▶│ machine.do_op(request)
//!     │                 │ waits at `index`       │                          │   on every server
//!     │     reply       │◀───────────────────────┼──────────────────────────┤ the waiter at `index`, if the
//!     │◀────────────────┤                        │                          │   id is the one it waits for
//! ```
//! A waiter is found by log index and checked by the operation's id, which is never used twice, not even after a restart. Its
//! wait ends with [`SubmitError::WrongLeader`], at once, when it can no longer be sure of its entry: another operation shows up at
//! its index, this server learns of a newer term, or a snapshot covers the index. It ends with [`SubmitError::ShutDown`] when the
//! server is killed. A leader that is cut off and cannot know of a newer term keeps its callers waiting: its entry may still
//! commit.
//!
//! `WrongLeader` after a wait says nothing about whether the operation takes effect: its entry may be in the log of the new leader.
//! A service that must not execute an operation twice needs versions or request numbers of its own, as the key/value services
//! have.
//!
//! # Reads
//! What changes nothing needs no entry in the log ([`Rsm::read`]): Raft confirms that this server still leads, and the machine is looked at
//! once it has executed what was committed by then. With [`Rsm::read_then`] no task waits for that: the caller's right to an answer (a
//! [`labrpc::Responder`], say) is carried along.
//!
//! # Snapshots
//! With [`Options::max_raft_state`] set, the machine's state is handed to Raft whenever the saved log comes near the limit, and Raft
//! forgets the log up to there. A machine that drops much of its state can have the disk follow at once
//! ([`StateMachine::take_freed_bytes`]).
//!
//! # Left out on purpose
//! Keys, values, clients, sessions: what an operation means is the machine's affair. For the clients' side there is only
//! [`LeaderHint`].
#![forbid(unsafe_code)]

mod compaction;
mod error;
mod leader_hint;
mod marks;
mod operation;
mod pending;
mod reader;
mod state_machine;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use labrpc::ClientEnd;
use labrt::channel::RecvTimeoutError;
use labrt::{channel, oneshot};
use raft::Raft;

pub use error::{Error, ReadError, SubmitError};
pub use leader_hint::{Attempt, LeaderHint};
pub use state_machine::{RestoreError, StateMachine};

use compaction::Compaction;
use marks::Mark;
use operation::{IdSource, Operation, OperationId};
use pending::Pending;

/// What a server of a replicated state machine is made of.
#[derive(Debug)]
pub struct Options {
    /// Ends to all servers of the group, this one included, in the same order everywhere.
    pub peers: Vec<ClientEnd>,
    /// This server's place in `peers`.
    pub me: usize,
    /// Its disk.
    pub persister: labrt::Persister,
    /// Bytes that the saved Raft state should stay below, by taking snapshots; `None`: never take one.
    pub max_raft_state: Option<usize>,
}

/// One server's part of a replicated state machine. Clones are handles to the same one.
pub struct Rsm<M: StateMachine> {
    shared: Arc<Shared<M>>,
}

impl<M: StateMachine> Clone for Rsm<M> {
    fn clone(&self) -> Rsm<M> {
        Rsm { shared: Arc::clone(&self.shared) }
    }
}

impl<M: StateMachine> fmt::Debug for Rsm<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rsm").field("raft", &self.shared.raft).finish_non_exhaustive()
    }
}

/// What the callers, the reader and the term watcher share. Locks are taken in the order `pending`, Raft's own; the machine's
/// lock is never held together with another.
struct Shared<M: StateMachine> {
    raft: Raft,
    machine: labrt::Mutex<M>,
    pending: labrt::Mutex<Pending<M::Reply>>,
    ids: IdSource,
}

/// A request that was proposed.
struct Waiting<R> {
    index: raft::Index,
    id: OperationId,
    outcome: oneshot::Receiver<Result<R, SubmitError>>,
}

impl<M: StateMachine> Shared<M> {
    /// Calls `then` once the machine has executed `index`, or the server was shut down.
    fn when_executed(
        &self,
        index: raft::Index,
        then: impl FnOnce(Result<(), ReadError>) + Send + 'static,
    ) {
        let mut pending = self.pending.lock();
        let outcome = if pending.is_closed() {
            Err(ReadError::ShutDown)
        } else if pending.has_executed(index) {
            Ok(())
        } else {
            return pending.call_at(index, then);
        };
        drop(pending);
        then(outcome);
    }
}

/// Messages that Raft may be ahead of the reader.
const APPLY_QUEUE: usize = 256;

impl<M: StateMachine> Rsm<M> {
    /// Starts this server: restores `machine` from the snapshot on the disk, if there is one, and starts Raft. Returns quickly.
    ///
    /// # Errors
    /// When what was saved cannot be understood. Nothing is overwritten then.
    pub fn start(options: Options, mut machine: M) -> Result<Rsm<M>, Error> {
        let Options { peers, me, persister, max_raft_state } = options;
        let snapshot = persister.read_snapshot();
        Mark::declare();
        if !snapshot.is_empty() {
            machine.restore(&snapshot)?;
            Mark::RestoredAtStart.reach();
        }
        let (apply, applied) = channel::bounded(APPLY_QUEUE);
        let raft = Raft::start(raft::Options { peers, me, persister, apply })?;
        let shared = Arc::new(Shared {
            raft: raft.clone(),
            machine: labrt::Mutex::new(machine),
            pending: labrt::Mutex::new(Pending::new()),
            ids: IdSource::new(),
        });
        let compaction = Compaction::new(max_raft_state);
        let to_reader = Arc::clone(&shared);
        labrt::spawn_named("rsm-reader", move || reader::run(&to_reader, &applied, compaction));
        let to_watcher = Arc::clone(&shared);
        labrt::spawn_named("rsm-terms", move || {
            let mut term = raft::Term::default();
            while let Some(newer) = raft.wait_for_newer_term(term) {
                term = newer;
                to_watcher.pending.lock().end_older_terms(term);
            }
        });
        Ok(Rsm { shared })
    }

    /// Proposes `request` and waits until it is executed here. Any number of callers may wait at once.
    ///
    /// # Errors
    /// [`SubmitError::WrongLeader`] when this server does not lead (nothing happened), or stopped leading while the request waited
    /// (it may still take effect); [`SubmitError::ShutDown`] when the server was killed; [`SubmitError::Encode`] when the
    /// request cannot be written to the log.
    #[track_caller]
    pub fn submit(&self, request: M::Request) -> Result<M::Reply, SubmitError> {
        let waiting = self.propose(request)?;
        // The sender is only ever dropped unused when the server goes down.
        waiting.outcome.recv().unwrap_or(Err(SubmitError::ShutDown))
    }

    /// The same for a caller that does not wait longer than this: a leader that is cut off from the majority and does not know of
    /// another one would keep it waiting.
    ///
    /// # Errors
    /// [`SubmitError::TimedOut`] when the time is over (the request may still take effect), and those of [`submit`](Rsm::submit).
    #[track_caller]
    pub fn submit_within(
        &self,
        patience: Duration,
        request: M::Request,
    ) -> Result<M::Reply, SubmitError> {
        let waiting = self.propose(request)?;
        match waiting.outcome.recv_timeout(patience) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Disconnected) => Err(SubmitError::ShutDown),
            Err(RecvTimeoutError::Timeout) => {
                Mark::LostPatience.reach();
                self.shared.pending.lock().give_up(waiting.index, waiting.id);
                Err(SubmitError::TimedOut)
            }
        }
    }

    fn propose(&self, request: M::Request) -> Result<Waiting<M::Reply>, SubmitError> {
        let shared = &*self.shared;
        let id = shared.ids.next();
        let command = labgob::encode(&Operation { id, request })?;
        // Held over the proposal, so that the reader cannot get to the entry before its waiter is there.
        let mut pending = shared.pending.lock();
        if pending.is_closed() {
            return Err(SubmitError::ShutDown);
        }
        let proposed = shared.raft.propose(command).map_err(|_| SubmitError::WrongLeader)?;
        let outcome = pending.add(proposed.index, proposed.term, id);
        Ok(Waiting { index: proposed.index, id, outcome })
    }

    /// Looks at the machine without an entry in the log, and sees everything that was executed anywhere before this call (§8 of the
    /// paper): Raft confirms that this server still leads, then the machine must get to where the log was committed.
    ///
    /// Twice `patience` at most: for the confirmation, and for the machine.
    ///
    /// # Errors
    /// [`ReadError::Raft`] with [`raft::ReadError::NothingCommitted`] on a leader that has committed nothing in its term: submit the
    /// read. After any other error, ask another server.
    #[track_caller]
    pub fn read<R>(&self, patience: Duration, look: impl FnOnce(&M) -> R) -> Result<R, ReadError> {
        let index = self.shared.raft.read_index(patience)?;
        let (reader, reached) = oneshot::channel();
        self.shared.when_executed(index, move |outcome| {
            let _ = reader.send(outcome); // it may have lost patience
        });
        match reached.recv_timeout(patience) {
            Ok(outcome) => outcome.map(|()| self.with_machine(look)),
            Err(RecvTimeoutError::Timeout) => Err(ReadError::TimedOut),
            Err(RecvTimeoutError::Disconnected) => Err(ReadError::ShutDown),
        }
    }

    /// The same without waiting: once the machine can be looked at, or the read has failed, `then` is called with what is `carried` to
    /// it and what `look` has seen. For a server with many reads at once, none of which then needs a task that waits.
    ///
    /// The call is made by whichever task finds out. It holds no lock then, but others may depend on it: `then` should not block.
    /// `patience` is for the confirmation, and is looked after with each of Raft's heartbeats. If this server crashes, or is dropped,
    /// `then` is dropped, not called.
    ///
    /// # Errors
    /// What can be refused at once, is, as in [`read`](Rsm::read): with `carried` given back and without a call of `then`.
    pub fn read_then<T: Send + 'static, R>(
        &self,
        patience: Duration,
        carried: T,
        look: impl FnOnce(&M) -> R + Send + 'static,
        then: impl FnOnce(T, Result<R, ReadError>) + Send + 'static,
    ) -> Result<(), (ReadError, T)> {
        // What waits in Raft must not keep alive what owns Raft.
        let weak = Arc::downgrade(&self.shared);
        let confirmed = move |carried, confirmed: Result<raft::Index, raft::ReadError>| {
            let index = match confirmed {
                Ok(index) => index,
                Err(error) => return then(carried, Err(error.into())),
            };
            let Some(shared) = weak.upgrade() else { return };
            shared.when_executed(index, move |outcome| match (outcome, weak.upgrade()) {
                (Ok(()), Some(shared)) => {
                    let seen = look(&shared.machine.lock());
                    then(carried, Ok(seen));
                }
                (outcome, _) => then(carried, Err(outcome.err().unwrap_or(ReadError::ShutDown))),
            });
        };
        self.shared
            .raft
            .read_index_then(patience, carried, confirmed)
            .map_err(|(error, carried)| (error.into(), carried))
    }

    /// The Raft instance below.
    pub fn raft(&self) -> &Raft {
        &self.shared.raft
    }

    /// Looks at the machine's present state on this server, which may lag behind the others'.
    pub fn with_machine<R>(&self, look: impl FnOnce(&M) -> R) -> R {
        look(&self.shared.machine.lock())
    }

    /// Stops this server: pending and later submits end with [`SubmitError::ShutDown`].
    pub fn kill(&self) {
        self.shared.raft.kill();
    }
}

/// The example in the project's README is compiled and run with this crate's documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
