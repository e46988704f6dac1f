//! Events of a small made-up run, as a Raft that is not ours would emit them.

use events::raft::{Message, Outcome, Position, Reply, Reporter, State, What};
use events::{Cluster, Event, Member, Raft, Record, Rpc, rpc};

/// The events so far, in the order of time.
#[derive(Default)]
pub struct Run {
    pub records: Vec<Record>,
    reporters: Vec<Reporter>,
    /// The names of the servers.
    names: Vec<String>,
}

impl Run {
    /// A run with this many servers of group 0.
    pub fn new(servers: u32) -> Run {
        let mut run = Run::of((0..servers).map(|number| format!("server-0-{number}")).collect());
        for (number, node) in (0..).zip(run.names.clone()) {
            let member = Member::Server { group: 0, server: number };
            run.add(0, "test", 0, Cluster::Member { node, member });
        }
        run
    }

    /// A run of servers with these names, which no cluster has declared.
    pub fn of(names: Vec<String>) -> Run {
        let reporters = (0..).zip(&names).map(|(number, _)| Reporter::new(number)).collect();
        Run { records: Vec::new(), reporters, names }
    }

    pub fn node(&self, server: u32) -> String {
        self.names[server as usize].clone()
    }

    pub fn add(&mut self, t: u64, node: &str, task: u64, event: impl Into<Event>) {
        let (node, task_name) = (node.into(), "task".into());
        let event = event.into();
        let record = Record { t, node, task: task_name, number: task, about: None, event };
        let at = self.records.partition_point(|other| other.t <= t);
        self.records.insert(at, record);
    }

    pub fn start(&mut self, t: u64, server: u32) {
        self.add(t, "test", 0, Cluster::Started { node: self.node(server) });
        self.reporters[server as usize] = Reporter::new(server);
        self.state(t, server, State::default());
    }

    pub fn raft(&mut self, t: u64, server: u32, task: u64, what: What) {
        self.add(t, &self.node(server), task, Raft { server, what });
    }

    pub fn state(&mut self, t: u64, server: u32, state: State) {
        if let Some(event) = self.reporters[server as usize].report(state) {
            self.add(t, &self.node(server), 900 + u64::from(server), event);
        }
    }

    /// An AppendEntries of term 1 with `number` entries, sent at `t`; it may be lost on its way.
    pub fn call(&mut self, number: u64, t: u64, from: u32, to: u32, lost: bool) {
        let caller = self.node(from);
        let task = 1000 + number;
        let message = Message::AppendEntries {
            term: 1,
            prev: Position::default(),
            entries: number,
            terms: None,
            commit: 0,
        };
        self.raft(t, from, task, What::Sent { to, message });
        let fate = if lost { rpc::Fate::Lost } else { rpc::Fate::Delivered };
        let sent = rpc::What::Sent {
            from: caller.as_str().into(),
            to: Some(self.node(to).into()),
            service: "Raft".into(),
            method: "AppendEntries".into(),
            bytes: 40,
            fate,
        };
        self.add(t, &caller, task, Rpc { call: number, what: sent });
        if lost {
            let failed = rpc::What::Failed { error: "no reply".to_owned() };
            return self.add(t + 500_000, "test", 0, Rpc { call: number, what: failed });
        }
        for (after, what) in [
            (200_000, rpc::What::Delivered),
            (250_000, rpc::What::Handled),
            (500_000, rpc::What::Answered { bytes: 10 }),
        ] {
            self.add(t + after, "test", 0, Rpc { call: number, what });
        }
        let reply = Reply::Append { term: 1, outcome: Outcome::Matched };
        self.raft(t + 500_000, from, task, What::Received { from: to, reply });
    }
}
