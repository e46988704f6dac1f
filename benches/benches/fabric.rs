//! What one bare call costs: `cargo bench -p benches --bench fabric`.
//!
//! A call carries a small value each way to a handler that does nothing else. Simulated calls are
//! measured within one run, so that the start of a simulation is spread over many of them.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use labrpc::{ClientEnd, Method, Network, Server, Service};
use labrt::sim;

struct Double;

impl Method for Double {
    const SERVICE: &'static str = "Numbers";
    const METHOD: &'static str = "Double";
    type Args = u64;
    type Reply = u64;
}

fn connect() -> (Network, ClientEnd) {
    let network = Network::new();
    let service = Service::new("Numbers").method::<Double>(|number| number * 2);
    network.add_server("server", Server::new().add(service));
    let end = network.make_end("client").unwrap();
    network.connect("client", "server").unwrap();
    network.enable("client", true).unwrap();
    (network, end)
}

/// `callers` tasks share `calls` calls.
fn simulate(calls: u64, callers: u64) {
    let run = sim::run(sim::Config::new(1), move || {
        let (_network, end) = connect();
        let caller = |_| {
            let end = end.clone();
            labrt::spawn(move || {
                for number in 0..calls / callers {
                    assert_eq!(end.call::<Double>(&number), Ok(number * 2));
                }
            })
        };
        let callers: Vec<_> = (0..callers).map(caller).collect();
        for caller in callers {
            caller.join().unwrap();
        }
    });
    run.result.unwrap();
}

fn fabric(c: &mut Criterion) {
    const CALLS: u64 = 100_000;
    let mut group = c.benchmark_group("call");
    group.throughput(Throughput::Elements(CALLS)).sample_size(10);
    for callers in [1, 10, 100] {
        group.bench_with_input(BenchmarkId::new("simulated", callers), &callers, |b, &callers| {
            b.iter(|| simulate(CALLS, callers));
        });
    }
    group.throughput(Throughput::Elements(1));
    let (_network, end) = connect();
    group.bench_function("threads", |b| b.iter(|| end.call::<Double>(&1)));
    group.finish();
}

criterion_group!(benches, fabric);
criterion_main!(benches);
