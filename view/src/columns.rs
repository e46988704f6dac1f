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

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use events::{Event, Operation, Record, Topic, rpc};

use crate::members::{Kind, Members, is_shown};

/// The terminal's codes for a topic.
fn colour(topic: Topic) -> &'static str {
    match topic {
        Topic::Election => "\x1b[33m",
        Topic::Append => "\x1b[34m",
        Topic::Snapshot => "\x1b[35m",
        Topic::Rpc | Topic::Mark => "\x1b[2m",
        Topic::Service => "\x1b[36m",
        Topic::Fault => "\x1b[1;31m",
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
    /// The time in nanoseconds from which events are printed.
    pub from: u64,
    /// The time in nanoseconds up to which events are printed.
    pub to: u64,
}

/// Seconds with six digits, and a space.
const TIME: usize = 11;
/// A column is not narrower than this, whatever the terminal; its lines then go over the edge.
const NARROWEST: usize = 16;

/// Where a line goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Position {
    Column(usize),
    Across,
}

/// Which node an event stands under.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Column {
    Node(String),
    /// All clerks, who are many and have few events each.
    Clerks,
}

/// The columns of a run, and the calls that are under way while it is read.
pub struct Columns {
    members: Members,
    columns: Vec<Column>,
    /// By number of the call: from and to.
    calls: BTreeMap<u64, (String, String)>,
}

impl Columns {
    /// Finds the columns of a run: the nodes with events of the topics to print.
    pub fn of<'a>(records: impl Iterator<Item = &'a Record>, layout: &Layout) -> Columns {
        let mut columns =
            Columns { members: Members::default(), columns: Vec::new(), calls: BTreeMap::new() };
        let mut found = BTreeSet::new();
        for record in records {
            columns.members.learn(record);
            let column = columns.column(record);
            if layout.shows(record)
                && record.event.topic() != Topic::Fault
                && let Some(column) = column
            {
                found.insert(column);
            }
        }
        let mut found: Vec<Column> = found.into_iter().collect();
        found.retain(|column| match column {
            Column::Clerks => layout.nodes.is_empty() || layout.nodes.iter().any(|it| it == CLERKS),
            Column::Node(name) => {
                let short = columns.members.short(name);
                layout.nodes.is_empty() || layout.nodes.iter().any(|it| it == name || *it == short)
            }
        });
        found.sort_by_key(|column| match column {
            Column::Node(name) => (false, columns.members.kind(name), name.clone()),
            Column::Clerks => (true, Kind::Other, String::new()),
        });
        columns.calls.clear();
        columns.columns = found;
        columns
    }

    /// The column of an event; `None` for the test itself.
    fn column(&mut self, record: &Record) -> Option<Column> {
        let name = match &record.event {
            Event::Operation(Operation::Called { .. } | Operation::Returned { .. }) => {
                return Some(Column::Clerks);
            }
            Event::Rpc(call) => {
                if let rpc::What::Sent { from, to, .. } = &call.what {
                    let to = to.as_deref().unwrap_or_default().to_owned();
                    self.calls.insert(call.call, (from.to_string(), to));
                }
                let (from, to) = self.calls.get(&call.call)?;
                match call.what {
                    rpc::What::Delivered | rpc::What::Handled => to,
                    _ => from,
                }
            }
            _ => record.about(),
        };
        match self.members.kind(name) {
            Kind::Client(_) => Some(Column::Clerks),
            _ => is_shown(name).then(|| Column::Node(name.to_owned())),
        }
    }

    fn position(&mut self, record: &Record) -> Option<Position> {
        match self.column(record) {
            // What the test does to a node is not the node's own doing.
            _ if record.event.topic() == Topic::Fault => Some(Position::Across),
            None => Some(Position::Across),
            Some(column) => self.columns.iter().position(|it| *it == column).map(Position::Column),
        }
    }

    /// Prints the events of the run in these columns.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn print<'a>(
        &mut self,
        records: impl Iterator<Item = &'a Record>,
        layout: &Layout,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let room = layout.width.saturating_sub(TIME);
        let wide = (room / self.columns.len().max(1)).max(NARROWEST);
        let mut head = format!("{:>width$} ", "seconds", width = TIME - 1);
        for column in &self.columns {
            let name = match column {
                Column::Node(name) => self.members.short(name),
                Column::Clerks => CLERKS.to_owned(),
            };
            head.push_str(&format!("{name:<wide$}"));
        }
        let (bold, plain) = if layout.colour { ("\x1b[1m", PLAIN) } else { ("", "") };
        writeln!(out, "{bold}{}{plain}", head.trim_end())?;
        for record in records {
            let position = self.position(record);
            let Some(position) = position.filter(|_| layout.shows(record)) else { continue };
            let micros = record.t / 1000;
            let mut time = format!("{:>3}.{:06} ", micros / 1_000_000, micros % 1_000_000);
            let topic = record.event.topic();
            let (colour, plain) = if layout.colour { (colour(topic), PLAIN) } else { ("", "") };
            match position {
                Position::Across => {
                    let text = record.event.to_string().replace('\n', " ");
                    writeln!(out, "{time}{colour}──── {text}{plain}")?;
                }
                Position::Column(at) => {
                    let indent = at * wide;
                    for line in wrapped(&own_text(&record.event), wide - 1) {
                        writeln!(out, "{time}{:indent$}{colour}{line}{plain}", "")?;
                        time = " ".repeat(TIME);
                    }
                }
            }
        }
        Ok(())
    }
}

const CLERKS: &str = "clerks";

impl Layout {
    /// Which server a node is stands in the head of the columns.
    fn shows(&self, record: &Record) -> bool {
        self.topics.contains(&record.event.topic())
            && !record.event.is_declaration()
            && (self.from..=self.to).contains(&record.t)
    }
}

/// The text without the server's name, which stands above the column.
fn own_text(event: &Event) -> String {
    match event {
        Event::Raft(raft) => raft.what.to_string(),
        event => event.to_string(),
    }
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
    use super::wrapped;

    #[test]
    fn long_words_are_cut() {
        assert_eq!(wrapped("a bb ccccccc d", 4), ["a bb", "cccc", "ccc", "d"]);
        assert_eq!(wrapped("", 4), [""]);
    }
}
