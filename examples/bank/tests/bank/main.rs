//! The bank under faults: many clients, a network that loses messages, partitions, restarts, snapshots.

mod model;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bank::clerk::Clerk;
use bank::machine::{Op, Reply};
use bank::server::BankServer;
use labrt::{Mutex, random_bool, random_range};
use model::BankModel;
use porcupine::{Budget, Operation, Options, Verdict, check_operations, explain};
use tester::{Cluster, ClusterOptions, Hosted, ServerSetup, fatal, hosted, inconclusive, lab_test};

const SERVERS: usize = 5;
const CLIENTS: usize = 4;
const ACCOUNTS: [&str; 3] = ["ann", "bob", "cy"];

type History = Arc<Mutex<Vec<Operation<Op, Reply>>>>;

/// Called for every start and restart of a server.
fn start(setup: ServerSetup) -> Vec<Box<dyn Hosted>> {
    let ServerSetup { peers, me, persister, tuning, .. } = setup;
    // A snapshot whenever the saved log nears 2000 bytes.
    let max_raft_state = Some(2000);
    let options = rsm::Options { peers, me, persister, max_raft_state, tuning };
    let server = BankServer::start(options).unwrap_or_else(|error| panic!("server {me}: {error}"));
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

/// Asks, and writes down what was asked, what was answered, and when.
fn recorded(cluster: &Cluster, history: &History, client: usize, clerk: &mut Clerk, op: Op) {
    let called = labrt::now().as_nanos();
    let reply = clerk.ask(&op);
    let returned = labrt::now().as_nanos();
    history.lock().push(Operation::new(client as i64, called, op, returned, reply));
    cluster.op();
}

/// For some seconds: servers are cut off from each other, or restarted. In the end all is well.
fn faults(cluster: &Cluster) {
    let group = cluster.group(0);
    for _ in 0..6 {
        if random_bool(0.5) {
            let (one, other) = (0..SERVERS).partition::<Vec<usize>, _>(|_| random_bool(0.5));
            group.partition(&one, &other);
        } else {
            let server = random_range(0..SERVERS);
            group.shutdown_server(server);
            group.start_server(server);
        }
        labrt::sleep(Duration::from_millis(random_range(100..1000)));
        group.connect_all();
        labrt::sleep(Duration::from_millis(500));
    }
}

/// Ends the test unless one correct bank could have given these answers.
fn judge(history: &[Operation<Op, Reply>]) {
    let budget = Budget { steps: Some(10_000_000), ..Budget::default() };
    let options = Options { budget, ..Options::default() };
    let report = check_operations(&BankModel, history, &options).expect("clients do one at a time");
    match report.verdict() {
        Verdict::Ok => {}
        Verdict::Unknown => inconclusive("the checker's budget was too small"),
        Verdict::Illegal => {
            let why = explain(&BankModel, history, &options).ok().flatten();
            fatal!("not linearizable: {}", why.map_or(String::new(), |why| why.text));
        }
    }
}

#[test]
fn money_is_neither_made_nor_lost() {
    lab_test!(|| {
        let cluster = Cluster::new(ClusterOptions::new(SERVERS).reliable(false), start);
        cluster.begin("Test: a bank, many clients, partitions, restarts, snapshots");
        let (history, stop) = (History::default(), Arc::new(AtomicBool::new(false)));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (cluster, history, stop) = (cluster.clone(), history.clone(), stop.clone());
                // `tester::spawn`: a panic in the task fails the test on threads, too.
                tester::spawn(move || {
                    let mut clerk = clerk(&cluster);
                    while !stop.load(Ordering::SeqCst) {
                        recorded(&cluster, &history, client, &mut clerk, random_op());
                    }
                })
            })
            .collect();
        faults(&cluster);
        stop.store(true, Ordering::SeqCst);
        for client in clients {
            client.join().expect("a client ends when it is told to");
        }

        let mut auditor = clerk(&cluster);
        for account in ACCOUNTS {
            let op = Op::Balance { of: account.to_owned() };
            recorded(&cluster, &history, CLIENTS, &mut auditor, op);
        }
        judge(&history.lock());
        cluster.end();
    });
}

/// A model that never says no would pass everything.
#[test]
fn the_model_says_no() {
    let deposit = || Op::Deposit { to: "ann".to_owned(), amount: 5 };
    let twice = [
        Operation::new(0, 0, deposit(), 10, Some(5)),
        Operation::new(1, 20, deposit(), 30, Some(15)), // the second is counted twice
    ];
    let report = check_operations(&BankModel, &twice, &Options::default()).unwrap();
    assert_eq!(report.verdict(), Verdict::Illegal);
}
