//! Gets through the log against Gets by ReadIndex: five servers on a reliable network, OS threads
//! and the wall clock.
//!
//! A logged Get is an entry that a majority saves and every server executes. By ReadIndex, a round
//! of empty messages confirms the leader, and all Gets that come while one is under way share the
//! next: the more there are at once, the more it wins.

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kvapi::append::Clerk as _;
use kvraft::Reads;
use kvraft::append::{Clerk, KvServer, Options};
use tester::{Cluster, ClusterOptions, Hosted, ServerSetup, hosted};

const SERVERS: usize = 5;
/// Gets of all clients together, in one iteration.
const GETS: usize = 5000;

fn start(setup: ServerSetup, reads: Reads) -> Vec<Box<dyn Hosted>> {
    let ServerSetup { peers, me, persister, tuning, .. } = setup;
    let replica = rsm::Options { peers, me, persister, max_raft_state: Some(1 << 16), tuning };
    let server = KvServer::start(Options::new(replica)).expect("an empty disk").with_reads(reads);
    vec![hosted(server.services(), move || server.kill())]
}

/// A cluster whose leader has committed something, and clerks that know it.
fn cluster(reads: Reads, clients: usize) -> (Cluster, Vec<Arc<Clerk>>) {
    let cluster = Cluster::new(ClusterOptions::new(SERVERS), move |setup| start(setup, reads));
    let clerk = |_| {
        let client = cluster.make_client();
        let ends = client.ends_to(&cluster.group(0).server_names());
        Arc::new(Clerk::new(ends).expect("there are servers"))
    };
    let clerks: Vec<_> = (0..clients).map(clerk).collect();
    clerks[0].put("k", "value").expect("a new session");
    clerks.iter().for_each(|clerk| assert_eq!(clerk.get("k"), "value"));
    (cluster, clerks)
}

/// All clients at once, until each has made its share.
fn gets(clerks: &[Arc<Clerk>]) {
    let share = GETS / clerks.len();
    let client = |clerk: &Arc<Clerk>| {
        let clerk = Arc::clone(clerk);
        labrt::spawn(move || (0..share).for_each(|_| assert_eq!(clerk.get("k"), "value")))
    };
    let clients: Vec<_> = clerks.iter().map(client).collect();
    clients.into_iter().for_each(|client| client.join().expect("every Get is answered"));
}

fn reads(c: &mut Criterion) {
    let mut group = c.benchmark_group("gets of five servers");
    group.sample_size(10);
    for clients in [1, 10, 50, 200] {
        group.throughput(Throughput::Elements(GETS as u64));
        for (name, reads) in [("logged", Reads::Logged), ("read-index", Reads::ReadIndex)] {
            group.bench_function(BenchmarkId::new(name, clients), |b| {
                let (cluster, clerks) = cluster(reads, clients);
                b.iter(|| gets(&clerks));
                cluster.cleanup();
            });
        }
    }
    group.finish();
}

criterion_group!(benches, reads);
criterion_main!(benches);
