//! The scenario of most key/value tests: clients compete for keys while the network loses messages,
//! partitions begin and end, and servers restart.

use std::time::Duration;

use kvapi::{Clerk as _, Version};

use super::ELECTION_TIMEOUT;
use super::harness::KvHarness;
use super::workload::{ClientResult, make_keys};
use crate::cluster::GROUP_0;
use crate::fatal;
use crate::group::Group;

/// Rounds of the scenario.
const ROUNDS: usize = 3;
/// How long clients run in a round, at least.
const CLIENT_TIME: Duration = Duration::from_secs(1);
/// Keys used when they are chosen at random.
const RANDOM_KEYS: usize = 100;

/// Parameters of a key/value test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GenericTest {
    /// What the title ends with, such as `4B basic`.
    pub part: &'static str,
    pub clients: usize,
    /// Servers of group 0.
    pub servers: usize,
    /// Whether the network delivers everything.
    pub reliable: bool,
    /// Whether servers are restarted.
    pub crash: bool,
    /// Whether the network is partitioned.
    pub partitions: bool,
    /// Bytes of Raft state above which a server should take a snapshot; `None` for never.
    pub max_raft_state: Option<usize>,
    /// How many times `max_raft_state` the Raft state may have at the checks; `None`: not checked.
    pub slack: Option<usize>,
    /// Whether clients spread over many keys.
    pub random_keys: bool,
}

impl GenericTest {
    /// One client, five servers, a reliable network, no faults, no snapshots, one key.
    pub fn new(part: &'static str) -> GenericTest {
        GenericTest {
            part,
            clients: 1,
            servers: 5,
            reliable: true,
            crash: false,
            partitions: false,
            max_raft_state: None,
            slack: Some(8),
            random_keys: false,
        }
    }

    /// Fails unless the largest Raft state and snapshot have the sizes they may have.
    #[track_caller]
    pub(super) fn check_sizes(&self, group: &Group) {
        let (log, snapshot) = (group.log_size(), group.snapshot_size());
        match (self.max_raft_state, self.slack) {
            (Some(limit), Some(slack)) if log > slack * limit => {
                fatal!("raft state was not trimmed: {log} bytes, more than {slack} * {limit}")
            }
            (None, _) if snapshot > 0 => {
                fatal!("there is a snapshot of {snapshot} bytes, although none was asked for")
            }
            _ => {}
        }
    }

    /// The title that the test prints: `Test: restarts, snapshots, many clients (4C ..)`.
    pub fn title(&self) -> String {
        self.title_after("")
    }

    /// The same in the early editions, whose titles also name the kind of the network.
    pub fn early_title(&self) -> String {
        self.title_after(if self.reliable { "" } else { "unreliable net, " })
    }

    fn title_after(&self, network: &str) -> String {
        let mut title = format!("Test: {network}");
        let parts = [
            (self.crash, "restarts, "),
            (self.partitions, "partitions, "),
            (self.max_raft_state.is_some(), "snapshots, "),
            (self.random_keys, "random keys, "),
        ];
        parts.iter().filter(|(on, _)| *on).for_each(|(_, text)| title.push_str(text));
        title.push_str(if self.clients > 1 { "many clients" } else { "one client" });
        title.push_str(&format!(" ({})", self.part));
        title
    }

    /// Runs the scenario, the clean-up included. The harness's cluster must have been made with
    /// these parameters, and begun with the [title](GenericTest::title).
    #[track_caller]
    pub fn run(&self, harness: &KvHarness) {
        let group = harness.cluster().group(GROUP_0);
        let clerk = harness.make_clerk();
        let keys = if self.random_keys { make_keys(RANDOM_KEYS) } else { vec!["k".to_owned()] };
        let mut total = ClientResult::default();
        for _ in 0..ROUNDS {
            total = self.clients_round(harness, &clerk, &keys, total);
            if self.crash {
                group.shutdown();
                // Time for the servers' calls to notice.
                labrt::sleep(ELECTION_TIMEOUT);
                group.start_servers();
            }
            self.check_sizes(&group);
        }
        harness.cleanup();
    }

    /// Clients for a second, the checks after it, and the end of the partitions that began
    /// meanwhile.
    #[track_caller]
    fn clients_round(
        &self,
        harness: &KvHarness,
        clerk: &super::TestClerk,
        keys: &[String],
        mut total: ClientResult,
    ) -> ClientResult {
        let strict = harness.cluster().is_reliable() && !self.crash && !self.partitions;
        let (clients, random_keys) = (self.clients, self.random_keys);
        let (theirs, clerk, keys) = (harness.clone(), clerk.clone(), keys.to_vec());
        let round = crate::spawn(move || {
            let (harness, wanted) = (theirs.clone(), keys.clone());
            let results =
                theirs.spawn_clients_and_wait(clients, CLIENT_TIME, move |me, clerk, done| {
                    harness.one_client_put(me as i64, clerk, &wanted, done)
                });
            if !random_keys {
                theirs.check_put_concurrent(&clerk, &keys[0], &results, &mut total, strict);
            }
            total
        });
        let partitioner = self.partitions.then(|| {
            // The clients first get some time without partitions.
            labrt::sleep(CLIENT_TIME);
            harness.start_partitioner()
        });
        let total = KvHarness::join(round);
        harness.check_porcupine();
        if let Some(partitioner) = partitioner {
            // With time for an election, so that the next round does not start without a leader.
            harness.heal(partitioner);
        }
        total
    }

    /// A thousand puts one after the other, each within a third of a heartbeat; the clean-up
    /// included.
    #[track_caller]
    pub fn run_speed(&self, harness: &KvHarness) {
        const PUTS: u64 = 1000;
        const LIMIT: Duration = Duration::from_nanos(33_333_333 * PUTS);
        let clerk = harness.make_clerk();
        // Waits for a leader; the key need not be there.
        let _ = clerk.get("x");
        harness.timed_puts(&clerk, PUTS, LIMIT);
        match clerk.get("k") {
            Ok((_, version)) if version == Version::new(PUTS) => {}
            Ok((_, version)) => fatal!("Get(k) gave version {version}, expected {PUTS}"),
            Err(error) => fatal!("Get(k) gave {error}"),
        }
        harness.cleanup();
    }
}
