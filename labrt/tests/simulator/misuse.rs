//! Code that escapes the simulation is reported, with the line that did it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use labrt::sim::{self, Config, Failure, FailureKind};
use labrt::{Condvar, Mutex, Node, channel, oneshot};

use crate::{failure_of, ms, value_of};

/// The line of this file that ends with `marker`.
fn line(marker: &str) -> String {
    let found = include_str!("misuse.rs").lines().position(|line| line.ends_with(marker));
    format!("misuse.rs:{}", found.expect("the marker is in this file") + 1)
}

/// A real sleep: what code under test must not do.
#[expect(clippy::disallowed_methods, reason = "the misuse under test")]
fn really_sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// Runs `body` on an OS thread that the simulation does not know, and waits for it.
#[expect(clippy::disallowed_methods, reason = "the misuse under test")]
fn on_os_thread(body: impl FnOnce() + Send + 'static) {
    std::thread::spawn(body).join().expect("the thread ends");
}

/// Each loop computes for a moment, takes a free lock and yields to another task, so that neither
/// a runaway nor the bound of switches shows.
#[test]
fn computing_without_end_at_one_instant_is_reported_with_the_busiest_line() {
    let start = labrt::now();
    let failure = failure_of(Config::new(1).standstill(ms(300)), || {
        let lock = Arc::new(Mutex::new(0_u64));
        for _ in 0..2 {
            let lock = Arc::clone(&lock);
            labrt::spawn_named("busy", move || {
                loop {
                    (0..10_000).for_each(|_| std::hint::spin_loop());
                    *lock.lock() += 1; // busiest
                }
            });
        }
        labrt::sleep(ms(5));
    });
    assert_eq!((failure.kind, failure.at), (FailureKind::Livelock, ms(0)), "{failure}");
    assert!(failure.message.contains("virtual time has not moved for 300ms of CPU time"));
    assert!(failure.message.contains(&line("// busiest")), "{failure}");
    assert!(failure.to_string().contains("test/busy: ready to run"), "{failure}");
    assert!(start.elapsed() >= ms(300));
}

/// One task alone: it is never switched away from, and uses next to no CPU time.
#[test]
fn a_real_sleep_in_a_loop_that_takes_a_lock_is_reported_with_its_line() {
    let failure = failure_of(Config::new(1).runaway(ms(100)), || {
        let lock = Mutex::new(0_u64);
        loop {
            really_sleep(ms(1));
            *lock.lock() += 1; // sleeper
        }
    });
    assert_eq!(failure.kind, FailureKind::Runaway, "{failure}");
    assert!(failure.message.contains("in which its OS thread slept"), "{failure}");
    assert!(failure.message.contains(&line("// sleeper")), "{failure}");
}

/// The same with another task that is ready: switches happen, so only virtual time stands still.
#[test]
fn a_real_sleep_among_tasks_that_switch_is_reported_with_its_line() {
    let failure = failure_of(Config::new(1).standstill(ms(200)), || {
        let lock = Arc::new(Mutex::new(0_u64));
        for _ in 0..2 {
            let lock = Arc::clone(&lock);
            labrt::spawn(move || {
                loop {
                    really_sleep(ms(1));
                    *lock.lock() += 1; // sleepers
                }
            });
        }
        labrt::sleep(ms(1));
    });
    assert_eq!(failure.kind, FailureKind::Livelock, "{failure}");
    assert!(failure.message.contains(&line("// sleepers")), "{failure}");
}

/// The thread of the simulation waits for a processor, not for anything else: that is not its
/// fault. Three times the limit of wall-clock time passes, but next to no CPU time.
#[test]
fn wall_clock_time_alone_is_not_a_runaway() {
    let stop = Arc::new(AtomicBool::new(false));
    let rivals = 4 * std::thread::available_parallelism().map_or(1, usize::from);
    for _ in 0..rivals {
        let stop = Arc::clone(&stop);
        labrt::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
    }
    let config = Config::new(1).runaway(ms(400)).standstill(Duration::from_secs(60));
    let run = sim::run(config, || {
        // About 300 ms of CPU time, however long that takes.
        let mut sum = 0_u64;
        let cpu = cpu_time();
        while cpu_time() - cpu < 300 {
            for number in 0..10_000_u64 {
                sum = std::hint::black_box(sum.wrapping_add(number));
            }
        }
        sum
    });
    stop.store(true, Ordering::Relaxed);
    if let Err(failure) = run.result {
        panic!("{failure}");
    }
}

/// CPU time of the calling thread in milliseconds.
fn cpu_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<u64>().expect("a number");
    (ticks(11) + ticks(12)) * 10
}

/// The failure of a run in which an OS thread does `misuse` while the simulation goes on.
fn escaped(misuse: impl FnOnce() -> Box<dyn FnOnce() + Send> + Send + 'static) -> Failure {
    failure_of(Config::new(1), move || {
        let misuse = misuse();
        on_os_thread(misuse);
        labrt::sleep(ms(1));
    })
}

#[test]
fn an_os_thread_that_uses_an_object_of_the_simulation_is_reported_with_its_line() {
    let cases = [
        escaped(|| {
            let lock = Arc::new(Mutex::new(1));
            drop(lock.lock());
            Box::new(move || *lock.lock() += 1) // a lock
        }),
        escaped(|| {
            let (sender, receiver) = channel::unbounded();
            labrt::spawn(move || receiver.recv());
            Box::new(move || assert!(sender.send(1).is_ok())) // a channel
        }),
        escaped(|| {
            let (sender, receiver) = oneshot::channel();
            labrt::spawn(move || receiver.recv());
            Box::new(move || assert!(sender.send(1).is_ok())) // a oneshot channel
        }),
        escaped(|| {
            let pair = Arc::new((Mutex::new(()), Condvar::new()));
            let other = Arc::clone(&pair);
            labrt::spawn(move || other.1.wait(&mut other.0.lock()));
            labrt::sleep(ms(1));
            Box::new(move || pair.1.notify_all()) // a condition variable
        }),
        escaped(|| {
            let node = Node::new("server");
            Box::new(move || node.spawn_detached("task", || ())) // a node
        }),
    ];
    let objects = ["lock", "channel", "oneshot channel", "condition variable", "node"];
    for (failure, object) in cases.iter().zip(objects) {
        assert_eq!(failure.kind, FailureKind::ForeignThread, "{object}: {failure}");
        let used = format!("used a {object} of it at");
        assert!(failure.message.contains(&used), "{object}: {failure}");
        let line = line(&format!("// a {object}"));
        assert!(failure.message.contains(&line), "{line} is not in: {failure}");
    }
}

/// A channel that was made outside would block the whole run.
#[test]
fn a_wait_for_a_channel_of_the_threads_back_end_is_reported_with_its_line() {
    let (_sender, receiver) = channel::bounded::<()>(1);
    let failure = failure_of(Config::new(1), move || {
        labrt::sleep(ms(3));
        let _ = receiver.recv(); // outside
    });
    assert_eq!((failure.kind, failure.at), (FailureKind::ForeignThread, ms(3)));
    assert!(failure.message.contains(&line("// outside")), "{failure}");
}

/// What a run has left behind belongs to nobody any more.
#[test]
fn objects_of_a_run_that_has_ended_may_be_used() {
    let (lock, sender, receiver, task) = value_of(1, || {
        let lock = Arc::new(Mutex::new(1));
        *lock.lock() += 1;
        let (sender, receiver) = channel::unbounded();
        let task = labrt::spawn(|| 5);
        labrt::sleep(ms(1));
        (lock, sender, receiver, task)
    });
    assert_eq!(*lock.lock(), 2);
    assert!(sender.send(1).is_ok());
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(task.join(), Ok(5));
    // And in the next run.
    assert_eq!(value_of(2, move || *lock.lock()), 2);
}
