//! A value that grows at its end.

use std::fmt;
use std::sync::{Arc, OnceLock};

use labrt::{Part, Piece, Pieces};

/// A string that is cheap to extend and cheap to keep old versions of, as snapshots do: all but its end is in pieces that never
/// change again and that all versions share.
///
/// ```text
///   fixed  │ 18 KiB               │ 4 KiB    │ 1 KiB │   loose │ "x 0 99 y" …
/// ```
/// When the loose end has grown to `FIX_AT`, it becomes a piece; of two neighbours the first is `RATIO` times as long at least, else
/// they are joined. So the number of pieces is a logarithm of the length, and so is the number of times that a byte is copied.
#[derive(Clone, Default)]
pub struct Value {
    fixed: Vec<Arc<Piece>>,
    fixed_len: usize,
    /// The fixed pieces as one, since somebody asked for them.
    shared: OnceLock<Pieces>,
    loose: String,
}

/// Bytes of loose end that become a piece.
const FIX_AT: usize = 1 << 10;

/// How much longer a piece is than the next one.
const RATIO: usize = 4;

impl Value {
    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.fixed_len() + self.loose.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Extends it. Says whether its fixed pieces are others now.
    pub fn push_str(&mut self, end: &str) -> bool {
        self.loose.push_str(end);
        let fix = self.loose.len() >= FIX_AT;
        if fix {
            self.fixed_len += self.loose.len();
            self.fixed.push(Arc::new(Piece::from(std::mem::take(&mut self.loose).into_bytes())));
            self.join_pieces();
            self.shared = OnceLock::new();
        }
        fix
    }

    fn join_pieces(&mut self) {
        while let [.., first, second] = &self.fixed[..]
            && first.len() < RATIO * second.len()
        {
            let joined = Arc::new(Piece::from([&first[..], &second[..]].concat()));
            self.fixed.truncate(self.fixed.len() - 2);
            self.fixed.push(joined);
        }
    }

    pub(super) fn fixed_len(&self) -> usize {
        self.fixed_len
    }

    /// The pieces that never change.
    pub(super) fn fixed(&self) -> &Pieces {
        self.shared
            .get_or_init(|| self.fixed.iter().cloned().map(Part::Piece).collect::<Vec<_>>().into())
    }

    /// What comes after them.
    pub(super) fn loose(&self) -> &str {
        &self.loose
    }

    /// The whole string.
    pub fn to_text(&self) -> String {
        let mut bytes = Vec::with_capacity(self.len());
        self.fixed.iter().for_each(|piece| bytes.extend_from_slice(piece));
        bytes.extend_from_slice(self.loose.as_bytes());
        String::from_utf8(bytes).expect("pieces are cut between characters")
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        let mut result = Value { loose: value, ..Value::default() };
        result.push_str("");
        result
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.len() == other.len() && self.to_text() == other.to_text()
    }
}

impl Eq for Value {}

impl PartialEq<str> for Value {
    fn eq(&self, other: &str) -> bool {
        self.len() == other.len() && self.to_text() == other
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_text(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_was_pushed_in_few_pieces() {
        let (mut value, mut expected) = (Value::default(), String::new());
        let mut versions = Vec::new();
        for number in 0..20_000 {
            let end = format!("x {number} ü");
            value.push_str(&end);
            expected.push_str(&end);
            if number % 1000 == 0 {
                versions.push((value.clone(), expected.clone()));
            }
        }
        assert_eq!(value, *expected);
        assert_eq!(value.len(), expected.len());
        assert!(value.fixed.len() <= 8, "{} pieces", value.fixed.len());
        assert_eq!(*value.fixed().whole(), expected.as_bytes()[..value.fixed_len()]);
        assert!(value.loose().len() < FIX_AT);
        for (version, expected) in versions {
            assert_eq!(version, *expected, "an old version stays what it was");
        }
        assert_eq!(Value::from(expected.clone()), value);
        assert_ne!(value, *"other");
        assert!(Value::from(String::new()).is_empty());
    }

    #[test]
    fn later_versions_share_the_pieces() {
        let mut value = Value::from("a".repeat(100 * FIX_AT));
        let before = value.clone();
        value.push_str("b");
        assert!(Arc::ptr_eq(&before.fixed[0], &value.fixed[0]));
    }
}
