//! The same seed gives the same run, here and in another process; another seed gives another one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use labrt::sim::{self, Config, Event, Report, check_determinism};
use labrt::{Condvar, Mutex, Node, Persister, channel, oneshot};

use crate::{child_argument, in_child, ms, output_of};

/// A bit of everything: locks, condition variables, channels, timers, draws, messages, disks and a
/// crash.
fn busy() -> u64 {
    let total = Arc::new((Mutex::new(0_u64), Condvar::new()));
    let (sender, receiver) = channel::bounded(2);
    let disk = Persister::new();
    let nodes: Vec<Node> = (0..3).map(|n| Node::new(format!("node-{n}"))).collect();
    for (number, node) in nodes.iter().enumerate() {
        for _ in 0..3 {
            let (total, sender, disk) = (Arc::clone(&total), sender.clone(), disk.clone());
            node.spawn_detached("worker", move || {
                for round in 0..20 {
                    labrt::sleep(labrt::random_range(ms(1)..ms(5)));
                    sim::message("test.round", &[number as u8, round]);
                    *total.0.lock() += labrt::random_range(1..10_u64);
                    total.1.notify_one();
                    disk.save(vec![round; 3], None).unwrap();
                    if sender.send(round).is_err() {
                        return;
                    }
                }
            });
        }
    }
    drop(sender);
    let (answer, asked) = oneshot::channel();
    labrt::after(ms(7), move || answer.send(5).expect("somebody asked"));
    let mut sum = u64::from(receiver.recv().expect("workers send"));
    sum += asked.recv().expect("the callback answers");
    nodes[1].crash().expect("this is a simulation");
    sum += receiver.iter().map(u64::from).sum::<u64>();
    sum + *total.0.lock()
}

fn report(seed: u64) -> Report {
    let run = sim::run(Config::new(seed), busy);
    assert!(run.result.is_ok(), "{:?}", run.result);
    run.report
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        let (first, second) = (report(seed), report(seed));
        assert_eq!(first.trace_hash, second.trace_hash, "seed {seed}");
        assert_eq!(first.virtual_time, second.virtual_time);
        assert_eq!(
            (first.switches, first.messages, first.seed),
            (second.switches, second.messages, seed)
        );
        assert!(first.switches > 200 && first.messages > 60, "{first:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_in_another_process() {
    let hashes = || -> Vec<String> {
        (0..5).map(|seed| format!("trace {:016x}", report(seed).trace_hash)).collect()
    };
    if child_argument().is_some() {
        println!("{}", hashes().join("\n"));
        return;
    }
    let name = "replay::the_same_seed_gives_the_same_trace_in_another_process";
    let there = output_of(in_child(name, "print"));
    for hash in hashes() {
        assert!(there.contains(&hash), "{hash} is not in:\n{there}");
    }
}

#[test]
fn different_seeds_give_different_traces() {
    let hashes: BTreeSet<u64> = (0..50).map(|seed| report(seed).trace_hash).collect();
    assert_eq!(hashes.len(), 50);
}

/// Threads of the host do not matter: simulations side by side are each alone.
#[test]
fn simulations_side_by_side_do_not_disturb_each_other() {
    let alone: Vec<u64> = (0..8).map(|seed| report(seed).trace_hash).collect();
    let tasks: Vec<_> = (0..8).map(|seed| labrt::spawn(move || report(seed).trace_hash)).collect();
    let together: Vec<u64> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
    assert_eq!(alone, together);
}

/// The trace depends on the payload of messages, on their kind and on draws, not on the choice of
/// tasks alone.
#[test]
fn payload_kind_and_draws_are_part_of_the_trace() {
    let hash = |kind: &'static str, bytes: &'static [u8], draws: usize| {
        let body = move || {
            sim::message(kind, bytes);
            for _ in 0..draws {
                let _ = labrt::random_u64();
            }
        };
        sim::run(Config::new(1), body).report.trace_hash
    };
    let base = hash("ab", b"xyz", 0);
    assert_eq!(base, hash("ab", b"xyz", 0));
    for other in [hash("ab", b"xya", 0), hash("cd", b"xyz", 0), hash("ab", b"xyz", 1)] {
        assert_ne!(base, other);
    }
}

#[test]
fn check_determinism_passes_what_repeats() {
    let report = check_determinism(&Config::new(3), busy).unwrap();
    assert!(report.events.iter().any(|event| matches!(event, Event::Clock(_))));
    // A run that fails the same way twice repeats as well.
    check_determinism(&Config::new(3), || panic!("always")).unwrap();
}

/// Pitfall 16: what hashes differently from run to run is found by the bytes of a message, and the
/// first of them is named.
#[test]
#[expect(clippy::disallowed_types, reason = "its order is the bug that this test is about")]
fn a_hash_maps_order_in_a_message_is_reported_with_its_event() {
    let body = || {
        sim::message("steady", b"the same");
        let map: std::collections::HashMap<u64, ()> = (0..100).map(|key| (key, ())).collect();
        let bytes: Vec<u8> = map.keys().map(|key| *key as u8).collect();
        sim::message("shaky", &bytes);
    };
    let divergence = check_determinism(&Config::new(5), body).unwrap_err();
    let (Some(Event::Message("shaky", first)), Some(Event::Message("shaky", second))) =
        (divergence.expected, divergence.got)
    else {
        panic!("the wrong event is blamed: {divergence}");
    };
    assert_ne!(first, second);
    assert_eq!(divergence.event, 2, "after the switch to the root task and the steady message");
    let text = divergence.to_string();
    assert!(text.contains("seed 5") && text.contains("event 2 was message shaky"), "{text}");
}

/// State that outlives a run makes the second run longer: the end of the first is where they
/// differ.
#[test]
fn a_run_that_ends_earlier_is_a_divergence_too() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let divergence = check_determinism(&Config::new(1), || {
        if RUNS.fetch_add(1, Ordering::Relaxed) > 0 {
            labrt::sleep(ms(1));
        }
    })
    .unwrap_err();
    assert_eq!(divergence.expected, None);
    assert!(divergence.to_string().contains("was the end of the run and then clock moves"));
}

/// One in eight uncontended locks lets others run; with that off, a task that only locks runs
/// through.
#[test]
fn uncontended_locks_are_switch_points_now_and_then() {
    let switches = |one_in| {
        let mut config = Config::new(1);
        config.lock_yield_one_in = one_in;
        let body = || {
            let tasks: Vec<_> = (0..2)
                .map(|_| {
                    let lock = Mutex::new(0);
                    labrt::spawn(move || (0..800).for_each(|_| *lock.lock() += 1))
                })
                .collect();
            tasks.into_iter().for_each(|task| task.join().unwrap());
        };
        sim::run(config, body).report.switches
    };
    assert!(switches(0) < 10);
    assert!((80..400).contains(&switches(8)), "{}", switches(8));
}

/// The log context names the virtual time, node and task of the line.
#[test]
fn the_task_context_is_known() {
    assert!(sim::task_context().is_none());
    crate::value_of(1, || {
        labrt::sleep(ms(3));
        let node = Node::new("server-0");
        let context = node.spawn("ticker", sim::task_context).join().unwrap().unwrap();
        assert_eq!((context.time, &*context.node, context.task), (ms(3), "server-0", "ticker"));
        assert_eq!(context.number, 1);
    });
}

/// One value a type and run, dropped with it.
#[test]
fn locals_belong_to_one_run() {
    #[derive(Default)]
    struct Count(AtomicU64);
    assert!(sim::local::<Count>().is_none());
    for _ in 0..2 {
        let value = crate::value_of(1, || {
            for _ in 0..3 {
                labrt::spawn(|| sim::local::<Count>().unwrap().0.fetch_add(1, Ordering::Relaxed))
                    .join()
                    .unwrap();
            }
            sim::local::<Count>().unwrap()
        });
        assert_eq!(value.0.load(Ordering::Relaxed), 3);
        assert_eq!(Arc::strong_count(&value), 1, "the run has let go of it");
    }
}
