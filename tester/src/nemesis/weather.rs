//! What all faults that are in force come to: for each link, server and client, and the network.
//!
//! Faults overlap. So none of them undoes what it has done: whenever one begins or ends, what those in force come to together is worked
//! out anew, and the network is brought from what it was to that.

use std::collections::BTreeMap;
use std::time::Duration;

use labrpc::LinkFaults;

use super::schedule::{FaultKind, Messages};

/// A fault in force, and the servers it turned out to befall.
#[derive(Clone, Debug)]
pub(super) struct InForce {
    pub(super) kind: FaultKind,
    pub(super) targets: Vec<usize>,
    /// A flapping link is up for half of the time.
    pub(super) paused: bool,
}

/// The state that the faults in force ask for. The default is a healthy cluster.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Weather {
    /// By caller and callee; links that are not here are well.
    pub(super) links: BTreeMap<(usize, usize), LinkFaults>,
    pub(super) clients: LinkFaults,
    /// By server; those that are not here are as fast as ever.
    pub(super) server_delays: BTreeMap<usize, Duration>,
    /// By server.
    pub(super) write_times: BTreeMap<usize, Duration>,
    /// By server, percent of the right rate; those that are not here go right.
    pub(super) clocks: BTreeMap<usize, u32>,
    pub(super) unreliable: bool,
    pub(super) reordering: bool,
    pub(super) long_delays: bool,
}

impl Weather {
    pub(super) fn of(servers: usize, faults: &[InForce]) -> Weather {
        let mut weather = Weather::default();
        for fault in faults.iter().filter(|fault| !fault.paused) {
            weather.add(servers, fault);
        }
        weather
    }

    fn add(&mut self, servers: usize, fault: &InForce) {
        let InForce { kind, targets, .. } = fault;
        let others = |i: usize| (0..servers).filter(move |&j| j != i);
        match kind {
            FaultKind::Isolate { .. } | FaultKind::Flap { .. } => {
                for &i in targets {
                    others(i).for_each(|j| self.cut_both(i, j));
                }
            }
            FaultKind::Mute { .. } => {
                for &i in targets {
                    others(i).for_each(|j| self.cut(i, j));
                }
            }
            FaultKind::Deaf { .. } => {
                for &i in targets {
                    others(i).for_each(|j| self.cut(j, i));
                }
            }
            FaultKind::Partition { one } => {
                for &i in one {
                    others(i).filter(|j| !one.contains(j)).for_each(|j| self.cut_both(i, j));
                }
            }
            FaultKind::Cut { pairs } => pairs.iter().for_each(|&(from, to)| self.cut(from, to)),
            FaultKind::SlowLink { from, to, latency_ms } => {
                for link in [(*from, *to), (*to, *from)] {
                    let latency = &mut self.link(link).latency;
                    *latency = latency.saturating_add(Duration::from_millis(*latency_ms));
                }
            }
            FaultKind::SlowServer { delay_ms, .. } => {
                for &i in targets {
                    let delay = self.server_delays.entry(i).or_default();
                    *delay = delay.saturating_add(Duration::from_millis(*delay_ms));
                }
            }
            FaultKind::Links { messages } => {
                for i in 0..servers {
                    others(i).for_each(|j| worsen(self.link((i, j)), *messages));
                }
            }
            FaultKind::Clients { messages } => worsen(&mut self.clients, *messages),
            FaultKind::Unreliable => self.unreliable = true,
            FaultKind::Reordering => self.reordering = true,
            FaultKind::LongDelays => self.long_delays = true,
            // Life and death of servers are not a state of the network.
            FaultKind::Crash { .. }
            | FaultKind::CrashAtSwitch { .. }
            | FaultKind::CrashInWrite { .. } => {}
            FaultKind::SlowDisk { write_us, .. } => {
                for &i in targets {
                    let takes = self.write_times.entry(i).or_default();
                    *takes = (*takes).max(Duration::from_micros(*write_us));
                }
            }
            FaultKind::Clock { percent, .. } => {
                self.clocks.extend(targets.iter().map(|&i| (i, *percent)));
            }
        }
    }

    fn link(&mut self, link: (usize, usize)) -> &mut LinkFaults {
        self.links.entry(link).or_default()
    }

    /// No message gets from `from` to `to`: neither a request, nor the reply to a request of `to`.
    fn cut(&mut self, from: usize, to: usize) {
        self.link((from, to)).cut_requests = true;
        self.link((to, from)).cut_replies = true;
    }

    fn cut_both(&mut self, one: usize, other: usize) {
        self.cut(one, other);
        self.cut(other, one);
    }
}

/// Of two faults of a link, the worse counts.
fn worsen(link: &mut LinkFaults, messages: Messages) {
    let probability = |percent: u8| f64::from(percent) / 100.0;
    link.loss = link.loss.max(probability(messages.loss));
    link.duplicate = link.duplicate.max(probability(messages.duplicate));
    link.long_delay = link.long_delay.max(probability(messages.held_up));
    link.latency = link.latency.saturating_add(Duration::from_millis(messages.latency_ms));
    let patience = messages.patience_ms.map(Duration::from_millis);
    link.patience = match (link.patience, patience) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
}
