//! Damaged input: every cut, every flipped bit, and lengths that promise too much.
//! (`tests/memory` tries many more and watches the memory.)

use std::collections::BTreeMap;

use labgob::{Decoder, Error, Fingerprint, decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::samples::{Op, samples};

const LIMIT: usize = 1 << 20;

/// A frame with a body of our choice.
fn frame<T: Serialize + DeserializeOwned + 'static>(value: &T, body: &[u8]) -> Vec<u8> {
    let mut bytes = encode(value).unwrap()[..4].to_vec();
    bytes.push(u8::try_from(body.len()).unwrap());
    bytes.extend(body);
    bytes
}

fn corrupt<T: DeserializeOwned + std::fmt::Debug + 'static>(bytes: &[u8]) -> (usize, String) {
    match decode::<T>(bytes) {
        Err(Error::Corrupt { offset, what }) => (offset, what),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_cut_is_truncated() {
    for sample in samples() {
        for length in 0..sample.bytes.len() {
            let error = (sample.decode)(&sample.bytes[..length], LIMIT).unwrap_err();
            let cut = matches!(error, Error::Truncated { offset, missing } if offset == length && missing > 0);
            assert!(cut, "{} cut to {length} bytes: {error}", sample.name);
        }
    }
}

#[test]
fn every_flipped_bit_is_an_error_or_a_value_of_the_type() {
    let samples = samples();
    for sample in &samples {
        for bit in 0..sample.bytes.len() * 8 {
            let mut bytes = sample.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let result = (sample.decode)(&bytes, LIMIT);
            if bit < 32 {
                assert!(matches!(result, Err(Error::WrongType { .. })), "{}", sample.name);
            }
            for other in samples.iter().filter(|other| other.name != sample.name) {
                let confused = (other.decode)(&bytes, LIMIT);
                assert!(confused.is_err(), "{}, bit {bit} as {}", sample.name, other.name);
            }
        }
    }
}

#[test]
fn flaws_are_told_with_their_place() {
    assert_eq!(
        corrupt::<bool>(&frame(&true, &[2])),
        (6, "2 is neither false (0) nor true (1)".into())
    );
    assert_eq!(corrupt::<Option<u8>>(&frame(&None::<u8>, &[7])).0, 6);
    assert_eq!(corrupt::<char>(&frame(&'x', &[0xff])), (6, "not a character in UTF-8".into()));
    assert_eq!(
        corrupt::<u16>(&frame(&1u16, &[252, 0, 0, 1, 0])).1,
        "an integer wider than its type"
    );
    let (at, what) = corrupt::<String>(&frame(&String::new(), &[2, 0xc3, 0x28]));
    assert!(at == 8 && what.contains("UTF-8"), "{at} {what}");
    let (at, what) = corrupt::<Op>(&frame(&Op::Nothing, &[4]));
    assert!(at == 6 && what.contains("variant index"), "{at} {what}");
}

#[test]
fn a_body_must_fill_its_frame() {
    assert_eq!(corrupt::<u8>(&frame(&1u8, &[1, 2])), (6, "1 bytes of its frame left over".into()));
    assert_eq!(corrupt::<u8>(&frame(&1u8, &[])), (5, "runs past the end of its frame".into()));

    // The next value's bytes are not touched.
    let mut bytes = frame(&String::new(), &[3, b'a']);
    bytes.extend(encode(&"next".to_string()).unwrap());
    let error = Decoder::new(&bytes).decode::<String>().unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}

/// Lengths of 2^64 - 1 and friends in front of every kind of element.
#[test]
fn a_length_is_not_believed() {
    fn check<T: DeserializeOwned + Serialize + Default + std::fmt::Debug + 'static>(outer: &[u8]) {
        for length in [u64::MAX, u64::MAX / 2, 1 << 40, 1 << 32, u64::from(u32::MAX)] {
            let mut body = outer.to_vec();
            body.push(253);
            body.extend(length.to_le_bytes());
            body.extend([1; 20]);
            let error = decode::<T>(&frame(&T::default(), &body)).unwrap_err();
            let told = matches!(error, Error::Corrupt { .. } | Error::OverLimit { .. });
            assert!(told, "{error}");
        }
    }
    check::<String>(&[]);
    check::<serde_bytes::ByteBuf>(&[]);
    check::<Vec<u8>>(&[]);
    check::<Vec<[u128; 32]>>(&[]);
    check::<Vec<()>>(&[]);
    check::<Vec<Vec<()>>>(&[1]);
    check::<Vec<Vec<Vec<String>>>>(&[9, 9]);
    check::<BTreeMap<u8, ()>>(&[]);
    check::<BTreeMap<(), ()>>(&[]);
    check::<Vec<std::marker::PhantomData<u8>>>(&[]);
}

#[test]
fn the_frames_length_is_not_believed_either() {
    let mut bytes = encode(&"x".to_string()).unwrap()[..4].to_vec();
    bytes.push(253);
    bytes.extend(u64::MAX.to_le_bytes());
    assert!(matches!(decode::<String>(&bytes), Err(Error::OverLimit { offset: 13, .. })));
    bytes[4] = 255;
    assert!(matches!(decode::<String>(&bytes), Err(Error::Corrupt { offset: 4, .. })));
}

#[test]
fn the_limit_can_be_moved() {
    let bytes = encode(&"x".repeat(1000)).unwrap();
    let mut decoder = Decoder::with_limit(&bytes, 999);
    let error = Decoder::decode::<String>(&mut decoder).unwrap_err();
    assert!(matches!(error, Error::OverLimit { limit: 999, .. }), "{error}");
    assert_eq!(Decoder::with_limit(&bytes, 2000).decode::<String>().unwrap().len(), 1000);
    assert!(Decoder::with_limit(&bytes, 0).decode::<String>().is_err());
}

#[test]
fn errors_say_what_to_do() {
    let error = decode::<Op>(&encode(&1u8).unwrap()).unwrap_err().to_string();
    assert!(
        error.contains("expected Op") && error.contains(&Fingerprint::of::<u8>().to_string()),
        "{error}"
    );
    let error = decode::<u8>(&[]).unwrap_err().to_string();
    assert!(error.starts_with("byte 0: the input ends here"), "{error}");
}
