//! One seed, one run.

use labrpc::{LinkFaults, Server};
use labrt::{Node, sim, spawn};

use crate::junk::{Lan, handler2};
use crate::ms;

/// All that the fabric has, at once; every message says who sent it.
fn everything() -> Vec<bool> {
    let lan = Lan::new("server");
    lan.network.set_reliable(false);
    lan.network.set_long_reordering(true);
    let caller = |i: i32| {
        let end = lan.end(i);
        let faults = LinkFaults {
            latency: ms(2),
            loss: 0.1,
            duplicate: 0.2,
            long_delay: 0.1,
            patience: Some(ms(900)),
            ..LinkFaults::default()
        };
        lan.network.set_link(i, faults).unwrap();
        spawn(move || (0..10).map(|j| handler2(&end, 10 * i + j).is_ok()).collect::<Vec<_>>())
    };
    let callers: Vec<_> = (0..10).map(caller).collect();
    labrt::sleep(ms(300));
    lan.network.delete_server("server");
    labrt::sleep(ms(100));
    let node = Node::new("next");
    lan.network.add_server("server", Server::on(node.clone()).add(lan.junk.service()));
    labrt::sleep(ms(300));
    lan.network.enable(3, false).unwrap();
    node.crash().unwrap();
    callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
}

/// The same seed gives the same run, to the last event; another seed another.
#[test]
fn same_seed_same_trace() {
    let mut hashes = std::collections::BTreeSet::new();
    for seed in crate::SEEDS {
        let report = sim::check_determinism(&sim::Config::new(seed), everything)
            .unwrap_or_else(|divergence| panic!("{divergence}"));
        assert!(report.messages > 100, "{} messages", report.messages);
        hashes.insert(report.trace_hash);
    }
    assert_eq!(hashes.len(), crate::SEEDS.count(), "different seeds, different runs");
}

/// What a message says is part of the trace.
#[test]
fn the_trace_covers_the_bytes() {
    let run = |number: i32| {
        let run = sim::run(sim::Config::new(1), move || {
            let lan = Lan::new("server");
            handler2(&lan.end("end"), number).unwrap();
        });
        run.result.unwrap();
        (run.report.trace_hash, run.report.messages)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
    assert_eq!(run(1).1, 2, "a request and a reply");
}
