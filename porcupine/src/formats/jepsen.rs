//! What Jepsen and Maelstrom write, as maps or as lines.
//!
//! ```text
//! {:process 0, :type :invoke, :f :cas, :value [1 2], :time 7686, :index 3}      history.edn
//! 0   :invoke :cas    [1 2]                                                     history.txt
//! INFO  jepsen.util - 0   :invoke :cas    [1 2]                                 jepsen.log, old
//! 2023-04-05 12:00:01,123{GMT}  INFO  [worker 0] jepsen.util: 0  :invoke :cas [1 2]        and new
//! ```
//!
//! The order in the file is the order in time. Where all events have a `:time` and it ascends, it
//! is kept; otherwise the position in the file stands for it.
//!
//! A process whose operation ended with `:info` is gone. Jepsen gives the next one another number;
//! where a file does not, the reader does.

use std::collections::BTreeMap;

use clojure_reader::edn::{self, Edn};
use clojure_reader::error::Code;

use super::nearest::is_misspelt;
use super::{Error, Outcome, Problem, Record, Records, Unit, Value};

/// Which lines say something about operations.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Lines {
    /// All that are not empty.
    All,
    /// Those of `jepsen.util`; other loggers write what they like.
    OfLog,
}

/// What `jepsen.util` logged in this line.
pub(super) fn logged(line: &str) -> Option<&str> {
    let (_, after) = line.split_once("jepsen.util")?;
    after.strip_prefix(" - ").or_else(|| after.strip_prefix(": "))
}

/// The types of events.
const TYPES: [&str; 4] = ["invoke", "ok", "fail", "info"];
/// The fields of an event that matter.
const FIELDS: [&str; 7] = ["process", "type", "value", "time", "index", "key", "error"];

/// `history.txt` and `jepsen.log`.
pub(super) fn lines(text: &str, which: Lines) -> Result<Records, Error> {
    let mut pairing = Pairing::default();
    for (number, line) in (1..).zip(text.lines()) {
        let entry = match which {
            Lines::All if line.trim().is_empty() => continue,
            Lines::All => line,
            Lines::OfLog => match logged(line) {
                Some(entry) => entry,
                None => continue,
            },
        };
        let event = match line_event(entry, which) {
            Ok(Some(event)) => event,
            Ok(None) => continue,
            Err(problem) => return Err(Error::at(number, problem)),
        };
        pairing.add(event, number, u64::from(number))?;
    }
    Ok(pairing.finish())
}

/// What a line says; `None` if it is not about a client.
fn line_event(entry: &str, which: Lines) -> Result<Option<Event>, Problem> {
    let mut words = entry.split_ascii_whitespace();
    let (Some(process), Some(kind)) = (words.next(), words.next()) else {
        return if which == Lines::OfLog {
            Ok(None)
        } else {
            Err(not_a("line of a history", entry))
        };
    };
    let Ok(process) = process.parse::<i64>() else {
        // :nemesis, or a log line of another kind.
        return if which == Lines::OfLog || process.starts_with(':') {
            Ok(None)
        } else {
            Err(not_a("process number", process))
        };
    };
    let Some(kind) = kind.strip_prefix(':') else {
        return if which == Lines::OfLog { Ok(None) } else { Err(not_a("type of an event", kind)) };
    };
    let kind = Kind::of(kind)?;
    // From here on forms, which may contain spaces: the function and its value.
    let forms = entry.trim_start().split_once(char::is_whitespace).map_or("", |(_, rest)| rest);
    let forms = forms.trim_start().split_once(char::is_whitespace).map_or("", |(_, rest)| rest);
    if forms.trim().is_empty() {
        return Err(Problem::MissingField { name: "f" });
    }
    let (function, rest) = edn::read(forms).map_err(|error| syntax(&error))?;
    let value = if rest.trim().is_empty() {
        Value::Nil
    } else {
        match edn::read(rest).map_err(|error| syntax(&error)) {
            Ok((value, _)) => Value::of_edn(&value).map_err(Problem::Syntax)?,
            // What came of it does not matter then, and may be anything.
            Err(_) if matches!(kind, Kind::Fail | Kind::Info) => Value::Nil,
            Err(problem) => return Err(problem),
        }
    };
    let function = name_of(&function).ok_or_else(|| not_a("function", forms))?;
    Ok(Some(Event { process, kind, function, key: None, value, time: None }))
}

/// `history.edn`.
pub(super) fn edn(text: &str) -> Result<Records, Error> {
    let mut cursor = Cursor { rest: text, line: 1 };
    cursor.skip_blank();
    let close = match cursor.rest.bytes().next() {
        Some(b'[') => Some(']'),
        Some(b'(') => Some(')'),
        _ => None,
    };
    if close.is_some() {
        cursor.advance(1);
    }
    let mut pairing = Pairing::default();
    for position in 1.. {
        cursor.skip_blank();
        let line = cursor.line;
        match (cursor.rest.chars().next(), close) {
            (None, None) => break,
            (None, Some(close)) => {
                let problem = format!("the file ends without the {close:?} of its beginning");
                return Err(Error::at(line, Problem::Syntax(problem)));
            }
            (Some(next), Some(close)) if next == close => {
                cursor.advance(1);
                cursor.skip_blank();
                if cursor.rest.is_empty() {
                    break;
                }
                return Err(Error::at(cursor.line, not_a("history, which has ended", cursor.rest)));
            }
            _ => {}
        }
        let (form, rest) = edn::read(cursor.rest).map_err(|error| {
            let within = error.line.map_or(0, |line| line.saturating_sub(1));
            let at = line.saturating_add(u32::try_from(within).unwrap_or(u32::MAX));
            Error::at(at, syntax(&error))
        })?;
        cursor.advance(cursor.rest.len() - rest.len());
        if let Some(event) = map_event(&form).map_err(|problem| Error::at(line, problem))? {
            pairing.add(event, line, position)?;
        }
    }
    Ok(pairing.finish())
}

/// How far a text is read, and the line there.
struct Cursor<'a> {
    rest: &'a str,
    line: u32,
}

impl Cursor<'_> {
    fn advance(&mut self, bytes: usize) {
        let (read, rest) = self.rest.split_at(bytes);
        let lines = read.bytes().filter(|byte| *byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.rest = rest;
    }

    /// White space, commas and comments.
    fn skip_blank(&mut self) {
        loop {
            let blank = |c: char| c.is_whitespace() || c == ',';
            let mut bytes = self.rest.len() - self.rest.trim_start_matches(blank).len();
            if self.rest[bytes..].starts_with(';') {
                let rest = &self.rest[bytes..];
                bytes += rest.find('\n').unwrap_or(rest.len());
            }
            if bytes == 0 {
                return;
            }
            self.advance(bytes);
        }
    }
}

/// What a map says; `None` if it is not about a client.
fn map_event(form: &Edn<'_>) -> Result<Option<Event>, Problem> {
    let record = match form {
        Edn::Tagged(_, inner) => inner,
        form => form,
    };
    let Edn::Map(fields) = record else { return Err(not_a("map", &form.to_string())) };
    let field = |name: &'static str| fields.get(&Edn::key(name));
    if field("valid?").is_some() && field("type").is_none() {
        return Err(Problem::Results);
    }
    for name in fields.keys() {
        // An operation may have fields of the test's own; one that looks like one of ours is a
        // slip.
        if let Edn::Key(name) = name
            && !FIELDS.contains(&&**name)
            && let Some(nearest) = FIELDS.iter().find(|known| is_misspelt(name, known))
        {
            let nearest = Some((*nearest).to_owned());
            return Err(Problem::UnknownField { name: (**name).to_owned(), nearest });
        }
    }
    let needed = |name: &'static str| field(name).ok_or(Problem::MissingField { name });
    let (process, kind, function) = (needed("process")?, needed("type")?, needed("f")?);
    let Edn::Int(process) = process else { return Ok(None) }; // :nemesis
    let kind = match kind {
        Edn::Key(kind) => Kind::of(kind)?,
        other => return Err(not_a("type of an event", &other.to_string())),
    };
    let function_name =
        name_of(function).ok_or_else(|| not_a("function", &function.to_string()))?;
    let value_of = |name: &'static str| match field(name) {
        Some(value) => Value::of_edn(value).map(Some).map_err(Problem::Syntax),
        None => Ok(None),
    };
    let time = match field("time") {
        Some(Edn::Int(time)) => u64::try_from(*time).ok(),
        _ => None,
    };
    Ok(Some(Event {
        process: *process,
        kind,
        function: function_name,
        key: value_of("key")?,
        value: value_of("value")?.unwrap_or(Value::Nil),
        time,
    }))
}

/// What an event says happened.
#[derive(Clone, Copy)]
enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

impl Kind {
    fn of(name: &str) -> Result<Kind, Problem> {
        Ok(match name {
            "invoke" => Kind::Invoke,
            "ok" => Kind::Ok,
            "fail" => Kind::Fail,
            "info" => Kind::Info,
            other => return Err(Problem::unknown_name("type", other, &TYPES)),
        })
    }
}

/// Half an operation of a client.
struct Event {
    process: i64,
    kind: Kind,
    function: String,
    key: Option<Value>,
    value: Value,
    time: Option<u64>,
}

fn name_of(edn: &Edn<'_>) -> Option<String> {
    match edn {
        Edn::Key(name) | Edn::Str(name) | Edn::Symbol(name) => Some((**name).to_owned()),
        _ => None,
    }
}

fn not_a(expected: &'static str, found: &str) -> Problem {
    let mut found: String = found.trim().chars().take(60).collect();
    if let Some(end) = found.find('\n') {
        found.truncate(end);
    }
    Problem::NotA { expected, found }
}

fn syntax(error: &clojure_reader::error::Error) -> Problem {
    Problem::Syntax(match &error.code {
        Code::HashMapDuplicateKey => "duplicate field".into(),
        Code::SetDuplicateKey => "a set has a member twice".into(),
        Code::UnexpectedEOF => "the text ends in the middle of a value".into(),
        Code::UnmatchedDelimiter(delimiter) => format!("unmatched {delimiter:?}"),
        Code::InvalidNumber => "not a number that fits into 64 bits".into(),
        other => format!("not EDN: {other:?}"),
    })
}

/// Ties returns to calls.
#[derive(Default)]
struct Pairing {
    records: Vec<Record>,
    /// How many operations of the same process ended with `:info` before.
    lives: Vec<u32>,
    /// The open operation of each process.
    open: BTreeMap<i64, usize>,
    /// How many operations of a process ended with `:info`.
    deaths: BTreeMap<i64, u32>,
    /// The `:time` at each position.
    times: Vec<(u64, Option<u64>)>,
}

impl Pairing {
    fn add(&mut self, event: Event, line: u32, position: u64) -> Result<(), Error> {
        let Event { process, kind, function, key, value, time } = event;
        self.times.push((position, time));
        if let Kind::Invoke = kind {
            if let Some(open) = self.open.insert(process, self.records.len()) {
                let line_of_first = self.records[open].line;
                return Err(Error::at(line, Problem::StillOpen { process, line: line_of_first }));
            }
            self.lives.push(self.deaths.get(&process).copied().unwrap_or(0));
            self.records.push(Record {
                process,
                function: function.into(),
                key,
                value,
                call: position,
                line,
                outcome: Outcome::Unknown,
                meta: None,
            });
            return Ok(());
        }
        let Some(at) = self.open.remove(&process) else {
            return Err(Error::at(line, Problem::NotInvoked { process }));
        };
        let record = &mut self.records[at];
        if *record.function != *function {
            let invoked = record.function.to_string();
            let problem = Problem::OtherFunction { process, invoked, completed: function };
            return Err(Error::at(line, problem));
        }
        record.outcome = match kind {
            Kind::Ok => Outcome::Ok { time: position, value, line },
            Kind::Fail => Outcome::Failed { time: position },
            Kind::Invoke | Kind::Info => {
                *self.deaths.entry(process).or_default() += 1;
                Outcome::Unknown
            }
        };
        Ok(())
    }

    fn finish(mut self) -> Records {
        let ascending = self.times.windows(2).all(|pair| pair[0].1 < pair[1].1);
        let has_times = ascending && self.times.first().is_some_and(|first| first.1.is_some());
        if has_times {
            let time_at = |position: u64| match self
                .times
                .binary_search_by_key(&position, |(position, _)| *position)
            {
                Ok(at) => self.times[at].1.unwrap_or(position),
                Err(_) => position,
            };
            for record in &mut self.records {
                record.call = time_at(record.call);
                match &mut record.outcome {
                    Outcome::Ok { time, .. }
                    | Outcome::Named { time, .. }
                    | Outcome::Failed { time } => *time = time_at(*time),
                    Outcome::Unknown => {}
                }
            }
        }
        // A process that went on after :info gets a number that nobody has.
        let highest = self.records.iter().map(|record| record.process).max().unwrap_or(0);
        let mut reborn: BTreeMap<(i64, u32), i64> = BTreeMap::new();
        for (record, life) in
            self.records.iter_mut().zip(&self.lives).filter(|(_, life)| **life > 0)
        {
            let fresh = highest.saturating_add(1 + reborn.len() as i64);
            record.process = *reborn.entry((record.process, *life)).or_insert(fresh);
        }
        let unit = if has_times { Unit::Nanoseconds } else { Unit::Positions };
        Records { records: self.records, unit }
    }
}
