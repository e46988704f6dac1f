//! The format, byte by byte: a change of it is seen here first.

use labgob::{Fingerprint, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::samples::{AppendEntries, Entry, Everything, Op, everything};

/// What stands behind fingerprint and length.
fn body<T: Serialize + DeserializeOwned + 'static>(value: &T) -> Vec<u8> {
    let bytes = encode(value).unwrap();
    let prefix = match bytes[4] {
        0..=250 => 1,
        251 => 3,
        252 => 5,
        other => panic!("length starts with {other}"),
    };
    bytes[4 + prefix..].to_vec()
}

#[test]
fn a_frame_is_fingerprint_length_body() {
    assert_eq!(encode(&300u16).unwrap(), [0x6a, 0xca, 0x63, 0xd7, 3, 251, 44, 1]);
    assert_eq!(encode(&()).unwrap().len(), 5);
}

#[test]
fn bodies_are_bincodes() {
    fn check<T: Serialize + DeserializeOwned + 'static>(value: &T) {
        let expected = bincode::serde::encode_to_vec(value, bincode::config::standard()).unwrap();
        assert_eq!(body(value), expected);
    }
    check(&everything());
    check(&Op::Batch(vec![Op::Nothing, Op::Put("k".into(), "ä".repeat(200), 1)]));
    check(&"x".repeat(100_000));
    check(&Ok::<Vec<i64>, String>(vec![0, -1, 1, i64::MIN]));
    let ends = [0, u64::from(u8::MAX), u64::from(u16::MAX), u64::from(u32::MAX), u64::MAX];
    let near = ends.into_iter().flat_map(|end| (0..8).map(move |less| end.wrapping_sub(less)));
    let near: Vec<u64> = near.flat_map(|number| [number, number.wrapping_add(8)]).collect();
    check(&near);
    check(&near.iter().map(|number| *number as u32).collect::<Vec<_>>());
    check(&near.iter().map(|number| *number as u16).collect::<Vec<_>>());
}

#[test]
fn values_look_as_the_guide_says() {
    assert_eq!(body(&250u64), [250]);
    assert_eq!(body(&251u64), [251, 251, 0]);
    assert_eq!(body(&65_536u32), [252, 0, 0, 1, 0]);
    assert_eq!(body(&-2i32), [3]);
    assert_eq!(body(&1.0f32), [0, 0, 128, 63]);
    assert_eq!(body(&'ß'), [0xc3, 0x9f]);
    assert_eq!(body(&"ab".to_string()), [2, b'a', b'b']);
    assert_eq!(body(&(None::<u8>, Some(9u8))), [0, 1, 9]);
    assert_eq!(body(&vec![true, false]), [2, 1, 0]);
    assert_eq!(body(&Op::Nothing), [3]);
    assert_eq!(body(&Op::Get { key: "k".into() }), [0, 1, b'k']);
    assert_eq!(body(&Entry { term: 1, command: vec![9, 8] }), [1, 2, 9, 8]);
}

/// The width of the length changes between values of one type; the bytes must not show what was
/// guessed.
#[test]
fn the_length_takes_as_little_as_it_can() {
    for length in [0, 1000, 10, 70_000, 249, 250, 251, 252, 65_532, 65_533, 5] {
        let bytes = encode(&"y".repeat(length)).unwrap();
        let body = body(&"y".repeat(length)).len();
        let prefix = if body < 251 {
            1
        } else if body <= 65_535 {
            3
        } else {
            5
        };
        assert_eq!(bytes.len(), 4 + prefix + body, "string of {length}");
        assert_eq!(labgob::decode::<String>(&bytes).unwrap().len(), length);
    }
}

/// Other processes and other builds must find the same fingerprints. The numbers have no meaning.
#[test]
fn fingerprints_are_the_same_everywhere() {
    let found = [
        Fingerprint::of::<u64>(),
        Fingerprint::of::<Vec<Option<String>>>(),
        Fingerprint::of::<Entry>(),
        Fingerprint::of::<AppendEntries>(),
        Fingerprint::of::<Op>(),
        Fingerprint::of::<Everything>(),
    ];
    let expected = ["a72273cb", "023a3858", "cc0d710e", "026b72c3", "b7747e0c", "0fb5a115"];
    assert_eq!(found.map(|f| f.to_string()), expected);
}
