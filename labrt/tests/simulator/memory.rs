//! Nothing of a run outlives it, and nothing of a task outlives its crash.

use std::sync::Arc;
use std::time::Duration;

use labrt::sim::{self, Config};
use labrt::{Condvar, Mutex, Node, channel};

use crate::{child_argument, in_child, ms, output_of, value_of};

/// A line of /proc/self/status, in KiB.
fn status_kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with(field)).expect("a field of status");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").expect("Linux").lines().count()
}

/// 1,000 crashes of nodes with 100 tasks, each with something on its stack, held locks and channel
/// ends: within 100 MiB, and no stack is lost.
#[test]
fn a_hundred_thousand_crashed_tasks_leave_nothing() {
    let name = "memory::a_hundred_thousand_crashed_tasks_leave_nothing";
    if child_argument().is_none() {
        let text = output_of(in_child(name, "measure"));
        assert!(text.contains("100000 tasks"), "{text}");
        return;
    }
    let run = sim::run(Config::new(1), || {
        let mut after_first = 0;
        let lock = Arc::new((Mutex::new(0), Condvar::new()));
        for round in 0..1000 {
            let node = Node::new("victim");
            let (sender, receiver) = channel::bounded::<u8>(0);
            for n in 0..100 {
                let (sender, receiver, lock) = (sender.clone(), receiver.clone(), lock.clone());
                node.spawn_detached("victim", move || {
                    let frame = std::hint::black_box([n as u8; 4096]);
                    match n % 5 {
                        0 => labrt::sleep(Duration::from_secs(60)),
                        1 => drop(sender.send(frame[5])),
                        2 => lock.1.wait(&mut lock.0.lock()),
                        3 => drop((lock.0.lock(), receiver.recv_timeout(ms(60_000)))),
                        _ => drop(labrt::spawn(|| labrt::sleep(ms(50_000))).join()),
                    }
                });
            }
            labrt::sleep(ms(1));
            node.crash().unwrap();
            assert_eq!(node.live_tasks(), 0);
            if round == 0 {
                after_first = mappings();
            }
        }
        assert!(mappings() < after_first + 50, "stacks are used again: {}", mappings());
    });
    assert!(run.result.is_ok(), "{:?}", run.result);
    assert_eq!(run.report.leaked, Vec::<String>::new());
    let peak = status_kib("VmHWM:");
    assert!(peak < 100 * 1024, "{peak} KiB at most");
    println!("100000 tasks, {peak} KiB at most");
}

#[test]
fn memory_is_flat_over_thousands_of_runs() {
    let name = "memory::memory_is_flat_over_thousands_of_runs";
    if child_argument().is_none() {
        let text = output_of(in_child(name, "measure"));
        assert!(text.contains("2000 runs"), "{text}");
        return;
    }
    let one = |seed| {
        value_of(seed, || {
            let node = Node::new("server");
            let (sender, receiver) = channel::unbounded();
            for n in 0..20_u64 {
                let sender = sender.clone();
                node.spawn_detached("worker", move || {
                    labrt::sleep(ms(n));
                    let _ = sender.send(vec![0_u8; 10_000]);
                    labrt::sleep(Duration::from_secs(50));
                });
            }
            labrt::after(Duration::from_secs(9), move || drop(sender));
            receiver.iter().take(20).map(|bytes| bytes.len()).sum::<usize>()
        });
    };
    (0..300).for_each(one);
    let (before, maps_before) = (status_kib("VmRSS:"), mappings());
    (300..2300).for_each(one);
    let (after, maps_after) = (status_kib("VmRSS:"), mappings());
    assert!(after < before + 2048, "{before} KiB, then {after} KiB");
    assert!(maps_after < maps_before + 20, "{maps_before} mappings, then {maps_after}");
    println!("2000 runs: {before} KiB, then {after} KiB");
}

/// Waits that time out leave no trace in what they waited for, and deadlines that were not needed
/// none in the clock.
#[test]
fn waits_that_time_out_leave_nothing_behind() {
    if child_argument().is_none() {
        let text = output_of(in_child("memory::waits_that_time_out_leave_nothing_behind", "go"));
        assert!(text.contains("flat"), "{text}");
        return;
    }
    value_of(1, || {
        let (sender, receiver) = channel::unbounded::<()>();
        let (lock, condition) = (Mutex::new(()), Condvar::new());
        let other = receiver.clone();
        labrt::spawn(move || while other.recv().is_ok() {});
        let one = || {
            assert!(receiver.recv_timeout(Duration::from_micros(1)).is_err());
            condition.wait_until(&mut lock.lock(), labrt::now() + Duration::from_micros(1));
            // A deadline far off, and a value long before it.
            let (answer, asked) = labrt::oneshot::channel();
            labrt::after(Duration::from_micros(1), move || answer.send(1).unwrap());
            assert_eq!(asked.recv_timeout(Duration::from_secs(3600)), Ok(1));
        };
        (0..20_000).for_each(|_| one());
        let before = status_kib("VmRSS:");
        (0..200_000).for_each(|_| one());
        let after = status_kib("VmRSS:");
        assert!(after < before + 2048, "{before} KiB, then {after} KiB");
        drop(sender);
        println!("flat");
    });
}
