//! Lab 2, the lock.

use std::time::Duration;

use kvapi::{Clerk, Error, Version};
use kvsrv::Lock;
use labrt::channel::{Receiver, TryRecvError};
use tester::kv::TestClerk;
use tester::{fatal, lab_test};

use crate::harness::set_up;

const CLIENTS: usize = 10;
const TIME: Duration = Duration::from_secs(2);
/// What the lock guards: empty unless somebody is inside.
const GUARDED: &str = "l0";

fn one_client(me: usize, clerk: &TestClerk, done: &Receiver<()>) -> u64 {
    let lock = Lock::new(clerk.clone(), "l");
    // Many try this; the key is there afterwards.
    let _ = clerk.put(GUARDED, "", Version::ZERO);
    let mut rounds = 0;
    while done.try_recv() == Err(TryRecvError::Empty) {
        lock.acquire();
        let version = match clerk.get(GUARDED) {
            Ok((value, version)) if value.is_empty() => version,
            Ok((other, _)) => fatal!("two clients acquired the lock: {me} and {other}"),
            Err(error) => fatal!("Get({GUARDED}) gave {error}"),
        };
        guarded_put(clerk, &me.to_string(), version);
        labrt::sleep(Duration::from_millis(10));
        guarded_put(clerk, "", version.next());
        assert_eq!(lock.release(), Ok(()), "client {me} did not hold the lock any more");
        rounds += 1;
    }
    rounds
}

/// Nobody else writes meanwhile: a refusal shows that the lock was held twice.
fn guarded_put(clerk: &TestClerk, value: &str, version: Version) {
    match clerk.put(GUARDED, value, version) {
        Ok(()) | Err(Error::Maybe) => {}
        Err(error) => fatal!("Put({GUARDED}, version {version}) gave {error}"),
    }
}

fn run_clients(clients: usize, reliable: bool) {
    let h = set_up(&format!("Test: {clients} lock clients"), reliable);
    let rounds: Vec<u64> = h.spawn_clients_and_wait(clients, TIME, one_client);
    assert!(rounds.iter().sum::<u64>() > 0, "nobody ever held the lock");
    h.cleanup();
}

/// One client acquires and releases.
#[test]
fn one_client_reliable_2() {
    lab_test!(|| run_clients(1, true));
}

/// Ten clients, one inside at a time.
#[test]
fn many_clients_reliable_2() {
    lab_test!(|| run_clients(CLIENTS, true));
}

/// One client that has to find out by itself whether its Puts took effect.
#[test]
fn one_client_unreliable_2() {
    lab_test!(|| run_clients(1, false));
}

/// Ten such.
#[test]
fn many_clients_unreliable_2() {
    lab_test!(|| run_clients(CLIENTS, false));
}
