//! What the columns and the page show of small runs, recorded in `scripts/`.
//!
//! After a change that is meant, `UPDATE_GOLDENFILES=1 cargo test -p view --test recorded` writes
//! the new output into the scripts; the difference is then reviewed.

#[path = "../synthetic/mod.rs"]
mod synthetic;

use std::error::Error;
use std::fmt::Write as _;
use std::str::FromStr;

use events::raft::{Position, Role, State, What};
use events::{Cluster, Fault, Log, Mark, Operation, Topic};
use goldenscript::{ArgumentConsumer, Command, Context, Runner};
use synthetic::Run;
use view::columns::{Columns, Layout};

/// A run that is put together by commands, and shown.
#[derive(Default)]
struct Script {
    run: Run,
    /// In nanoseconds.
    now: u64,
    calls: u64,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The next positional argument.
fn next<'a>(args: &mut ArgumentConsumer<'a>) -> Result<&'a str> {
    Ok(args.next_pos().ok_or("an argument is missing")?)
}

/// The next positional argument, the number of a server called `S1`.
fn server(args: &mut ArgumentConsumer<'_>) -> Result<u32> {
    let name = next(args)?;
    Ok(name.strip_prefix('S').ok_or_else(|| format!("{name} is no server"))?.parse()?)
}

/// The argument with this key.
fn key<T: FromStr<Err: Error + 'static>>(
    args: &mut ArgumentConsumer<'_>,
    key: &str,
) -> Result<Option<T>> {
    Ok(args.take_key(key).map(str::parse).transpose()?)
}

fn topic(name: &str) -> Result<Topic> {
    Ok(match name {
        "election" => Topic::Election,
        "append" => Topic::Append,
        "snapshot" => Topic::Snapshot,
        "rpc" => Topic::Rpc,
        "kv" => Topic::Service,
        "fault" => Topic::Fault,
        "mark" => Topic::Mark,
        other => return Err(format!("{other} is no topic").into()),
    })
}

const ALL: [Topic; 7] = [
    Topic::Election,
    Topic::Append,
    Topic::Snapshot,
    Topic::Rpc,
    Topic::Service,
    Topic::Fault,
    Topic::Mark,
];

impl Script {
    fn state(&mut self, args: &mut ArgumentConsumer<'_>) -> Result<()> {
        let number = server(args)?;
        let term = key(args, "term")?.unwrap_or(0);
        let at = |index: Option<u64>| Position { index: index.unwrap_or(0), term };
        let state = State {
            term,
            role: match args.take_key("role") {
                Some("leader") => Role::Leader,
                Some("candidate") => Role::Candidate,
                _ => Role::Follower,
            },
            vote: key(args, "vote")?,
            last: at(key(args, "last")?),
            commit: key(args, "commit")?.unwrap_or(0),
            base: at(key(args, "base")?),
        };
        self.run.state(self.now, number, state);
        Ok(())
    }

    fn columns(&self, args: &mut ArgumentConsumer<'_>) -> Result<String> {
        let mut topics = Vec::new();
        while let Some(name) = args.next_pos() {
            topics.push(topic(name)?);
        }
        let layout = Layout {
            width: key(args, "width")?.unwrap_or(80),
            colour: key(args, "color")?.unwrap_or(false),
            topics: if topics.is_empty() { ALL.to_vec() } else { topics },
            nodes: args.take_key("node").map(str::to_owned).into_iter().collect(),
            from: key(args, "from")?.unwrap_or(0),
            to: key(args, "to")?.unwrap_or(u64::MAX),
        };
        let mut out = Vec::new();
        let records = &self.run.records;
        Columns::of(records.iter(), &layout).print(records.iter(), &layout, &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    /// The data of the page, a row a line.
    fn page(&self) -> Result<String> {
        let records = self.run.records.iter().cloned();
        let json = view::page::data(&view::Run::default(), records, 0, view::page::LIMIT);
        let data: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json)?;
        let mut out = String::new();
        for (name, value) in &data {
            match value.as_array() {
                Some(rows) if !rows.is_empty() => {
                    writeln!(out, "{name}:")?;
                    for row in rows {
                        writeln!(out, "  {row}")?;
                    }
                }
                Some(_) => {}
                None => writeln!(out, "{name}: {value}")?,
            }
        }
        Ok(out)
    }
}

impl Runner for Script {
    type Command = Command;

    fn run(&mut self, command: &Command, context: &Context) -> Result<String> {
        let args = &mut command.consume_args();
        let now = self.now;
        let run = &mut self.run;
        let mut shown = String::new();
        match command.name.as_str() {
            "servers" => *run = Run::new(next(args)?.parse()?),
            "foreign" => *run = Run::of(args.by_ref().map(ToString::to_string).collect()),
            "wait" => self.now += next(args)?.parse::<u64>()? * 1000,
            "start" => run.start(now, server(args)?),
            "crash" => {
                let node = run.node(server(args)?);
                run.add(now, "test", 0, Cluster::Crashed { node });
            }
            "kill" => run.raft(now, server(args)?, 1, What::Killed),
            "partition" => {
                let event = Cluster::Partitioned { group: 0, one: vec![0, 1], other: vec![2] };
                run.add(now, "test", 0, event);
            }
            "state" => self.state(args)?,
            "saves" => {
                let (server, entries) = (server(args)?, next(args)?.parse()?);
                let what = What::Saved { term_and_vote: entries == 0, entries, bytes: 20 };
                run.raft(now, server, 1, what);
            }
            "snapshot" => {
                let server = server(args)?;
                let last = Position { index: next(args)?.parse()?, term: 1 };
                run.raft(now, server, 1, What::SavedSnapshot { last, bytes: 500 });
            }
            "applied" => {
                let server = server(args)?;
                run.raft(now, server, 1, What::Applied { index: next(args)?.parse()? });
            }
            "append" => {
                self.calls += 1;
                let lost = context.tags.contains("lost");
                run.call(self.calls, now, server(args)?, server(args)?, lost);
            }
            "fault" => {
                let (begins, name, targets) = (next(args)?, next(args)?.to_owned(), vec![1]);
                let event = match begins {
                    "begins" => Fault::Began { fault: 0, name, targets },
                    _ => Fault::Ended { fault: 0, name, targets },
                };
                run.add(now, "test", 0, event);
            }
            "get" => {
                let request = format!("get({})", next(args)?);
                run.add(now, "test", 0, Operation::Called { clerk: 0, request });
                let answer = "v at version 1".to_owned();
                run.add(now + 900_000, "test", 0, Operation::Returned { clerk: 0, answer });
            }
            "mark" => {
                let node = run.node(server(args)?);
                run.add(now, &node, 1, Mark { name: next(args)?.to_owned().into() });
            }
            "log" => {
                let node = run.node(server(args)?);
                let event = Log {
                    level: events::Level::Info,
                    target: "rsm".into(),
                    text: next(args)?.to_owned(),
                    fields: Default::default(),
                };
                run.add(now, &node, 1, event);
            }
            "columns" => shown = self.columns(args)?,
            "page" => shown = self.page()?,
            "text" => {
                let lines = run.records.iter().map(|record| format!("{record}\n"));
                shown = lines.collect();
            }
            other => return Err(format!("{other} is no command").into()),
        }
        args.reject_next()?;
        Ok(shown)
    }
}

#[test]
fn columns() -> std::io::Result<()> {
    goldenscript::run(&mut Script::default(), "tests/recorded/scripts/columns")
}

#[test]
fn page() -> std::io::Result<()> {
    goldenscript::run(&mut Script::default(), "tests/recorded/scripts/page")
}

/// What a Raft that is not ours has emitted: its roles, its table of indexes, its messages.
#[test]
fn foreign_raft() -> std::io::Result<()> {
    goldenscript::run(&mut Script::default(), "tests/recorded/scripts/foreign_raft")
}
