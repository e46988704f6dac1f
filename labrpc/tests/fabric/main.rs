//! The course's tests of the fabric, and those of what this one can do beyond. Every body runs on threads and, under several
//! seeds, simulated.

mod basic;
mod cleanup;
mod concurrent;
mod counts;
mod crash;
mod deferred;
mod faults;
mod junk;
mod killed;
mod misuse;
mod replay;
mod servers;
mod unreliable;

use std::time::Duration;

use labrt::sim;

/// Seeds of the simulated runs.
const SEEDS: std::ops::Range<u64> = 1..9;

/// Runs the body once on threads and once under each seed.
fn on_both(body: fn()) {
    body();
    simulated(body);
}

/// Runs the body under each seed.
fn simulated(body: fn()) {
    for seed in SEEDS {
        if let Err(failure) = sim::run(sim::Config::new(seed), body).result {
            panic!("{failure}");
        }
    }
}

/// What a bound on elapsed time may be exceeded by: nothing where time is virtual, some scheduling on threads.
fn slack() -> Duration {
    if labrt::is_simulated() { Duration::ZERO } else { Duration::from_millis(150) }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Waits for something that is about to happen.
#[track_caller]
fn eventually(happens: impl Fn() -> bool) {
    let start = labrt::now();
    while !happens() {
        assert!(start.elapsed() < ms(5000), "it has not happened within 5 s");
        labrt::sleep(ms(1));
    }
}
