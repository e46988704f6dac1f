//! What appending to the log costs, by its length: core, records on the disk, and hand-over to the
//! service.
//!
//! A group of one server, so that nothing but the append path is measured; no snapshots.

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use labrt::channel;
use raft::{ApplyMsg, Options, Raft};

const APPENDS: u64 = 1000;

/// A server that leads a group of itself, with this many entries in its log.
fn leader(entries: u64) -> (Raft, channel::Receiver<ApplyMsg>) {
    let (apply, applied) = channel::unbounded();
    let network = labrpc::Network::new();
    let end = network.make_end("self").expect("the only end");
    let persister = labrt::Persister::new();
    let raft = Raft::start(Options {
        peers: vec![end],
        me: 0,
        persister,
        apply,
        tuning: raft::Tuning::default(),
    });
    let raft = raft.expect("an empty disk");
    while !raft.state().1 {
        labrt::sleep(Duration::from_millis(10));
    }
    append(&raft, &applied, entries);
    (raft, applied)
}

/// Appends and waits until all was applied.
fn append(raft: &Raft, applied: &channel::Receiver<ApplyMsg>, entries: u64) {
    for i in 0..entries {
        raft.propose(format!("command {i:>50}").into_bytes()).expect("it leads");
    }
    for _ in 0..entries {
        applied.recv().expect("it is not killed");
    }
}

fn append_at(c: &mut Criterion) {
    let mut group = c.benchmark_group("1000 appends to a log of");
    group.sample_size(20);
    for length in [1_000_u64, 10_000, 100_000] {
        group.bench_function(length.to_string(), |b| {
            b.iter_custom(|iterations| {
                let mut total = Duration::ZERO;
                for _ in 0..iterations {
                    let (raft, applied) = leader(length - APPENDS);
                    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
                    let start = Instant::now();
                    append(&raft, &applied, APPENDS);
                    total += start.elapsed();
                    raft.kill();
                }
                total
            });
        });
    }
    group.finish();
}

criterion_group!(benches, append_at);
criterion_main!(benches);
