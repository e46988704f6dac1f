//! What happens in a run, as one typed [`Event`].
//!
//! ```text
//!  raft, labrpc, tester, marks, log::info! ──▶ labrt::events::emit ──▶ sinks of the run
//!                                                                      │ log.txt, LAB_LOG   (Display)
//!                                                                      │ trace.jsonl        (serde)
//!                                                                      ▼
//!                                                          view: the page and the columns
//! ```
//!
//! Rules:
//! - Whoever emits an event states facts: numbers, names, positions. The text of a log line is made
//!   from them in one place, by [`Display`](fmt::Display).
//! - Whoever reads an event reads its fields. No reader looks into the text, so rewording it
//!   changes no picture and no verdict.
//! - A free log line of a user ([`Event::Log`]) is text and nothing else.
//!
//! This crate depends on serde alone. `labrt::events` delivers events; the crate `view` reads them
//! back from `trace.jsonl`.
//!
//! A Raft of your own appears on the page when it emits [`Raft`] events: see [`raft`].

mod cluster;
mod level;
pub mod raft;
pub mod rpc;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use cluster::{Cluster, Fault, Member, Operation};
pub use level::Level;
pub use raft::Raft;
pub use rpc::Rpc;

/// One event of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A Raft server: role and term, votes, log, commit index, saves, snapshots, messages.
    Raft(Raft),
    /// A remote procedure call on its way.
    Rpc(Rpc),
    /// Servers start and stop; partitions.
    Cluster(Cluster),
    /// Faults of a schedule.
    Fault(Fault),
    /// Operations of clerks.
    Operation(Operation),
    /// A mark was reached.
    Mark(Mark),
    /// A free log line.
    Log(Log),
}

/// A place in the code that good tests reach now and then (see `labrt::mark`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// The name of the mark, after the name of its group.
    pub name: Cow<'static, str>,
}

/// A line that somebody has logged with the macros of the crate `log`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Log {
    /// How important the line is.
    pub level: Level,
    /// The part of the program that logged it.
    pub target: Cow<'static, str>,
    /// The line.
    pub text: String,
    /// The key-values it was logged with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// The kinds of events, as bits: a sink says which it wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parts(u8);

impl Parts {
    /// No event.
    pub const NONE: Parts = Parts(0);
    /// [`Event::Raft`].
    pub const RAFT: Parts = Parts(1);
    /// [`Event::Rpc`].
    pub const RPC: Parts = Parts(2);
    /// [`Event::Cluster`].
    pub const CLUSTER: Parts = Parts(4);
    /// [`Event::Fault`].
    pub const FAULT: Parts = Parts(8);
    /// [`Event::Operation`].
    pub const OPERATION: Parts = Parts(16);
    /// [`Event::Mark`].
    pub const MARK: Parts = Parts(32);
    /// [`Event::Log`].
    pub const LOG: Parts = Parts(64);
    /// Every event.
    pub const ALL: Parts = Parts(127);

    /// The events of either.
    #[must_use]
    pub const fn union(self, other: Parts) -> Parts {
        Parts(self.0 | other.0)
    }

    /// Whether they have an event in common.
    pub const fn intersects(self, other: Parts) -> bool {
        self.0 & other.0 != 0
    }

    /// The bits, for storing them in an atomic.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set with these bits; bits that mean nothing are ignored.
    pub const fn from_bits(bits: u8) -> Parts {
        Parts(bits & Parts::ALL.0)
    }
}

/// Receives events.
///
/// It must not emit events itself, and must use nothing that waits for other tasks of the run: a
/// run takes the same path whether anybody listens or not.
pub trait Sink: Send + Sync {
    /// An event has happened.
    fn record(&self, record: &Record);

    /// Which events it wants. Asked once, when it begins to listen.
    fn parts(&self) -> Parts {
        Parts::ALL
    }
}

/// A kind of event whose part is known before the event is made: what is not wanted is not made.
pub trait Kind: Into<Event> {
    /// Which part of the events it belongs to.
    const PART: Parts;
}

macro_rules! kinds {
    ($($kind:ident = $part:ident),* $(,)?) => {$(
        impl From<$kind> for Event {
            fn from(event: $kind) -> Event {
                Event::$kind(event)
            }
        }

        impl Kind for $kind {
            const PART: Parts = Parts::$part;
        }
    )*};
}

kinds!(
    Raft = RAFT,
    Rpc = RPC,
    Cluster = CLUSTER,
    Fault = FAULT,
    Operation = OPERATION,
    Mark = MARK,
    Log = LOG,
);

/// What an event is about. Readers show and hide events by topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Topic {
    /// Roles, terms and votes.
    Election,
    /// Log and commit index, AppendEntries, saves.
    Append,
    /// Snapshots saved, sent, installed.
    Snapshot,
    /// The stations of each call.
    Rpc,
    /// Services: operations of clerks, and free log lines.
    Service,
    /// Starts, crashes, partitions and other faults.
    Fault,
    /// Marks.
    Mark,
}

impl Event {
    /// Which part of the events it belongs to.
    pub fn part(&self) -> Parts {
        match self {
            Event::Raft(_) => Parts::RAFT,
            Event::Rpc(_) => Parts::RPC,
            Event::Cluster(_) => Parts::CLUSTER,
            Event::Fault(_) => Parts::FAULT,
            Event::Operation(_) => Parts::OPERATION,
            Event::Mark(_) => Parts::MARK,
            Event::Log(_) => Parts::LOG,
        }
    }

    /// What it is about.
    pub fn topic(&self) -> Topic {
        match self {
            Event::Raft(event) => event.topic(),
            Event::Rpc(_) => Topic::Rpc,
            Event::Cluster(_) | Event::Fault(_) => Topic::Fault,
            Event::Operation(_) | Event::Log(_) => Topic::Service,
            Event::Mark(_) => Topic::Mark,
        }
    }

    /// The target of its log line, for filters such as `LAB_LOG=raft::election=info`.
    pub fn target(&self) -> &str {
        match self {
            Event::Raft(event) => match event.topic() {
                Topic::Election => "raft::election",
                Topic::Snapshot => "raft::snapshot",
                _ => "raft::append",
            },
            Event::Rpc(_) => "rpc",
            Event::Cluster(_) => "tester",
            Event::Fault(_) => "nemesis",
            Event::Operation(_) => "kv",
            Event::Mark(_) => "mark",
            Event::Log(log) => &log.target,
        }
    }

    /// The level of its log line.
    pub fn level(&self) -> Level {
        match self {
            Event::Raft(event) => event.level(),
            Event::Rpc(_) | Event::Operation(_) => Level::Debug,
            Event::Cluster(Cluster::Member { .. }) => Level::Debug,
            Event::Cluster(_) | Event::Fault(_) => Level::Info,
            Event::Mark(_) => Level::Trace,
            Event::Log(log) => log.level,
        }
    }

    /// Whether readers need it to understand all later ones, such as which server a node is. A
    /// trace that loses its beginning keeps these.
    pub fn is_declaration(&self) -> bool {
        matches!(
            self,
            Event::Cluster(Cluster::Member { .. }) | Event::Operation(Operation::Clerk { .. })
        )
    }
}

/// The text of the log line.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Raft(event) => event.fmt(f),
            Event::Rpc(event) => event.fmt(f),
            Event::Cluster(event) => event.fmt(f),
            Event::Fault(event) => event.fmt(f),
            Event::Operation(event) => event.fmt(f),
            Event::Mark(mark) => f.write_str(&mark.name),
            Event::Log(log) => f.write_str(&log.text),
        }
    }
}

/// An event with its time and place: a line of `trace.jsonl` and of `log.txt`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Time in nanoseconds: virtual time in a simulation, else since the start of the process.
    pub t: u64,
    /// The node whose task emitted it.
    pub node: Arc<str>,
    /// The name of that task; empty on threads.
    #[serde(default, skip_serializing_if = "str_is_empty")]
    pub task: Cow<'static, str>,
    /// The number of that task, in the order of spawning.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub number: u64,
    /// The node the event is about, where that may be another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Arc<str>>,
    pub event: Event,
}

fn str_is_empty(text: &str) -> bool {
    text.is_empty()
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Record {
    /// The node the event is about.
    pub fn about(&self) -> &str {
        match &self.event {
            Event::Cluster(
                Cluster::Member { node, .. }
                | Cluster::Started { node }
                | Cluster::ShutDown { node }
                | Cluster::Crashed { node },
            ) => node,
            _ => self.about.as_deref().unwrap_or(&self.node),
        }
    }
}

/// A line of `log.txt`, without a line feed: seconds, node/task#number, level, target, text.
///
/// ```
/// use events::{Event, Record, raft};
///
/// let state = raft::State { term: 3, role: raft::Role::Leader, ..raft::State::default() };
/// let what = raft::What::State { state, change: raft::Change::Role };
/// let record = Record {
///     t: 1_204_518_000,
///     node: "server-0-1".into(),
///     task: "ticker".into(),
///     number: 14,
///     about: None,
///     event: Event::Raft(raft::Raft { server: 1, what }),
/// };
/// assert_eq!(
///     record.to_string(),
///     "    1.204518 server-0-1/ticker#14 INFO raft::election S1 T3 becomes Leader"
/// );
/// ```
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.t / 1000;
        write!(f, "{:5}.{:06} {}", micros / 1_000_000, micros % 1_000_000, self.node)?;
        if !self.task.is_empty() {
            write!(f, "/{}#{}", self.task, self.number)?;
        }
        write!(f, " {} {} {}", self.event.level(), self.event.target(), OneLine(&self.event))
    }
}

/// The text of an event on one line, whatever a user has logged.
struct OneLine<'a>(&'a Event);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Event::Log(log) if log.text.contains('\n') => {
                f.write_str(&log.text.replace('\n', "\\n"))
            }
            event => event.fmt(f),
        }
    }
}
