//! Names of ends and servers.

use std::fmt;
use std::sync::Arc;

/// The name of an end or a server: a number or a text, as one likes. Numbers sort before texts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name(Repr);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Repr {
    Number(i128),
    Text(Arc<str>),
}

impl Name {
    /// The name as a text.
    pub(crate) fn to_shared(&self) -> Arc<str> {
        match &self.0 {
            Repr::Number(number) => number.to_string().into(),
            Repr::Text(text) => Arc::clone(text),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Number(number) => number.fmt(f),
            Repr::Text(text) => text.fmt(f),
        }
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        Name(Repr::Text(text.into()))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Name {
        Name(Repr::Text(text.into()))
    }
}

impl From<&String> for Name {
    fn from(text: &String) -> Name {
        Name(Repr::Text(text.as_str().into()))
    }
}

impl From<Arc<str>> for Name {
    fn from(text: Arc<str>) -> Name {
        Name(Repr::Text(text))
    }
}

impl From<&Name> for Name {
    fn from(name: &Name) -> Name {
        name.clone()
    }
}

macro_rules! from_numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Name {
            fn from(number: $number) -> Name {
                Name(Repr::Number(number as i128))
            }
        }
    )*};
}

from_numbers!(i32, u32, i64, u64, usize);
