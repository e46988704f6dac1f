//! How long an AppendEntries with three entries takes, there and back.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Entry {
    term: u64,
    #[serde(with = "serde_bytes")]
    command: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct AppendEntries {
    term: u64,
    leader: u64,
    previous_index: u64,
    previous_term: u64,
    entries: Vec<Entry>,
    commit: u64,
}

#[derive(Serialize, Deserialize)]
struct AppendReply {
    term: u64,
    success: bool,
    conflict: Option<(u64, u64)>,
}

fn codec(criterion: &mut Criterion) {
    let entry = |term| Entry { term, command: vec![7; 60] };
    let args = AppendEntries {
        term: 12,
        leader: 2,
        previous_index: 1041,
        previous_term: 11,
        entries: (0..3).map(entry).collect(),
        commit: 1040,
    };
    let bytes = labgob::encode(&args).unwrap();
    criterion
        .bench_function("encode AppendEntries", |b| b.iter(|| labgob::encode(black_box(&args))));
    criterion.bench_function("decode AppendEntries", |b| {
        b.iter(|| labgob::decode::<AppendEntries>(black_box(&bytes)))
    });

    let reply = AppendReply { term: 12, success: true, conflict: None };
    let bytes = labgob::encode(&reply).unwrap();
    criterion
        .bench_function("encode AppendReply", |b| b.iter(|| labgob::encode(black_box(&reply))));
    criterion.bench_function("decode AppendReply", |b| {
        b.iter(|| labgob::decode::<AppendReply>(black_box(&bytes)))
    });
}

criterion_group!(benches, codec);
criterion_main!(benches);
