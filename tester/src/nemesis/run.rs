//! The task that carries a schedule out.

use std::sync::Arc;
use std::time::Duration;

use labrt::events::{self, Fault};
use labrt::{Instant, JoinHandle, TornWrite};
use runner::spawn_named;
use view::annotation::NEMESIS_ROW as ROW;

use super::schedule::{FaultKind, Schedule, Who};
use super::weather::{InForce, Weather};
use crate::annotations::Kind;
use crate::cluster::{Cluster, GROUP_0};
use crate::fatal;
use crate::group::Group;

/// How often the nemesis looks whether a server that is to crash at a place of its own has done so.
const LOOK: Duration = Duration::from_micros(500);

/// Who leads at the moment, if the test can tell.
type Leader = Arc<dyn Fn() -> Option<usize> + Send + Sync>;

/// A schedule that is being carried out on a group of a cluster.
#[must_use = "its faults end, and its servers come back, only while somebody waits for it"]
pub struct Nemesis {
    task: JoinHandle<()>,
}

impl Nemesis {
    /// Starts to carry `schedule` out on group 0. `leader` says who leads at the moment; only servers that run are believed to.
    pub fn start(
        cluster: &Cluster,
        schedule: &Schedule,
        leader: impl Fn() -> Option<usize> + Send + Sync + 'static,
    ) -> Nemesis {
        Nemesis::start_on(cluster, GROUP_0, schedule, leader)
    }

    /// The same on the group with the number `gid`. What a schedule does to the whole network or to clients it does to those of all groups.
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
            in_force: schedule.faults.iter().map(|_| None).collect(),
            group,
            schedule: schedule.clone(),
            leader: Arc::new(leader),
            weather: Weather::default(),
            begun: labrt::now(),
        };
        Nemesis { task: spawn_named("nemesis", move || run.carry_out()) }
    }

    /// Waits until the last fault is over: all servers run, and everything is connected and as fast as ever.
    #[track_caller]
    pub fn finish(self) {
        if let Err(error) = self.task.join() {
            fatal!("the nemesis has failed: {error}");
        }
    }
}

/// What happens to a fault.
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
    /// What the network was last told.
    weather: Weather,
    /// By fault, with the moment it began.
    in_force: Vec<Option<(Instant, InForce)>>,
    /// By server: how many faults want it to be down.
    down: Vec<usize>,
    /// By server: how many of them let it choose the moment, and are still waiting for it.
    armed: Vec<usize>,
}

impl Run {
    fn carry_out(mut self) {
        for (at, fault, step) in self.steps() {
            self.wait_until(self.begun + at);
            match step {
                Step::Begin => self.begin(fault),
                Step::Toggle => self.toggle(fault),
                Step::End => self.end(fault),
            }
            self.bring_about();
        }
        self.wait_until(self.begun + self.schedule.duration());
        self.cluster.annotations().point_of(Kind::Info, ROW, "all is well again", "");
        events::emit(|| Fault::AllEnded);
    }

    /// Waits, and takes servers out of the network that crash meanwhile.
    fn wait_until(&mut self, moment: Instant) {
        while self.armed.iter().any(|armed| *armed > 0) {
            let next = labrt::now() + LOOK;
            if next >= moment {
                break;
            }
            labrt::sleep_until(next);
            self.bury();
        }
        labrt::sleep_until(moment);
        self.bury();
    }

    /// Takes out of the network what has crashed at a place of its own.
    fn bury(&mut self) {
        for i in 0..self.group.n() {
            if self.armed[i] > 0 && self.group.is_running(i) && self.group.node(i).is_crashed() {
                self.crash(i);
            }
        }
    }

    /// Everything that will happen, in order.
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
        let targets = match kind.who() {
            None => Vec::new(),
            Some(Who::All) => (0..self.group.n()).collect(),
            Some(Who::Server(server)) => vec![server],
            Some(Who::Leader) => {
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
        let fault = InForce { kind, targets, paused: false };
        self.in_force[number] = Some((labrt::now(), fault));
    }

    fn toggle(&mut self, number: usize) {
        if let Some((_, fault)) = &mut self.in_force[number] {
            fault.paused = !fault.paused;
        }
    }

    fn end(&mut self, number: usize) {
        let Some((begun, fault)) = self.in_force[number].take() else { return };
        let InForce { kind, targets, .. } = fault;
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

    /// Has a server that runs crash at a place to come. Says whether that could be asked for.
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

    /// Crashes a server that runs. On threads nothing can be stopped where it stands: it is shut down.
    fn crash(&mut self, i: usize) {
        events::emit(|| Fault::Crashes { server: i });
        if self.group.crash_server(i).is_err() {
            self.group.shutdown_server(i);
        }
        self.armed[i] = 0;
    }

    /// Ends a crash: calls it off if it has not come yet, and starts the server again when the last fault that wanted it down is over.
    fn bring_up(&mut self, i: usize, kind: &FaultKind) {
        self.down[i] -= 1;
        if self.group.is_running(i) {
            if self.armed[i] > 0 {
                self.armed[i] -= 1;
                match kind {
                    FaultKind::CrashAtSwitch { .. } => {
                        // Cannot fail where it could be asked for.
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
            // The disk and the clock of a new life know of no faults.
            self.weather.write_times.remove(&i);
            self.weather.clocks.remove(&i);
        }
    }

    /// Brings the network from what it was to what the faults in force ask for.
    fn bring_about(&mut self) {
        let faults: Vec<InForce> =
            self.in_force.iter().flatten().map(|(_, fault)| fault.clone()).collect();
        let wanted = Weather::of(self.group.n(), &faults);
        let was = std::mem::replace(&mut self.weather, wanted);
        let wanted = &self.weather;
        let network = self.cluster.network();
        for link in was.links.keys().chain(wanted.links.keys()) {
            let (before, after) = (was.links.get(link), wanted.links.get(link));
            if before != after {
                self.group.set_link(link.0, link.1, after.cloned().unwrap_or_default());
            }
        }
        for i in was.server_delays.keys().chain(wanted.server_delays.keys()) {
            let delay = wanted.server_delays.get(i).copied().unwrap_or_default();
            network.set_server_delay(self.group.server_name(*i), delay);
        }
        for &i in was.write_times.keys().chain(wanted.write_times.keys()) {
            let takes = wanted.write_times.get(&i).copied().unwrap_or_default();
            self.group.persister(i).set_write_time(takes);
        }
        for &i in was.clocks.keys().chain(wanted.clocks.keys()) {
            let rate = |weather: &Weather| weather.clocks.get(&i).copied().unwrap_or(100);
            if rate(&was) != rate(wanted) {
                self.group.node(i).set_clock_rate(rate(wanted));
            }
        }
        if was.clients != wanted.clients {
            self.cluster.set_client_links(wanted.clients.clone());
        }
        network.set_reliable(!wanted.unreliable);
        network.set_long_reordering(wanted.reordering);
        network.set_long_delays(wanted.long_delays);
    }
}
