//! The trace of a run: `trace.jsonl` for programs and `log.txt` for people, an event a line.
//!
//! ```text
//! {"t":1204518000,"node":"server-0-1","task":"raft-call","number":14,
//!  "event":{"raft":{"server":1,"what":{"state":{"state":{"term":3,"role":"leader", ...}}}}}}
//!
//!     1.204518 server-0-1/raft-call#14 INFO raft::election S1 T3 becomes Leader
//! ```
//!
//! (The object is one line.) What the fields mean stands at [`events::Event`].
//!
//! A run that is too long loses its beginning. Its trace then begins with `{"cut":n}`: `n` events
//! are missing. Events that later ones need to be understood, such as which server a node is, are
//! repeated after that line.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use events::{Record, Sink};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::tail_file::TailFile;

/// The log for people.
pub const TEXT_FILE: &str = "log.txt";
/// The log for programs.
pub const TRACE_FILE: &str = "trace.jsonl";

/// Lines of each half of a file. A run of more than two halves loses its beginning.
const HALF: u64 = 1_000_000;

/// Writes the events of a run into its folder.
#[derive(Debug)]
pub struct Writer(Mutex<Files>);

#[derive(Debug)]
struct Files {
    text: TailFile,
    trace: TailFile,
    /// The lines of declarations, for a trace that loses its beginning.
    declarations: Vec<u8>,
    /// Where lines are put together.
    line: Vec<u8>,
    words: String,
}

impl Writer {
    /// New files `log.txt` and `trace.jsonl` in `folder`; older ones are replaced.
    ///
    /// # Errors
    /// When they cannot be created.
    pub fn create(folder: &Path) -> io::Result<Writer> {
        Writer::with_half(folder, HALF)
    }

    fn with_half(folder: &Path, half: u64) -> io::Result<Writer> {
        Ok(Writer(Mutex::new(Files {
            text: TailFile::create(&folder.join(TEXT_FILE), half)?,
            trace: TailFile::create(&folder.join(TRACE_FILE), half)?,
            declarations: Vec::new(),
            line: Vec::new(),
            words: String::new(),
        })))
    }

    /// Brings everything to the disk. To be called once, at the end.
    ///
    /// # Errors
    /// When that fails.
    pub fn finish(&self) -> io::Result<()> {
        let mut files = self.0.lock();
        files.text.finish(|cut| format!("(the first {cut} lines were left out)\n").into())?;
        let declarations = std::mem::take(&mut files.declarations);
        files.trace.finish(|cut| {
            let mut head = format!("{{\"cut\":{cut}}}\n").into_bytes();
            head.extend_from_slice(&declarations);
            head
        })
    }
}

impl Sink for Writer {
    /// A full disk must not fail the run that is being recorded: errors are ignored.
    fn record(&self, record: &Record) {
        let mut files = self.0.lock();
        let Files { text, trace, declarations, line, words } = &mut *files;
        words.clear();
        let _ = writeln!(words, "{record}");
        let _ = text.write_line(words.as_bytes());
        line.clear();
        if serde_json::to_writer(&mut *line, record).is_ok() {
            line.push(b'\n');
            if record.event.is_declaration() {
                declarations.extend_from_slice(line);
            }
            let _ = trace.write_line(line);
        }
    }
}

/// The first line of a trace without its beginning.
#[derive(Serialize, Deserialize)]
struct Head {
    cut: u64,
}

/// Reads the events of a trace one after the other.
#[derive(Debug)]
pub struct Records<R> {
    lines: R,
    line: String,
    number: u64,
    cut: u64,
    /// The first event, which was read to see whether it is one.
    first: Option<io::Result<Record>>,
}

impl Records<BufReader<File>> {
    /// The events of a `trace.jsonl`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(path: &Path) -> io::Result<Records<BufReader<File>>> {
        Ok(Records::new(BufReader::with_capacity(1 << 16, File::open(path)?)))
    }
}

impl<R: io::BufRead> Records<R> {
    /// The events in these lines.
    pub fn new(lines: R) -> Records<R> {
        let mut records = Records { lines, line: String::new(), number: 0, cut: 0, first: None };
        records.first = records.read();
        if let Ok(head) = serde_json::from_str::<Head>(&records.line) {
            (records.cut, records.first) = (head.cut, None);
        }
        records
    }

    /// How many events were left out.
    pub fn cut(&self) -> u64 {
        self.cut
    }

    fn read(&mut self) -> Option<io::Result<Record>> {
        self.line.clear();
        match self.lines.read_line(&mut self.line) {
            Ok(0) => return None,
            Ok(_) => self.number += 1,
            Err(error) => return Some(Err(error)),
        }
        match serde_json::from_str(&self.line) {
            Ok(record) => Some(Ok(record)),
            // The process may have ended in the last line.
            Err(_) if !self.line.ends_with('\n') => None,
            Err(error) => {
                let what = format!("line {} is not an event of a trace: {error}", self.number);
                Some(Err(io::Error::new(io::ErrorKind::InvalidData, what)))
            }
        }
    }
}

impl<R: io::BufRead> Iterator for Records<R> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<io::Result<Record>> {
        match self.first.take() {
            Some(first) => Some(first),
            None => self.read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use events::{Cluster, Event, Log, Member};

    use super::*;

    fn record(t: u64, event: impl Into<Event>) -> Record {
        Record {
            t,
            node: "test".into(),
            task: "root".into(),
            number: 0,
            about: None,
            event: event.into(),
        }
    }

    fn log(text: &str) -> Log {
        Log {
            level: events::Level::Info,
            target: "user".into(),
            text: text.to_owned(),
            fields: Default::default(),
        }
    }

    fn written(name: &str, half: u64, events: &[Record]) -> (String, u64, Vec<Record>) {
        let folder = std::env::temp_dir().join(format!("view-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let writer = Writer::with_half(&folder, half).unwrap();
        events.iter().for_each(|record| writer.record(record));
        writer.finish().unwrap();
        let text = std::fs::read_to_string(folder.join(TEXT_FILE)).unwrap();
        let records = Records::open(&folder.join(TRACE_FILE)).unwrap();
        let cut = records.cut();
        let records = records.map(Result::unwrap).collect();
        std::fs::remove_dir_all(&folder).unwrap();
        (text, cut, records)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let events = [
            record(1_500_000, log("two\nlines \"quoted\"")),
            record(2_000_000_000, Cluster::Started { node: "server-0-1".to_owned() }),
        ];
        let (text, cut, records) = written("whole", 10, &events);
        assert_eq!((cut, records.as_slice()), (0, events.as_slice()));
        assert_eq!(
            text,
            "    0.001500 test/root#0 INFO user two\\nlines \"quoted\"\n    \
             2.000000 test/root#0 INFO tester start server-0-1\n"
        );
    }

    #[test]
    fn a_long_trace_keeps_its_end_and_what_the_nodes_are() {
        let member = Member::Server { group: 0, server: 1 };
        let mut events = vec![record(0, Cluster::Member { node: "server-0-1".to_owned(), member })];
        events.extend((1..10).map(|t| record(t, log(&t.to_string()))));
        let (text, cut, records) = written("cut", 3, &events);
        assert!(text.starts_with("(the first 6 lines were left out)\n"), "{text}");
        assert_eq!(cut, 6);
        assert_eq!(records[0], events[0]);
        assert_eq!(records[1..], events[6..]);
    }
}
