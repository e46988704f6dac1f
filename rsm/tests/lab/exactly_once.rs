//! A service around any machine: no request is executed twice, sessions end, deadlines are kept.

use std::sync::Arc;
use std::time::Duration;

use labrpc::LinkFaults;
use rsm::exactly_once::{CallError, Clerk, Server, Service};
use rsm::{Options, StateMachine};
use serde::{Deserialize, Serialize};
use tester::{Cluster, ClusterOptions, ServerSetup, hosted, lab_test};

/// Hands out numbers: a second execution of a request shows.
#[derive(Default, Serialize, Deserialize)]
struct Tickets(u64);

impl StateMachine for Tickets {
    type Request = ();
    type Reply = u64;

    fn do_op(&mut self, (): ()) -> u64 {
        self.0 += 1;
        self.0
    }
}

impl Service for Tickets {
    const NAME: &'static str = "Tickets";
}

type Servers = Arc<labrt::Mutex<Vec<Option<Server<Tickets>>>>>;

fn cluster(window: u64, reliable: bool) -> (Cluster, Servers) {
    let servers: Servers = Arc::new(labrt::Mutex::new(vec![None, None, None]));
    let started = Arc::clone(&servers);
    let options = ClusterOptions::new(3).reliable(reliable);
    let cluster = Cluster::new(options, move |setup: ServerSetup| {
        let ServerSetup { peers, me, persister, tuning, .. } = setup;
        let options = Options { peers, me, persister, max_raft_state: Some(1000), tuning };
        let server = Server::start_with_window(options, Tickets::default(), window)
            .unwrap_or_else(|error| panic!("server {me}: {error}"));
        started.lock()[me] = Some(server.clone());
        vec![hosted(server.services(), move || server.kill())]
    });
    cluster.begin("Test: exactly once");
    (cluster, servers)
}

fn clerk(cluster: &Cluster) -> Clerk<Tickets> {
    let client = cluster.make_client();
    Clerk::new(client.ends_to(&cluster.group(0).server_names())).expect("there are servers")
}

/// Over a network that loses and doubles messages, with restarts: as many tickets as calls, each
/// once.
#[test]
fn every_call_is_executed_once() {
    lab_test!(|| {
        const CALLS: u64 = 40;
        let (cluster, _) = cluster(1000, false);
        let twice = LinkFaults { duplicate: 0.3, ..LinkFaults::default() };
        cluster.set_client_links(twice);
        let clients: Vec<_> = (0..3)
            .map(|_| {
                let cluster = cluster.clone();
                tester::spawn(move || {
                    let clerk = clerk(&cluster);
                    (0..CALLS).map(|_| clerk.call(()).unwrap()).collect::<Vec<_>>()
                })
            })
            .collect();
        for server in 0..3 {
            labrt::sleep(Duration::from_millis(300));
            cluster.group(0).shutdown_server(server);
            cluster.group(0).start_server(server);
            cluster.group(0).connect_one(server);
        }
        let mut tickets: Vec<u64> =
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        tickets.sort_unstable();
        assert_eq!(tickets, (1..=3 * CALLS).collect::<Vec<_>>());
        cluster.end();
    });
}

/// Clients come and go: the servers forget those that are gone, all at the same entry of the log.
#[test]
fn sessions_of_departed_clients_are_freed() {
    lab_test!(|| {
        const WINDOW: u64 = 10;
        let (cluster, servers) = cluster(WINDOW, true);
        for number in 1..=50 {
            assert_eq!(clerk(&cluster).call(()), Ok(number), "a new client each time");
        }
        labrt::sleep(Duration::from_secs(1));
        let sessions = |server: &Server<Tickets>| {
            server.rsm().with_machine(|machine| machine.sessions().clone())
        };
        let all: Vec<_> = servers.lock().iter().flatten().map(sessions).collect();
        assert!(all[0].len() as u64 <= 2 * WINDOW, "{} sessions", all[0].len());
        assert!(all.iter().all(|sessions| *sessions == all[0]));
        cluster.end();
    });
}

/// Without a majority, a call with a deadline ends at its deadline.
#[test]
fn a_call_ends_at_its_deadline() {
    lab_test!(|| {
        let (cluster, _) = cluster(1000, true);
        let clerk = clerk(&cluster);
        assert_eq!(clerk.call(()), Ok(1));
        cluster.group(0).shutdown_server(0);
        cluster.group(0).shutdown_server(1);
        let begun = labrt::now();
        let outcome = clerk.call_until(begun + Duration::from_millis(700), ());
        assert_eq!(outcome, Err(CallError::TimedOut));
        let took = begun.elapsed().as_millis();
        assert!((690..900).contains(&took), "{took} ms");
        cluster.end();
    });
}
