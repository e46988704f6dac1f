//! The scenario most tests of the service share: each client appends to a key of its own, or all to
//! a few keys, while the network loses messages, partitions come and go, and servers restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::super::{ELECTION_TIMEOUT, GenericTest};
use super::checks::{check_appends, element};
use super::harness::{AppendHarness, TestClerk};
use crate::cluster::GROUP_0;
use crate::fatal;

/// Rounds of the scenario.
const ROUNDS: usize = 3;
/// How long clients run in a round, at least.
const CLIENT_TIME: Duration = Duration::from_secs(5);
/// Appends of the speed test.
pub const SPEED_OPS: usize = 1000;
/// Each within a third of a heartbeat interval.
const SPEED_LIMIT: Duration = Duration::from_nanos(33_333_333 * SPEED_OPS as u64);

impl GenericTest {
    /// Runs the scenario, the clean-up included. The harness's cluster must have been made with
    /// these parameters.
    #[track_caller]
    pub fn run_append(&self, harness: &AppendHarness) {
        harness.cluster().begin(&self.early_title());
        let clerk = harness.make_clerk();
        for _ in 0..ROUNDS {
            self.append_round(harness, &clerk);
            self.check_sizes(&harness.cluster().group(GROUP_0));
        }
        harness.cleanup();
    }

    #[track_caller]
    fn append_round(&self, harness: &AppendHarness, clerk: &TestClerk) {
        let done = Arc::new(AtomicBool::new(false));
        let (theirs, until, test) = (harness.clone(), Arc::clone(&done), self.clone());
        let clients = harness.spawn_clients(self.clients, move |me, clerk| {
            test.append_client(&theirs, me, clerk, &until)
        });
        let partitioner = self.partitions.then(|| {
            // The clients first get some time without partitions.
            labrt::sleep(ELECTION_TIMEOUT);
            harness.start_partitioner()
        });
        labrt::sleep(CLIENT_TIME);
        done.store(true, Ordering::SeqCst);
        if let Some(partitioner) = partitioner {
            harness.heal(partitioner);
        }
        if self.crash {
            // Clients may still be inside a call.
            let group = harness.cluster().group(GROUP_0);
            group.shutdown();
            labrt::sleep(ELECTION_TIMEOUT);
            group.start_servers();
        }
        for (me, client) in clients.into_iter().enumerate() {
            let count = AppendHarness::join(client);
            let value = harness.get(clerk, &me.to_string());
            if !self.random_keys {
                check_appends(me, &value, count);
            }
        }
    }

    /// One client until told to stop. Returns the number of its elements.
    #[track_caller]
    fn append_client(
        &self,
        harness: &AppendHarness,
        me: usize,
        clerk: &TestClerk,
        done: &AtomicBool,
    ) -> usize {
        let mut written = 0;
        let mut last = String::new();
        let own = me.to_string();
        if !self.random_keys {
            harness.put(clerk, &own, "");
        }
        while !done.load(Ordering::SeqCst) {
            let random = self.random_keys.then(|| labrt::random_range(0..self.clients).to_string());
            let key = random.as_ref().unwrap_or(&own);
            let next = element(me, written);
            if labrt::random_bool(0.5) {
                harness.append(clerk, key, &next);
                last.push_str(&next);
                written += 1;
            } else if self.random_keys && labrt::random_bool(0.1) {
                harness.put(clerk, key, &next);
                written += 1;
            } else {
                let value = harness.get(clerk, key);
                if !self.random_keys && value != last {
                    fatal!("get wrong value, key {key}, wanted:\n{last}\n, got\n{value}");
                }
            }
        }
        written
    }

    /// A thousand appends one after the other, each within a third of a heartbeat; the clean-up
    /// included.
    #[track_caller]
    pub fn run_append_speed(&self, harness: &AppendHarness) {
        harness.cluster().begin(&format!("Test: ops complete fast enough ({})", self.part));
        let clerk = harness.make_clerk();
        let bare = clerk.bare();
        // Waits for a leader.
        let _ = bare.get("x");
        let start = labrt::now();
        for number in 0..SPEED_OPS {
            if let Err(error) = bare.append("x", &element(0, number)) {
                fatal!("Append(x) gave {error}");
            }
        }
        let took = start.elapsed();
        check_appends(0, &bare.get("x"), SPEED_OPS);
        if took > SPEED_LIMIT {
            fatal!("{SPEED_OPS} appends took {took:?}, at most {SPEED_LIMIT:?} are allowed");
        }
        harness.cleanup();
    }
}
