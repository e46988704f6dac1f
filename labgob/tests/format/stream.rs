//! Several values in one stream (TestGOB), and what an error leaves behind.

use std::collections::BTreeMap;

use labgob::{Decoder, Error, LIMIT, encode_into};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct T1 {
    a: i64,
    b: i64,
    s: String,
    t: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct T3 {
    n: i64,
}

/// The course's test has an `interface{}` here. A set of types that is known beforehand is an
/// enum.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Any {
    Number(i64),
    T3(T3),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct T2 {
    list: Vec<T1>,
    map: BTreeMap<i64, Box<T1>>,
    any: Any,
}

#[test]
fn gob() {
    let one = T1 { b: 1, t: "6.5840".into(), ..T1::default() };
    let two = T2 {
        list: vec![T1::default(), one.clone()],
        map: [(99, Box::new(T1 { a: 1, b: 2, s: "x".into(), t: "y".into() }))].into(),
        any: Any::T3(T3 { n: 999 }),
    };

    let mut bytes = Vec::new();
    encode_into(&0i64, LIMIT, &mut bytes).unwrap();
    encode_into(&1i64, LIMIT, &mut bytes).unwrap();
    encode_into(&one, LIMIT, &mut bytes).unwrap();
    encode_into(&two, LIMIT, &mut bytes).unwrap();

    let mut decoder = Decoder::new(&bytes);
    assert_eq!(decoder.decode::<i64>(), Ok(0));
    assert_eq!(decoder.decode::<i64>(), Ok(1));
    assert_eq!(decoder.decode::<T1>(), Ok(one));
    assert_eq!(decoder.decode::<T2>(), Ok(two));
    assert!(decoder.is_empty());
    assert!(matches!(decoder.decode::<i64>(), Err(Error::Truncated { missing: 4, .. })));
}

#[test]
fn a_value_of_the_wrong_type_is_not_consumed() {
    let mut bytes = Vec::new();
    encode_into(&1u8, LIMIT, &mut bytes).unwrap();
    encode_into(&2u16, LIMIT, &mut bytes).unwrap();

    let mut decoder = Decoder::new(&bytes);
    decoder.decode::<u8>().unwrap();
    let error = decoder.decode::<u32>().unwrap_err();
    assert!(matches!(&error, Error::WrongType { offset: 6, name, .. } if name == "u32"), "{error}");
    assert_eq!(decoder.position(), 6);
    assert_eq!(decoder.decode::<u16>(), Ok(2));
}

#[test]
fn bytes_after_the_one_value_are_an_error() {
    let mut bytes = labgob::encode(&1u8).unwrap();
    bytes.push(0);
    assert_eq!(labgob::decode::<u8>(&bytes), Err(Error::Trailing { offset: 6, left: 1 }));
}

#[test]
fn a_value_that_cannot_be_encoded_leaves_nothing_behind() {
    struct Fussy(bool);
    impl Serialize for Fussy {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::{Error, SerializeTuple};
            let mut tuple = serializer.serialize_tuple(2)?;
            tuple.serialize_element("already written")?;
            if self.0 {
                return Err(S::Error::custom("not today"));
            }
            tuple.serialize_element(&1u8)?;
            tuple.end()
        }
    }
    impl<'de> Deserialize<'de> for Fussy {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Fussy, D::Error> {
            <(String, u8)>::deserialize(deserializer).map(|_| Fussy(false))
        }
    }

    let mut bytes = Vec::new();
    encode_into(&5u8, LIMIT, &mut bytes).unwrap();
    let before = bytes.to_vec();
    assert_eq!(
        encode_into(&Fussy(true), LIMIT, &mut bytes),
        Err(Error::Refused { what: "not today".into() })
    );
    assert_eq!(bytes, before);
    encode_into(&Fussy(false), LIMIT, &mut bytes).unwrap();
    let mut decoder = Decoder::new(&bytes);
    assert_eq!(decoder.decode::<u8>(), Ok(5));
    decoder.decode::<Fussy>().unwrap();
    assert!(decoder.is_empty());
}

#[test]
fn what_needs_a_self_describing_format_is_refused_before_it_is_sent() {
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(u8),
    }
    #[derive(Serialize, Deserialize)]
    struct Inner {
        n: u8,
    }
    #[derive(Serialize, Deserialize)]
    struct Flat {
        #[serde(flatten)]
        inner: Inner,
    }
    #[derive(Serialize, Deserialize)]
    struct Skips {
        #[serde(skip_serializing_if = "Option::is_none")]
        n: Option<u8>,
    }

    let error = labgob::encode(&vec![Untagged::Number(1)]).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    let error = labgob::encode(&Flat { inner: Inner { n: 1 } }).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    let error = labgob::encode(&Skips { n: None }).unwrap_err();
    assert!(matches!(&error, Error::Unsupported { name, .. } if name == "Skips"), "{error}");
}
