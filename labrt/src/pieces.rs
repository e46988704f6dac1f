//! Bytes in pieces that may be shared.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// A long byte string in pieces. A clone shares them all; and of two strings one after the other,
/// such as two snapshots of a state that has changed a little, the second can share with the first
/// what has stayed.
///
/// How it is cut is not part of its value.
#[derive(Clone)]
pub struct Pieces {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Vec<Part>,
    len: usize,
    noted: OnceLock<u64>,
}

/// What [`Pieces`] are made of.
#[derive(Clone)]
pub enum Part {
    /// Bytes.
    Piece(Arc<Piece>),
    /// Others that are shared as a whole.
    Pieces(Pieces),
}

/// Bytes that never change, and a number that somebody may note with them.
#[derive(Debug)]
pub struct Piece {
    bytes: Vec<u8>,
    noted: OnceLock<u64>,
}

impl Piece {
    /// A number that follows from the bytes and costs some work, such as a checksum: worked out
    /// once. There is place for one, so only one kind may be noted in a program.
    pub fn note(&self, of: impl FnOnce(&[u8]) -> u64) -> u64 {
        *self.noted.get_or_init(|| of(&self.bytes))
    }
}

impl From<Vec<u8>> for Piece {
    fn from(bytes: Vec<u8>) -> Piece {
        Piece { bytes, noted: OnceLock::new() }
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Pieces {
    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.inner.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The parts, one after the other.
    pub fn parts(&self) -> &[Part] {
        &self.inner.parts
    }

    /// As [`Piece::note`], for all of them: the same kind of number.
    pub fn note(&self, of: impl FnOnce(&[Part]) -> u64) -> u64 {
        *self.inner.noted.get_or_init(|| of(&self.inner.parts))
    }

    /// All of it in one piece, copied if it has several.
    pub fn whole(&self) -> Cow<'_, [u8]> {
        match self.parts() {
            [] => Cow::Borrowed(&[]),
            [Part::Piece(piece)] => Cow::Borrowed(piece),
            [Part::Pieces(pieces)] => pieces.whole(),
            _ => {
                let mut whole = Vec::with_capacity(self.len());
                self.copy_to(&mut whole);
                Cow::Owned(whole)
            }
        }
    }

    fn copy_to(&self, whole: &mut Vec<u8>) {
        for part in self.parts() {
            match part {
                Part::Piece(piece) => whole.extend_from_slice(piece),
                Part::Pieces(pieces) => pieces.copy_to(whole),
            }
        }
    }
}

impl Default for Pieces {
    fn default() -> Pieces {
        Vec::<Part>::new().into()
    }
}

impl From<Vec<Part>> for Pieces {
    /// Copies no bytes.
    fn from(parts: Vec<Part>) -> Pieces {
        let len = parts.iter().map(Part::len).sum();
        Pieces { inner: Arc::new(Inner { parts, len, noted: OnceLock::new() }) }
    }
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Part::Piece(piece) => piece.len(),
            Part::Pieces(pieces) => pieces.len(),
        }
    }
}

impl From<Vec<u8>> for Part {
    /// One piece; copies no bytes.
    fn from(bytes: Vec<u8>) -> Part {
        Part::Piece(Arc::new(bytes.into()))
    }
}

impl From<Vec<u8>> for Pieces {
    /// One piece; copies no bytes.
    fn from(whole: Vec<u8>) -> Pieces {
        vec![Part::from(whole)].into()
    }
}

impl From<&[u8]> for Pieces {
    fn from(bytes: &[u8]) -> Pieces {
        bytes.to_vec().into()
    }
}

impl From<Arc<[u8]>> for Pieces {
    fn from(bytes: Arc<[u8]>) -> Pieces {
        bytes.to_vec().into()
    }
}

impl PartialEq for Pieces {
    fn eq(&self, other: &Pieces) -> bool {
        self.len() == other.len()
            && (Arc::ptr_eq(&self.inner, &other.inner) || self.whole() == other.whole())
    }
}

impl Eq for Pieces {}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pieces({} bytes in {})", self.len(), self.parts().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cuts_are_not_part_of_the_value() {
        let piece = |bytes: &[u8]| Part::from(bytes.to_vec());
        let inner = Pieces::from(vec![piece(b"b"), piece(b""), piece(b"c")]);
        let cut = Pieces::from(vec![piece(b"a"), Part::Pieces(inner.clone()), piece(b"d")]);
        let whole = Pieces::from(b"abcd".to_vec());
        assert_eq!(cut, whole);
        assert_eq!(cut.len(), 4);
        assert_eq!(*cut.whole(), *b"abcd");
        assert_eq!(*Pieces::from(vec![Part::Pieces(inner)]).whole(), *b"bc");
        assert_ne!(cut, Pieces::from(b"abce".to_vec()));
        assert_ne!(cut, Pieces::default());
        assert!(Pieces::default().is_empty() && Pieces::default().whole().is_empty());
    }

    #[test]
    fn a_number_is_worked_out_once() {
        let pieces = Pieces::from(b"abc".to_vec());
        assert_eq!(pieces.note(|parts| parts.len() as u64), 1);
        assert_eq!(pieces.clone().note(|_| unreachable!("it is known")), 1);
    }
}
