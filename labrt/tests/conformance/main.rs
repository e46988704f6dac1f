//! The promises of labrt's API, each checked by one body on both back ends.
//!
//! [`on_both`] runs a body once on OS threads and under a dozen seeds in the simulator. Waits are a
//! few milliseconds: long enough to tell "at once" from "after a while" on a loaded machine, short
//! enough that the whole takes a second.

mod channels;
mod condvar;
mod disk;
mod events;
mod hangs;
mod locks;
mod marks;
mod nodes;
mod oneshot;
mod tasks;
mod time;

use std::time::Duration;

use labrt::sim::{self, Config};

/// Runs `body` on threads and under a dozen seeds in the simulator; its assertions are the test.
#[track_caller]
fn on_both(body: impl Fn() + Clone + Send + 'static) {
    assert!(!labrt::is_simulated());
    body();
    in_sim(body);
}

/// The simulated half of [`on_both`], for what threads cannot do.
#[track_caller]
fn in_sim(body: impl Fn() + Clone + Send + 'static) {
    for seed in 1..=12 {
        let body = body.clone();
        let run = sim::run(Config::new(seed), move || {
            assert!(labrt::is_simulated());
            body();
        });
        if let Err(failure) = run.result {
            panic!("{failure}");
        }
        assert_eq!(run.report.leaked, Vec::<String>::new(), "seed {seed}");
    }
}

/// So many milliseconds.
const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
