//! Bytes → serde's data model, for input that nobody vouches for.
//!
//! Three things are watched besides the end of the value: how deep values nest (a stack is
//! finite), that a length is not believed before the bytes for it are there, and how many elements
//! take no bytes at all (they cost time). The encoder watches the same, so that what it accepts can
//! be read back.

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use crate::bytes::Source;
use crate::error::Stop;

pub(crate) const NOT_SELF_DESCRIBING: &str = "its Deserialize asks the format what comes next \
     (deserialize_any), as `untagged`, `tag` and `flatten` do; use a plain enum or struct";

/// Room is set aside for at most so many elements before the first of them is seen. A collection
/// with more grows as its elements come.
const ELEMENTS_AHEAD_MAX: u64 = 8;

/// Decodes one value's body.
pub(crate) struct Reading<'de> {
    source: Source<'de>,
    /// Values around the current one; at most `depth_max`.
    depth: usize,
    depth_max: usize,
    /// How many more elements without bytes may come.
    empty_elements: usize,
}

impl<'de> Reading<'de> {
    pub(crate) fn new(source: Source<'de>, limit: usize, depth_max: usize) -> Reading<'de> {
        Reading { source, depth: 0, depth_max, empty_elements: limit }
    }

    pub(crate) fn position(&self) -> usize {
        self.source.position()
    }

    /// Runs `body` one level deeper.
    #[inline]
    fn inside<T>(&mut self, body: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        if self.depth == self.depth_max {
            return Err(Stop::too_deep());
        }
        self.depth += 1;
        let value = body(self)?;
        self.depth -= 1;
        Ok(value)
    }

    #[inline]
    fn take_slice(&mut self) -> Result<&'de [u8], Stop> {
        let length = self.source.take_unsigned()?;
        self.source.take_bytes(length)
    }

    #[inline]
    fn tuple<V: Visitor<'de>>(&mut self, count: usize, visitor: V) -> Result<V::Value, Stop> {
        self.inside(|reading| visitor.visit_seq(Fixed { reading, left: count }))
    }
}

macro_rules! primitives {
    ($take:ident: $($method:ident $visit:ident),* $(,)?) => {
        $(
            #[inline]
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
                visitor.$visit(self.source.$take()?)
            }
        )*
    };
}

impl<'de> Deserializer<'de> for &mut Reading<'de> {
    type Error = Stop;

    primitives! {
        take_unsigned:
        deserialize_u16 visit_u16, deserialize_u32 visit_u32, deserialize_u64 visit_u64,
    }

    primitives! {
        take:
        deserialize_bool visit_bool, deserialize_char visit_char, deserialize_f32 visit_f32,
        deserialize_f64 visit_f64, deserialize_u8 visit_u8, deserialize_u128 visit_u128,
        deserialize_i8 visit_i8, deserialize_i16 visit_i16, deserialize_i32 visit_i32,
        deserialize_i64 visit_i64, deserialize_i128 visit_i128,
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match std::str::from_utf8(self.take_slice()?) {
            Ok(text) => visitor.visit_borrowed_str(text),
            Err(error) => Err(Stop::corrupt(format!("a string is not UTF-8: {error}"))),
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_borrowed_bytes(self.take_slice()?)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.source.take::<u8>()? {
            0 => visitor.visit_none(),
            1 => self.inside(|reading| visitor.visit_some(reading)),
            other => Err(Stop::corrupt(format!("{other} is neither none (0) nor some (1)"))),
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.inside(|reading| visitor.visit_newtype_struct(reading))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let left = self.source.take_unsigned()?;
        self.inside(|reading| visitor.visit_seq(Counted { reading, left }))
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.tuple(count, visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.tuple(count, visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let left = self.source.take_unsigned()?;
        self.inside(|reading| visitor.visit_map(Counted { reading, left }))
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.tuple(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.inside(|reading| visitor.visit_enum(Choice { reading }))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Stop> {
        Err(Stop::unsupported(NOT_SELF_DESCRIBING))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Stop> {
        Err(Stop::unsupported(NOT_SELF_DESCRIBING))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Stop> {
        Err(Stop::unsupported(NOT_SELF_DESCRIBING))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Elements or fields whose number the type knows.
struct Fixed<'r, 'de> {
    reading: &'r mut Reading<'de>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Fixed<'_, 'de> {
    type Error = Stop;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.reading).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// Elements or entries whose number the input claims.
struct Counted<'r, 'de> {
    reading: &'r mut Reading<'de>,
    left: u64,
}

impl<'de> Counted<'_, 'de> {
    /// An element, or the key or value of an entry.
    #[inline]
    fn element<S: DeserializeSeed<'de>>(
        reading: &mut Reading<'de>,
        seed: S,
    ) -> Result<S::Value, Stop> {
        let start = reading.source.position();
        let value = seed.deserialize(&mut *reading)?;
        if reading.source.position() == start {
            let left = reading.empty_elements.checked_sub(1);
            reading.empty_elements = left.ok_or_else(Stop::over_limit)?;
        }
        Ok(value)
    }

    #[inline]
    fn elements_ahead(&self) -> usize {
        self.left.min(ELEMENTS_AHEAD_MAX) as usize
    }
}

impl<'de> SeqAccess<'de> for Counted<'_, 'de> {
    type Error = Stop;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Self::element(self.reading, seed).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.elements_ahead())
    }
}

impl<'de> MapAccess<'de> for Counted<'_, 'de> {
    type Error = Stop;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        SeqAccess::next_element_seed(self, seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        Self::element(self.reading, seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.elements_ahead())
    }
}

/// A variant's index, and then its content.
struct Choice<'r, 'de> {
    reading: &'r mut Reading<'de>,
}

impl<'de> EnumAccess<'de> for Choice<'_, 'de> {
    type Error = Stop;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Stop> {
        let index: u32 = self.reading.source.take_unsigned()?;
        let index: U32Deserializer<Stop> = index.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'_, 'de> {
    type Error = Stop;

    #[inline]
    fn unit_variant(self) -> Result<(), Stop> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Stop> {
        seed.deserialize(self.reading)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_seq(Fixed { reading: self.reading, left: count })
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_seq(Fixed { reading: self.reading, left: fields.len() })
    }
}
