//! What happens to a Raft server.
//!
//! Any Raft can emit these events: they contain plain numbers only. The page then draws its roles
//! and terms, fills the table of indexes, and shows what its messages contain. Two calls are
//! enough:
//!
//! - [`Reporter::report`] whenever the state may have changed: at the end of a critical section;
//! - [`What::Sent`] before a call and [`What::Received`] after it, in the task that makes the call.
//!   The page joins them with the call by that task.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Level, Topic};

/// An event of one Raft server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Raft {
    /// The number of the server in its group, from 0.
    pub server: u32,
    pub what: What,
}

/// What can happen to a Raft server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// Its state has changed.
    State {
        /// The state after the change.
        state: State,
        /// The most important change.
        change: Change,
    },
    /// It writes its term and vote, or entries of its log, to the disk.
    Saved {
        /// Whether term and vote are written.
        term_and_vote: bool,
        /// How many entries are written.
        entries: u64,
        /// Size of their commands.
        bytes: u64,
    },
    /// It writes a snapshot to the disk.
    SavedSnapshot {
        /// The last entry in the snapshot.
        last: Position,
        /// Size of the snapshot.
        bytes: u64,
    },
    /// It replaces its log by a snapshot of the leader.
    InstalledSnapshot {
        /// The last entry in the snapshot.
        last: Position,
        /// Size of the snapshot.
        bytes: u64,
    },
    /// It sends a request.
    Sent {
        /// The number of the receiver.
        to: u32,
        /// What the request contains.
        message: Message,
    },
    /// It has received the reply to a request.
    Received {
        /// The number of the sender.
        from: u32,
        /// What the reply contains.
        reply: Reply,
    },
    /// The service was handed every entry up to an index.
    Applied {
        /// That index.
        index: u64,
    },
    /// The last record of the log was written in part only and is dropped: its write never
    /// returned.
    DroppedTornRecord,
    /// It was told to stop.
    Killed,
}

/// Where a server stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Current term.
    pub term: u64,
    /// Role in this term.
    pub role: Role,
    /// The candidate it voted for in this term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vote: Option<u32>,
    /// Last entry of its log; the end of its snapshot where the log is empty.
    pub last: Position,
    /// Commit index.
    pub commit: u64,
    /// The last entry that its snapshot stands for; zero without a snapshot.
    pub base: Position,
}

/// The role of a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Follower.
    #[default]
    Follower,
    /// A server that asks whether it would win an election and has not entered a new term.
    PreCandidate,
    /// Candidate.
    Candidate,
    /// Leader.
    Leader,
}

impl Role {
    /// The role in lower case.
    pub fn word(self) -> &'static str {
        match self {
            Role::Follower => "follower",
            Role::PreCandidate => "pre-candidate",
            Role::Candidate => "candidate",
            Role::Leader => "leader",
        }
    }
}

/// The place of an entry: its index and its term.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Position {
    /// Index, from 1; 0 is before the first entry.
    pub index: u64,
    /// Term of the entry; 0 before the first entry.
    pub term: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@T{}", self.index, self.term)
    }
}

/// What has changed in a [`State`], the most important change first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// The server begins, with what its disk had.
    Started,
    /// The role; or a candidate or leader of a new term.
    Role,
    /// The term of a follower.
    Term,
    /// The vote.
    Vote,
    /// The end of the snapshot.
    Snapshot,
    /// The commit index.
    Commit,
    /// The log.
    Log {
        /// Its last entry before the change.
        before: Position,
    },
}

impl State {
    /// What has changed since `before`; `None` if nothing has.
    pub fn change_since(&self, before: &State) -> Option<Change> {
        if self == before {
            None
        } else if self.role != before.role
            || (self.term != before.term && self.role != Role::Follower)
        {
            Some(Change::Role)
        } else if self.term != before.term {
            Some(Change::Term)
        } else if self.vote != before.vote {
            Some(Change::Vote)
        } else if self.base != before.base {
            Some(Change::Snapshot)
        } else if self.commit != before.commit {
            Some(Change::Commit)
        } else {
            Some(Change::Log { before: before.last })
        }
    }
}

/// Turns states into events, for a Raft that does not know what has changed.
///
/// ```
/// use events::raft::{Reporter, State};
///
/// let mut reporter = Reporter::new(1);
/// let started = reporter.report(State::default()).expect("the first state is an event");
/// assert_eq!(started.to_string(), "S1 T0 starts as a follower: log up to 0@T0, snapshot up to 0@T0");
/// assert_eq!(reporter.report(State::default()), None);
/// let later = reporter.report(State { term: 1, ..State::default() }).expect("the term has changed");
/// assert_eq!(later.to_string(), "S1 T1 is a follower in a new term");
/// ```
#[derive(Clone, Debug)]
pub struct Reporter {
    server: u32,
    last: Option<State>,
}

impl Reporter {
    /// A reporter for the server with this number in its group.
    pub fn new(server: u32) -> Reporter {
        Reporter { server, last: None }
    }

    /// The event to emit, if `state` is not the state of the last call.
    pub fn report(&mut self, state: State) -> Option<Raft> {
        let change = match &self.last {
            None => Change::Started,
            Some(before) => state.change_since(before)?,
        };
        self.last = Some(state);
        Some(Raft { server: self.server, what: What::State { state, change } })
    }
}

/// What a request contains. Entries are counted, not listed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Message {
    /// RequestVote (§5.2).
    RequestVote {
        /// Term of the candidate.
        term: u64,
        /// Last entry of the candidate's log.
        last: Position,
        /// What the receiver is asked for.
        #[serde(default)]
        kind: VoteKind,
    },
    /// AppendEntries (§5.3).
    AppendEntries {
        /// Term of the leader.
        term: u64,
        /// The entry before those sent.
        prev: Position,
        /// How many entries are sent.
        entries: u64,
        /// Terms of the first and of the last of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<(u64, u64)>,
        /// Commit index of the leader.
        commit: u64,
    },
    /// InstallSnapshot (§7).
    InstallSnapshot {
        /// Term of the leader.
        term: u64,
        /// Last entry in the snapshot.
        last: Position,
        /// Size of the snapshot.
        bytes: u64,
    },
    /// A message of another kind, in words.
    Other { text: String },
}

impl Message {
    fn topic(&self) -> Topic {
        match self {
            Message::RequestVote { .. } => Topic::Election,
            Message::AppendEntries { .. } | Message::Other { .. } => Topic::Append,
            Message::InstallSnapshot { .. } => Topic::Snapshot,
        }
    }
}

/// What a candidate asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoteKind {
    /// The receiver's vote.
    #[default]
    Vote,
    /// Whether the receiver would vote for the sender (Ongaro's dissertation, §9.6).
    PreVote,
    /// The receiver's vote, on behalf of the leader, which hands its leadership over.
    Transfer,
}

/// What a reply contains.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reply {
    /// The reply to RequestVote.
    Vote {
        /// Term of the voter.
        term: u64,
        /// Whether it has voted for the candidate.
        granted: bool,
    },
    /// The reply to AppendEntries.
    Append {
        /// Term of the follower.
        term: u64,
        /// Whether the entries are in its log now, and why not.
        outcome: Outcome,
    },
    /// The reply to InstallSnapshot.
    Snapshot {
        /// Term of the follower.
        term: u64,
    },
    /// A reply of another kind, in words.
    Other { text: String },
}

/// What became of the entries of an AppendEntries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The follower's log has them.
    Matched,
    /// Its log ends before them.
    TooShort {
        /// The last index of its log.
        last: u64,
    },
    /// It has another entry before them.
    Conflict {
        /// Term of that entry.
        term: u64,
        /// First index of that term in its log.
        first: u64,
    },
    /// The leader's term is over.
    StaleTerm,
    /// They were rejected, without a reason.
    Rejected,
}

impl Reply {
    fn topic(&self) -> Topic {
        match self {
            Reply::Vote { .. } => Topic::Election,
            Reply::Append { .. } | Reply::Other { .. } => Topic::Append,
            Reply::Snapshot { .. } => Topic::Snapshot,
        }
    }
}

impl Raft {
    pub(crate) fn topic(&self) -> Topic {
        match &self.what {
            What::State { change, .. } => match change {
                Change::Started | Change::Role | Change::Term | Change::Vote => Topic::Election,
                Change::Snapshot => Topic::Snapshot,
                Change::Commit | Change::Log { .. } => Topic::Append,
            },
            What::SavedSnapshot { .. } | What::InstalledSnapshot { .. } => Topic::Snapshot,
            What::Saved { .. } | What::Applied { .. } | What::DroppedTornRecord => Topic::Append,
            What::Sent { message, .. } => message.topic(),
            What::Received { reply, .. } => reply.topic(),
            What::Killed => Topic::Election,
        }
    }

    pub(crate) fn level(&self) -> Level {
        match &self.what {
            What::State { change: Change::Started | Change::Role, .. } => Level::Info,
            What::State { change: Change::Commit | Change::Log { .. }, .. } => Level::Trace,
            What::State { .. } => Level::Debug,
            What::InstalledSnapshot { .. } | What::Killed => Level::Info,
            What::SavedSnapshot { .. } => Level::Debug,
            What::Saved { .. } | What::Applied { .. } => Level::Trace,
            What::Sent { message, .. } if message.topic() == Topic::Append => Level::Trace,
            What::Received { reply, .. } if reply.topic() == Topic::Append => Level::Trace,
            What::Sent { .. } | What::Received { .. } => Level::Debug,
            What::DroppedTornRecord => Level::Warn,
        }
    }
}

impl fmt::Display for Raft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S{} {}", self.server, self.what)
    }
}

/// The text without the name of the server.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::State { state, change } => {
                let State { term, role, vote, last, commit, base } = state;
                write!(f, "T{term} ")?;
                match change {
                    Change::Started => {
                        write!(f, "starts as a follower: log up to {last}, snapshot up to {base}")
                    }
                    Change::Role => write!(f, "becomes {role:?}"),
                    Change::Term => {
                        write!(f, "is a {} in a new term", role.word())?;
                        vote.map_or(Ok(()), |vote| write!(f, ", votes for S{vote}"))
                    }
                    Change::Vote => match vote {
                        Some(vote) => write!(f, "votes for S{vote}"),
                        None => f.write_str("has no vote any more"),
                    },
                    Change::Snapshot => write!(f, "has its log from {base} on"),
                    Change::Commit => write!(f, "commits up to {commit}; log up to {last}"),
                    Change::Log { before } => write!(f, "log up to {last}, before {before}"),
                }
            }
            What::Saved { term_and_vote, entries, bytes } => {
                let noun = if *entries == 1 { "entry" } else { "entries" };
                match (*term_and_vote, *entries) {
                    (true, 0) => f.write_str("saves term and vote"),
                    (true, count) => {
                        write!(f, "saves term, vote and {count} {noun} ({bytes} bytes)")
                    }
                    (false, count) => write!(f, "saves {count} {noun} ({bytes} bytes)"),
                }
            }
            What::SavedSnapshot { last, bytes } => {
                write!(f, "saves a snapshot up to {last} ({bytes} bytes)")
            }
            What::InstalledSnapshot { last, bytes } => {
                write!(f, "installs a snapshot up to {last} ({bytes} bytes)")
            }
            What::Sent { to, message } => write!(f, "-> S{to}: {message}"),
            What::Received { from, reply } => write!(f, "<- S{from}: {reply}"),
            What::Applied { index } => write!(f, "has handed out up to {index}"),
            What::DroppedTornRecord => {
                f.write_str("drops a log record that a power cut has left unfinished")
            }
            What::Killed => f.write_str("is killed"),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::RequestVote { term, last, kind } => {
                let kind = match kind {
                    VoteKind::Vote => "",
                    VoteKind::PreVote => " (pre-vote)",
                    VoteKind::Transfer => " (leadership transfer)",
                };
                write!(f, "RequestVote T{term}{kind}, log up to {last}")
            }
            Message::AppendEntries { term, prev, entries, terms, commit } => {
                write!(f, "AppendEntries T{term}, after {prev}: ")?;
                match (entries, terms) {
                    (0, _) => f.write_str("no entries")?,
                    (1, Some((term, _))) => write!(f, "1 entry of T{term}")?,
                    (count, Some((first, last))) if first == last => {
                        write!(f, "{count} entries of T{first}")?;
                    }
                    (count, Some((first, last))) => {
                        write!(f, "{count} entries of T{first} to T{last}")?;
                    }
                    (1, None) => f.write_str("1 entry")?,
                    (count, None) => write!(f, "{count} entries")?,
                }
                write!(f, ", commit {commit}")
            }
            Message::InstallSnapshot { term, last, bytes } => {
                write!(f, "InstallSnapshot T{term}, up to {last} ({bytes} bytes)")
            }
            Message::Other { text } => f.write_str(text),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Vote { term, granted: true } => write!(f, "T{term}: vote granted"),
            Reply::Vote { term, granted: false } => write!(f, "T{term}: vote rejected"),
            Reply::Append { term, outcome } => {
                write!(f, "T{term}: ")?;
                match outcome {
                    Outcome::Matched => f.write_str("entries matched"),
                    Outcome::TooShort { last } => write!(f, "rejected, log ends at {last}"),
                    Outcome::Conflict { term, first } => {
                        write!(f, "rejected, conflict with T{term} from {first} on")
                    }
                    Outcome::StaleTerm => f.write_str("rejected, stale term"),
                    Outcome::Rejected => f.write_str("rejected"),
                }
            }
            Reply::Snapshot { term } => write!(f, "T{term}: snapshot received"),
            Reply::Other { text } => f.write_str(text),
        }
    }
}
