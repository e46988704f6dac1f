//! The combined effect of all active faults: for each link, server and client, and for the network.
//!
//! Faults overlap, so a fault that ends must not undo its own effect: another fault may still need
//! it. Whenever a fault begins or ends, the conditions are computed anew from all active faults,
//! and only the difference is applied.

use std::collections::BTreeMap;
use std::time::Duration;

use labrpc::LinkFaults;

use super::schedule::{FaultKind, Messages};

/// A fault that is active, and the servers that it affects.
#[derive(Clone, Debug)]
pub(super) struct ActiveFault {
    pub(super) kind: FaultKind,
    pub(super) targets: Vec<usize>,
    /// A flapping link is up for half of the time.
    pub(super) paused: bool,
}

/// The state of network, disks and clocks under the active faults. The default is a healthy
/// cluster.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Conditions {
    /// By caller and callee. Links without an entry have no faults.
    pub(super) links: BTreeMap<(usize, usize), LinkFaults>,
    pub(super) clients: LinkFaults,
    /// By server. Servers without an entry have no delay.
    pub(super) server_delays: BTreeMap<usize, Duration>,
    /// Duration of each write, by server.
    pub(super) write_times: BTreeMap<usize, Duration>,
    /// Clock rate by server, in percent of the true rate. Servers without an entry run at 100.
    pub(super) clocks: BTreeMap<usize, u32>,
    pub(super) unreliable: bool,
    pub(super) reordering: bool,
    pub(super) long_delays: bool,
}

impl Conditions {
    pub(super) fn of(servers: usize, faults: &[ActiveFault]) -> Conditions {
        let mut conditions = Conditions::default();
        for fault in faults.iter().filter(|fault| !fault.paused) {
            conditions.add(servers, fault);
        }
        conditions
    }

    fn add(&mut self, servers: usize, fault: &ActiveFault) {
        let ActiveFault { kind, targets, .. } = fault;
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
            // Crashes are not conditions: the nemesis stops and starts servers.
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

    /// No message travels from `from` to `to`: neither a request, nor the reply to a request of
    /// `to`.
    fn cut(&mut self, from: usize, to: usize) {
        self.link((from, to)).cut_requests = true;
        self.link((to, from)).cut_replies = true;
    }

    fn cut_both(&mut self, one: usize, other: usize) {
        self.cut(one, other);
        self.cut(other, one);
    }
}

/// Combines a fault with the faults that the link already has: the worse value counts.
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
