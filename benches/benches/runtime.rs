//! What the simulator's parts cost. Each figure is of one operation, taken inside one simulation;
//! runs are not set up in between.
//!
//! `cargo bench -p benches --bench runtime`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use labrt::sim::{self, Config};
use labrt::{Mutex, Node, channel, oneshot};

/// Measures `operations(n)`, which does its operation `n` times, in a simulation of its own; gives
/// the CPU time it took.
fn timed(count: u64, operations: impl FnOnce(u64) + Send + 'static) -> Duration {
    let mut config = Config::new(1).switches_at_once(u64::MAX).time_limit(Duration::MAX);
    config.lock_yield_one_in = 0;
    let run = sim::run(config, move || {
        let start = cpu_time();
        operations(count);
        cpu_time().saturating_sub(start).max(Duration::from_nanos(1))
    });
    run.result.expect("a benchmark does not fail")
}

/// What this OS thread has used of its core, so that a busy machine does not show. Linux updates it
/// every few milliseconds, which is little of a sample.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("a number of nanoseconds"))
}

/// `tasks` tasks that share `count` turns of `turn`.
fn shared(tasks: u64, count: u64, turn: impl Fn() + Clone + Send + 'static) {
    let each = count.div_ceil(tasks);
    let handles: Vec<_> = (0..tasks)
        .map(|_| {
            let turn = turn.clone();
            labrt::spawn(move || (0..each).for_each(|_| turn()))
        })
        .collect();
    handles.into_iter().for_each(|task| task.join().expect("it ends"));
}

fn runtime(c: &mut Criterion) {
    for tasks in [2, 16, 128] {
        c.bench_function(&format!("switch among {tasks}"), |b| {
            b.iter_custom(|n| timed(n, move |n| shared(tasks, n, labrt::yield_now)));
        });
    }
    for tasks in [16, 128] {
        c.bench_function(&format!("sleep, {tasks} tasks"), |b| {
            let nap = || labrt::sleep(Duration::from_micros(50));
            b.iter_custom(|n| timed(n, move |n| shared(tasks, n, nap)));
        });
    }
    c.bench_function("spawn and finish", |b| {
        b.iter_custom(|n| {
            timed(n, |n| {
                let node = Node::current();
                for _ in 0..n {
                    node.spawn_detached("short", || ());
                    labrt::yield_now();
                }
            })
        });
    });
    c.bench_function("spawn and join", |b| {
        b.iter_custom(|n| {
            timed(n, |n| (0..n).for_each(|_| labrt::spawn(|| ()).join().expect("it ends")))
        });
    });
    c.bench_function("lock, free", |b| {
        b.iter_custom(|n| {
            timed(n, |n| {
                let lock = Mutex::new(0);
                (0..n).for_each(|_| *lock.lock() += 1);
            })
        });
    });
    c.bench_function("lock, handed over among 64", |b| {
        b.iter_custom(|n| {
            timed(n, |n| {
                let lock = Arc::new(Mutex::new(0));
                shared(64, n, move || {
                    let mut guard = lock.lock();
                    labrt::yield_now();
                    *guard += 1;
                });
            })
        });
    });
    c.bench_function("channel, there and back", |b| {
        b.iter_custom(|n| {
            timed(n, |n| {
                let (to_echo, echo) = channel::bounded(1);
                let (to_us, us) = channel::bounded(1);
                labrt::spawn(move || echo.iter().for_each(|value: u64| to_us.send(value).unwrap()));
                for value in 0..n {
                    to_echo.send(value).expect("the echo lives");
                    us.recv().expect("the echo lives");
                }
            })
        });
    });
    c.bench_function("oneshot by callback", |b| {
        b.iter_custom(|n| {
            timed(n, |n| {
                for value in 0..n {
                    let (sender, receiver) = oneshot::channel();
                    labrt::after(Duration::from_micros(1), move || sender.send(value).unwrap());
                    receiver.recv().expect("it is sent");
                }
            })
        });
    });
    c.bench_function("kill", |b| {
        b.iter_custom(|n| {
            timed(n, |n| {
                let mut left = n;
                while left > 0 {
                    let batch = left.min(100);
                    let node = Node::new("victim");
                    for _ in 0..batch {
                        node.spawn_detached("victim", || labrt::sleep(Duration::from_secs(1)));
                    }
                    labrt::sleep(Duration::from_nanos(1));
                    node.crash().expect("this is a simulation");
                    left -= batch;
                }
            })
        });
    });
    c.bench_function("a whole empty run", |b| {
        b.iter(|| {
            let touched = Arc::new(AtomicBool::new(false));
            sim::run(Config::new(1), move || touched.store(true, Ordering::Relaxed)).report
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .sample_size(10);
    targets = runtime
}
criterion_main!(benches);
