//! A dozen types of all kinds with a value of each, for tests that try one type's bytes as another.

use std::collections::{BTreeMap, BTreeSet};

use labgob::{Decoder, Error};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) term: u64,
    #[serde(with = "serde_bytes")]
    pub(crate) command: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AppendEntries {
    pub(crate) term: u64,
    pub(crate) leader: usize,
    pub(crate) entries: Vec<Entry>,
    pub(crate) commit: Option<u64>,
}

/// As [`Entry`], under another name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) term: u64,
    #[serde(with = "serde_bytes")]
    pub(crate) command: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Op {
    Get { key: String },
    Put(String, String, u64),
    Batch(Vec<Op>),
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Everything {
    pub(crate) small: (bool, u8, i8, char),
    pub(crate) numbers: (u16, u32, u64, u128, i16, i32, i64, i128),
    pub(crate) fractions: [f32; 2],
    pub(crate) exact: f64,
    pub(crate) map: BTreeMap<String, Vec<Option<i32>>>,
    pub(crate) set: BTreeSet<u16>,
    pub(crate) next: Option<Box<Everything>>,
    pub(crate) nothing: (),
}

pub(crate) fn everything() -> Everything {
    Everything {
        small: (true, 255, -128, 'ß'),
        numbers: (300, 70_000, u64::MAX, u128::MAX, -300, i32::MIN, i64::MAX, i128::MIN),
        fractions: [0.5, f32::MAX],
        exact: -0.1,
        map: [("a".to_string(), vec![None, Some(-1)]), (String::new(), vec![])].into(),
        set: [1, 2, 65_535].into(),
        next: None,
        nothing: (),
    }
}

/// A value's bytes, and how to read its type.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// Decodes bytes as the sample's type under a limit; gives the value's own bytes.
    pub(crate) decode: fn(&[u8], usize) -> Result<Vec<u8>, Error>,
}

pub(crate) fn sample<T: Serialize + DeserializeOwned + 'static>(
    name: &'static str,
    value: T,
) -> Sample {
    Sample {
        name,
        bytes: labgob::encode(&value).unwrap(),
        decode: |bytes, limit| {
            let value = Decoder::with_limit(bytes, limit).decode::<T>()?;
            Ok(labgob::encode(&value).expect("what was decoded can be encoded"))
        },
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let entry = Entry { term: 3, command: b"x = 1".to_vec() };
    let record = Record { term: 3, command: b"x = 1".to_vec() };
    let put = Op::Put("key".into(), "value".into(), 300);
    let mut outer = everything();
    outer.next = Some(Box::new(everything()));
    vec![
        sample("u32", 7u32),
        sample("u64", 7u64),
        sample("i64", 7i64),
        sample("String", "seven".to_string()),
        sample("Vec<u8>", vec![1u8, 2, 3]),
        sample("ByteBuf", serde_bytes::ByteBuf::from(vec![1, 2, 3])),
        sample("Option<u8>", Some(1u8)),
        sample("(u8, u8)", (1u8, 1u8)),
        sample("Vec<()>", vec![(); 40]),
        sample("Vec<Vec<String>>", vec![vec!["a".to_string(), "b".into()], vec![]]),
        sample("BTreeMap<String, u64>", BTreeMap::from([("a".to_string(), 1u64)])),
        sample("Result", Err::<u64, String>("no".into())),
        sample("Entry", entry.clone()),
        sample("Record", record),
        sample(
            "AppendEntries",
            AppendEntries {
                term: 4,
                leader: 1,
                entries: vec![entry.clone(), entry],
                commit: Some(9),
            },
        ),
        sample("Op", Op::Batch(vec![put, Op::Get { key: "k".into() }, Op::Nothing])),
        sample("Everything", outer),
    ]
}
