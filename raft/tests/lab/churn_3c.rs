//! Part 3C: clients propose while servers come and go.

use crate::harness::{ELECTION_TIMEOUT, FIRST, Fixture, ms, random_command};
use crate::persist_3c::{Stop, client_pause};
use crate::servers::Cmd;
use tester::lab_test;

/// On a reliable network. Catches: committed entries lost or replaced, deadlocks around a kill.
#[test]
fn reliable_churn_3c() {
    lab_test!(|| churn("Test (3C): churn", true));
}

/// On a lossy one.
#[test]
fn unreliable_churn_3c() {
    lab_test!(|| churn("Test (3C): unreliable churn", false));
}

/// Proposes until told to stop; what it saw committed.
fn client(f: &Fixture, me: u64, stop: &Stop) -> Vec<Cmd> {
    let mut committed = Vec::new();
    while !stop.is_set() {
        let command = random_command();
        let mut accepted = None;
        for i in 0..f.n {
            if let Some((index, _)) = f.start(i, &command) {
                accepted = Some(index);
            }
        }
        let Some(index) = accepted else {
            labrt::sleep(client_pause(me));
            continue;
        };
        for pause in [10, 20, 50, 100, 200] {
            let (count, applied) = f.peers.committed(index);
            if count > 0 {
                if applied.as_ref() == Some(&command) {
                    committed.push(command);
                }
                break;
            }
            labrt::sleep(ms(pause));
        }
    }
    committed
}

fn churn(title: &str, reliable: bool) {
    let f = Fixture::new(title, 5, reliable);
    let stop = Stop::default();
    let clients: Vec<_> = (0..3)
        .map(|me| {
            let (f, stop) = (f.clone(), stop.clone());
            labrt::spawn_named("churn-client", move || client(&f, me, &stop))
        })
        .collect();
    for _ in 0..20 {
        if labrt::random_range(0..1000) < 200 {
            f.cut(labrt::random_range(0..f.n));
        }
        if labrt::random_range(0..1000) < 500 {
            let i = labrt::random_range(0..f.n);
            if !f.is_up(i) {
                f.restart(i);
            }
            f.join(i);
        }
        if labrt::random_range(0..1000) < 200 {
            let i = labrt::random_range(0..f.n);
            if f.is_up(i) {
                f.down(i);
            }
        }
        // Crash and restart faster than an election takes, but not so fast that nothing is ever
        // decided.
        labrt::sleep(ELECTION_TIMEOUT * 7 / 10);
    }
    labrt::sleep(ELECTION_TIMEOUT);
    f.cluster.set_reliable(true);
    for i in 0..f.n {
        if !f.is_up(i) {
            f.restart(i);
        }
        f.join(i);
    }
    stop.stop();
    let mut recorded = Vec::new();
    for client in clients {
        recorded.extend(client.join().unwrap());
    }
    labrt::sleep(ELECTION_TIMEOUT);
    let last = f.one(&random_command(), f.n, true);
    let mut log = Vec::new();
    for index in FIRST..=last {
        log.push(f.wait(index, f.n, None).expect("no term was asked for"));
    }
    for command in &recorded {
        assert!(log.contains(command), "didn't find a value: {command:?}");
    }
    f.finish();
}
