//! What the log says of a server: roles and terms, how far the log has come, what is saved, sent and answered.
//!
//! Each line carries its facts as key-values too, for whoever draws the run. Node and server are always among them: the caller of
//! [`Raft::propose`](super::Raft::propose) may be a task of another node. Nothing here is computed unless somebody listens.

use std::fmt;

use log::{Level, debug, info, log, log_enabled, trace};

use super::Shared;
use crate::consensus::{Node, RoleKind};
use crate::messages::{AppendOutcome, Reply, Request};
use crate::types::{Index, LogPosition, ServerId, Snapshot, Term};

/// What of a server's state the log follows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    term: Term,
    role: RoleKind,
    last: LogPosition,
    commit: Index,
    base: Index,
}

impl Facts {
    /// Those of now; `None` if nobody listens.
    pub(super) fn of(node: &Node) -> Option<Facts> {
        log_enabled!(target: "raft::append", Level::Trace).then(|| Facts {
            term: node.term(),
            role: node.role(),
            last: node.last(),
            commit: node.commit(),
            base: node.base().index,
        })
    }
}

fn word(role: RoleKind) -> &'static str {
    match role {
        RoleKind::Follower => "follower",
        RoleKind::Candidate => "candidate",
        RoleKind::Leader => "leader",
    }
}

/// A line of a server about itself, with all facts, so that each such line is a sample of its state.
fn state(
    home: &labrt::Node,
    level: Level,
    target: &'static str,
    node: &Node,
    what: fmt::Arguments<'_>,
) {
    log!(
        target: target, level,
        node = home.name(), server = node.id().get(), term = node.term().get(), role = word(node.role()),
        last = node.last().index.get(), commit = node.commit().get(), base = node.base().index.get();
        "{} {} {what}", node.id(), node.term()
    );
}

/// The server begins, with what its disk had.
pub(super) fn started(home: &labrt::Node, node: &Node) {
    let (last, base) = (node.last(), node.base());
    state(
        home,
        Level::Info,
        "raft::election",
        node,
        format_args!("starts as a follower: log up to {last}, snapshot up to {base}"),
    );
}

/// A step was taken. `new_role` is the role it came to, `before` what was there.
pub(super) fn stepped(
    shared: &Shared,
    node: &Node,
    new_role: Option<RoleKind>,
    before: Option<Facts>,
) {
    if let Some(role) = new_role {
        state(&shared.home, Level::Info, "raft::election", node, format_args!("becomes {role:?}"));
        return;
    }
    let Some(before) = before else { return };
    let Some(now) = Facts::of(node) else { return };
    if now == before {
        return;
    }
    if (now.term, now.role) != (before.term, before.role) {
        let role = word(now.role);
        state(
            &shared.home,
            Level::Debug,
            "raft::election",
            node,
            format_args!("is a {role} in a new term"),
        );
    } else if now.base != before.base {
        let base = node.base();
        state(
            &shared.home,
            Level::Debug,
            "raft::snapshot",
            node,
            format_args!("has its log from {base} on"),
        );
    } else if now.commit != before.commit {
        let (commit, last) = (now.commit, now.last);
        state(
            &shared.home,
            Level::Trace,
            "raft::append",
            node,
            format_args!("commits up to {commit}; log up to {last}"),
        );
    } else {
        let (last, was) = (now.last, before.last);
        state(
            &shared.home,
            Level::Trace,
            "raft::append",
            node,
            format_args!("log up to {last}, before {was}"),
        );
    }
}

/// A leader's snapshot takes the place of the log.
pub(super) fn installs(shared: &Shared, snapshot: &Snapshot) {
    info!(
        target: "raft::snapshot",
        node = shared.home.name(), server = shared.me.get(), installed = snapshot.last.index.get(), bytes = snapshot.data.len();
        "{} installs a snapshot up to {} ({} bytes)", shared.me, snapshot.last, snapshot.data.len()
    );
}

/// A snapshot goes to the disk.
pub(super) fn saves_snapshot(shared: &Shared, snapshot: &Snapshot) {
    debug!(
        target: "raft::snapshot",
        node = shared.home.name(), server = shared.me.get(), snapshot = snapshot.last.index.get(), bytes = snapshot.data.len();
        "{} saves a snapshot up to {} ({} bytes)", shared.me, snapshot.last, snapshot.data.len()
    );
}

/// Header and records go to the disk.
pub(super) fn saves(shared: &Shared, write: &labrt::Write) {
    if !log_enabled!(target: "raft::append", Level::Trace) {
        return;
    }
    let header = write.header.as_ref().map_or(0, |header| header.len());
    let records = write.append.len();
    let bytes = header + write.append.iter().map(|record| record.len()).sum::<usize>();
    let what = match (write.header.is_some(), records) {
        (true, 0) => "term and vote".to_owned(),
        (header, _) => {
            let noun = if records == 1 { "entry" } else { "entries" };
            format!("{}{records} {noun}", if header { "term, vote and " } else { "" })
        }
    };
    trace!(
        target: "raft::append",
        node = shared.home.name(), server = shared.me.get(), saved = bytes;
        "{} saves {what} ({bytes} bytes)", shared.me
    );
}

/// A call leaves.
pub(super) fn sends(shared: &Shared, to: ServerId, request: &Request) {
    log!(
        target: target(request), level(request),
        node = shared.home.name(), server = shared.me.get(), to = to.get();
        "{} -> {to}: {}", shared.me, Shown(request)
    );
}

/// Its answer is there.
pub(super) fn hears(shared: &Shared, from: ServerId, request: &Request, reply: &Reply) {
    log!(
        target: target(request), level(request),
        node = shared.home.name(), server = shared.me.get(), from = from.get();
        "{} <- {from}: {}", shared.me, Shown(reply)
    );
}

/// The service has been handed everything up to `index`.
pub(super) fn applied(shared: &Shared, index: Index) {
    trace!(
        target: "raft::append",
        node = shared.home.name(), server = shared.me.get(), applied = index.get();
        "{} has handed out up to {index}", shared.me
    );
}

/// The server was told to stop.
pub(super) fn killed(shared: &Shared) {
    info!(
        target: "raft::election",
        node = shared.home.name(), server = shared.me.get(), killed = true;
        "{} is killed", shared.me
    );
}

fn target(request: &Request) -> &'static str {
    match request {
        Request::Vote(_) => "raft::election",
        Request::Append(_) => "raft::append",
        Request::Snapshot(_) => "raft::snapshot",
    }
}

fn level(request: &Request) -> Level {
    match request {
        Request::Append(_) => Level::Trace,
        Request::Vote(_) | Request::Snapshot(_) => Level::Debug,
    }
}

/// A message in few words: entries are counted, not listed.
struct Shown<'a, T>(&'a T);

impl fmt::Display for Shown<'_, Request> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Request::Vote(args) => write!(f, "RequestVote {}, log up to {}", args.term, args.last),
            Request::Append(args) => {
                write!(f, "AppendEntries {}, after {}: ", args.term, args.prev)?;
                match (args.entries.len(), args.entries.first(), args.entries.last()) {
                    (1, Some(entry), _) => write!(f, "1 entry of {}", entry.term)?,
                    (count, Some(first), Some(last)) if first.term == last.term => {
                        write!(f, "{count} entries of {}", first.term)?;
                    }
                    (count, Some(first), Some(last)) => {
                        write!(f, "{count} entries of {} to {}", first.term, last.term)?;
                    }
                    _ => f.write_str("no entries")?,
                }
                write!(f, ", commit {}", args.leader_commit)
            }
            Request::Snapshot(args) => {
                write!(f, "InstallSnapshot {}, {:?}", args.term, args.snapshot)
            }
        }
    }
}

impl fmt::Display for Shown<'_, Reply> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Reply::Vote(reply) if reply.granted => write!(f, "{}: vote granted", reply.term),
            Reply::Vote(reply) => write!(f, "{}: vote refused", reply.term),
            Reply::Append(reply) => match reply.outcome {
                AppendOutcome::Matched => write!(f, "{}: entries matched", reply.term),
                AppendOutcome::TooShort { last } => {
                    write!(f, "{}: refused, log ends at {last}", reply.term)
                }
                AppendOutcome::Conflict { term, first } => {
                    write!(f, "{}: refused, conflict with {term} from {first} on", reply.term)
                }
                AppendOutcome::StaleTerm => write!(f, "{}: refused, stale term", reply.term),
            },
            Reply::Snapshot(reply) => write!(f, "{}: snapshot received", reply.term),
        }
    }
}
