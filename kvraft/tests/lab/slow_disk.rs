//! Servers whose disks take time (group commit): what a slow disk may cost and what it may not.
//!
//! The figures are of the simulation, so they are the same on every machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kvapi::{Clerk as _, Version};
use tester::{TestOptions, lab_test};

use crate::harness::Servers;

/// Puts a second of clients that write without a pause, each to a key of its own, for two seconds.
/// `disks` are the times that a write takes, by server counted from the leader on.
fn puts_per_second(clients: usize, disks: [Duration; 3]) -> u64 {
    const SECONDS: u64 = 2;
    let (h, running) = Servers::new(3).set_up_versioned("slow disks", true);
    let first = h.make_clerk();
    assert_eq!(first.put("first", "value", Version::ZERO), Ok(()));
    let leader = running.leader();
    for (i, takes) in disks.into_iter().enumerate() {
        h.cluster().group(0).persister((leader + i) % 3).set_write_time(takes);
    }
    let done = Arc::new(AtomicU64::new(0));
    let end = labrt::now() + Duration::from_secs(SECONDS);
    let clients: Vec<_> = (0..clients)
        .map(|client| {
            let (clerk, done) = (h.make_clerk(), Arc::clone(&done));
            tester::spawn(move || {
                let key = format!("key {client}");
                for version in 0.. {
                    let put = clerk.put(&key, "a value of some bytes", Version::new(version));
                    if labrt::now() >= end {
                        return;
                    }
                    assert_eq!(put, Ok(()));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    h.cluster().end();
    h.cluster().cleanup();
    done.load(Ordering::Relaxed) / SECONDS
}

fn all(millis: u64) -> [Duration; 3] {
    [Duration::from_millis(millis); 3]
}

/// One write to the disk carries what all clients have asked for meanwhile, so throughput grows
/// with the number of clients. Before group commit it was 110, 249 and 249 Puts a second.
#[test]
fn throughput_grows_with_the_clients() {
    for (clients, at_least) in [(1, 180), (16, 1_500), (64, 4_900)] {
        lab_test!(TestOptions::default(), move || {
            let puts = puts_per_second(clients, all(4));
            println!("{clients} clients, 4 ms a write: {puts} Puts a second");
            assert!(puts >= at_least, "{clients} clients: {puts} Puts a second");
        });
    }
}

/// A disk that returns at once costs no more than before.
#[test]
fn instant_writes_are_as_fast_as_ever() {
    lab_test!(|| {
        let puts = puts_per_second(64, all(0));
        println!("64 clients, instant writes: {puts} Puts a second");
        assert!(puts >= 46_781, "{puts} Puts a second");
    });
}

/// A follower with a very slow disk costs the others nothing: a majority goes on without it.
#[test]
fn one_slow_follower_costs_little() {
    lab_test!(|| {
        let healthy = puts_per_second(16, all(0));
        let [leader, _, follower] = all(0);
        let slow = puts_per_second(16, [leader, Duration::from_millis(600), follower]);
        println!("16 clients: {healthy} Puts a second, with a slow follower {slow}");
        assert!(slow * 10 >= healthy * 9, "{slow} instead of {healthy} Puts a second");
    });
}
