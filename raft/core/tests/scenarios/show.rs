//! Messages and states as text.

use raft_core::consensus::{Node, Outgoing, RoleKind};
use raft_core::messages::{AppendOutcome, Reply, Request, VoteKind};
use raft_core::types::{Command, Index, LogPosition, ServerId};

pub fn role(role: RoleKind) -> &'static str {
    match role {
        RoleKind::Follower => "follower",
        RoleKind::PreCandidate => "pre-candidate",
        RoleKind::Candidate => "candidate",
        RoleKind::Leader => "leader",
    }
}

pub fn vote(voted_for: Option<ServerId>) -> String {
    voted_for.map_or("no vote".to_owned(), |id| format!("vote for {id}"))
}

pub fn command(command: &Command) -> String {
    String::from_utf8_lossy(command.as_bytes()).into_owned()
}

/// The terms of the entries, as the paper draws a log: `[1 1 2]`. A snapshot stands for the entries
/// before it: `[snapshot to 3@T1, 2]`.
pub fn log(node: &Node) -> String {
    let terms: Vec<_> = node.entries().map(|(_, entry)| entry.term.get().to_string()).collect();
    let terms = terms.join(" ");
    if node.base() == LogPosition::ZERO {
        format!("[{terms}]")
    } else {
        let comma = if terms.is_empty() { "" } else { ", " };
        format!("[snapshot to {}{comma}{terms}]", node.base())
    }
}

pub fn status(node: &Node) -> String {
    let view = node.view();
    format!(
        "{:<9} {} {:<11} log {} commit {} applied {}",
        role(view.role),
        view.term,
        vote(view.voted_for),
        log(node),
        view.commit,
        view.applied
    )
}

pub fn request(call: &Outgoing) -> String {
    match &call.request {
        Request::Vote(args) => {
            let name = match args.kind {
                VoteKind::PreVote => "PreVote",
                VoteKind::Vote => "RequestVote",
                VoteKind::Transfer => "RequestVote (transfer)",
            };
            format!("{name} {}, its log ends at {}", args.term, args.last)
        }
        Request::Append(args) => {
            let from = args.prev.index.next();
            let commit = args.leader_commit;
            let entries = match args.entries.len() {
                0 => "no entries".to_owned(),
                1 => format!("entry {from}"),
                more => format!("entries {from} to {}", args.prev.index + more),
            };
            let terms: Vec<_> = args.entries.iter().map(|entry| entry.term.to_string()).collect();
            let terms =
                if terms.is_empty() { String::new() } else { format!(" [{}]", terms.join(" ")) };
            format!(
                "AppendEntries {}, after {}: {entries}{terms}; commit {commit}",
                args.term, args.prev
            )
        }
        Request::Snapshot(args) => {
            format!("InstallSnapshot {}, up to {}", args.term, args.snapshot.last)
        }
    }
}

pub fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Vote(reply) => {
            format!("{}, {}", reply.term, if reply.granted { "vote granted" } else { "no vote" })
        }
        Reply::Append(reply) => format!("{}, {}", reply.term, outcome(reply.outcome)),
        Reply::Snapshot(reply) => format!("{}, done", reply.term),
    }
}

fn outcome(outcome: AppendOutcome) -> String {
    match outcome {
        AppendOutcome::Matched => "the logs agree".to_owned(),
        AppendOutcome::TooShort { last: Index::ZERO } => "rejected: the log is empty".to_owned(),
        AppendOutcome::TooShort { last } => format!("rejected: the log ends at {last}"),
        AppendOutcome::Conflict { term, first } => {
            format!("rejected: another entry is there, of {term}, which begins at {first}")
        }
        AppendOutcome::StaleTerm => "rejected: the term is over".to_owned(),
    }
}
