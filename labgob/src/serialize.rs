//! serde's data model → bytes. What each thing looks like in bytes is in the crate guide.

use serde::ser::{self, Serialize, Serializer};

use crate::bytes::Sink;
use crate::error::Stop;

const UNKNOWN_LENGTH: &str =
    "a sequence or map does not know its length beforehand (serde's `flatten` does this)";
const SKIPPED: &str = "`skip_serializing_if` leaves a field out, the decoder would not notice";

/// Encodes one value's body.
pub(crate) struct Writing<'a> {
    sink: Sink<'a>,
    /// Values around the current one; at most `depth_max`.
    depth: usize,
    depth_max: usize,
    /// How many more elements without bytes may come. They cost the decoder time, if nothing else.
    empty_elements: usize,
}

impl<'a> Writing<'a> {
    pub(crate) fn new(sink: Sink<'a>, limit: usize, depth_max: usize) -> Writing<'a> {
        Writing { sink, depth: 0, depth_max, empty_elements: limit }
    }

    #[inline]
    fn enter(&mut self) -> Result<(), Stop> {
        self.sink.check()?;
        if self.depth == self.depth_max {
            return Err(Stop::too_deep());
        }
        self.depth += 1;
        Ok(())
    }

    /// One value inside the current one.
    #[inline]
    fn inside<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        self.enter()?;
        value.serialize(&mut *self)?;
        self.depth -= 1;
        Ok(())
    }

    /// Many values inside the current one.
    #[inline]
    fn parts<'w>(&'w mut self, count: usize) -> Result<Parts<'w, 'a>, Stop> {
        self.enter()?;
        Ok(Parts { writing: self, left: count })
    }

    #[inline]
    fn counted_parts<'w>(&'w mut self, count: Option<usize>) -> Result<Parts<'w, 'a>, Stop> {
        let count = count.ok_or_else(|| Stop::unsupported(UNKNOWN_LENGTH))?;
        self.sink.put_unsigned(count as u64);
        self.parts(count)
    }
}

macro_rules! primitives {
    ($($method:ident $type:ty),* $(,)?) => {
        $(
            #[inline]
            fn $method(self, value: $type) -> Result<(), Stop> {
                self.sink.put(value);
                Ok(())
            }
        )*
    };
}

macro_rules! unsigned {
    ($($method:ident $type:ty),* $(,)?) => {
        $(
            #[inline]
            fn $method(self, value: $type) -> Result<(), Stop> {
                self.sink.put_unsigned(u64::from(value));
                Ok(())
            }
        )*
    };
}

impl<'w, 'a> Serializer for &'w mut Writing<'a> {
    type Ok = ();
    type Error = Stop;
    type SerializeSeq = Parts<'w, 'a>;
    type SerializeTuple = Parts<'w, 'a>;
    type SerializeTupleStruct = Parts<'w, 'a>;
    type SerializeTupleVariant = Parts<'w, 'a>;
    type SerializeMap = Parts<'w, 'a>;
    type SerializeStruct = Parts<'w, 'a>;
    type SerializeStructVariant = Parts<'w, 'a>;

    primitives! {
        serialize_bool bool, serialize_char char, serialize_f32 f32, serialize_f64 f64,
        serialize_u8 u8, serialize_u128 u128, serialize_i8 i8, serialize_i16 i16,
        serialize_i32 i32, serialize_i64 i64, serialize_i128 i128,
    }

    unsigned! { serialize_u16 u16, serialize_u32 u32, serialize_u64 u64 }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Stop> {
        self.sink.put_slice(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result<(), Stop> {
        self.sink.put_slice(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Stop> {
        self.sink.put(0u8);
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Stop> {
        self.sink.put(1u8);
        self.inside(value)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Stop> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Stop> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
    ) -> Result<(), Stop> {
        self.sink.put_unsigned(u64::from(index));
        self.inside(&())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        self.inside(value)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        self.sink.put_unsigned(u64::from(index));
        self.inside(value)
    }

    #[inline]
    fn serialize_seq(self, count: Option<usize>) -> Result<Parts<'w, 'a>, Stop> {
        self.counted_parts(count)
    }

    #[inline]
    fn serialize_tuple(self, count: usize) -> Result<Parts<'w, 'a>, Stop> {
        self.parts(count)
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        count: usize,
    ) -> Result<Parts<'w, 'a>, Stop> {
        self.parts(count)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        count: usize,
    ) -> Result<Parts<'w, 'a>, Stop> {
        self.sink.put_unsigned(u64::from(index));
        self.parts(count)
    }

    #[inline]
    fn serialize_map(self, count: Option<usize>) -> Result<Parts<'w, 'a>, Stop> {
        self.counted_parts(count)
    }

    #[inline]
    fn serialize_struct(self, _name: &'static str, count: usize) -> Result<Parts<'w, 'a>, Stop> {
        self.parts(count)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        count: usize,
    ) -> Result<Parts<'w, 'a>, Stop> {
        self.sink.put_unsigned(u64::from(index));
        self.parts(count)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The parts of a value that has several: elements, fields, or keys and values.
pub(crate) struct Parts<'w, 'a> {
    writing: &'w mut Writing<'a>,
    /// How many are still to come, by the announced count.
    left: usize,
}

impl Parts<'_, '_> {
    #[inline]
    fn count_one(&mut self) -> Result<(), Stop> {
        self.left = self.left.checked_sub(1).ok_or_else(miscounted)?;
        Ok(())
    }

    /// One of a fixed number of parts.
    #[inline]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        value.serialize(&mut *self.writing)
    }

    /// One of many elements, or a key or value of many.
    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        let start = self.writing.sink.position();
        value.serialize(&mut *self.writing)?;
        if self.writing.sink.position() == start {
            let left = self.writing.empty_elements.checked_sub(1);
            self.writing.empty_elements = left.ok_or_else(Stop::over_limit)?;
        }
        self.writing.sink.check()
    }

    #[inline]
    fn finish(self) -> Result<(), Stop> {
        if self.left != 0 {
            return Err(miscounted());
        }
        self.writing.depth -= 1;
        Ok(())
    }
}

#[cold]
fn miscounted() -> Stop {
    Stop::corrupt("its Serialize announced another number of parts than it wrote")
}

macro_rules! sequences {
    ($($trait:ident $method:ident by $write:ident),*) => {
        $(
            impl ser::$trait for Parts<'_, '_> {
                type Ok = ();
                type Error = Stop;

                #[inline]
                fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
                    self.count_one()?;
                    self.$write(value)
                }

                #[inline]
                fn end(self) -> Result<(), Stop> {
                    self.finish()
                }
            }
        )*
    };
}

sequences!(
    SerializeSeq serialize_element by element,
    SerializeTuple serialize_element by part,
    SerializeTupleStruct serialize_field by part,
    SerializeTupleVariant serialize_field by part
);

macro_rules! structs {
    ($($trait:ident),*) => {
        $(
            impl ser::$trait for Parts<'_, '_> {
                type Ok = ();
                type Error = Stop;

                #[inline]
                fn serialize_field<T: Serialize + ?Sized>(
                    &mut self,
                    _name: &'static str,
                    value: &T,
                ) -> Result<(), Stop> {
                    self.count_one()?;
                    value.serialize(&mut *self.writing)
                }

                fn skip_field(&mut self, _name: &'static str) -> Result<(), Stop> {
                    Err(Stop::unsupported(SKIPPED))
                }

                #[inline]
                fn end(self) -> Result<(), Stop> {
                    self.finish()
                }
            }
        )*
    };
}

structs!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Parts<'_, '_> {
    type Ok = ();
    type Error = Stop;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Stop> {
        self.count_one()?;
        self.element(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        self.element(value)
    }

    #[inline]
    fn end(self) -> Result<(), Stop> {
        self.finish()
    }
}
