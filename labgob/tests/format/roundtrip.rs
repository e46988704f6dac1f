//! What is decoded is what was encoded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use labgob::{decode, encode};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::samples::{AppendEntries, Entry, Everything, Op};

fn back<T: Serialize + DeserializeOwned + 'static>(value: &T) -> T {
    decode(&encode(value).unwrap()).unwrap()
}

fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static>(value: T) {
    assert_eq!(back(&value), value);
}

#[test]
fn types_of_the_standard_library_travel() {
    round_trip(Duration::new(5, 17));
    round_trip(std::num::NonZeroU32::new(7).unwrap());
    round_trip("127.0.0.1:80".parse::<std::net::SocketAddr>().unwrap());
    round_trip("::1".parse::<std::net::IpAddr>().unwrap());
    round_trip(std::path::PathBuf::from("a/b"));
    round_trip(std::sync::Arc::new("shared".to_string()));
    round_trip::<std::sync::Arc<[u8]>>(vec![1, 2, 3].into());
    round_trip(std::cmp::Reverse(3));
    round_trip(3..9u8);
    round_trip(std::marker::PhantomData::<u8>);
    round_trip([[1u8; 4]; 3]);
}

#[test]
fn large_values_travel() {
    round_trip("ä".repeat(1_000_000));
    round_trip(serde_bytes::ByteBuf::from(vec![7; 5_000_000]));
    round_trip((0..300_000u64).collect::<Vec<_>>());
    round_trip((0..20_000u32).map(|n| (n, n.to_string())).collect::<BTreeMap<_, _>>());
    round_trip(vec![(); 100_000]);
}

#[test]
fn values_are_copied() {
    let shared = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(1));
    let copy = back(&shared);
    shared.store(2, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(copy.load(std::sync::atomic::Ordering::Relaxed), 1);
}

fn op() -> impl Strategy<Value = Op> {
    let leaf = prop_oneof![
        any::<String>().prop_map(|key| Op::Get { key }),
        (any::<String>(), any::<String>(), any::<u64>()).prop_map(|(k, v, n)| Op::Put(k, v, n)),
        Just(Op::Nothing),
    ];
    leaf.prop_recursive(5, 40, 8, |inner| prop::collection::vec(inner, 0..8).prop_map(Op::Batch))
}

fn append_entries() -> impl Strategy<Value = AppendEntries> {
    let entry = (any::<u64>(), prop::collection::vec(any::<u8>(), 0..400))
        .prop_map(|(term, command)| Entry { term, command });
    let entries = prop::collection::vec(entry, 0..6);
    (any::<u64>(), any::<usize>(), entries, any::<Option<u64>>())
        .prop_map(|(term, leader, entries, commit)| AppendEntries { term, leader, entries, commit })
}

prop_compose! {
    fn flat_everything()(
        small in any::<(bool, u8, i8, char)>(),
        numbers in any::<(u16, u32, u64, u128, i16, i32, i64, i128)>(),
        // Not NaN, which does not equal itself.
        fractions in [-1e30f32..1e30, -1.0f32..1.0],
        exact in -1e300f64..1e300,
        map in any::<BTreeMap<String, Vec<Option<i32>>>>(),
        set in any::<BTreeSet<u16>>(),
    ) -> Everything {
        Everything { small, numbers, fractions, exact, map, set, next: None, nothing: () }
    }
}

fn everything() -> impl Strategy<Value = Everything> {
    flat_everything().prop_recursive(4, 5, 1, |inner| {
        (flat_everything(), inner)
            .prop_map(|(outer, inner)| Everything { next: Some(Box::new(inner)), ..outer })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn nested_enums(op in op()) {
        prop_assert_eq!(back(&op), op);
    }

    #[test]
    fn messages(args in append_entries()) {
        prop_assert_eq!(back(&args), args);
    }

    #[test]
    fn structs_with_everything(value in everything()) {
        prop_assert_eq!(back(&value), value);
    }

    #[test]
    fn maps_and_options(value in any::<Vec<Option<BTreeMap<u8, Result<String, (i64, char)>>>>>()) {
        prop_assert_eq!(back(&value), value);
    }
}
