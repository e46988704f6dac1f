//! Long values that extend each other, kept once.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

/// A value seen. Where a key's value only grows, each Get sees what the one before saw and a little
/// more: all of them are the beginnings of one string.
#[derive(Clone)]
pub struct Text {
    /// Only ever extended.
    whole: Arc<Mutex<String>>,
    len: usize,
}

impl Text {
    /// Looks at it. `look` must neither wait nor use another text.
    pub fn with<R>(&self, look: impl FnOnce(&str) -> R) -> R {
        look(&self.whole.lock()[..self.len])
    }

    /// Another text in the same string, if one of the two is the beginning of the other.
    pub(crate) fn extended_to(&self, seen: &str) -> Option<Text> {
        let mut whole = self.whole.lock();
        if let Some(more) = seen.strip_prefix(whole.as_str()) {
            whole.push_str(more);
        } else if !whole.starts_with(seen) {
            return None;
        }
        Some(Text { whole: Arc::clone(&self.whole), len: seen.len() })
    }

    /// Whether both are the same beginning of the same string.
    pub(crate) fn is_same(&self, other: &Text) -> bool {
        self.len == other.len && Arc::ptr_eq(&self.whole, &other.whole)
    }
}

impl From<&str> for Text {
    fn from(value: &str) -> Text {
        Text { whole: Arc::new(Mutex::new(value.to_owned())), len: value.len() }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|value| f.write_str(value))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|value| fmt::Debug::fmt(value, f))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        // Never two locks at once: it may be the same one.
        self.is_same(other) || self.len == other.len && self.to_string() == other.to_string()
    }
}

impl Eq for Text {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_extend_each_other_share_their_bytes() {
        let a = Text::from("ab");
        let longer = a.extended_to("abcd").expect("it extends the other");
        let shorter = longer.extended_to("a").expect("the other extends it");
        assert_eq!([&a, &longer, &shorter].map(Text::to_string), ["ab", "abcd", "a"]);
        assert!(Arc::ptr_eq(&a.whole, &longer.whole) && Arc::ptr_eq(&a.whole, &shorter.whole));
        assert!(longer.extended_to("abd").is_none(), "not a beginning of either");
        // What was seen before stays what it was.
        assert!(a.extended_to("abce").is_none());
        assert_eq!(a.to_string(), "ab");
        assert_eq!(a, Text::from("ab"));
        assert_ne!(a, longer);
        assert!(longer.extended_to("abcd").is_some_and(|same| same.is_same(&longer)));
    }
}
