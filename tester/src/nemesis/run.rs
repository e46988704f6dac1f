//! The task that executes a schedule.

use std::sync::Arc;
use std::time::Duration;

use labrt::events::{self, Fault};
use labrt::{Instant, JoinHandle, TornWrite};
use runner::spawn_named;
use view::annotation::NEMESIS_ROW as ROW;

use super::conditions::{ActiveFault, Conditions};
use super::schedule::{FaultKind, Schedule, Target};
use crate::annotations::Kind;
use crate::cluster::{Cluster, GROUP_0};
use crate::fatal;
use crate::group::Group;

/// How often the nemesis checks whether an armed server has crashed.
const CHECK_INTERVAL: Duration = Duration::from_micros(500);

/// The current leader, if the test knows it.
type Leader = Arc<dyn Fn() -> Option<usize> + Send + Sync>;

/// A schedule that is being executed on a group of a cluster.
#[must_use = "its faults end, and its servers come back, only while somebody waits for it"]
pub struct Nemesis {
    task: JoinHandle<()>,
}

impl Nemesis {
    /// Starts to execute `schedule` on group 0. `leader` returns the current leader; a server that
    /// is down is ignored.
    pub fn start(
        cluster: &Cluster,
        schedule: &Schedule,
        leader: impl Fn() -> Option<usize> + Send + Sync + 'static,
    ) -> Nemesis {
        Nemesis::start_on(cluster, GROUP_0, schedule, leader)
    }

    /// The same on the group with the number `gid`. Faults of the whole network and of clients
    /// affect all groups.
    pub fn start_on(
        cluster: &Cluster,
        gid: u64,
        schedule: &Schedule,
        leader: impl Fn() -> Option<usize> + Send + Sync + 'static,
    ) -> Nemesis {
        let group = cluster.group(gid);
        let run = Run {
            cluster: cluster.clone(),
            down: vec![0; group.n()],
            armed: vec![0; group.n()],
            active: schedule.faults.iter().map(|_| None).collect(),
            group,
            schedule: schedule.clone(),
            leader: Arc::new(leader),
            conditions: Conditions::default(),
            begun: labrt::now(),
        };
        Nemesis { task: spawn_named("nemesis", move || run.execute()) }
    }

    /// Waits until the last fault has ended: all servers run, and all conditions are normal.
    #[track_caller]
    pub fn finish(self) {
        if let Err(error) = self.task.join() {
            fatal!("the nemesis has failed: {error}");
        }
    }
}

/// One change of a fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Begin,
    /// A flapping link changes.
    Toggle,
    End,
}

struct Run {
    cluster: Cluster,
    group: Group,
    schedule: Schedule,
    leader: Leader,
    begun: Instant,
    /// The conditions that are in effect.
    conditions: Conditions,
    /// By fault, with the instant at which it began. `None`: not active.
    active: Vec<Option<(Instant, ActiveFault)>>,
    /// By server: the number of active faults that keep it down.
    down: Vec<usize>,
    /// By server: the number of these that are armed: the crash happens at a later switch point or
    /// write.
    armed: Vec<usize>,
}

impl Run {
    fn execute(mut self) {
        for (at, fault, step) in self.steps() {
            self.wait_until(self.begun + at);
            match step {
                Step::Begin => self.begin(fault),
                Step::Toggle => self.toggle(fault),
                Step::End => self.end(fault),
            }
            self.apply_conditions();
        }
        self.wait_until(self.begun + self.schedule.duration());
        self.cluster.annotations().point_of(Kind::Info, ROW, "all faults have ended", "");
        events::emit(|| Fault::AllEnded);
    }

    /// Waits. Disconnects servers that crash in the meantime.
    fn wait_until(&mut self, moment: Instant) {
        while self.armed.iter().any(|armed| *armed > 0) {
            let next = labrt::now() + CHECK_INTERVAL;
            if next >= moment {
                break;
            }
            labrt::sleep_until(next);
            self.reap();
        }
        labrt::sleep_until(moment);
        self.reap();
    }

    /// Disconnects armed servers that have crashed.
    fn reap(&mut self) {
        for i in 0..self.group.n() {
            if self.armed[i] > 0 && self.group.is_running(i) && self.group.node(i).is_crashed() {
                self.crash(i);
            }
        }
    }

    /// All changes of all faults, in the order of time.
    fn steps(&self) -> Vec<(Duration, usize, Step)> {
        let mut steps = Vec::new();
        for (number, fault) in self.schedule.faults.iter().enumerate() {
            let (begin, end) = self.schedule.span(fault);
            steps.push((begin, number, Step::Begin));
            if let FaultKind::Flap { period_ms, .. } = fault.kind {
                let period = Duration::from_millis(period_ms.max(1));
                let mut at = begin + period;
                while at < end {
                    steps.push((at, number, Step::Toggle));
                    at += period;
                }
            }
            steps.push((end, number, Step::End));
        }
        steps.sort();
        steps
    }

    fn begin(&mut self, number: usize) {
        let kind = self.schedule.faults[number].kind.clone();
        let targets = match kind.target() {
            None => Vec::new(),
            Some(Target::All) => (0..self.group.n()).collect(),
            Some(Target::Server(server)) => vec![server],
            Some(Target::Leader) => {
                let leader = (self.leader)();
                leader.filter(|&leader| self.group.is_running(leader)).into_iter().collect()
            }
        };
        events::emit(|| Fault::Began {
            fault: number,
            name: kind.to_string(),
            targets: targets.clone(),
        });
        for &i in targets.iter().filter(|_| kind.is_crash()) {
            self.down[i] += 1;
            if self.group.is_running(i) && !self.arm(i, &kind) {
                self.crash(i);
            }
        }
        let fault = ActiveFault { kind, targets, paused: false };
        self.active[number] = Some((labrt::now(), fault));
    }

    fn toggle(&mut self, number: usize) {
        if let Some((_, fault)) = &mut self.active[number] {
            fault.paused = !fault.paused;
        }
    }

    fn end(&mut self, number: usize) {
        let Some((begun, fault)) = self.active[number].take() else { return };
        let ActiveFault { kind, targets, .. } = fault;
        events::emit(|| Fault::Ended {
            fault: number,
            name: kind.to_string(),
            targets: targets.clone(),
        });
        for &i in targets.iter().filter(|_| kind.is_crash()) {
            self.bring_up(i, &kind);
        }
        let details = if targets.is_empty() { String::new() } else { format!("{targets:?}") };
        self.cluster.annotations().interval_of(
            Kind::Fault,
            ROW,
            begun,
            &kind.to_string(),
            &details,
        );
    }

    /// Arms a crash of a running server at a later switch point or write. Returns false if the back
    /// end cannot do that.
    fn arm(&mut self, i: usize, kind: &FaultKind) -> bool {
        if !labrt::is_simulated() {
            return false;
        }
        match *kind {
            FaultKind::CrashAtSwitch { nth, .. } => {
                if self.group.node(i).crash_at_switch_point(nth).is_err() {
                    return false;
                }
            }
            FaultKind::CrashInWrite { nth, written, .. } => {
                let left = match written {
                    0 => TornWrite::Nothing,
                    1000.. => TornWrite::Everything,
                    thousandths => TornWrite::Part(thousandths),
                };
                self.group.persister(i).crash_in_write(nth, left);
            }
            _ => return false,
        }
        self.armed[i] += 1;
        true
    }

    /// Crashes a running server. On threads, where no task can be stopped, it is shut down.
    fn crash(&mut self, i: usize) {
        events::emit(|| Fault::Crashes { server: i });
        if self.group.crash_server(i).is_err() {
            self.group.shutdown_server(i);
        }
        self.armed[i] = 0;
    }

    /// Ends a crash fault: disarms it if the server has not crashed yet, and starts the server
    /// again when no active fault keeps it down.
    fn bring_up(&mut self, i: usize, kind: &FaultKind) {
        self.down[i] -= 1;
        if self.group.is_running(i) {
            if self.armed[i] > 0 {
                self.armed[i] -= 1;
                match kind {
                    FaultKind::CrashAtSwitch { .. } => {
                        // Arming has succeeded, so disarming does.
                        let _ = self.group.node(i).crash_at_switch_point(0);
                    }
                    FaultKind::CrashInWrite { .. } => {
                        self.group.persister(i).crash_in_write(0, TornWrite::Nothing);
                    }
                    _ => {}
                }
            }
        } else if self.down[i] == 0 {
            self.group.start_server(i);
            self.group.connect_one(i);
            // A restarted server has a normal disk and clock.
            self.conditions.write_times.remove(&i);
            self.conditions.clocks.remove(&i);
        }
    }

    /// Computes the conditions of all active faults and applies the difference.
    fn apply_conditions(&mut self) {
        let faults: Vec<ActiveFault> =
            self.active.iter().flatten().map(|(_, fault)| fault.clone()).collect();
        let wanted = Conditions::of(self.group.n(), &faults);
        let before = std::mem::replace(&mut self.conditions, wanted);
        let wanted = &self.conditions;
        let network = self.cluster.network();
        for link in before.links.keys().chain(wanted.links.keys()) {
            let (before, after) = (before.links.get(link), wanted.links.get(link));
            if before != after {
                self.group.set_link(link.0, link.1, after.cloned().unwrap_or_default());
            }
        }
        for i in before.server_delays.keys().chain(wanted.server_delays.keys()) {
            let delay = wanted.server_delays.get(i).copied().unwrap_or_default();
            network.set_server_delay(self.group.server_name(*i), delay);
        }
        for &i in before.write_times.keys().chain(wanted.write_times.keys()) {
            let takes = wanted.write_times.get(&i).copied().unwrap_or_default();
            self.group.persister(i).set_write_time(takes);
        }
        for &i in before.clocks.keys().chain(wanted.clocks.keys()) {
            let rate = |conditions: &Conditions| conditions.clocks.get(&i).copied().unwrap_or(100);
            if rate(&before) != rate(wanted) {
                self.group.node(i).set_clock_rate(rate(wanted));
            }
        }
        if before.clients != wanted.clients {
            self.cluster.set_client_links(wanted.clients.clone());
        }
        network.set_reliable(!wanted.unreliable);
        network.set_long_reordering(wanted.reordering);
        network.set_long_delays(wanted.long_delays);
    }
}
