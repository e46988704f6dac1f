//! Raft under faults drawn from the seed, then healed: what was acknowledged is there, and the
//! cluster serves again.

use std::sync::Arc;

use labrpc::{Method, Service};
use tester::nemesis::{self, LIVENESS, Limits, Nemesis, Schedule};
use tester::{Client, Cluster, ClusterOptions, ServerName, hosted, lab_test};

use crate::harness::ms;
use crate::servers::{Cmd, Peers};

/// Proposes at a server, as a client does who can be cut off and whose server can die meanwhile.
enum Propose {}

impl Method for Propose {
    const SERVICE: &'static str = "Proposals";
    const METHOD: &'static str = "Propose";
    type Args = Cmd;
    /// The index, if the server leads.
    type Reply = Option<u64>;
}

/// Crashes, partitions, one-way cuts, slow, lossy and doubling links, drawn anew by each seed.
/// Catches: promises broken by a crash, leaders that believe late replies, entries that get lost or
/// change, clusters that do not come back.
#[test]
fn nemesis_raft() {
    lab_test!(scenario);
}

fn set_up(schedule: &Schedule) -> (Cluster, Arc<Peers>) {
    let peers = Peers::new(schedule.servers, true);
    let starter = Arc::clone(&peers);
    let cluster = Cluster::new(ClusterOptions::new(schedule.servers), move |setup| {
        let (me, peers) = (setup.me, Arc::clone(&starter));
        let propose = move |command: Cmd| {
            let proposed = peers.raft(me)?.propose(command.encode()).ok()?;
            Some(proposed.index.get())
        };
        let service = Service::new(Propose::SERVICE).method::<Propose>(propose);
        let mut parts = starter.start(setup);
        parts.push(hosted([service], || {}));
        parts
    });
    cluster.begin("Test: nemesis (raft)");
    (cluster, peers)
}

/// Proposes `command` at one server after the other, beginning with `first`.
fn propose(client: &Client, servers: usize, first: usize, command: &Cmd) -> Option<u64> {
    (0..servers).find_map(|i| {
        let server = ServerName::new(0, (first + i) % servers);
        client.call::<Propose>(server, command).ok().flatten()
    })
}

/// Makes a client's proposals; returns those that it saw committed at the index it was told.
fn run_client(cluster: &Cluster, peers: &Peers, schedule: &Schedule, me: usize) -> Vec<Cmd> {
    let client = cluster.make_client();
    let mut committed = Vec::new();
    for number in 0..schedule.operations {
        labrt::sleep(schedule.pause());
        let command = Cmd::Int(me as u64 * 1_000_000 + number);
        let first = labrt::random_range(0..schedule.servers);
        let Some(index) = propose(&client, schedule.servers, first, &command) else { continue };
        for pause in [5, 10, 20, 50, 100, 200] {
            let (count, applied) = peers.committed(index);
            if count > 0 {
                if applied.as_ref() == Some(&command) {
                    committed.push(command);
                    cluster.op();
                }
                break;
            }
            labrt::sleep(ms(pause));
        }
    }
    cluster.delete_client(&client);
    committed
}

fn scenario() {
    let schedule = nemesis::schedule(&Limits::default());
    let (cluster, peers) = set_up(&schedule);
    let n = schedule.servers;
    let watched = Arc::clone(&peers);
    let leader = move || (0..n).find(|&i| watched.state(i).is_some_and(|(_, leads)| leads));
    let nemesis = Nemesis::start(&cluster, &schedule, leader);
    let clients: Vec<_> = (0..schedule.clients)
        .map(|me| {
            let (cluster, peers, schedule) =
                (cluster.clone(), Arc::clone(&peers), schedule.clone());
            tester::spawn(move || run_client(&cluster, &peers, &schedule, me))
        })
        .collect();
    nemesis.finish();
    let healed = labrt::now();
    nemesis::within(LIVENESS, "a client is still waiting for an answer", || {
        clients.iter().all(labrt::JoinHandle::is_finished)
    });
    let acknowledged: Vec<Cmd> =
        clients.into_iter().flat_map(|client| client.join().expect("it has finished")).collect();

    let left = LIVENESS.saturating_sub(healed.elapsed());
    let client = cluster.make_client();
    let mut attempt = 0;
    let mut last = 0;
    nemesis::within(left, "no new command was committed by all servers", || {
        attempt += 1;
        let command = Cmd::Int(u64::MAX - attempt);
        let Some(index) = propose(&client, n, 0, &command) else { return false };
        labrt::sleep(ms(200));
        last = index;
        peers.committed(index) == (n, Some(command))
    });
    let log: Vec<Cmd> = (1..=last)
        .map(|index| match peers.committed(index) {
            (count, Some(command)) if count == n => command,
            (count, _) => panic!("index {index} was applied by {count} servers, {last} by all"),
        })
        .collect();
    for command in &acknowledged {
        assert!(log.contains(command), "{command:?} was committed, and is gone");
    }
    peers.check_error();
    cluster.end();
    cluster.cleanup();
    peers.check_error();
}
