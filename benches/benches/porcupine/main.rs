//! The families of histories that porcupine promises to be fast on, one benchmark a row.
//!
//! ```text
//! cargo bench -p benches --bench porcupine                      all but the Jepsen logs
//! PORCUPINE_DATA=folder cargo bench -p benches --bench porcupine jepsen
//! cargo bench -p benches --bench porcupine -- million
//! ```
//!
//! Times are of the check alone, on one thread; histories are made from fixed seeds before. What is
//! measured is the time on the processor: a machine that others use too makes it longer by what
//! they throw out of the caches, and no more.

mod cpu_time;
mod families;

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{criterion_group, criterion_main};
use porcupine::formats::{Format, Records, Rules, Value, history};
use porcupine::models::{AppendKv, Register, VersionedKv};
use porcupine::{Model, Operation, Options, Verdict, check_operations};

use cpu_time::{CpuTime, Criterion};
use families::{Corrupt, Family, append, versioned};

/// Checks once, for the verdict, then as often as criterion likes.
fn bench<M: Model>(
    criterion: &mut Criterion,
    name: &str,
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    expected: Verdict,
) {
    let check = || check_operations(model, history, &Options::default()).expect("a history");
    assert_eq!(check().verdict(), expected, "{name}");
    criterion.bench_function(name, |bencher| bencher.iter(|| black_box(check())));
}

const CORRUPT: [(&str, Option<Corrupt>); 4] = [
    ("sound", None),
    ("stale", Some(Corrupt::Stale)),
    ("lost", Some(Corrupt::Lost)),
    ("dup", Some(Corrupt::Dup)),
];

fn versioned_rows(criterion: &mut Criterion, row: &str, family: Family) {
    for (name, corrupt) in CORRUPT {
        let history = versioned(&Family { corrupt, ..family });
        let expected = if corrupt.is_some() { Verdict::Illegal } else { Verdict::Ok };
        bench(criterion, &format!("{row}/{name}"), &VersionedKv, &history, expected);
    }
}

fn one_key(criterion: &mut Criterion) {
    let family = Family { clients: 20, keys: 1, operations: 500, ..Family::default() };
    versioned_rows(criterion, "20 clients 500 operations", family);
    for maybe in [0.0, 0.05, 0.3] {
        let row = format!("20 clients 10000 operations {:.0}% maybe", maybe * 100.0);
        versioned_rows(criterion, &row, Family { operations: 10_000, maybe, ..family });
    }
    for maybe in [0.0, 0.3] {
        let row = format!("50 clients 2000 operations {:.0}% maybe", maybe * 100.0);
        versioned_rows(criterion, &row, Family { clients: 50, operations: 2_000, maybe, ..family });
    }
}

fn many_keys(criterion: &mut Criterion) {
    let family = Family { clients: 15, keys: 100, operations: 10_000, ..Family::default() };
    let history = versioned(&family);
    bench(criterion, "15 clients 100 keys 10000 operations", &VersionedKv, &history, Verdict::Ok);
}

fn million(criterion: &mut Criterion) {
    let family =
        Family { clients: 20, keys: 1, operations: 1_000_000, maybe: 0.05, ..Family::default() };
    versioned_rows(criterion, "million operations", family);
}

fn not_partitioned(criterion: &mut Criterion) {
    for seed in 1..=5 {
        let family = Family { clients: 10, keys: 5, operations: 700, seed, ..Family::default() };
        let history = append(&family);
        let name = format!("append, 5 keys not partitioned/seed {seed}");
        bench(criterion, &name, &AppendKv::whole(), &history, Verdict::Ok);
    }
}

fn jepsen_logs(criterion: &mut Criterion) {
    let Some(folder) = std::env::var_os("PORCUPINE_DATA") else {
        eprintln!("jepsen: skipped, PORCUPINE_DATA does not name a folder with etcd_000.log");
        return;
    };
    let model = Register::starting_at(Value::Nil);
    let rules = Rules { failed_cas_differs: true, ..Rules::default() };
    let histories: Vec<_> = (0..=102)
        .step_by(2)
        .map(|number| {
            let path = Path::new(&folder).join(format!("etcd_{number:03}.log"));
            let text = std::fs::read(path).expect("a log");
            let records = Records::read(&*text, Format::Log).expect("a readable log");
            history(&model, &records, &rules).expect("a register's history").operations
        })
        .collect();
    criterion.bench_function("jepsen, 52 histories", |bencher| {
        bencher.iter(|| {
            for history in &histories {
                let report = check_operations(&model, history, &Options::default());
                black_box(report.expect("a history"));
            }
        });
    });
}

criterion_group! {
    name = bars;
    config = criterion::Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1));
    targets = one_key, many_keys, million, not_partitioned, jepsen_logs
}
criterion_main!(bars);
