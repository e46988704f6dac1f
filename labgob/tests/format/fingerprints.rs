//! Which types are the same: what the walk over a type must find, and what must not stop it.

#![expect(dead_code, reason = "most types here are only walked over")]

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use labgob::Fingerprint;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::samples::samples;

/// Declares types in modules `a` and `b` of their own, equal but for the type called `T`, and
/// checks that `Root` differs. With equal `T` it must not.
macro_rules! differ {
    ($t:ty, $u:ty; $($types:tt)*) => {{
        mod a { use super::*; type T = $t; $($types)* }
        mod same { use super::*; type T = $t; $($types)* }
        mod b { use super::*; type T = $u; $($types)* }
        assert_eq!(Fingerprint::of::<a::Root>(), Fingerprint::of::<same::Root>());
        assert_ne!(Fingerprint::of::<a::Root>(), Fingerprint::of::<b::Root>());
    }};
}

/// Refuses the number that the walk makes up.
#[derive(Deserialize)]
#[serde(try_from = "u16")]
struct Even;

impl TryFrom<u16> for Even {
    type Error = String;
    fn try_from(n: u16) -> Result<Even, String> {
        if n.is_multiple_of(2) { Ok(Even) } else { Err(format!("{n} is odd")) }
    }
}

/// Hand-written, refuses every string but one, and takes its fields by position only.
struct ByPosition(String, u64);

impl<'de> Deserialize<'de> for ByPosition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ByPosition, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = ByPosition;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("two fields")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<ByPosition, A::Error> {
                use serde::de::Error;
                let missing = || A::Error::custom("missing");
                let text: String = fields.next_element()?.ok_or_else(missing)?;
                if text != "the password" {
                    return Err(A::Error::custom("wrong password"));
                }
                Ok(ByPosition(text, fields.next_element()?.ok_or_else(missing)?))
            }
        }
        deserializer.deserialize_struct("ByPosition", &["text", "number"], Fields)
    }
}

#[test]
fn every_pair_of_sample_types_differs() {
    let samples = samples();
    for (i, encoded) in samples.iter().enumerate() {
        for (j, decoded) in samples.iter().enumerate() {
            let result = (decoded.decode)(&encoded.bytes, 1 << 20);
            if i == j {
                assert_eq!(result.as_ref(), Ok(&encoded.bytes), "{}", encoded.name);
            } else {
                let wrong = matches!(result, Err(labgob::Error::WrongType { offset: 0, .. }));
                assert!(wrong, "{} as {}: {result:?}", encoded.name, decoded.name);
            }
        }
    }
}

#[test]
fn names_count() {
    mod a {
        use super::*;
        #[derive(Deserialize)]
        pub(super) struct S {
            _x: u8,
        }
        #[derive(Deserialize)]
        pub(super) enum E {
            _A,
            _B,
        }
        #[derive(Deserialize)]
        pub(super) struct N(u8);
        #[derive(Deserialize)]
        pub(super) struct U;
    }
    mod b {
        use super::*;
        #[derive(Deserialize)]
        pub(super) struct S {
            _y: u8,
        }
        #[derive(Deserialize)]
        pub(super) enum E {
            _A,
            _C,
        }
        #[derive(Deserialize)]
        pub(super) struct M(u8);
        #[derive(Deserialize)]
        pub(super) struct V;
    }
    assert_ne!(Fingerprint::of::<a::S>(), Fingerprint::of::<b::S>(), "field");
    assert_ne!(Fingerprint::of::<a::E>(), Fingerprint::of::<b::E>(), "variant");
    assert_ne!(Fingerprint::of::<a::N>(), Fingerprint::of::<b::M>(), "newtype");
    assert_ne!(Fingerprint::of::<a::N>(), Fingerprint::of::<u8>(), "newtype and its content");
    assert_ne!(Fingerprint::of::<a::U>(), Fingerprint::of::<b::V>(), "unit struct");
    assert_ne!(Fingerprint::of::<a::U>(), Fingerprint::of::<()>(), "unit struct and unit");
}

#[test]
fn containers_differ_unless_serde_sees_none() {
    let different = [
        Fingerprint::of::<u8>(),
        Fingerprint::of::<i8>(),
        Fingerprint::of::<bool>(),
        Fingerprint::of::<u16>(),
        Fingerprint::of::<f32>(),
        Fingerprint::of::<f64>(),
        Fingerprint::of::<char>(),
        Fingerprint::of::<String>(),
        Fingerprint::of::<serde_bytes::ByteBuf>(),
        Fingerprint::of::<()>(),
        Fingerprint::of::<Option<u8>>(),
        Fingerprint::of::<Option<Option<u8>>>(),
        Fingerprint::of::<Vec<u8>>(),
        Fingerprint::of::<Vec<Vec<u8>>>(),
        Fingerprint::of::<(u8,)>(),
        Fingerprint::of::<(u8, u8)>(),
        Fingerprint::of::<(u8, u16)>(),
        Fingerprint::of::<(u16, u8)>(),
        Fingerprint::of::<std::collections::BTreeMap<u8, u8>>(),
        Fingerprint::of::<std::collections::BTreeMap<u8, u16>>(),
        Fingerprint::of::<std::collections::BTreeMap<u16, u8>>(),
        Fingerprint::of::<Result<u8, u8>>(),
        Fingerprint::of::<Result<u8, u16>>(),
        Fingerprint::of::<Result<u16, u8>>(),
        Fingerprint::of::<Result<Result<u8, u8>, u8>>(),
        Fingerprint::of::<Result<Result<u8, u16>, u8>>(),
        Fingerprint::of::<Result<u8, Result<u8, u8>>>(),
    ];
    let distinct: BTreeSet<Fingerprint> = different.into();
    assert_eq!(distinct.len(), different.len());

    assert_eq!(Fingerprint::of::<Vec<u8>>(), Fingerprint::of::<VecDeque<u8>>());
    assert_eq!(Fingerprint::of::<String>(), Fingerprint::of::<Arc<str>>());
    assert_eq!(Fingerprint::of::<u64>(), Fingerprint::of::<usize>());
    assert_eq!(Fingerprint::of::<[u8; 2]>(), Fingerprint::of::<(u8, u8)>());
}

#[test]
fn every_field_and_every_variant_is_seen() {
    differ! { u32, u64;
        #[derive(Deserialize)] pub(super) struct Root { _a: u8, _b: Vec<Option<T>> }
    }
    differ! { u32, u64;
        #[derive(Deserialize)] pub(super) struct Root(u8, (u8, T));
    }
    differ! { u32, u64;
        #[derive(Deserialize)] pub(super) enum Root { _A, _B(u8), _C { _x: u8, _y: T } }
    }
    differ! { u32, u64;
        #[derive(Deserialize)] pub(super) enum Root { _A(u8, String), _B(T), _C }
    }
    differ! { u32, u64;
        #[derive(Deserialize)] pub(super) enum Inner { _X, _Y(u8), _Z(T) }
        #[derive(Deserialize)] pub(super) enum Root { _A, _B(Inner) }
    }
    differ! { u32, u64;
        #[derive(Deserialize)] pub(super) enum Inner { _X, _Y(u8), _Z(T) }
        #[derive(Deserialize)] pub(super) struct Root { _many: Vec<(Inner, Inner)>, _b: Inner }
    }
}

#[test]
fn recursion_ends_and_hides_nothing() {
    differ! { u32, u64;
        #[derive(Deserialize)] pub(super) struct Root { _next: Option<Box<Root>>, _x: T }
    }
    differ! { u32, u64;
        #[derive(Deserialize)]
        pub(super) struct Root { _children: Vec<Root>, _more: Vec<Root>, _x: T }
    }
    // The variant that ends comes last.
    differ! { u32, u64;
        #[derive(Deserialize)]
        pub(super) enum Root { _Add(Box<Root>, Box<Root>), _Neg(Box<Root>), _Leaf(T) }
    }
    // What differs is behind the recursive fields.
    differ! { u32, u64;
        #[derive(Deserialize)]
        pub(super) enum Root { _Add(Box<Root>, Box<Root>, T), _Leaf }
    }
    // Two types, each inside the other.
    differ! { u32, u64;
        #[derive(Deserialize)]
        pub(super) enum Statement { _If(Expression, Vec<Statement>), _Empty(T) }
        #[derive(Deserialize)]
        pub(super) enum Expression { _Block(Box<Root>), _Not(Box<Expression>), _True }
        #[derive(Deserialize)]
        pub(super) struct Root(Statement, Expression);
    }
}

/// serde calls both `Pair`; the walk must not take the inner for the outer.
#[test]
fn a_generic_type_inside_itself_is_not_recursion() {
    #[derive(Deserialize)]
    struct Pair<T> {
        _first: T,
        _second: T,
    }
    assert_ne!(Fingerprint::of::<Pair<u8>>(), Fingerprint::of::<Pair<u16>>());
    assert_ne!(Fingerprint::of::<Pair<Pair<u8>>>(), Fingerprint::of::<Pair<Pair<u16>>>());
    assert_ne!(Fingerprint::of::<Pair<Pair<u8>>>(), Fingerprint::of::<Pair<u8>>());
}

#[test]
fn types_that_refuse_made_up_values_do_not_hide_the_rest() {
    differ! { u32, u64;
        #[derive(Deserialize)] pub(super) struct Root { _port: Even, _x: T }
    }
    differ! { u32, u64;
        #[derive(Deserialize)] pub(super) struct Root { _a: (Even, u8), _x: T, _b: Even }
    }
    differ! { u32, u64;
        #[derive(Deserialize)] pub(super) struct Root(Option<Even>, T);
    }
    differ! { u32, u64;
        #[derive(Deserialize)] pub(super) struct Root(Vec<Even>, T);
    }
    differ! { u32, u64;
        #[derive(Deserialize)] pub(super) struct Root(std::collections::BTreeMap<u8, Even>, T);
    }
    differ! { u32, u64;
        #[derive(Deserialize)] pub(super) enum Root { _A(Even), _B { _p: Even, _x: T } }
    }
    differ! { u32, u64;
        #[derive(Deserialize)] pub(super) enum Inner { _X(Even), _Y(T) }
        #[derive(Deserialize)] pub(super) enum Root { _A(Inner), _B }
    }
    differ! { u32, u64;
        #[derive(Deserialize)] pub(super) struct Root { _p: ByPosition, _x: T }
    }
}

/// Twelve structs with two fields of the next are 4096 places, and behind each is an enum with four
/// of its own in each variant: a walk to every end would take for ever.
#[test]
fn wide_and_deep_types_take_no_time() {
    #[derive(Deserialize)]
    enum Wide {
        _A(Box<(Wide, Wide, Wide, Wide)>),
        _B(Box<(Wide, Wide, Wide, Wide)>),
        _C(Box<(Wide, Wide, Wide, Wide)>),
        _D(Box<(Wide, Wide, Wide, Wide)>),
        _E(Box<(Wide, Wide, Wide, Wide)>),
        _F(Box<(Wide, Wide, Wide, Wide)>),
        _G(Box<(Wide, Wide, Wide, Wide)>),
        _End,
    }
    #[derive(Deserialize)]
    struct Two<T> {
        _a: T,
        _b: T,
    }
    type Deep4<T> = Two<Two<Two<Two<T>>>>;
    type Deep = Deep4<Deep4<Deep4<Wide>>>;
    assert_ne!(Fingerprint::of::<Deep>(), Fingerprint::of::<Wide>());
}

/// Nothing of these can be made up; the walk must end all the same.
#[test]
fn impossible_types_have_a_fingerprint() {
    #[derive(Deserialize)]
    struct Endless {
        _next: Box<Endless>,
        _x: u8,
    }
    #[derive(Deserialize)]
    enum Empty {}
    #[derive(Deserialize)]
    enum Only {
        _A(Even, Box<Only>),
        _B(Box<Only>),
    }
    let distinct = BTreeSet::from([
        Fingerprint::of::<Endless>(),
        Fingerprint::of::<Empty>(),
        Fingerprint::of::<Only>(),
    ]);
    assert_eq!(distinct.len(), 3);
}

/// A `Deserialize` that decodes while it is being walked over must not find the cache locked.
#[test]
fn a_type_may_use_labgob_inside() {
    #[derive(Debug, PartialEq)]
    struct Nested(u64);
    impl Serialize for Nested {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&labgob::encode(&self.0).unwrap())
        }
    }
    impl<'de> Deserialize<'de> for Nested {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Nested, D::Error> {
            let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
            labgob::decode(&bytes).map(Nested).map_err(serde::de::Error::custom)
        }
    }
    let bytes = labgob::encode(&Nested(5)).unwrap();
    assert_eq!(labgob::decode(&bytes), Ok(Nested(5)));
}
