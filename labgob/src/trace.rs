//! What a type looks like to serde, found out by asking its `Deserialize`.
//!
//! A derived `Deserialize` tells its deserializer what it expects: "a struct `Entry` with fields
//! `term` and `command`", then for each field the same again. [`Walker`] is a deserializer that has
//! no input. It writes down what it is asked for and answers with a made-up value, so that the next
//! question comes.
//!
//! ```text
//!   Entry::deserialize ──► deserialize_struct("Entry", ["term", "command"])    fact at (root)
//!                          ├─ field 0: deserialize_u64                         fact at Entry·0
//!                          └─ field 1: deserialize_seq                         fact at Entry·1
//!                                      └─ element: deserialize_u8              fact at Entry·1·element
//! ```
//!
//! One walk shows one variant of each enum, so the type is walked again until a walk shows nothing
//! new. The facts, sorted by path, are hashed.
//!
//! A path is a path that starts at a named container (struct or enum), not at the root: a
//! container that occurs twice, or inside itself, is described once, and what refers to it says
//! only "container number 3", counted in the order of first sight. Whatever is inside a container
//! that is being described already is *filled*: the shortest value that ends (no option, no
//! element, and of an enum a variant that is known to end).
//!
//! Types that refuse made-up values (a port number that may not be 1) end a walk early. The walker
//! remembers where, and goes round that path the next time: an option is left empty, a sequence
//! has no element, another variant is taken, the other fields of the struct come first. What even
//! so cannot be reached (parts of a tuple behind such a type) is not in the fingerprint.
//!
//! Nothing that differs from process to process, or from build to build, goes into the hash.

use std::any::type_name;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::value::{StrDeserializer, U32Deserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

use crate::MAX_DEPTH;
use crate::deserialize::NOT_SELF_DESCRIBING;

/// Deeper than this, a type is not described. Hand-written recursion without a name would
/// otherwise have no end.
const DEPTH_MAX: usize = 64;

/// The walks over one type end after so many questions, described or not.
const QUESTIONS_MAX: u64 = 200_000;

/// Decoding a recursive type may take so many bytes of stack. A simulated task has 256 KiB.
const STACK_MAX: usize = 192 << 10;
/// One level takes at most so many bytes …
const FRAME: usize = 900;
/// … and so many copies of the largest value: a value is returned through several frames. Measured
/// without optimisation; optimised code takes a sixth.
const COPIES: usize = 12;
/// Recursive values may contain themselves at least so often, however large they are.
const RECURSION_MIN: usize = 2;

/// What the walks showed.
pub(crate) struct Traced {
    /// Of all facts.
    pub(crate) hash: u32,
    /// serde's name of the type, or of its kind if it has none.
    pub(crate) name: String,
    /// Set if its values need a format that describes itself.
    pub(crate) unsupported: Option<&'static str>,
    /// How deep its values may nest.
    pub(crate) depth_max: usize,
}

/// Walks over `T` until nothing new shows.
pub(crate) fn trace<T: DeserializeOwned>() -> Traced {
    let mut notes = Notes::default();
    loop {
        let edits_before = notes.edits;
        notes.start_walk();
        let root = Walker { notes: &mut notes, path: Path::ROOT, exploring: true, depth: 0 };
        // A walk that was cut short has still left its notes.
        let _ = T::deserialize(root);
        if notes.edits == edits_before || notes.questions > QUESTIONS_MAX {
            break;
        }
    }

    let mut hash = Hash::new();
    for (path, fact) in &notes.facts {
        hash.number(u64::from(path.container));
        hash.number(path.steps);
        hash.number(*fact);
    }
    let hash = hash.finish();
    let depth_max = match notes.recursive {
        true => {
            let levels = STACK_MAX / (FRAME + COPIES * notes.largest);
            (notes.depth + levels.max(RECURSION_MIN)).min(MAX_DEPTH)
        }
        false => MAX_DEPTH,
    };
    Traced {
        depth_max,
        hash: (hash ^ (hash >> 32)) as u32,
        name: notes.name.unwrap_or_else(|| "unknown".into()),
        unsupported: notes.unsupported,
    }
}

/// Where in the description of a type something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Path {
    /// 0 is the root, which holds only the type itself.
    container: u32,
    /// Hash of the steps from the container to here.
    steps: u64,
}

impl Path {
    const ROOT: Path = Path { container: 0, steps: 0 };

    fn inside(container: u32) -> Path {
        Path { container, steps: 0 }
    }

    fn step(self, kind: Step, number: usize) -> Path {
        let mut hash = Hash::new();
        hash.number(self.steps);
        hash.number(kind as u64);
        hash.number(number as u64);
        Path { steps: hash.finish(), ..self }
    }
}

#[derive(Clone, Copy)]
enum Step {
    Some = 1,
    Element,
    Key,
    Value,
    Field,
    Variant,
    Content,
}

/// What is known about the type so far, over all walks.
#[derive(Default)]
struct Notes {
    /// What was asked for at each path. These alone make the fingerprint.
    facts: BTreeMap<Path, u64>,
    /// Containers by Rust's name of their visitor, serde's name, and fields. Rust's name tells
    /// apart what serde calls the same (`Pair<u8>`, `Pair<u16>`); it is not hashed.
    numbers: BTreeMap<(&'static str, &'static str, u64), u32>,
    /// By number - 1.
    containers: Vec<Container>,
    /// Variants that were described completely.
    done: BTreeSet<Path>,
    /// Places whose content refused to be made up, and the value of `gain` at that time. Worth
    /// another try only when something was gained since.
    refused: BTreeMap<Path, u64>,
    /// Structs whose fields are handed over by name, because one of them refused.
    by_name: BTreeSet<Path>,
    /// Facts and endings found so far.
    gain: u64,
    /// Changes of any kind to these notes so far.
    edits: u64,
    walk: u64,
    questions: u64,
    /// Size in memory of the largest container.
    largest: usize,
    /// How deep a value nests that does not contain itself, at most.
    depth: usize,
    /// A value of some container can be inside another value of it.
    recursive: bool,
    name: Option<String>,
    unsupported: Option<&'static str>,
}

#[derive(Default)]
struct Container {
    /// How many values of it are being made up right now, one inside the other.
    open: u32,
    /// The last walk that described it.
    walk: u64,
    /// An enum's variant whose value ends without another value of the same enum.
    ending: Option<u32>,
}

impl Notes {
    fn start_walk(&mut self) {
        self.walk += 1;
        for container in &mut self.containers {
            container.open = 0;
        }
    }

    fn container(&mut self, number: u32) -> &mut Container {
        &mut self.containers[number as usize - 1]
    }

    fn refused_lately(&self, path: Path) -> bool {
        self.refused.get(&path) == Some(&self.gain)
    }

    /// Notes that the content of `path` refused, unless the attempt taught something: then it
    /// deserves another.
    fn note_refusal(&mut self, path: Path, edits_before: u64) {
        if self.edits == edits_before && self.refused.insert(path, self.gain) != Some(self.gain) {
            self.edits += 1;
        }
    }
}

/// A deserializer without input, at one path.
struct Walker<'n> {
    notes: &'n mut Notes,
    path: Path,
    /// False while filling: nothing is noted and the shortest value is made up.
    exploring: bool,
    depth: usize,
}

/// Made-up strings and numbers are "1": not empty, not zero, a valid number.
const FILLER: &str = "1";

impl Walker<'_> {
    fn at(&mut self, path: Path) -> Walker<'_> {
        Walker { notes: self.notes, path, exploring: self.exploring, depth: self.depth + 1 }
    }

    fn note(&mut self, kind: &'static str, detail: u64) -> Result<(), Halt> {
        self.notes.questions += 1;
        self.notes.recursive |= self.depth > DEPTH_MAX;
        if self.exploring {
            self.notes.depth = self.notes.depth.max(self.depth);
        }
        if self.depth > DEPTH_MAX || self.notes.questions > QUESTIONS_MAX {
            return Err(Halt);
        }
        if self.exploring && !self.notes.facts.contains_key(&self.path) {
            let mut fact = Hash::new();
            fact.text(kind);
            fact.number(detail);
            self.notes.facts.insert(self.path, fact.finish());
            self.notes.gain += 1;
            self.notes.edits += 1;
        }
        if self.notes.name.is_none() {
            self.notes.name = Some(kind.to_owned());
        }
        Ok(())
    }

    /// Notes a named container and makes up a value of it with `body`, whose walker stands at the
    /// container's own start.
    fn container<'de, V: Visitor<'de>>(
        &mut self,
        kind: &'static str,
        name: &'static str,
        parts: &'static [&'static str],
        visitor: V,
        body: impl FnOnce(Walker<'_>, V) -> Result<V::Value, Halt>,
    ) -> Result<V::Value, Halt> {
        if self.notes.name.is_none() {
            self.notes.name = Some(name.to_owned());
        }
        let mut description = Hash::new();
        description.text(name);
        description.number(parts.len() as u64);
        for part in parts {
            description.text(part);
        }
        let description = description.finish();

        let next = self.notes.containers.len() as u32 + 1;
        let number =
            *self.notes.numbers.entry((type_name::<V>(), name, description)).or_insert(next);
        if number == next {
            self.notes.containers.push(Container::default());
        }
        let mut fact = Hash::new();
        fact.number(description);
        fact.number(u64::from(number));
        self.note(kind, fact.finish())?;

        self.notes.largest = self.notes.largest.max(size_of::<V::Value>());
        let walk = self.notes.walk;
        let container = self.notes.container(number);
        let inside_itself = container.open > 0;
        let first_in_walk = container.walk != walk && container.open == 0;
        container.open += 1;
        if self.exploring {
            container.walk = walk;
        }
        self.notes.recursive |= inside_itself;
        let value = body(
            Walker {
                notes: self.notes,
                path: Path::inside(number),
                exploring: self.exploring && first_in_walk,
                depth: self.depth + 1,
            },
            visitor,
        );
        self.notes.container(number).open -= 1;
        value
    }

    /// Makes up a struct's fields, in order or, if one has refused, by name and that one last.
    fn fields<'de, V: Visitor<'de>>(
        mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let path = self.path;
        if self.notes.by_name.contains(&path) {
            let notes = &self.notes;
            let (last, first): (Vec<usize>, Vec<usize>) = (0..fields.len())
                .partition(|&i| notes.refused.contains_key(&path.step(Step::Field, i)));
            let order = first.into_iter().chain(last).collect();
            return visitor.visit_map(ByName { walker: self, fields, order, next: 0 });
        }
        let edits_before = self.notes.edits;
        let walker = self.at(path);
        let value =
            visitor.visit_seq(InOrder { walker, step: Step::Field, next: 0, count: fields.len() });
        if value.is_err() && self.exploring && self.notes.edits == edits_before {
            self.notes.by_name.insert(path);
            self.notes.edits += 1;
        }
        value
    }

    /// Makes up what stands at `path`, inside something that could also do without it.
    fn dispensable<T>(
        &mut self,
        path: Path,
        body: impl FnOnce(Walker<'_>) -> Result<T, Halt>,
    ) -> Result<T, Halt> {
        let edits_before = self.notes.edits;
        let value = body(self.at(path));
        if value.is_err() {
            self.notes.note_refusal(path, edits_before);
        }
        value
    }

    /// Whether to make up a part that could also be left out.
    fn wants(&self, path: Path) -> bool {
        self.exploring && !self.notes.refused_lately(path)
    }
}

macro_rules! primitives {
    ($($method:ident $kind:literal $visit:ident($($value:expr)?)),* $(,)?) => {
        $(
            fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Halt> {
                self.note($kind, 0)?;
                visitor.$visit($($value)?)
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Walker<'_> {
    type Error = Halt;

    primitives! {
        deserialize_bool "bool" visit_bool(false),
        deserialize_char "char" visit_char('1'),
        deserialize_f32 "f32" visit_f32(1.0),
        deserialize_f64 "f64" visit_f64(1.0),
        deserialize_u8 "u8" visit_u8(1),
        deserialize_u16 "u16" visit_u16(1),
        deserialize_u32 "u32" visit_u32(1),
        deserialize_u64 "u64" visit_u64(1),
        deserialize_u128 "u128" visit_u128(1),
        deserialize_i8 "i8" visit_i8(1),
        deserialize_i16 "i16" visit_i16(1),
        deserialize_i32 "i32" visit_i32(1),
        deserialize_i64 "i64" visit_i64(1),
        deserialize_i128 "i128" visit_i128(1),
        deserialize_str "string" visit_borrowed_str(FILLER),
        deserialize_string "string" visit_borrowed_str(FILLER),
        deserialize_bytes "bytes" visit_borrowed_bytes(&[]),
        deserialize_byte_buf "bytes" visit_borrowed_bytes(&[]),
        deserialize_unit "unit" visit_unit(),
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Halt> {
        self.note("option", 0)?;
        let path = self.path.step(Step::Some, 0);
        if self.wants(path) {
            self.dispensable(path, |walker| visitor.visit_some(walker))
        } else {
            visitor.visit_none()
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.container("unit struct", name, &[], visitor, |_, visitor| visitor.visit_unit())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.container("newtype struct", name, &[], visitor, |mut walker, visitor| {
            let path = walker.path.step(Step::Content, 0);
            visitor.visit_newtype_struct(walker.at(path))
        })
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Halt> {
        self.note("sequence", 0)?;
        visitor.visit_seq(AtMostOne { walker: self, given: false })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        mut self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.note("tuple", count as u64)?;
        visitor.visit_seq(InOrder { walker: self, step: Step::Element, next: 0, count })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.container("tuple struct", name, &[], visitor, |mut walker, visitor| {
            let path = walker.path;
            walker.note("tuple", count as u64)?;
            visitor.visit_seq(InOrder {
                walker: walker.at(path),
                step: Step::Element,
                next: 0,
                count,
            })
        })
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Halt> {
        self.note("map", 0)?;
        visitor.visit_map(AtMostOne { walker: self, given: false })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.container("struct", name, fields, visitor, |walker, visitor| {
            walker.fields(fields, visitor)
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.container("enum", name, variants, visitor, |mut walker, visitor| {
            let number = walker.path.container;
            let path = |variant: u32| Path::inside(number).step(Step::Variant, variant as usize);
            let ending = walker.notes.container(number).ending;
            let alone = walker.notes.container(number).open == 1;

            let mut choice = ending;
            if walker.exploring || (ending.is_none() && alone) {
                walker.exploring = true;
                let notes = &walker.notes;
                let open = (0..variants.len() as u32)
                    .find(|&v| !notes.done.contains(&path(v)) && !notes.refused_lately(path(v)));
                choice = open.or(ending);
            }
            let variant = choice.ok_or(Halt)?;

            let edits_before = walker.notes.edits;
            let exploring = walker.exploring;
            let value = visitor.visit_enum(Choice { walker: walker.at(path(variant)), variant });
            let notes = &mut *walker.notes;
            if value.is_err() {
                if exploring {
                    notes.note_refusal(path(variant), edits_before);
                }
                return value;
            }
            if ending.is_none() && notes.container(number).ending.is_none() {
                notes.container(number).ending = Some(variant);
                notes.gain += 1;
                notes.edits += 1;
            }
            if exploring && notes.edits == edits_before && notes.done.insert(path(variant)) {
                notes.edits += 1;
            }
            value
        })
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Halt> {
        self.unsupported()
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Halt> {
        self.unsupported()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Halt> {
        self.unsupported()
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl Walker<'_> {
    fn unsupported<T>(mut self) -> Result<T, Halt> {
        self.note("anything", 0)?;
        self.notes.unsupported = Some(NOT_SELF_DESCRIBING);
        Err(Halt)
    }
}

/// The parts of a tuple, or a struct's fields by position.
struct InOrder<'n> {
    walker: Walker<'n>,
    step: Step,
    next: usize,
    count: usize,
}

impl<'de> SeqAccess<'de> for InOrder<'_> {
    type Error = Halt;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Halt> {
        if self.next == self.count {
            return Ok(None);
        }
        let path = self.walker.path.step(self.step, self.next);
        self.next += 1;
        seed.deserialize(self.walker.at(path)).map(Some)
    }
}

/// A struct's fields by name.
struct ByName<'n> {
    walker: Walker<'n>,
    fields: &'static [&'static str],
    order: Vec<usize>,
    /// Position in `order`.
    next: usize,
}

impl<'de> MapAccess<'de> for ByName<'_> {
    type Error = Halt;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Halt> {
        let Some(&field) = self.order.get(self.next) else { return Ok(None) };
        let name: StrDeserializer<'_, Halt> = self.fields[field].into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Halt> {
        let field = *self.order.get(self.next).ok_or(Halt)?;
        self.next += 1;
        let path = self.walker.path.step(Step::Field, field);
        if self.walker.exploring {
            self.walker.dispensable(path, |walker| seed.deserialize(walker))
        } else {
            seed.deserialize(self.walker.at(path))
        }
    }
}

/// The elements of a sequence or entries of a map: one, or none when filling.
struct AtMostOne<'n> {
    walker: Walker<'n>,
    given: bool,
}

impl<'de> SeqAccess<'de> for AtMostOne<'_> {
    type Error = Halt;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Halt> {
        let path = self.walker.path.step(Step::Element, 0);
        if self.given || !self.walker.wants(path) {
            return Ok(None);
        }
        self.given = true;
        self.walker.dispensable(path, |walker| seed.deserialize(walker)).map(Some)
    }
}

impl<'de> MapAccess<'de> for AtMostOne<'_> {
    type Error = Halt;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Halt> {
        let key = self.walker.path.step(Step::Key, 0);
        let value = self.walker.path.step(Step::Value, 0);
        if self.given || !self.walker.wants(key) || !self.walker.wants(value) {
            return Ok(None);
        }
        self.given = true;
        self.walker.dispensable(key, |walker| seed.deserialize(walker)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Halt> {
        let path = self.walker.path.step(Step::Value, 0);
        self.walker.dispensable(path, |walker| seed.deserialize(walker))
    }
}

/// One variant of an enum.
struct Choice<'n> {
    walker: Walker<'n>,
    variant: u32,
}

impl<'de, 'n> EnumAccess<'de> for Choice<'n> {
    type Error = Halt;
    type Variant = Walker<'n>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Walker<'n>), Halt> {
        let index: U32Deserializer<Halt> = self.variant.into_deserializer();
        Ok((seed.deserialize(index)?, self.walker))
    }
}

impl<'de> VariantAccess<'de> for Walker<'_> {
    type Error = Halt;

    fn unit_variant(mut self) -> Result<(), Halt> {
        self.note("unit variant", 0)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(mut self, seed: S) -> Result<S::Value, Halt> {
        self.note("newtype variant", 0)?;
        let path = self.path.step(Step::Content, 0);
        seed.deserialize(self.at(path))
    }

    fn tuple_variant<V: Visitor<'de>>(
        mut self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.note("tuple variant", count as u64)?;
        visitor.visit_seq(InOrder { walker: self, step: Step::Element, next: 0, count })
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let mut names = Hash::new();
        names.number(fields.len() as u64);
        for field in fields {
            names.text(field);
        }
        self.note("struct variant", names.finish())?;
        self.fields(fields, visitor)
    }
}

/// Ends a walk: a made-up value was refused, or there was none to make up.
#[derive(Debug)]
struct Halt;

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the walk over a type ends here")
    }
}

impl std::error::Error for Halt {}

impl serde::de::Error for Halt {
    fn custom<T: fmt::Display>(_message: T) -> Halt {
        Halt
    }
}

/// FNV-1a, with a last round that spreads every bit over the word. Fixed for ever: fingerprints
/// travel.
struct Hash(u64);

impl Hash {
    fn new() -> Hash {
        Hash(0xcbf2_9ce4_8422_2325)
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }

    fn number(&mut self, number: u64) {
        for byte in number.to_le_bytes() {
            self.byte(byte);
        }
    }

    /// With its length, so that ("ab", "c") and ("a", "bc") differ.
    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        for byte in text.bytes() {
            self.byte(byte);
        }
    }

    fn finish(self) -> u64 {
        let mut hash = self.0;
        hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        hash ^ (hash >> 32)
    }
}
