//! The bank under faults: many clients, a network that loses and doubles messages, partitions,
//! crashes, slow disks, snapshots.

mod model;

use std::sync::Arc;

use bank::machine::{Bank, Op};
use bank::{Clerk, Server};
use labrt::{Mutex, random_range};
use model::BankModel;
use tester::nemesis::{self, LIVENESS, Limits, Nemesis};
use tester::{Cluster, ClusterOptions, History, Hosted, ServerSetup, hosted, lab_test};

const ACCOUNTS: [&str; 3] = ["ann", "bob", "cy"];

/// The servers that were started last, by index.
type Servers = Arc<Mutex<Vec<Option<Server>>>>;

/// Called for every start and restart of a server.
fn start(setup: ServerSetup, servers: &Servers) -> Vec<Box<dyn Hosted>> {
    let ServerSetup { peers, me, persister, tuning, .. } = setup;
    // A snapshot whenever the saved log nears 2000 bytes.
    let options = rsm::Options { peers, me, persister, max_raft_state: Some(2000), tuning };
    let server = Server::start(options, Bank::default())
        .unwrap_or_else(|error| panic!("server {me}: {error}"));
    servers.lock()[me] = Some(server.clone());
    vec![hosted(server.services(), move || server.kill())]
}

fn clerk(cluster: &Cluster) -> Clerk {
    let client = cluster.make_client();
    Clerk::new(client.ends_to(&cluster.group(0).server_names())).expect("there are servers")
}

fn random_op() -> Op {
    let account = || ACCOUNTS[random_range(0..ACCOUNTS.len())].to_owned();
    let amount = random_range(1..100);
    match random_range(0..3) {
        0 => Op::Deposit { to: account(), amount },
        1 => Op::Transfer { from: account(), to: account(), amount },
        _ => Op::Balance { of: account() },
    }
}

#[test]
fn money_is_neither_made_nor_lost() {
    lab_test!(|| {
        // Which faults, when, and how many clients: all of it follows from the seed.
        let schedule = nemesis::schedule(&Limits::default().client_duplicates(true));
        let servers: Servers = Arc::new(Mutex::new(vec![None; schedule.servers]));
        let started = Arc::clone(&servers);
        let options = ClusterOptions::new(schedule.servers);
        let cluster = Cluster::new(options, move |setup| start(setup, &started));
        cluster.begin("Test: a bank under faults");
        let history = History::new(&cluster, BankModel);
        let leads = |server: &Option<Server>| {
            server.as_ref().is_some_and(|server| server.rsm().raft().state().1)
        };
        let leader = move || servers.lock().clone().iter().position(leads);
        let nemesis = Nemesis::start(&cluster, &schedule, leader);
        let clients: Vec<_> = (0..schedule.clients)
            .map(|_| {
                let (cluster, history, plan) = (cluster.clone(), history.clone(), schedule.clone());
                // `tester::spawn`: a panic in the task fails the test on threads, too.
                tester::spawn(move || {
                    let (me, clerk) = (history.new_client(), clerk(&cluster));
                    for _ in 0..plan.operations {
                        labrt::sleep(plan.pause());
                        let _ = history.record(me, random_op(), |op| clerk.call(op));
                    }
                })
            })
            .collect();
        nemesis.finish();
        nemesis::within(LIVENESS, "a client is still waiting for an answer", || {
            clients.iter().all(|client| client.is_finished())
        });
        let (auditor, me) = (clerk(&cluster), history.new_client());
        for account in ACCOUNTS {
            let op = Op::Balance { of: account.to_owned() };
            history.record(me, op, |op| auditor.call(op)).expect("all faults are over");
        }
        history.check();
        cluster.end();
    });
}
