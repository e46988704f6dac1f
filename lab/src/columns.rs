//! A trace as text in columns, one a node: who did what beside whom.
//!
//! ```text
//!   seconds  S0                        S1                        S2
//!  0.367000  T1 becomes Candidate
//!  0.367299                            T1 is a follower in a new
//!                                      term
//!  ───────── partition [0, 1] [2]
//! ```
//!
//! What is of no node in particular, such as a fault, goes over all columns.

use std::collections::BTreeMap;
use std::io::{self, Write};

use tester::trace::{Event, Name};

/// What a line is about. Each has a colour and can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Topic {
    /// Roles, terms and votes
    Election,
    /// Log and commit index, AppendEntries, saves
    Append,
    /// Snapshots saved, sent, installed
    Snapshot,
    /// The stations of each call
    Rpc,
    /// Services: operations of clerks, replicated state machines, shards
    Kv,
    /// Starts, crashes, partitions and other faults, checks
    Fault,
}

impl Topic {
    /// The topic of a log target. Whatever has no other is the service's.
    fn of(target: &str) -> Topic {
        match target {
            "raft::election" => Topic::Election,
            "raft::append" => Topic::Append,
            "raft::snapshot" => Topic::Snapshot,
            "rpc" => Topic::Rpc,
            "tester" | "nemesis" => Topic::Fault,
            _ => Topic::Kv,
        }
    }

    /// The terminal's codes for it.
    fn colour(self) -> &'static str {
        match self {
            Topic::Election => "\x1b[33m",
            Topic::Append => "\x1b[34m",
            Topic::Snapshot => "\x1b[35m",
            Topic::Rpc => "\x1b[2m",
            Topic::Kv => "\x1b[36m",
            Topic::Fault => "\x1b[1;31m",
        }
    }
}

const PLAIN: &str = "\x1b[0m";

/// How to print.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Characters of a line.
    pub width: usize,
    /// With the terminal's codes for colours.
    pub colour: bool,
    /// Topics to print.
    pub topics: Vec<Topic>,
    /// Nodes to print, by name or short name; all if empty.
    pub nodes: Vec<String>,
    /// Times to print, in nanoseconds.
    pub from: u64,
    pub to: u64,
}

/// Seconds with six digits, and a space.
const TIME: usize = 11;
/// A column is not narrower than this, whatever the terminal; its lines then go over the edge.
const NARROWEST: usize = 16;

/// Where a line goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Column(usize),
    Across,
}

/// Knows which columns there are, and which call is between whom.
struct Columns {
    names: Vec<String>,
    /// By number of the call: from and to.
    calls: BTreeMap<u64, (String, String)>,
}

/// The column of all clerks, which are many and have little to say.
const CLERKS: &str = "clerks";

/// `server-0-1` of `server-0-1.3`, as an end is named after the life of its server.
fn owner(end: &str) -> &str {
    let side = end.split('>').next().unwrap_or(end);
    side.split('.').next().unwrap_or(side)
}

/// `S1` of `server-0-1`, `G2.S1` of `server-2-1`.
fn short(name: &str) -> String {
    let mut parts = name.split('-');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("server"), Some("0"), Some(server), None) => format!("S{server}"),
        (Some("server"), Some(group), Some(server), None) => format!("G{group}.S{server}"),
        _ => name.to_owned(),
    }
}

impl Columns {
    /// The node an event is about, if it is one with a column.
    fn node(&mut self, event: &Event) -> Option<String> {
        let fields = &event.fields;
        let name = match (event.target.as_str(), fields.call) {
            ("rpc", Some(call)) => {
                let text = |name: &Option<Name>| {
                    name.as_ref().and_then(|name| name.text()).map(str::to_owned)
                };
                if let Some(from) = text(&fields.from) {
                    let from = owner(&from).to_owned();
                    let to = text(&fields.to).unwrap_or_default();
                    self.calls.insert(call, (from, to));
                }
                let (from, to) = self.calls.get(&call)?;
                match fields.event.as_deref() {
                    Some("arrives" | "handled") => to.clone(),
                    _ => from.clone(),
                }
            }
            ("kv", _) => CLERKS.to_owned(),
            _ => event.about().to_owned(),
        };
        let known = name.starts_with("server-");
        let clerk = name == CLERKS || name.starts_with("client-");
        if clerk { Some(CLERKS.to_owned()) } else { known.then_some(name) }
    }

    fn place(&mut self, event: &Event) -> Option<Place> {
        // What the tester does to a node stands out of the columns: it is not the node's own doing.
        match self.node(event) {
            _ if Topic::of(&event.target) == Topic::Fault => Some(Place::Across),
            None => Some(Place::Across),
            Some(node) => {
                let at = self.names.iter().position(|name| *name == node)?;
                Some(Place::Column(at))
            }
        }
    }
}

/// The nodes of a trace that say something of these topics, in the order of the columns.
pub fn nodes<'a>(events: impl Iterator<Item = &'a Event>, layout: &Layout) -> Vec<String> {
    let mut columns = Columns { names: Vec::new(), calls: BTreeMap::new() };
    let mut names: Vec<String> = Vec::new();
    for event in events {
        let node = columns.node(event);
        if let Some(node) = node
            && layout.shows(event)
            && Topic::of(&event.target) != Topic::Fault
            && !names.contains(&node)
        {
            names.push(node);
        }
    }
    let numbers =
        |name: &str| -> Vec<u64> { name.split('-').filter_map(|part| part.parse().ok()).collect() };
    names.sort_by_key(|name| (name == CLERKS, numbers(name)));
    names.retain(|name| {
        layout.nodes.is_empty() || layout.nodes.iter().any(|it| it == name || *it == short(name))
    });
    names
}

impl Layout {
    fn shows(&self, event: &Event) -> bool {
        self.topics.contains(&Topic::of(&event.target)) && (self.from..=self.to).contains(&event.t)
    }
}

/// Prints the events in these columns.
///
/// # Errors
/// When `out` does not take it.
pub fn print<'a>(
    events: impl Iterator<Item = &'a Event>,
    names: Vec<String>,
    layout: &Layout,
    out: &mut impl Write,
) -> io::Result<()> {
    let room = layout.width.saturating_sub(TIME);
    let column = (room / names.len().max(1)).max(NARROWEST);
    let mut head = format!("{:>width$} ", "seconds", width = TIME - 1);
    for name in &names {
        head.push_str(&format!("{:<column$}", short(name)));
    }
    let (bold, plain) = if layout.colour { ("\x1b[1m", PLAIN) } else { ("", "") };
    writeln!(out, "{bold}{}{plain}", head.trim_end())?;
    let mut columns = Columns { names, calls: BTreeMap::new() };
    for event in events {
        let place = columns.place(event);
        let Some(place) = place.filter(|_| layout.shows(event)) else { continue };
        let micros = event.t / 1000;
        let mut time = format!("{:>3}.{:06} ", micros / 1_000_000, micros % 1_000_000);
        let topic = Topic::of(&event.target);
        let (colour, plain) = if layout.colour { (topic.colour(), PLAIN) } else { ("", "") };
        match place {
            Place::Across => {
                let text = event.message.replace('\n', " ");
                writeln!(out, "{time}{colour}──── {text}{plain}")?;
            }
            Place::Column(at) => {
                let indent = at * column;
                for line in wrapped(own_words(event), column - 1) {
                    writeln!(out, "{time}{:indent$}{colour}{line}{plain}", "")?;
                    time = " ".repeat(TIME);
                }
            }
        }
    }
    Ok(())
}

/// The message without the server's name, which stands above the column.
fn own_words(event: &Event) -> &str {
    let Some(server) = event.fields.server else { return &event.message };
    let name = format!("S{server} ");
    event.message.strip_prefix(name.as_str()).unwrap_or(&event.message)
}

/// The text in lines of at most `width` characters, broken at spaces where there are any.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let space = usize::from(length > 0);
            let Some(line) = lines.last_mut() else { return lines };
            if length + space + word.len() <= width {
                line.extend(std::iter::repeat_n(' ', space));
                line.extend(&word);
                length += space + word.len();
                break;
            }
            if length > 0 {
                lines.push(String::new());
                length = 0;
            } else {
                let rest = word.split_off(width);
                line.extend(&word);
                lines.push(String::new());
                word = rest;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(t: u64, node: &str, target: &str, message: &str, fields: &str) -> Event {
        let line = format!(
            r#"{{"t":{t},"node":"{node}","level":"INFO","target":"{target}","message":"{message}","fields":{{{fields}}}}}"#
        );
        serde_json::from_str(&line).unwrap()
    }

    fn trace() -> Vec<Event> {
        let sent = r#""call":1,"event":"sent","from":"server-0-1.1>server-0-0","to":"server-0-0""#;
        vec![
            event(
                0,
                "test",
                "tester",
                "start server-0-0",
                r#""node":"server-0-0","event":"start""#,
            ),
            event(
                1_000_000,
                "server-0-1",
                "raft::election",
                "S1 T1 becomes Candidate",
                r#""server":1"#,
            ),
            event(2_000_000, "server-0-1", "rpc", "call 1: sent", sent),
            event(2_500_000, "test", "rpc", "call 1 arrives", r#""call":1,"event":"arrives""#),
            event(
                2_500_000,
                "server-0-0",
                "raft::append",
                "S0 T1 log up to 1@T1, before 0@T0",
                r#""server":0"#,
            ),
            event(61_000_000_000, "test", "kv", "clerk 0: get(k)", r#""clerk":0"#),
        ]
    }

    fn printed(layout: &Layout) -> String {
        let trace = trace();
        let names = nodes(trace.iter(), layout);
        let mut out = Vec::new();
        print(trace.iter(), names, layout, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn layout() -> Layout {
        let topics = vec![
            Topic::Election,
            Topic::Append,
            Topic::Snapshot,
            Topic::Rpc,
            Topic::Kv,
            Topic::Fault,
        ];
        Layout { width: 70, colour: false, topics, nodes: Vec::new(), from: 0, to: u64::MAX }
    }

    #[test]
    fn each_node_has_a_column() {
        let expected = "   seconds S0                 S1                 clerks
  0.000000 ──── start server-0-0
  0.001000                    T1 becomes
                              Candidate
  0.002000                    call 1: sent
  0.002500 call 1 arrives
  0.002500 T1 log up to 1@T1,
           before 0@T0
 61.000000                                       clerk 0: get(k)
";
        assert_eq!(printed(&layout()), expected);
    }

    #[test]
    fn topics_nodes_and_times_are_chosen() {
        let some = Layout { topics: vec![Topic::Election, Topic::Fault], ..layout() };
        let expected =
            "   seconds S1\n  0.000000 ──── start server-0-0\n  0.001000 T1 becomes Candidate\n";
        assert_eq!(printed(&some), expected);
        let one = Layout { nodes: vec!["S0".to_owned()], from: 1, to: 60_000_000_000, ..layout() };
        let expected = "   seconds S0
  0.002500 call 1 arrives
  0.002500 T1 log up to 1@T1, before 0@T0
";
        assert_eq!(printed(&one), expected);
    }

    #[test]
    fn colours_are_for_terminals() {
        assert!(!printed(&layout()).contains('\x1b'));
        let text = printed(&Layout { colour: true, ..layout() });
        assert!(text.contains("\x1b[33mT1 becomes\x1b[0m"), "{text}");
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(wrapped("a bb ccccccc d", 4), ["a bb", "cccc", "ccc", "d"]);
        assert_eq!(wrapped("", 4), [""]);
    }
}
