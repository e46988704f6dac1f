//! A group of servers with disks, clocks and a network whose messages move only on command.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use raft_core::consensus::{Config, Effects, Event, Node, Outgoing, Saved};
use raft_core::messages::Reply;
use raft_core::timing::Time;
use raft_core::types::{Command, Entry, Index, ServerId, Snapshot, Term};

use crate::show;

/// A mistake in a script.
pub type Error = Box<dyn std::error::Error>;

/// Random numbers that always are the smallest: every election timeout is the shortest.
fn lowest(low: u64, _high: u64) -> u64 {
    low
}

/// One server: its disk survives a crash, the node does not.
struct Server {
    config: Config,
    /// `None` while the server is down.
    node: Option<Node>,
    disk: Saved,
    /// The server's own clock; it moves only on command.
    now: Time,
    /// How often the server has started.
    starts: u32,
    /// The server crashes before the last write of its next save.
    crash_in_save: bool,
    /// Highest index that the service has received since the server started.
    applied: Index,
}

/// A request or its answer on the way.
#[derive(Clone)]
pub struct InFlight {
    /// Number of the call; a request and its answer have the same one.
    pub number: u64,
    pub from: ServerId,
    pub to: ServerId,
    /// `Server::starts` of the caller: a restarted server takes no answers to earlier calls.
    caller_start: u32,
    call: Outgoing,
    /// The answer, if this is one.
    reply: Option<Reply>,
}

/// All servers and the messages between them.
#[derive(Default)]
pub struct Group {
    servers: Vec<Server>,
    pub in_flight: VecDeque<InFlight>,
    next_number: u64,
    /// One side of a partition; the other servers are the other side. `None`: all are connected.
    side: Option<BTreeSet<ServerId>>,
    /// What some service has received at each index; it must be the same everywhere.
    applied: BTreeMap<Index, Entry>,
    /// Which server led each term.
    leaders: BTreeMap<Term, ServerId>,
    /// What happened since the last command, one line each.
    pub output: String,
}

impl Group {
    /// Starts one server for each log. A log is a list of terms, as the paper draws logs; the
    /// command of entry 3 is `c3`. `paper`: the rules of the paper alone.
    pub fn start(logs: &[Vec<u64>], paper: bool) -> Result<Group, Error> {
        let mut group = Group { next_number: 1, ..Group::default() };
        for (id, terms) in (0..).zip(logs) {
            let entries = (1..).zip(terms).map(|(index, &term)| Entry {
                term: Term::new(term),
                command: Command::from(format!("c{index}").as_str()),
            });
            let disk = Saved {
                term: Term::new(terms.last().copied().unwrap_or(0)),
                entries: entries.collect(),
                ..Saved::default()
            };
            let (id, servers) = (ServerId::new(id), logs.len() as u32);
            let config = if paper { Config::paper(id, servers) } else { Config::new(id, servers) };
            let node = Node::restore(config, disk.clone(), Time::ZERO, &mut lowest)?;
            group.servers.push(Server {
                config,
                node: Some(node),
                disk,
                now: Time::ZERO,
                starts: 1,
                crash_in_save: false,
                applied: Index::ZERO,
            });
        }
        Ok(group)
    }

    pub fn ids(&self) -> impl Iterator<Item = ServerId> + use<> {
        (0..self.servers.len() as u32).map(ServerId::new)
    }

    /// The server called `S0`, `S1`, …
    pub fn id(&self, name: &str) -> Result<ServerId, Error> {
        let found = self.ids().find(|id| id.to_string() == name);
        found.ok_or_else(|| format!("there is no server {name}").into())
    }

    fn say(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.output, "{line}").expect("a string");
    }

    fn server(&mut self, id: ServerId) -> &mut Server {
        &mut self.servers[id.get()]
    }

    fn node(&self, id: ServerId) -> Result<&Node, Error> {
        self.servers[id.get()].node.as_ref().ok_or_else(|| format!("{id} is down").into())
    }

    /// Lets one thing happen to a server and applies the effects in their order.
    fn step(&mut self, id: ServerId, event: Event) -> Result<Effects, Error> {
        let server = &mut self.servers[id.get()];
        let node = server.node.as_mut().ok_or_else(|| format!("{id} is down"))?;
        let effects = node.step(server.now, event, &mut lowest);
        node.check_whole_log();
        let node = node.clone();
        if let Some(role) = effects.new_role {
            self.say(format_args!("{id} is {} in {}", show::role(role), node.term()));
        }
        if !self.save(id, &node, &effects) {
            self.crash(id);
            return Ok(Effects::default());
        }
        for call in &effects.messages {
            self.send(id, call.clone());
        }
        if let Some(snapshot) = &effects.install {
            self.install(id, snapshot);
        }
        if let Some((first, last)) = effects.committed {
            for index in first.get()..=last.get() {
                self.apply(id, &node, Index::new(index));
            }
        }
        self.check_leader(&node);
        Ok(effects)
    }

    /// Writes what the effects ask for: first the snapshot, then term, vote and log in one write.
    /// Returns false if the server crashes before the last write.
    fn save(&mut self, id: ServerId, node: &Node, effects: &Effects) -> bool {
        let save = effects.save;
        if save.is_empty() {
            return true;
        }
        let mut writes = Vec::new();
        if save.snapshot {
            let snapshot = node.snapshot().cloned().expect("a new snapshot");
            writes.push(format!("the snapshot up to {}", snapshot.last));
            self.server(id).disk.snapshot = Some(snapshot);
        }
        let crash = std::mem::take(&mut self.server(id).crash_in_save);
        if !crash {
            let disk = &mut self.server(id).disk;
            disk.term = node.term();
            disk.voted_for = node.voted_for();
            disk.base = node.base();
            disk.entries = node.entries().map(|(_, entry)| entry.clone()).collect();
            if save.header {
                writes.push(format!("{}, {}", node.term(), show::vote(node.voted_for())));
            }
            if save.log.is_some() {
                writes.push(format!("log {}", show::log(node)));
            }
        }
        if !writes.is_empty() {
            self.say(format_args!("{id} saves {}", writes.join("; ")));
        }
        !crash
    }

    fn send(&mut self, from: ServerId, call: Outgoing) {
        let number = self.next_number;
        self.next_number += 1;
        self.say(format_args!("{from} sends #{number} to {}: {}", call.to, show::request(&call)));
        let caller_start = self.server(from).starts;
        let request = InFlight { number, from, to: call.to, caller_start, call, reply: None };
        self.in_flight.push_back(request);
    }

    fn install(&mut self, id: ServerId, snapshot: &Snapshot) {
        let state = String::from_utf8_lossy(&snapshot.data).into_owned();
        self.say(format_args!(
            "{id} gives the service the snapshot up to {}: {state}",
            snapshot.last
        ));
        self.server(id).applied = snapshot.last.index;
    }

    fn apply(&mut self, id: ServerId, node: &Node, index: Index) {
        let entry = node.entry(index).expect("a committed entry is in the log").clone();
        let command = show::command(&entry.command);
        self.say(format_args!("{id} applies {index}@{}: {command}", entry.term));
        let server = self.server(id);
        assert_eq!(server.applied.next(), index, "{id} applies in index order");
        server.applied = index;
        // State Machine Safety (Figure 3).
        let first = self.applied.entry(index).or_insert_with(|| entry.clone());
        assert_eq!(*first, entry, "{id} applies another entry at {index} than others did");
    }

    /// Election Safety (Figure 3).
    fn check_leader(&mut self, node: &Node) {
        if node.is_leader() {
            let leader = *self.leaders.entry(node.term()).or_insert(node.id());
            assert_eq!(leader, node.id(), "two leaders in {}", node.term());
        }
    }

    /// Moves a server's clock and lets its timers elapse.
    pub fn tick(&mut self, id: ServerId, ticks: u64) -> Result<(), Error> {
        self.node(id)?;
        let server = self.server(id);
        server.now = server.now + ticks;
        self.step(id, Event::Tick).map(drop)
    }

    /// Moves the clocks of all servers. Timers do not elapse.
    pub fn wait(&mut self, ticks: u64) {
        for server in &mut self.servers {
            server.now = server.now + ticks;
        }
    }

    /// The election timer of a follower or candidate elapses.
    pub fn time_out(&mut self, id: ServerId) -> Result<(), Error> {
        if self.node(id)?.is_leader() {
            return Err(format!("{id} is a leader and has no election timer").into());
        }
        let timeout = self.server(id).config.timing.election_min;
        self.tick(id, timeout)
    }

    /// The heartbeat timer of a leader elapses.
    pub fn heartbeat(&mut self, id: ServerId) -> Result<(), Error> {
        if !self.node(id)?.is_leader() {
            return Err(format!("{id} does not lead").into());
        }
        let interval = self.server(id).config.timing.heartbeat;
        self.tick(id, interval)
    }

    pub fn propose(&mut self, id: ServerId, command: &str) -> Result<(), Error> {
        let proposed = self.step(id, Event::Propose(Command::from(command)))?.proposed;
        match proposed {
            Some(at) => self.say(format_args!("{id} accepts {command} as entry {at}")),
            None => self.say(format_args!("{id} rejects {command}: it does not lead")),
        }
        Ok(())
    }

    pub fn read(&mut self, id: ServerId) -> Result<(), Error> {
        let effects = self.step(id, Event::Read)?;
        match effects.read {
            Some(Ok(read)) => self.say(format_args!("{id} accepts read {read}")),
            Some(Err(error)) => self.say(format_args!("{id} rejects the read: {error}")),
            None => return Err("the server went down".into()),
        }
        self.confirmed(id, &effects);
        Ok(())
    }

    fn confirmed(&mut self, id: ServerId, effects: &Effects) {
        if let Some((read, index)) = effects.confirmed {
            let line = "may answer reads up to";
            self.say(format_args!("{id} {line} {read} from a state that includes entry {index}"));
        }
    }

    /// The service of a server has captured its state after the entry at `index`.
    pub fn snapshot(&mut self, id: ServerId, index: u64) -> Result<(), Error> {
        let data = format!("state after {index}").into_bytes().into();
        self.step(id, Event::SnapshotTaken { index: Index::new(index), data }).map(drop)
    }

    /// The message at this position of the queue arrives.
    pub fn deliver(&mut self, position: usize) -> Result<(), Error> {
        let message = self.in_flight.remove(position).expect("a position in the queue");
        let InFlight { number, from, to, caller_start, call, reply } = message;
        let answer = if reply.is_some() { "the answer to " } else { "" };
        let cut = self.side.as_ref().is_some_and(|side| side.contains(&from) != side.contains(&to));
        let receiver = &self.servers[to.get()];
        let lost = if cut {
            Some("they are partitioned")
        } else if receiver.node.is_none() {
            Some("the receiver is down")
        } else if reply.is_some() && receiver.starts != caller_start {
            Some("the caller has restarted")
        } else {
            None
        };
        if let Some(why) = lost {
            self.say(format_args!("{answer}#{number} from {from} to {to} is lost: {why}"));
            return Ok(());
        }
        self.say(format_args!("{answer}#{number} from {from} reaches {to}"));
        if let Some(reply) = reply {
            let effects = self.step(to, Event::Reply { from, sent: call.sent, reply })?;
            self.confirmed(to, &effects);
        } else if let Some(reply) = self.step(to, Event::Request(call.request.clone()))?.reply {
            self.say(format_args!("{to} answers #{number}: {}", show::reply(&reply)));
            let reply = Some(reply);
            let answer = InFlight { number, from: to, to: from, caller_start, call, reply };
            self.in_flight.push_back(answer);
        }
        Ok(())
    }

    /// The message at this position of the queue is lost; nobody is told.
    pub fn lose(&mut self, position: usize) {
        let message = self.in_flight.remove(position).expect("a position in the queue");
        let answer = if message.reply.is_some() { "the answer to " } else { "" };
        let InFlight { number, from, to, .. } = message;
        self.say(format_args!("{answer}#{number} from {from} to {to} is lost"));
    }

    /// A second copy of the message at this position joins the end of the queue.
    pub fn duplicate(&mut self, position: usize) {
        let copy = self.in_flight[position].clone();
        self.in_flight.push_back(copy);
    }

    pub fn partition(&mut self, side: BTreeSet<ServerId>) {
        self.side = Some(side);
    }

    pub fn heal(&mut self) {
        self.side = None;
    }

    /// A power cut: all but the disk is lost.
    pub fn crash(&mut self, id: ServerId) {
        self.say(format_args!("{id} crashes"));
        self.server(id).node = None;
    }

    /// The server will crash before the last write of its next save.
    pub fn crash_in_save(&mut self, id: ServerId) {
        self.server(id).crash_in_save = true;
    }

    pub fn restart(&mut self, id: ServerId) -> Result<(), Error> {
        if self.servers[id.get()].node.is_some() {
            return Err(format!("{id} is not down").into());
        }
        let server = self.server(id);
        let node = Node::restore(server.config, server.disk.clone(), server.now, &mut lowest)?;
        server.starts += 1;
        server.applied = node.base().index;
        let line = show::status(&node);
        server.node = Some(node);
        self.say(format_args!("{id} restarts: {line}"));
        Ok(())
    }

    pub fn status(&mut self, id: ServerId) {
        let line = self.servers[id.get()].node.as_ref().map_or("down".to_owned(), show::status);
        self.say(format_args!("{id} {line}"));
    }
}
