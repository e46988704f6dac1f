//! Sequential Puts through the whole stack: clerk, network, Raft, disk, state machine, and back.
//!
//! Three servers on a reliable network, snapshots at 1,000 bytes of Raft state. `threads` is wall
//! clock on OS threads; `simulated` is what simulating the same Puts costs, the start of the
//! cluster and its election included.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use kvapi::{Clerk as _, Version};
use kvraft::versioned::{Clerk, KvServer, Options};
use tester::{Cluster, ClusterOptions, Hosted, ServerSetup, hosted};

const PUTS: u64 = 1000;

fn start(setup: ServerSetup) -> Vec<Box<dyn Hosted>> {
    let ServerSetup { peers, me, persister, tuning, .. } = setup;
    let options = Options { peers, me, persister, max_raft_state: Some(1000), tuning };
    let server = KvServer::start(options).expect("an empty disk");
    vec![hosted(server.services(), move || server.kill())]
}

/// A cluster and a clerk that knows its leader.
fn cluster() -> (Cluster, Clerk) {
    let cluster = Cluster::new(ClusterOptions::new(3), start);
    let client = cluster.make_client();
    let ends = client.ends_to(&cluster.group(0).server_names());
    let clerk = Clerk::new(ends).expect("three servers");
    let _ = clerk.get("k");
    (cluster, clerk)
}

fn puts(clerk: &Clerk, from: u64) {
    for i in from..from + PUTS {
        clerk.put("k", &i.to_string(), Version::new(i)).expect("nobody else writes");
    }
}

fn sequential_puts(c: &mut Criterion) {
    let mut group = c.benchmark_group("1000 sequential puts");
    group.sample_size(10);
    group.bench_function("threads", |b| {
        let (cluster, clerk) = cluster();
        let mut next = 0;
        b.iter(|| {
            puts(&clerk, next);
            next += PUTS;
        });
        cluster.cleanup();
    });
    group.bench_function("simulated", |b| {
        b.iter(|| {
            let config = labrt::sim::Config::new(1).time_limit(Duration::from_secs(600));
            let run = labrt::sim::run(config, || {
                let (cluster, clerk) = cluster();
                puts(&clerk, 0);
                cluster.cleanup();
            });
            run.result.expect("a run without faults");
        });
    });
    group.finish();
}

criterion_group!(benches, sequential_puts);
criterion_main!(benches);
