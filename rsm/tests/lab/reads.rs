//! Reads that wait without a task: they end, whatever happens to the server, and see what they
//! must.

use std::time::Duration;

use labrt::oneshot;
use rsm::{ReadError, Rsm};
use tester::lab_test;

use crate::counter::{Counter, Request};
use crate::harness::Fixture;

type Outcome = Result<u64, ReadError>;

/// A read of the counter; its outcome comes through the channel.
fn read(server: &Rsm<Counter>, patience: Duration) -> oneshot::Receiver<Outcome> {
    let (reader, outcome) = oneshot::channel();
    server.read_then(
        patience,
        |counter: &Counter| counter.value,
        move |seen| reader.send(seen).expect("the test waits"),
    );
    outcome
}

const LONG: Duration = Duration::from_secs(60);

/// Many at once on the leader see everything before them; other servers refuse at once.
#[test]
fn reads_at_once_see_what_was_executed() {
    lab_test!(|| {
        let f = Fixture::new("Test reads without tasks", None);
        for value in 1..=20 {
            assert_eq!(f.inc(), value);
            let leader = f.raft_leader();
            let reads: Vec<_> = (0..10).map(|_| read(&f.server(leader), LONG)).collect();
            for read in reads {
                assert_eq!(read.recv().unwrap(), Ok(value));
            }
            for other in (0..3).filter(|&i| i != leader) {
                let refused = read(&f.server(other), LONG);
                assert_eq!(refused.try_recv(), Ok(Err(ReadError::NotLeader)));
            }
        }
        f.finish();
    });
}

/// A leader that is cut off cannot confirm reads. Each ends when its patience is over, with the
/// next heartbeat. By the paper's rules such a leader stays leader; by check-quorum it steps down
/// after an election timeout, and the reads that still wait end then.
#[test]
fn reads_of_a_leader_that_is_cut_off_lose_patience() {
    lab_test!(|| {
        let f = Fixture::new("Test reads of a leader that is cut off", None);
        f.inc();
        let leader = f.raft_leader();
        f.group().disconnect_all(leader);
        let begun = labrt::now();
        let late = read(&f.server(leader), Duration::from_millis(700));
        let soon = read(&f.server(leader), Duration::from_millis(300));
        let steps_down = f.cluster.tuning().rules.check_quorum;
        let (end, patience) =
            if steps_down { (ReadError::NotLeader, 350) } else { (ReadError::TimedOut, 700) };
        for (read, error, patience) in [(soon, ReadError::TimedOut, 300), (late, end, patience)] {
            assert_eq!(read.recv().unwrap(), Err(error), "after {:?}", begun.elapsed());
            let took = begun.elapsed().as_millis();
            assert!((patience..patience + 250).contains(&took), "{patience} ms became {took}");
        }
        f.finish();
    });
}

/// A read ends with the leadership that it waits for.
#[test]
fn reads_end_with_the_leadership() {
    lab_test!(|| {
        let f = Fixture::new("Test reads of a leader that is deposed", None);
        f.inc();
        let leader = f.raft_leader();
        let others: Vec<_> = (0..3).filter(|&i| i != leader).collect();
        f.group().disconnect_all(leader);
        let waiting = read(&f.server(leader), LONG);
        assert!(f.one(Request::Inc, &others).is_some(), "the others go on");
        f.group().connect_one(leader);
        let outcome = waiting.recv().unwrap();
        assert_eq!(outcome, Err(ReadError::NotLeader));
        f.finish();
    });
}

/// A server that is killed tells those that wait.
#[test]
fn reads_end_with_the_server() {
    lab_test!(|| {
        let f = Fixture::new("Test reads of a server that is killed", None);
        f.inc();
        let server = f.server(f.raft_leader());
        f.group().disconnect_all(f.raft_leader());
        let waiting = read(&server, LONG);
        server.kill();
        assert!(waiting.recv().unwrap().is_err());
        assert!(read(&server, LONG).recv().unwrap().is_err(), "later ones are refused");
        f.finish();
    });
}
