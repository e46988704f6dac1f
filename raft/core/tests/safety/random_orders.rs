//! The world: a few cores, the messages between them, and what happens to both.

use std::collections::VecDeque;

use raft_core::consensus::{Config, Effects, Event, Node, Outgoing, Rules, Sent};
use raft_core::messages::{Reply, Request};
use raft_core::timing::Time;
use raft_core::types::{Command, Index, ServerId};

use crate::chance::Chance;
use crate::disk::Disk;
use crate::figure3_properties::Properties;

/// How rough a world is, in shares of a thousand.
#[derive(Clone, Copy, Debug)]
struct Weather {
    /// A message is lost.
    loss: usize,
    /// It arrives and stays on its way, to arrive again.
    repeat: usize,
    /// It is not the oldest that arrives next but any.
    reorder: usize,
    /// A step is a crash.
    crash: usize,
    /// A step changes who can reach whom.
    cut: usize,
    /// A step is the end of a leader, soon after a last command or none: the makings of Figure 8.
    depose: usize,
    /// A step is a command for some server.
    propose: usize,
    /// A step is a snapshot of some service.
    snapshot: usize,
    /// A step lets time pass; the rest are messages.
    time: usize,
    /// It lets so many ticks pass at most. Long ones make for many elections.
    hurry: usize,
}

const FAIR: Weather = Weather {
    loss: 0,
    repeat: 0,
    reorder: 0,
    crash: 0,
    cut: 0,
    depose: 0,
    propose: 20,
    snapshot: 0,
    time: 150,
    hurry: 12,
};

/// Kinds of weather in which one thing or another comes often.
const ROUGH: [Weather; 8] = [
    Weather {
        loss: 50,
        repeat: 50,
        reorder: 200,
        crash: 2,
        cut: 2,
        snapshot: 10,
        propose: 60,
        ..FAIR
    },
    Weather { loss: 10, repeat: 200, reorder: 700, snapshot: 20, propose: 80, ..FAIR },
    Weather { loss: 20, crash: 15, reorder: 100, snapshot: 10, propose: 60, hurry: 40, ..FAIR },
    Weather { cut: 5, repeat: 20, reorder: 50, snapshot: 50, propose: 100, time: 250, ..FAIR },
    Weather { loss: 250, repeat: 150, reorder: 300, crash: 4, snapshot: 5, hurry: 25, ..FAIR },
    Weather { cut: 4, crash: 4, repeat: 50, reorder: 100, propose: 150, hurry: 60, ..FAIR },
    Weather { depose: 15, propose: 0, snapshot: 2, time: 300, hurry: 60, ..FAIR },
    Weather { depose: 10, reorder: 700, repeat: 300, propose: 20, hurry: 80, ..FAIR },
];

/// Something on its way to a server.
#[derive(Clone)]
enum Flight {
    Request { from: usize, call: Outgoing },
    Reply { from: usize, to: usize, sent: Sent, reply: Reply },
    Failure { from: usize, to: usize, sent: Sent },
}

/// Where a crash comes in the carrying out of effects.
#[derive(Clone, Copy, PartialEq)]
enum Crash {
    BeforeSaving,
    BetweenSnapshotAndLog,
    BeforeSending,
}

struct World {
    seed: u64,
    step: usize,
    chance: Chance,
    now: Time,
    nodes: Vec<Node>,
    disks: Vec<Disk>,
    flights: VecDeque<Flight>,
    /// Who cannot reach whom, by direction: one server left out, or one-way holes anywhere.
    cut: Vec<Vec<bool>>,
    commands: u64,
    /// How far each service is.
    services: Vec<Index>,
    properties: Properties,
    crashes: [usize; 3],
}

/// Says which seed it was if a check panics.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "step {} of seed {}; to repeat: LAB_SEED={} cargo test -p raft --test safety",
                self.step, self.seed, self.seed
            );
        }
    }
}

impl World {
    fn new(seed: u64, servers: u32, rules: Rules) -> World {
        let mut chance = Chance::new(seed);
        let nodes = (0..servers)
            .map(|i| Node::new(config(i, servers, rules), Time::ZERO, &mut chance).unwrap())
            .collect();
        let n = servers as usize;
        World {
            seed,
            step: 0,
            chance,
            now: Time::ZERO,
            nodes,
            disks: vec![Disk::default(); n],
            flights: VecDeque::new(),
            cut: vec![vec![false; n]; n],
            commands: 0,
            services: vec![Index::ZERO; n],
            properties: Properties::default(),
            crashes: [0; 3],
        }
    }

    fn run(&mut self, weather: Weather, steps: usize) {
        for _ in 0..steps {
            self.step += 1;
            let server = self.chance.below(self.nodes.len());
            let mut dice = self.chance.below(1000);
            let mut is = |share: usize| {
                let hit = dice < share;
                dice = if hit { usize::MAX } else { dice - share };
                hit
            };
            if is(weather.crash) {
                self.restart(server);
            } else if is(weather.cut) {
                self.change_cuts();
            } else if is(weather.depose) {
                self.depose(weather);
            } else if is(weather.propose) {
                self.propose(server, weather);
            } else if is(weather.snapshot) {
                self.take_snapshot(server, weather);
            } else if is(weather.time) {
                self.pass_time(server, weather);
            } else {
                self.deliver_next(weather);
            }
        }
    }

    fn propose(&mut self, server: usize, weather: Weather) {
        self.commands += 1;
        let command = Command::from(format!("command {}", self.commands).as_str());
        self.happen(server, Event::Propose(command), weather);
    }

    /// A snapshot of the service at some index it was given; sometimes an old one, and sometimes
    /// one that a mistaken service claims beyond what it was given.
    fn take_snapshot(&mut self, server: usize, weather: Weather) {
        let given = self.services[server].get() as usize;
        let index = Index::new(self.chance.below(given + 1) as u64);
        let event = if self.chance.per_mille(100) {
            let index = Index::new((given + 1 + self.chance.below(5)) as u64);
            Event::SnapshotTaken { index, data: b"nonsense".to_vec().into() }
        } else {
            let data = self.properties.digest_at(index).to_le_bytes();
            Event::SnapshotTaken { index, data: data.to_vec().into() }
        };
        self.happen(server, event, weather);
    }

    /// Time passes for all; whose time has come gets a tick, and one that need not gets one too.
    fn pass_time(&mut self, server: usize, weather: Weather) {
        self.now = self.now + self.chance.below(weather.hurry) as u64;
        for due in 0..self.nodes.len() {
            if due == server || self.nodes[due].wake_at() <= self.now {
                self.happen(due, Event::Tick, weather);
            }
        }
    }

    /// The newest leader takes a command, or does not; a few messages arrive; then it is cut off or
    /// crashes, and whoever was away is back.
    fn depose(&mut self, weather: Weather) {
        let leaders = (0..self.nodes.len()).filter(|&i| self.nodes[i].is_leader());
        let Some(leader) = leaders.max_by_key(|&i| self.nodes[i].term()) else { return };
        if self.chance.per_mille(500) {
            self.propose(leader, weather);
        }
        for _ in 0..self.chance.below(8) {
            self.deliver_next(weather);
        }
        self.cut.iter_mut().flatten().for_each(|cut| *cut = false);
        if self.chance.per_mille(300) {
            self.restart(leader);
        }
        for other in 0..self.nodes.len() {
            self.cut[leader][other] = true;
            self.cut[other][leader] = true;
        }
    }

    fn change_cuts(&mut self) {
        let n = self.nodes.len();
        let kind = self.chance.below(3);
        let alone = self.chance.below(n);
        for from in 0..n {
            for to in 0..n {
                self.cut[from][to] = match kind {
                    0 => false,
                    1 => from == alone || to == alone,
                    _ => self.chance.per_mille(300),
                };
            }
        }
    }

    fn deliver_next(&mut self, weather: Weather) {
        if self.flights.is_empty() {
            return;
        }
        let reordered = self.chance.per_mille(weather.reorder);
        let place = if reordered { self.chance.below(self.flights.len()) } else { 0 };
        let flight = self.flights.remove(place).expect("in range");
        if self.chance.per_mille(weather.repeat) && self.flights.len() < 200 {
            let place = self.chance.below(self.flights.len() + 1);
            self.flights.insert(place, flight.clone());
        }
        let lost = self.chance.per_mille(weather.loss);
        match flight {
            Flight::Request { from, call } => {
                let to = call.to.get();
                let sent = call.sent;
                if lost || self.cut[from][to] {
                    self.fail(from, to, sent);
                    return;
                }
                if let Some(reply) = self.happen(to, Event::Request(call.request), weather) {
                    self.flights.push_back(Flight::Reply { from: to, to: from, sent, reply });
                }
            }
            Flight::Reply { from, to, sent, .. } if lost || self.cut[from][to] => {
                self.fail(to, from, sent);
            }
            Flight::Reply { from, to, sent, reply } => {
                let from = ServerId::new(from as u32);
                self.happen(to, Event::Reply { from, sent, reply }, weather);
            }
            Flight::Failure { from, to, sent } => {
                let from = ServerId::new(from as u32);
                self.happen(to, Event::Failed { from, sent }, weather);
            }
        }
    }

    /// A call of `caller` came to nothing. It may learn of it, or wait for ever.
    fn fail(&mut self, caller: usize, callee: usize, sent: Sent) {
        if self.chance.per_mille(700) {
            self.flights.push_back(Flight::Failure { from: callee, to: caller, sent });
        }
    }

    /// Lets something happen to a server and carries the effects out, unless a crash intervenes.
    /// Returns the answer that leaves.
    fn happen(&mut self, server: usize, event: Event, weather: Weather) -> Option<Reply> {
        let request = match &event {
            Event::Request(request) => Some(request.clone()),
            _ => None,
        };
        let effects = self.nodes[server].step(self.now, event, &mut self.chance);
        let crash = self.draw_crash(weather, &effects);
        let (node, disk) = (&self.nodes[server], &mut self.disks[server]);
        if crash == Some(Crash::BeforeSaving) {
            self.restart(server);
            return None;
        }
        disk.write_snapshot(node, &effects.save);
        if crash == Some(Crash::BetweenSnapshotAndLog) {
            self.restart(server);
            return None;
        }
        disk.write_state(node, &effects.save);
        disk.check_holds(node);
        if crash == Some(Crash::BeforeSending) {
            self.restart(server);
            return None;
        }
        self.check(server, request.as_ref(), &effects);
        let Effects { reply, messages, .. } = effects;
        for call in messages {
            self.flights.push_back(Flight::Request { from: server, call });
        }
        while self.flights.len() > 300 {
            let place = self.chance.below(self.flights.len());
            self.flights.remove(place);
        }
        reply
    }

    fn draw_crash(&mut self, weather: Weather, effects: &Effects) -> Option<Crash> {
        // Saves of snapshots are rare, and the moment between their two writes is worth hitting.
        let share = if effects.save.snapshot { 20 * weather.crash } else { weather.crash };
        if effects.save.is_empty() || !self.chance.per_mille(share) {
            return None;
        }
        let crash = match self.chance.below(3) {
            0 => Crash::BeforeSaving,
            1 if effects.save.snapshot => Crash::BetweenSnapshotAndLog,
            _ => Crash::BeforeSending,
        };
        self.crashes[crash as usize] += 1;
        Some(crash)
    }

    fn check(&mut self, server: usize, request: Option<&Request>, effects: &Effects) {
        let (node, disk) = (&self.nodes[server], &self.disks[server]);
        let before = self.properties.committed();
        self.properties.after_step(node, disk, request, effects);
        if self.properties.committed() > before {
            self.properties.after_commit(self.nodes.iter());
        }
        // The service: everything once and in order.
        let service = &mut self.services[server];
        if let Some(snapshot) = &effects.install {
            assert!(snapshot.last.index > *service, "a snapshot leads the service back");
            *service = snapshot.last.index;
        }
        if let Some((first, last)) = effects.committed {
            assert_eq!(first, service.next(), "entries are handed out in order, each once");
            *service = last;
        }
        assert_eq!(*service, node.applied());
    }

    /// A crash: memory is lost, the disk stays. What is on its way stays on its way, answers to the
    /// life before included.
    fn restart(&mut self, server: usize) {
        let saved = self.disks[server].read();
        let config = *self.nodes[server].config();
        let node = Node::restore(config, saved, self.now, &mut self.chance)
            .expect("a crash leaves a state that can be restored");
        self.services[server] = node.applied();
        self.properties.restarted(&node);
        self.nodes[server] = node;
    }

    /// Mends everything and sees that the group goes on: new commands get committed everywhere.
    fn settle(&mut self) {
        self.cut.iter_mut().flatten().for_each(|cut| *cut = false);
        let before = self.properties.committed();
        for _ in 0..40 {
            self.run(FAIR, 1_000);
            let goal = self.properties.committed() as u64;
            let all = self.nodes.iter().all(|node| node.commit().get() + 20 > goal);
            if goal >= before as u64 + 5 && all {
                return;
            }
        }
        let views: Vec<_> = self.nodes.iter().map(Node::view).collect();
        panic!("the group does not recover in fair weather: {views:#?}");
    }
}

fn config(id: u32, servers: u32, rules: Rules) -> Config {
    // Small batches, so that catching up takes several messages.
    Config { batch_entries: 4, batch_bytes: 64, rules, ..Config::new(ServerId::new(id), servers) }
}

/// What all runs together must have seen for the test to mean anything.
#[derive(Default)]
struct Seen {
    committed: usize,
    elections: usize,
    installed: usize,
    truncated: usize,
    crashes: [usize; 3],
}

fn seeds(default: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match (number("LAB_SEED"), number("LAB_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(count)) => 0..count,
        (None, None) => 0..default,
    }
}

fn run_all(servers: u32, rules: Rules, default_seeds: u64) {
    let seeds = seeds(default_seeds);
    let enough = seeds.end - seeds.start >= default_seeds;
    let mut seen = Seen::default();
    for seed in seeds {
        let mut world = World::new(seed, servers, rules);
        let weather = ROUGH[seed as usize % ROUGH.len()];
        for _ in 0..3 {
            world.run(weather, 3_000);
            world.settle();
        }
        seen.committed += world.properties.committed();
        seen.elections += world.properties.elections();
        seen.installed += world.properties.installed;
        seen.truncated += world.properties.truncated;
        for (sum, crashes) in seen.crashes.iter_mut().zip(world.crashes) {
            *sum += crashes;
        }
    }
    if enough {
        assert!(seen.committed > 1_000, "{} entries committed", seen.committed);
        assert!(seen.elections > 100, "{} elections", seen.elections);
        assert!(seen.installed > 20, "{} snapshots installed", seen.installed);
        assert!(seen.truncated > 20, "{} logs cut", seen.truncated);
        assert!(seen.crashes.iter().all(|&n| n > 0), "crashes {:?}", seen.crashes);
    }
    println!(
        "{} committed, {} elections, {} snapshots installed, {} logs cut, crashes {:?}",
        seen.committed, seen.elections, seen.installed, seen.truncated, seen.crashes
    );
}

/// Three servers: any two are a majority, so a mistake of one shows at once.
#[test]
fn three_servers_keep_the_five_properties() {
    run_all(3, Rules::default(), 80);
}

/// The same with the paper's rules alone.
#[test]
fn three_servers_keep_the_five_properties_by_the_papers_rules() {
    run_all(3, Rules::PAPER, 80);
}

/// Five servers: majorities that overlap in one server only.
#[test]
fn five_servers_keep_the_five_properties() {
    run_all(5, Rules::default(), 80);
}

/// The same with the paper's rules alone.
#[test]
fn five_servers_keep_the_five_properties_by_the_papers_rules() {
    run_all(5, Rules::PAPER, 80);
}
