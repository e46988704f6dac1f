//! A replicated state machine on Raft: any deterministic [`StateMachine`] becomes a service that
//! survives the loss of a minority of its servers.
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
//! A waiter is found by log index and checked by the operation's id, which is never used twice, not
//! even after a restart. Its wait ends with [`SubmitError::WrongLeader`], at once, when it can no
//! longer be sure of its entry: another operation shows up at its index, this server learns of a
//! newer term, or a snapshot covers the index. It ends with [`SubmitError::ShutDown`] when the
//! server is killed. A leader that is cut off and cannot know of a newer term keeps its callers
//! waiting: its entry may still commit.
//!
//! `WrongLeader` after a wait says nothing about whether the operation takes effect: its entry may
//! be in the log of the new leader. A service that must not execute an operation twice takes
//! [`exactly_once`], which brings a server and a clerk for any machine, or versions of its own, as
//! the key/value service of the 2025 labs has.
//!
//! # Reads
//! What changes nothing needs no entry in the log ([`Rsm::read`]): Raft confirms that this server
//! still leads, and the machine is looked at once it has executed what was committed by then. With
//! [`Rsm::read_then`] no task waits for that: the caller's right to an answer (a
//! [`labrpc::Responder`], say) is carried along.
//!
//! # A machine that fails
//! A panic in [`StateMachine::do_op`], [`Snapshot::snapshot`] or [`Snapshot::restore`] stops its
//! server on threads: the server no longer leads, every caller gets [`SubmitError::ShutDown`], and
//! the log names the entry. (In a simulation the panic fails the run.) A server that goes on after
//! a panic would have a state of its own.
//!
//! # Snapshots
//! With [`Options::max_raft_state`] set, the machine's state is handed to Raft whenever the saved
//! log comes near the limit, and Raft forgets the log up to there. A machine that drops much of its
//! state can have the disk follow at once ([`Snapshot::take_freed_bytes`]).
//!
//! # Left out on purpose
//! Keys and values: what an operation means is the machine's affair.
#![forbid(unsafe_code)]

mod compaction;
mod error;
pub mod exactly_once;
mod marks;
mod operation;
mod pending;
mod reader;
mod request;
mod serve;
pub mod sessions;
mod state_machine;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use labrpc::{ClientEnd, Service};
use labrt::channel::RecvTimeoutError;
use labrt::{channel, oneshot};
use raft::Raft;

pub use error::{Error, ReadError, SubmitError};
pub use request::{Accepts, Query, Request};
pub use serve::Reads;
pub use state_machine::{RestoreError, Snapshot, StateMachine};

use compaction::Compaction;
use marks::Mark;
use operation::{IdSource, Operation};
use pending::Pending;

/// What a server of a replicated state machine is made of.
#[derive(Debug)]
pub struct Options {
    /// Ends to all servers of the group, this one included, in the same order everywhere.
    pub peers: Vec<ClientEnd>,
    /// This server's index in `peers`.
    pub me: usize,
    pub persister: labrt::Persister,
    /// Bytes that the saved Raft state should stay below, by taking snapshots; `None`: never take
    /// one.
    pub max_raft_state: Option<usize>,
    /// Raft's intervals, rules and limits. The same on all servers of the group.
    pub tuning: raft::Tuning,
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

/// What the callers, the reader and the term watcher share. No lock is held together with another
/// one, and none while a caller's closure runs.
struct Shared<M: StateMachine> {
    raft: Raft,
    machine: labrt::Mutex<M>,
    pending: labrt::Mutex<Pending<M::Reply>>,
    ids: IdSource,
    /// Where tasks of this server run, whichever task starts them.
    node: labrt::Node,
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

    /// Stops this server, and ends every wait on it.
    fn stop(&self) {
        self.raft.kill();
        let ended = self.pending.lock().close();
        ended.call();
    }

    /// Looks at the deadlines of waiting callers at `look`, and again as long as there are some.
    fn expire_at(shared: &Arc<Shared<M>>, look: labrt::Instant) {
        let (weak, node) = (Arc::downgrade(shared), shared.node.clone());
        // A node's clock may be slow: never look again at once.
        let delay = (look - labrt::now()).max(Duration::from_millis(1));
        labrt::after(delay, move || {
            node.spawn_brief("rsm-deadlines", move || {
                let Some(shared) = weak.upgrade() else { return };
                let (ended, next) = shared.pending.lock().expire(labrt::now());
                ended.call();
                if let Some(next) = next {
                    Shared::expire_at(&shared, next);
                }
            });
        });
    }
}

/// The largest request that is accepted: bytes of its encoding, its id included. It is checked
/// before anything is proposed, so a request that is in the log can be sent, saved and read back.
///
/// Snapshots, and so states, have no limit of their own.
pub const MAX_REQUEST_BYTES: usize = 33 << 20;

/// Messages that Raft may be ahead of the reader.
const APPLY_QUEUE: usize = 256;

impl<M: StateMachine> Rsm<M> {
    /// Starts this server: restores `machine` from the snapshot on the disk, if there is one, and
    /// starts Raft. Returns quickly.
    ///
    /// # Errors
    /// When what was saved cannot be understood. Nothing is overwritten then.
    pub fn start(options: Options, mut machine: M) -> Result<Rsm<M>, Error> {
        let Options { peers, me, persister, max_raft_state, tuning } = options;
        let snapshot = persister.read_snapshot();
        Mark::declare();
        if !snapshot.is_empty() {
            let restored = reader::guarded(|| machine.restore(&snapshot));
            restored.unwrap_or_else(|panic| Err(RestoreError { reason: panic }))?;
            Mark::RestoredAtStart.reach();
        }
        let (apply, applied) = channel::bounded(APPLY_QUEUE);
        let raft = Raft::start(raft::Options { peers, me, persister, apply, tuning })?;
        let shared = Arc::new(Shared {
            raft: raft.clone(),
            machine: labrt::Mutex::new(machine),
            pending: labrt::Mutex::new(Pending::new()),
            ids: IdSource::new(),
            node: labrt::Node::current(),
        });
        let compaction = Compaction::new(max_raft_state);
        let to_reader = Arc::clone(&shared);
        labrt::spawn_named("rsm-reader", move || reader::run(&to_reader, &applied, compaction));
        let to_watcher = Arc::clone(&shared);
        labrt::spawn_named("rsm-terms", move || {
            let mut term = raft::Term::default();
            while let Some(newer) = raft.wait_for_newer_term(term) {
                term = newer;
                let ended = to_watcher.pending.lock().end_older_terms(term);
                ended.call();
            }
        });
        Ok(Rsm { shared })
    }

    /// Proposes `request`; `then` is called once, with the reply when the request has been executed
    /// here, or with the reason why its reply is not known. `then` carries the right to answer (a
    /// [`labrpc::Responder`], say), so no task waits with the request.
    ///
    /// With a `patience`, the wait ends after that time with [`SubmitError::TimedOut`]: a leader
    /// that is cut off from the majority does not know it at once. The request may still take
    /// effect.
    ///
    /// `then` runs on whichever task ends the wait, the caller's own included, and holds no lock.
    /// It must not block: other callers wait behind it. If this server crashes, or is dropped,
    /// `then` is dropped without a call.
    pub fn submit_then(
        &self,
        patience: Option<Duration>,
        request: M::Request,
        then: impl FnOnce(Result<M::Reply, SubmitError>) + Send + 'static,
    ) {
        let shared = &self.shared;
        let id = shared.ids.next();
        let operation = Operation { id, request };
        let command = match labgob::encode_with_limit(&operation, labgob::NO_LIMIT) {
            Ok(command) => command,
            Err(error) => return then(Err(error.into())),
        };
        if command.len() > MAX_REQUEST_BYTES {
            let (bytes, limit) = (command.len(), MAX_REQUEST_BYTES);
            return then(Err(SubmitError::TooLarge { bytes, limit }));
        }
        let deadline = patience.map(|patience| labrt::now() + patience);
        // Registered first: the entry may be executed before its index is known here.
        let registered = shared.pending.lock().register(id, deadline, Box::new(then));
        match registered {
            Err(then) => return then(Err(SubmitError::ShutDown)),
            Ok(Some(look)) => Shared::expire_at(shared, look),
            Ok(None) => {}
        }
        match shared.raft.propose(command) {
            Ok(proposed) => {
                let mut pending = shared.pending.lock();
                let ended = pending.placed(id, proposed.index, proposed.term);
                drop(pending);
                ended.call();
            }
            Err(rejected) => {
                let then = shared.pending.lock().take(id);
                let error = match rejected {
                    raft::ProposeError::Overloaded => SubmitError::Overloaded,
                    _ if shared.raft.is_killed() => SubmitError::ShutDown,
                    _ => SubmitError::WrongLeader,
                };
                if let Some(then) = then {
                    then(Err(error));
                }
            }
        }
    }

    /// Proposes `request` and waits until it is executed here. Any number of callers may wait at
    /// once.
    ///
    /// # Errors
    /// [`SubmitError::WrongLeader`] when this server does not lead (nothing happened), or stopped
    /// leading while the request waited (it may still take effect); [`SubmitError::ShutDown`] when
    /// the server was killed; [`SubmitError::Encode`] and [`SubmitError::TooLarge`] when the
    /// request cannot be written to the log.
    #[track_caller]
    pub fn submit(&self, request: M::Request) -> Result<M::Reply, SubmitError> {
        self.submit_and_wait(None, request).recv().unwrap_or(Err(SubmitError::ShutDown))
    }

    /// The same for a caller that waits no longer than `patience`.
    ///
    /// # Errors
    /// [`SubmitError::TimedOut`] when the time is over (the request may still take effect), and
    /// those of [`submit`](Rsm::submit).
    #[track_caller]
    pub fn submit_within(
        &self,
        patience: Duration,
        request: M::Request,
    ) -> Result<M::Reply, SubmitError> {
        let waiting = self.submit_and_wait(Some(patience), request);
        waiting.recv().unwrap_or(Err(SubmitError::ShutDown))
    }

    fn submit_and_wait(
        &self,
        patience: Option<Duration>,
        request: M::Request,
    ) -> oneshot::Receiver<Result<M::Reply, SubmitError>> {
        let (to, outcome) = oneshot::channel();
        self.submit_then(patience, request, move |outcome| {
            let _ = to.send(outcome); // the caller's node may have crashed
        });
        outcome
    }

    /// Looks at the machine without an entry in the log, and sees everything that was executed
    /// anywhere before this call (§8): Raft confirms that this server still leads, then the machine
    /// must have executed what was committed by then. `then` is called once, with what `look`
    /// returned, or with the reason why nothing could be seen.
    ///
    /// `patience` limits the wait for the confirmation; Raft checks it with each of its heartbeats.
    /// For `then`, the rules of [`submit_then`](Rsm::submit_then) hold.
    pub fn read_then<R: 'static, F: FnOnce(Result<R, ReadError>) + Send + 'static>(
        &self,
        patience: Duration,
        look: impl FnOnce(&M) -> R + Send + 'static,
        then: F,
    ) {
        // What waits in Raft must not keep alive what owns Raft.
        let weak = Arc::downgrade(&self.shared);
        let confirmed = move |then: F, confirmed| {
            let index: raft::Index = match confirmed {
                Ok(index) => index,
                Err(error) => return then(Err(ReadError::from(error))),
            };
            let Some(shared) = weak.upgrade() else { return };
            shared.when_executed(index, move |outcome| match (outcome, weak.upgrade()) {
                (Ok(()), Some(shared)) => {
                    let seen = reader::guarded(|| look(&shared.machine.lock()));
                    then(seen.map_err(|problem| {
                        log::error!(target: "rsm", "this server stops at a read: {problem}");
                        shared.stop();
                        ReadError::ShutDown
                    }));
                }
                (outcome, _) => then(Err(outcome.err().unwrap_or(ReadError::ShutDown))),
            });
        };
        let asked = self.shared.raft.read_index_then(patience, then, confirmed);
        if let Err((error, then)) = asked {
            let killed = self.shared.raft.is_killed();
            then(Err(if killed { ReadError::ShutDown } else { error.into() }));
        }
    }

    /// The same for a caller that waits, for at most twice `patience`: for the confirmation, and
    /// for the machine.
    ///
    /// # Errors
    /// [`ReadError::NothingCommitted`] on a leader that has committed nothing in its term: submit
    /// the read. After any other error, ask another server.
    #[track_caller]
    pub fn read<R: Send + 'static>(
        &self,
        patience: Duration,
        look: impl FnOnce(&M) -> R + Send + 'static,
    ) -> Result<R, ReadError> {
        let (to, outcome) = oneshot::channel();
        self.read_then(patience, look, move |seen| {
            let _ = to.send(seen); // the caller may wait no longer
        });
        match outcome.recv_timeout(patience.saturating_mul(2)) {
            Ok(seen) => seen,
            Err(RecvTimeoutError::Timeout) => Err(ReadError::TimedOut),
            Err(RecvTimeoutError::Disconnected) => Err(ReadError::ShutDown),
        }
    }

    /// All services to register under this server's name: the service's own, and Raft's.
    pub fn services(&self, own: Service) -> [Service; 2] {
        [own, self.shared.raft.service()]
    }

    /// The Raft instance below.
    pub fn raft(&self) -> &Raft {
        &self.shared.raft
    }

    /// Looks at the machine's present state on this server, which may lag behind the others'.
    pub fn with_machine<R>(&self, look: impl FnOnce(&M) -> R) -> R {
        look(&self.shared.machine.lock())
    }

    /// Stops this server: waiting and later requests end with [`SubmitError::ShutDown`].
    pub fn kill(&self) {
        self.shared.stop();
    }
}

/// The example in the project's README is compiled and run with this crate's documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
