//! The part of Raft that blocks: RPCs, the clock, the disk and the service, around the pure
//! [`consensus`](crate::consensus).
//!
//! ```text
//!   propose()   snapshot()      RPC handlers       replies to our calls      ticker
//!       └───────────┴────────────────┴──────────────────────┴──────────────────┘
//!                                    │  Event
//!                                    ▼
//!                   one lock:  Node::step ──▶ Effects ──▶ carry_out
//!                                                           │ 1. save      (Persister)
//!                                                           │ 2. messages  (a task for each call)
//!                                                           │ 3. apply     (queue)
//!                                                           ▼
//!                                                        applier ──▶ the service's channel
//! ```
//! A disk that returns at once is written under the lock that the step was taken under. Any other
//! disk is written by a task of its own without the lock (`saving`): what a message shows is saved
//! before it leaves. What is applied is in the order in which it was committed. Only the applier
//! waits for the service, and it holds no lock then: the service may call [`Raft::snapshot`] from
//! the task that drains the channel.

mod applier;
mod carry_out;
mod handlers;
mod peer;
mod persistence;
mod reads;
mod saving;
mod ticker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use labrpc::{ClientEnd, Service};
use labrt::channel::{RecvTimeoutError, Sender};
use labrt::{Condvar, Instant, Persister, Write, WriteError, oneshot};

use crate::apply_msg::ApplyMsg;
use crate::consensus::{Config, Event, Node, ReadRefused, Rules};
use crate::events;
use crate::marks::{self, DiskMark};
use crate::observer::Observers;
use crate::timing::{TICK, Time, Timing};
use crate::types::{Command, Index, ServerId, Term};

use carry_out::Calls;
pub use handlers::{AppendEntries, InstallSnapshot, RequestVote};
use persistence::Loaded;
pub use persistence::{CorruptState, SavedHeader};
use reads::{Ended, Reads};
use saving::Saving;

/// The parts of a Raft server.
#[derive(Debug)]
pub struct Options {
    /// Ends to all servers of the group, this one included, in the same order everywhere.
    pub peers: Vec<ClientEnd>,
    /// This server's index in `peers`.
    pub me: usize,
    pub persister: Persister,
    /// Where committed commands and snapshots go. Dropped when the server is killed.
    pub apply: Sender<ApplyMsg>,
    /// Intervals, rules and limits. The same on all servers of the group.
    pub tuning: Tuning,
}

/// What may differ from group to group: intervals, rules and limits.
///
/// The default suits servers in one place: elections after 300 to 600 ms of silence, and the rules
/// that keep a group serving while some of its servers are cut off or slow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tuning {
    /// The intervals. [`Raft::start`] rejects intervals that do not fit together.
    pub timing: Timing,
    /// Which rules beyond the paper's are in force.
    pub rules: Rules,
    /// A leader rejects proposals when so many of its entries are not committed…
    pub max_uncommitted_entries: usize,
    /// … or so many bytes of commands. One command is accepted whatever its size.
    pub max_uncommitted_bytes: usize,
}

impl Tuning {
    /// The rules of the paper's Figure 2 alone.
    pub fn paper() -> Tuning {
        Tuning { rules: Rules::PAPER, ..Tuning::default() }
    }

    /// Intervals for links that take up to `one_way` in one direction: a heartbeat needs that long,
    /// its answer as long again, and a lost heartbeat must not start an election.
    pub fn for_links_of(one_way: Duration) -> Tuning {
        let millis = u64::try_from(one_way.as_millis()).unwrap_or(u64::MAX / 64);
        let standard = Timing::default();
        let round_trip = millis.saturating_mul(2);
        let election_min = standard.election_min.saturating_add(round_trip.saturating_mul(3));
        let timing = Timing {
            heartbeat: standard.heartbeat.max(millis),
            election_min,
            election_max: election_min.saturating_mul(2),
            resend: standard.resend.saturating_add(round_trip.saturating_mul(2)),
            resend_snapshot: standard.resend_snapshot.saturating_add(round_trip.saturating_mul(2)),
            ..standard
        };
        Tuning { timing, ..Tuning::default() }
    }

    fn config(self, id: ServerId, servers: u32) -> Config {
        let Tuning { timing, rules, max_uncommitted_entries, max_uncommitted_bytes } = self;
        Config {
            timing,
            rules,
            max_uncommitted_entries,
            max_uncommitted_bytes,
            delayed_saves: true,
            ..Config::new(id, servers)
        }
    }
}

impl Default for Tuning {
    fn default() -> Tuning {
        let Config { timing, rules, max_uncommitted_entries, max_uncommitted_bytes, .. } =
            Config::new(ServerId::new(0), 1);
        Tuning { timing, rules, max_uncommitted_entries, max_uncommitted_bytes }
    }
}

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk does not contain a Raft state, or not one that this server can have saved. Nothing
    /// was overwritten.
    #[error("{0}")]
    Corrupt(#[from] CorruptState),
    /// The saved state is sound, but the disk cannot be written.
    #[error("cannot write to the disk: {0}")]
    Disk(#[from] WriteError),
    /// `me` is not an index of `peers`.
    #[error("server {me} is not one of {peers} peers: count from 0")]
    NotAMember {
        /// The place given.
        me: usize,
        /// How many peers there are.
        peers: usize,
    },
}

/// The position of a proposal. It may never be committed there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proposed {
    /// Its index, if it is ever committed.
    pub index: Index,
    /// The term it was proposed in.
    pub term: Term,
}

/// Why a proposal was rejected. It was not added to the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProposeError {
    /// This server does not lead, or was killed: ask another one.
    #[error("this server is not the leader: ask another one")]
    NotLeader,
    /// This leader has as many uncommitted entries as its limits allow
    /// ([`Config::max_uncommitted_entries`](crate::consensus::Config::max_uncommitted_entries)):
    /// try again later, or ask another server, as this one may have lost its majority.
    #[error("the leader has too many uncommitted entries: try again later")]
    Overloaded,
}

/// Why a read without a log entry cannot be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// This server does not lead, has stopped leading, or was killed: ask another one.
    #[error("this server is not the leader: ask another one")]
    NotLeader,
    /// This leader has committed nothing in its term, so it may not know of everything that is
    /// committed: read through the log.
    #[error("the leader has committed nothing in its term yet: read through the log")]
    NothingCommitted,
    /// No majority has confirmed in time that this server leads: ask another one.
    #[error("no majority has confirmed the leader in time: ask another server")]
    TimedOut,
}

/// One Raft server. Clones are handles to the same one.
#[derive(Clone)]
pub struct Raft {
    shared: Arc<Shared>,
}

/// What the tasks of a server share.
struct Shared {
    me: ServerId,
    /// The node whose tasks make calls, whatever node a proposal comes from.
    home: labrt::Node,
    peers: Vec<ClientEnd>,
    persister: Persister,
    state: labrt::Mutex<State>,
    /// Notified when the ticker must wake earlier than planned, and at the end.
    tick_earlier: Condvar,
    /// Notified when something waits for the disk, and at the end.
    to_save: Condvar,
    /// Notified when the term has grown, and at the end.
    term_grew: Condvar,
    queue: applier::Queue,
    started: Instant,
    observers: Observers,
}

struct State {
    node: Node,
    /// No further step is taken.
    killed: bool,
    /// When the ticker will wake next.
    ticker_wakes: Time,
    /// Tasks that wait for a newer term.
    awaiting_term: usize,
    reads: Reads,
    saving: Saving,
    /// By peer.
    calls: Vec<Calls>,
    /// A buffer for building records.
    scratch: Vec<u8>,
}

impl Raft {
    /// Starts a server from what is on its disk. Returns quickly; tasks of the caller's node do the
    /// work.
    ///
    /// After a restart everything from index 1 is delivered again; with a snapshot on the disk,
    /// everything after it, and the service loads the snapshot itself. A last log record that a
    /// power cut has left unfinished is dropped: its write never returned.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the saved state cannot be trusted: never a fresh start.
    pub fn start(options: Options) -> Result<Raft, Error> {
        let Options { peers, me, persister, apply, tuning } = options;
        let id = match u32::try_from(me) {
            Ok(id) if me < peers.len() => ServerId::new(id),
            _ => return Err(Error::NotAMember { me, peers: peers.len() }),
        };
        marks::declare();
        let Loaded { saved, torn } = persistence::load(&persister)?;
        let whole = saved.entries.len();
        let servers = u32::try_from(peers.len()).unwrap_or(u32::MAX);
        let node = Node::restore(tuning.config(id, servers), saved, Time::ZERO, &mut dice)
            .map_err(CorruptState::from)?;
        if torn {
            DiskMark::TornWrite.reach();
            events::dropped_torn_record(&labrt::Node::current(), id);
            persister.write(Write { keep_records: Some(whole), ..Write::default() })?;
        }
        let home = labrt::Node::current();
        let observers = Observers::of_run();
        observers.started(&home, &node, &persister);
        let shared = Arc::new(Shared {
            me: id,
            home,
            peers,
            persister,
            state: labrt::Mutex::new(State {
                node,
                killed: false,
                ticker_wakes: Time::ZERO,
                awaiting_term: 0,
                reads: Reads::default(),
                saving: Saving::default(),
                calls: vec![Calls::default(); servers as usize],
                scratch: Vec::new(),
            }),
            tick_earlier: Condvar::new(),
            to_save: Condvar::new(),
            term_grew: Condvar::new(),
            queue: applier::Queue::new(),
            started: labrt::now(),
            observers,
        });
        let ticking = Arc::clone(&shared);
        labrt::spawn_named("raft-ticker", move || ticker::run(&ticking));
        let writing = Arc::clone(&shared);
        labrt::spawn_named("raft-disk", move || writing.run_writer());
        let applying = Arc::clone(&shared);
        labrt::spawn_named("raft-applier", move || applier::run(&applying, &apply));
        Ok(Raft { shared })
    }

    /// Proposes a command (§5.3): at once `Err` if this server does not lead; otherwise the command
    /// is in its log, and on its way to the disk and to the followers. It may never be committed.
    /// Does not wait for the disk.
    ///
    /// # Errors
    /// [`ProposeError::NotLeader`], also after [`kill`](Raft::kill); [`ProposeError::Overloaded`]
    /// when a majority does not keep up.
    pub fn propose(&self, command: impl Into<Command>) -> Result<Proposed, ProposeError> {
        let state = self.shared.state.lock();
        if state.killed || !state.node.is_leader() {
            return Err(ProposeError::NotLeader);
        }
        if state.saving.is_full() {
            return Err(ProposeError::Overloaded);
        }
        let outcome = self.shared.step(state, Event::Propose(command.into()));
        if outcome.overloaded {
            return Err(ProposeError::Overloaded);
        }
        let at = outcome.proposed.ok_or(ProposeError::NotLeader)?;
        Ok(Proposed { index: at.index, term: at.term })
    }

    /// Prepares a read without a log entry (§8): waits until a majority has confirmed that this
    /// server still leads, and returns the index that the service's state must include before it
    /// answers. Everything that any server committed before this call is then visible.
    ///
    /// # Errors
    /// [`ReadError`]: ask another server, or send the read through the log.
    #[track_caller]
    pub fn read_index(&self, patience: Duration) -> Result<Index, ReadError> {
        let (reader, confirmed) = oneshot::channel();
        self.read_index_then(patience, reader, |reader, verdict| {
            let _ = reader.send(verdict); // it may have lost patience
        })
        .map_err(|(error, _)| error)?;
        match confirmed.recv_timeout(patience) {
            Ok(verdict) => verdict,
            Err(RecvTimeoutError::Disconnected) => Err(ReadError::NotLeader),
            Err(RecvTimeoutError::Timeout) => Err(ReadError::TimedOut),
        }
    }

    /// The same without waiting: `then` is called with `carried` and with the index or the error.
    /// It runs on the task that completes the read, without a lock. It must not block: other reads
    /// complete on the same task. The time limit is checked at heartbeats only.
    ///
    /// If this server crashes, or is dropped with reads waiting, `then` is dropped, not called.
    ///
    /// # Errors
    /// If the read can be rejected at once, `carried` is returned and `then` is not called.
    pub fn read_index_then<T: Send + 'static>(
        &self,
        patience: Duration,
        carried: T,
        then: impl FnOnce(T, Result<Index, ReadError>) + Send + 'static,
    ) -> Result<(), (ReadError, T)> {
        let mut state = self.shared.state.lock();
        if state.killed {
            return Err((ReadError::NotLeader, carried));
        }
        let outcome = self.shared.step_locked(&mut state, Event::Read);
        let (refused, ended) = match outcome.read {
            Some(Ok(number)) => {
                let until = self.shared.time() + reads::ticks(patience);
                state.reads.add(number, until, Box::new(move |verdict| then(carried, verdict)));
                // In a group of one, the step has confirmed it.
                (None, state.reads.end(outcome.confirmed, true, Time::ZERO))
            }
            Some(Err(ReadRefused::NothingCommitted)) => {
                (Some((ReadError::NothingCommitted, carried)), Ended::default())
            }
            _ => (Some((ReadError::NotLeader, carried)), Ended::default()),
        };
        drop(state);
        outcome.ended.tell();
        ended.tell();
        refused.map_or(Ok(()), Err)
    }

    /// The current term, and whether this server believes that it leads.
    pub fn state(&self) -> (Term, bool) {
        let state = self.shared.state.lock();
        (state.node.term(), state.node.is_leader() && !state.killed)
    }

    /// Waits until the term is newer than `term`, and returns it. `None` once the server was
    /// killed.
    #[track_caller]
    pub fn wait_for_newer_term(&self, term: Term) -> Option<Term> {
        let mut state = self.shared.state.lock();
        while !state.killed {
            if state.node.term() > term {
                return Some(state.node.term());
            }
            state.awaiting_term += 1;
            self.shared.term_grew.wait(&mut state);
            state.awaiting_term -= 1;
        }
        None
    }

    /// The service has captured its state up to and including `index` (§7): Raft keeps it as its
    /// snapshot and forgets the log up to there. Ignored if that index was not delivered yet, or a
    /// newer snapshot is there.
    pub fn snapshot(&self, index: Index, data: impl Into<Arc<Vec<u8>>>) {
        let state = self.shared.state.lock();
        if !state.killed {
            let event = Event::SnapshotTaken { index, data: data.into() };
            let _ = self.shared.step(state, event);
        }
    }

    /// Bytes of the saved Raft state, the snapshot not counted.
    pub fn persist_bytes(&self) -> usize {
        self.shared.persister.raft_state_size()
    }

    /// The RPCs to register under the server's name, as service `Raft`.
    pub fn service(&self) -> Service {
        handlers::service(&self.shared)
    }

    /// Stops the server: it sends nothing more, saves nothing more, and its apply channel closes.
    pub fn kill(&self) {
        let ended = self.shared.stop(&mut self.shared.state.lock());
        ended.tell();
        self.shared.wake_stopped();
    }

    /// Whether it was killed.
    pub fn is_killed(&self) -> bool {
        self.shared.state.lock().killed
    }

    /// Reads the state of the consensus core, for tests and reports.
    pub fn inspect<R>(&self, look: impl FnOnce(&Node) -> R) -> R {
        look(&self.shared.state.lock().node)
    }
}

impl fmt::Debug for Raft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raft({} of {})", self.shared.me, self.shared.peers.len())
    }
}

/// The core's source of random numbers: labrt's.
fn dice(low: u64, high: u64) -> u64 {
    labrt::random_range(low..=high)
}

impl Shared {
    /// Marks the server as killed. Its tasks end once they are woken.
    fn stop(&self, state: &mut State) -> Ended {
        if !std::mem::replace(&mut state.killed, true) {
            events::killed(&self.home, self.me);
        }
        state.saving.clear();
        state.reads.end_all()
    }

    /// Wakes all tasks of a server that was stopped.
    fn wake_stopped(&self) {
        self.tick_earlier.notify_all();
        self.to_save.notify_all();
        self.term_grew.notify_all();
        self.queue.close();
    }

    /// The time as the core counts it.
    fn time(&self) -> Time {
        let elapsed = self.started.elapsed().as_nanos() / TICK.as_nanos();
        Time::new(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    /// The instant at which the core's time is `time`. `None` for a time that is never reached.
    fn moment(&self, time: Time) -> Option<Instant> {
        let millis = u64::try_from(TICK.as_millis()).ok()?.checked_mul(time.get())?;
        Some(self.started + Duration::from_millis(millis))
    }
}
