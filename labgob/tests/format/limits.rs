//! Whatever is accepted can be read back: one limit, in encoded bytes, on both sides.

use std::collections::BTreeMap;

use labgob::{
    Decoder, Error, LIMIT, NO_LIMIT, decode, decode_with_limit, encode, encode_into,
    encode_with_limit,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The value is accepted with exactly so many bytes, on both sides, and with one less on neither.
fn fits_exactly<T: Serialize + DeserializeOwned + PartialEq + 'static>(value: &T, bytes: usize) {
    let encoded = encode_with_limit(value, bytes).unwrap_or_else(|error| panic!("{error}"));
    assert!(decode_with_limit::<T>(&encoded, bytes).unwrap() == *value);
    assert_eq!(encode_with_limit(value, bytes - 1), Err(Error::TooLarge { limit: bytes - 1 }));
    let refused = decode_with_limit::<T>(&encoded, bytes - 1);
    assert!(matches!(refused, Err(Error::OverLimit { .. })));
}

#[test]
fn encoder_and_decoder_have_one_limit() {
    fits_exactly(&"x".repeat(1000), 1003);
    fits_exactly(&serde_bytes::ByteBuf::from(vec![1; 200]), 201);
    fits_exactly(&vec![7_u64; 100], 101);
    fits_exactly(&vec![u64::MAX; 100], 901);
    fits_exactly(&vec![String::new(); 300], 303);
    fits_exactly(&BTreeMap::from([("a".to_owned(), 1_u8), ("b".to_owned(), 2)]), 7);
    fits_exactly(&(1_u8, Some("abc".to_owned())), 6);
    fits_exactly(&u64::MAX, 9);
}

/// Elements that take no bytes would take time without end: no more of them than bytes.
#[test]
fn elements_without_bytes_count() {
    let many = |count| vec![(); count];
    let encoded = encode_with_limit(&many(1000), 1000).unwrap();
    assert_eq!(decode_with_limit::<Vec<()>>(&encoded, 1000).unwrap().len(), 1000);
    assert_eq!(encode_with_limit(&many(1001), 1000), Err(Error::TooLarge { limit: 1000 }));
    assert!(matches!(
        decode_with_limit::<Vec<()>>(&encoded, 999),
        Err(Error::OverLimit { limit: 999, .. })
    ));
    assert_eq!(encode(&many(LIMIT + 1)), Err(Error::TooLarge { limit: LIMIT }));
}

/// A store of many short keys takes many times its encoded bytes in memory. Only those count.
#[test]
fn a_large_store_of_small_values_can_be_read_back() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Stored {
        value: String,
        version: u64,
    }
    let store: BTreeMap<String, Stored> = (0..350_000)
        .map(|key| (format!("k{key}"), Stored { value: "v".into(), version: 1 }))
        .collect();
    let bytes = encode(&store).unwrap();
    assert!(bytes.len() < 4 << 20);
    assert!(decode::<BTreeMap<String, Stored>>(&bytes).unwrap() == store);
    // The most unfavourable: one byte each, 4 KiB in memory each.
    let fat = vec![None::<[[u64; 16]; 32]>; 20_000];
    let bytes = encode(&fat).unwrap();
    assert!(decode::<Vec<Option<[[u64; 16]; 32]>>>(&bytes).unwrap() == fat);
}

#[test]
fn more_than_the_limit_is_refused_by_name_and_possible_with_another() {
    let large = serde_bytes::ByteBuf::from(vec![1; LIMIT + 1]);
    let error = encode(&large).unwrap_err();
    assert_eq!(error, Error::TooLarge { limit: LIMIT });
    assert!(error.to_string().contains("67108864 bytes, the limit for encoded values"), "{error}");
    let mut out = vec![9];
    assert!(encode_into(&large, LIMIT, &mut out).is_err());
    assert_eq!(out, [9], "nothing is left behind");

    let bytes = encode_with_limit(&large, NO_LIMIT).unwrap();
    assert!(matches!(
        decode::<serde_bytes::ByteBuf>(&bytes),
        Err(Error::OverLimit { limit: LIMIT, .. })
    ));
    assert!(Decoder::new(&bytes).decode::<serde_bytes::ByteBuf>().is_err());
    assert!(decode_with_limit::<serde_bytes::ByteBuf>(&bytes, NO_LIMIT).unwrap() == large);
}

/// What is refused is refused early: a value is not copied that does not fit.
#[test]
fn the_limit_is_checked_while_encoding() {
    struct Endless;
    impl Serialize for Endless {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(Ones(usize::MAX))
        }
    }
    impl<'de> Deserialize<'de> for Endless {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Endless, D::Error> {
            Vec::<u8>::deserialize(deserializer).map(|_| Endless)
        }
    }
    /// So many ones, which know their number.
    struct Ones(usize);
    impl Iterator for Ones {
        type Item = u8;
        fn next(&mut self) -> Option<u8> {
            self.0 = self.0.checked_sub(1)?;
            Some(1)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (self.0, Some(self.0))
        }
    }
    let error = encode_with_limit(&Endless, 1 << 20).unwrap_err();
    assert_eq!(error, Error::TooLarge { limit: 1 << 20 });
}
