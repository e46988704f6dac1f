//! A schedule: the size of a run and its faults, as plain data.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The size and the faults of one run of a nemesis test. Stored as a JSON file;
/// [`replay`](super::replay) runs the file as a test.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The package of the test it belongs to. Empty until it is written to a file.
    #[serde(default)]
    pub package: String,
    /// The name of that test.
    #[serde(default)]
    pub test: String,
    /// The first line of the failure it shows, for readers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fails: String,
    /// The seed of the simulation.
    pub seed: u64,
    /// Servers of group 0.
    pub servers: usize,
    pub clients: usize,
    /// Operations of each client.
    pub operations: u64,
    /// Time in which the faults happen and the clients start their operations.
    pub duration_ms: u64,
    /// The faults, in any order. They may overlap.
    pub faults: Vec<Fault>,
}

/// One fault. It ends with the schedule at the latest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// Start, in ms after the start of the schedule.
    pub at_ms: u64,
    /// Duration in ms.
    pub lasts_ms: u64,
    /// Kind and parameters.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// The servers that a fault affects.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The leader at the time when the fault begins; no server if there is none.
    Leader,
    /// All servers.
    All,
    /// The server with this index.
    Server(usize),
}

/// Faults of the messages of a link. Probabilities are in percent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Messages {
    /// A request is lost; the same again for its reply.
    pub loss: u8,
    /// A request arrives twice.
    pub duplicate: u8,
    /// A request is held up by 200 ms to 2.2 s.
    pub held_up: u8,
    /// Additional latency of every message.
    pub latency_ms: u64,
    /// The caller gives up after this time, while the request may still be in flight.
    pub patience_ms: Option<u64>,
}

/// A kind of fault.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FaultKind {
    /// Power cut; the server restarts from its disk when the fault ends. On threads, a clean
    /// shutdown.
    Crash { who: Target },
    /// Power cut at a later switch point: in a lock, in the middle of an apply, anywhere. On
    /// threads, a clean shutdown.
    CrashAtSwitch {
        who: Target,
        /// At which of its switch points, counted from 1.
        nth: u64,
    },
    /// Power cut in a later write, which reaches the disk completely, in part, or not at all. On
    /// threads, a clean shutdown.
    CrashInWrite {
        who: Target,
        /// In which of its writes, counted from 1.
        nth: u64,
        /// How much of the write reaches the disk, in thousandths; a value between 0 and 1000 is a
        /// torn write.
        written: u16,
    },
    /// Every write of a server is slow.
    SlowDisk {
        who: Target,
        /// Duration of a write in microseconds.
        write_us: u64,
    },
    /// A server's clock runs at another rate. No effect on threads.
    Clock {
        who: Target,
        /// Percent of the true rate: at 50 all timeouts last twice as long.
        percent: u32,
    },
    /// Cut off from all other servers.
    Isolate { who: Target },
    /// Receives from the other servers, but cannot send to them.
    Mute { who: Target },
    /// Sends to the other servers, but cannot receive from them.
    Deaf { who: Target },
    /// These servers on one side, the others on the other.
    Partition {
        /// One side.
        one: Vec<usize>,
    },
    /// Messages from the first to the second of each pair do not arrive. One pair is a one-way cut,
    /// several are a partial partition.
    Cut {
        /// From, to.
        pairs: Vec<(usize, usize)>,
    },
    /// Isolated for one period, connected for the next, and so on.
    Flap {
        who: Target,
        /// Length of a period in ms.
        period_ms: u64,
    },
    /// Messages between two servers take longer, both ways.
    SlowLink {
        /// One end.
        from: usize,
        /// The other.
        to: usize,
        /// Additional latency in ms.
        latency_ms: u64,
    },
    /// A server is slow to read and to answer.
    SlowServer {
        who: Target,
        /// Additional delay of each request and each reply, in ms.
        delay_ms: u64,
    },
    /// All links between servers.
    Links {
        /// Faults of their messages.
        #[serde(flatten)]
        messages: Messages,
    },
    /// All links from clients.
    Clients {
        /// Faults of their messages.
        #[serde(flatten)]
        messages: Messages,
    },
    /// The whole network is the course's unreliable one.
    Unreliable,
    /// Two replies in three are delayed and overtake each other.
    Reordering,
    /// Calls to servers that cannot be reached take up to 7 s to fail.
    LongDelays,
}

/// The text is not a schedule, or no run could follow it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// Not JSON, or not the JSON of a schedule.
    #[error("not a schedule: {0}")]
    Malformed(#[from] serde_json::Error),
    /// No servers, or too many.
    #[error("a schedule needs 1 to {most} servers, not {0}", most = Schedule::MOST_SERVERS)]
    Servers(usize),
    /// A fault names a server that does not exist.
    #[error("fault {fault} names server {server}, but there are {servers}: count from 0")]
    NoSuchServer {
        fault: usize,
        /// The server it names.
        server: usize,
        /// How many there are.
        servers: usize,
    },
    /// A number is out of range.
    #[error("fault {fault}: {problem}")]
    Number { fault: usize, problem: &'static str },
    /// Longer than a test may take.
    #[error("a schedule may last {most} ms at most, not {0}", most = Schedule::LONGEST.as_millis())]
    TooLong(u64),
}

impl Schedule {
    /// Servers a group may have.
    pub const MOST_SERVERS: usize = 99;
    /// The longest duration: what a test's time limit leaves beside the liveness phase.
    pub const LONGEST: Duration = Duration::from_secs(80);

    /// Reads a schedule from JSON.
    ///
    /// # Errors
    /// [`ScheduleError`], also if no run could follow the schedule.
    pub fn from_json(text: &str) -> Result<Schedule, ScheduleError> {
        let schedule: Schedule = serde_json::from_str(text)?;
        schedule.validate()?;
        Ok(schedule)
    }

    /// As JSON, in several lines.
    pub fn to_json(&self) -> String {
        // Plain data: this cannot fail.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Checks that a run can follow it.
    ///
    /// # Errors
    /// The first problem found.
    pub fn validate(&self) -> Result<(), ScheduleError> {
        if !(1..=Schedule::MOST_SERVERS).contains(&self.servers) {
            return Err(ScheduleError::Servers(self.servers));
        }
        if self.duration_ms > Schedule::LONGEST.as_millis() as u64 {
            return Err(ScheduleError::TooLong(self.duration_ms));
        }
        for (number, fault) in self.faults.iter().enumerate() {
            let servers = self.servers;
            if let Some(server) = fault.kind.named().into_iter().find(|&server| server >= servers) {
                return Err(ScheduleError::NoSuchServer { fault: number, server, servers });
            }
            if let Some(problem) = fault.kind.problem() {
                return Err(ScheduleError::Number { fault: number, problem });
            }
        }
        Ok(())
    }

    /// How long it lasts.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.duration_ms)
    }

    /// When a fault begins and ends, within the duration.
    pub(super) fn span(&self, fault: &Fault) -> (Duration, Duration) {
        let begin = fault.at_ms.min(self.duration_ms);
        let end = fault.at_ms.saturating_add(fault.lasts_ms).min(self.duration_ms);
        (Duration::from_millis(begin), Duration::from_millis(end))
    }

    /// A pause between two operations of a client, so that they spread over the duration.
    pub fn pause(&self) -> Duration {
        let mean = self.duration_ms.saturating_mul(1000) / self.operations.max(1);
        Duration::from_micros(labrt::random_range(0..=mean.saturating_mul(2)))
    }
}

impl FaultKind {
    /// Whether it takes servers down.
    pub(super) fn is_crash(&self) -> bool {
        let armed =
            matches!(self, FaultKind::CrashAtSwitch { .. } | FaultKind::CrashInWrite { .. });
        armed || matches!(self, FaultKind::Crash { .. })
    }

    /// The servers it names.
    fn named(&self) -> Vec<usize> {
        match self {
            FaultKind::Partition { one } => one.clone(),
            FaultKind::Cut { pairs } => pairs.iter().flat_map(|&(from, to)| [from, to]).collect(),
            FaultKind::SlowLink { from, to, .. } => vec![*from, *to],
            other => match other.target() {
                Some(Target::Server(server)) => vec![server],
                _ => Vec::new(),
            },
        }
    }

    /// The affected servers; `None` for faults of links.
    pub fn target(&self) -> Option<Target> {
        match *self {
            FaultKind::Crash { who }
            | FaultKind::CrashAtSwitch { who, .. }
            | FaultKind::CrashInWrite { who, .. }
            | FaultKind::SlowDisk { who, .. }
            | FaultKind::Clock { who, .. }
            | FaultKind::Isolate { who }
            | FaultKind::Mute { who }
            | FaultKind::Deaf { who }
            | FaultKind::Flap { who, .. }
            | FaultKind::SlowServer { who, .. } => Some(who),
            FaultKind::Partition { .. }
            | FaultKind::Cut { .. }
            | FaultKind::SlowLink { .. }
            | FaultKind::Links { .. }
            | FaultKind::Clients { .. }
            | FaultKind::Unreliable
            | FaultKind::Reordering
            | FaultKind::LongDelays => None,
        }
    }

    fn problem(&self) -> Option<&'static str> {
        match self {
            FaultKind::CrashAtSwitch { nth: 0, .. } | FaultKind::CrashInWrite { nth: 0, .. } => {
                Some("switch points and writes are counted from 1")
            }
            FaultKind::CrashInWrite { written: 1001.., .. } => {
                Some("there are at most 1000 thousandths of a write")
            }
            FaultKind::Clock { percent: 0 | 10_001.., .. } => {
                Some("a clock goes at 1 to 10000 percent")
            }
            FaultKind::SlowDisk { write_us: 1_000_001.., .. } => {
                Some("a write takes at most a second")
            }
            FaultKind::Flap { period_ms: 0, .. } => Some("a period of 0 ms never ends"),
            FaultKind::Links { messages } | FaultKind::Clients { messages } => {
                let Messages { loss, duplicate, held_up, .. } = *messages;
                let most = loss.max(duplicate).max(held_up);
                (most > 100).then_some("a probability is at most 100 percent")
            }
            _ => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Leader => f.write_str("the leader"),
            Target::All => f.write_str("all"),
            Target::Server(server) => write!(f, "S{server}"),
        }
    }
}

impl fmt::Display for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts =
            [(self.loss, "% lost"), (self.duplicate, "% twice"), (self.held_up, "% held up")];
        let said = parts.iter().filter(|(percent, _)| *percent > 0);
        let mut said: Vec<String> =
            said.map(|(percent, what)| format!("{percent}{what}")).collect();
        if self.latency_ms > 0 {
            said.push(format!("+{} ms", self.latency_ms));
        }
        if let Some(patience) = self.patience_ms {
            said.push(format!("callers wait {patience} ms"));
        }
        if said.is_empty() {
            return f.write_str("nothing"); // all probabilities are 0
        }
        f.write_str(&said.join(", "))
    }
}

/// A few words: `crash the leader`.
impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::Crash { who } => write!(f, "crash {who}"),
            FaultKind::CrashAtSwitch { who, nth } => write!(f, "crash {who} at switch point {nth}"),
            FaultKind::CrashInWrite { who, nth, written } => {
                write!(f, "crash {who} in write {nth}, {written}‰ written")
            }
            FaultKind::SlowDisk { who, write_us } => write!(f, "slow disk {who}, {write_us} us"),
            FaultKind::Clock { who, percent } => write!(f, "clock {who} at {percent}%"),
            FaultKind::Isolate { who } => write!(f, "isolate {who}"),
            FaultKind::Mute { who } => write!(f, "mute {who}"),
            FaultKind::Deaf { who } => write!(f, "deafen {who}"),
            FaultKind::Partition { one } => write!(f, "partition {one:?} from the others"),
            FaultKind::Cut { pairs } => {
                let pairs: Vec<String> =
                    pairs.iter().map(|(from, to)| format!("{from}>{to}")).collect();
                write!(f, "cut {}", pairs.join(" "))
            }
            FaultKind::Flap { who, period_ms } => write!(f, "flap {who} every {period_ms} ms"),
            FaultKind::SlowLink { from, to, latency_ms } => {
                write!(f, "slow link {from}-{to}, {latency_ms} ms")
            }
            FaultKind::SlowServer { who, delay_ms } => {
                write!(f, "slow server {who}, {delay_ms} ms")
            }
            FaultKind::Links { messages } => write!(f, "links: {messages}"),
            FaultKind::Clients { messages } => write!(f, "clients: {messages}"),
            FaultKind::Unreliable => f.write_str("unreliable network"),
            FaultKind::Reordering => f.write_str("long reordering"),
            FaultKind::LongDelays => f.write_str("long delays"),
        }
    }
}

/// `1.204 s + 0.350 s  crash the leader`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ms: u64| ms as f64 / 1000.0;
        write!(f, "{:7.3} s + {:.3} s  {}", seconds(self.at_ms), seconds(self.lasts_ms), self.kind)
    }
}

/// One line for the size of the run, then one for each fault.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Schedule { seed, servers, clients, operations, .. } = self;
        let time = self.duration().as_secs_f64();
        let faults = self.faults.len();
        write!(
            f,
            "schedule (seed {seed}): {servers} servers, {clients} clients with {operations} \
             operations each, {time:.1} s, {faults} faults"
        )?;
        let mut in_order: Vec<&Fault> = self.faults.iter().collect();
        in_order.sort_by_key(|fault| fault.at_ms);
        in_order.iter().try_for_each(|fault| write!(f, "\n{fault}"))
    }
}
