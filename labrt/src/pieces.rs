//! Bytes in pieces that may be shared.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// A long byte string in pieces. A clone shares them all; and of two strings one after the other, such as two snapshots of a state
/// that has changed a little, the second can share with the first what has stayed.
///
/// How it is cut is not part of its value.
#[derive(Clone)]
pub struct Pieces {
    pieces: Arc<[Arc<Piece>]>,
    len: usize,
}

/// Bytes that never change, and a number that somebody may note with them.
#[derive(Debug)]
pub struct Piece {
    bytes: Vec<u8>,
    noted: OnceLock<u64>,
}

impl Piece {
    /// A number that follows from the bytes and costs some work, such as a checksum: worked out once. There is place for one, so only
    /// one kind may be noted in a program.
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
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pieces, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter().map(|piece| &**piece)
    }

    /// All of it in one piece, copied if it has several.
    pub fn whole(&self) -> Cow<'_, [u8]> {
        match &*self.pieces {
            [] => Cow::Borrowed(&[]),
            [piece] => Cow::Borrowed(piece),
            pieces => {
                let mut whole = Vec::with_capacity(self.len);
                pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
                Cow::Owned(whole)
            }
        }
    }
}

impl Default for Pieces {
    fn default() -> Pieces {
        Pieces { pieces: Arc::new([]), len: 0 }
    }
}

impl From<Vec<Arc<Piece>>> for Pieces {
    /// Copies no bytes.
    fn from(pieces: Vec<Arc<Piece>>) -> Pieces {
        let len = pieces.iter().map(|piece| piece.len()).sum();
        Pieces { pieces: pieces.into(), len }
    }
}

impl From<Vec<u8>> for Pieces {
    /// One piece; copies no bytes.
    fn from(whole: Vec<u8>) -> Pieces {
        let len = whole.len();
        Pieces { pieces: Arc::new([Arc::new(whole.into())]), len }
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
        self.len == other.len
            && (Arc::ptr_eq(&self.pieces, &other.pieces) || self.whole() == other.whole())
    }
}

impl Eq for Pieces {}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pieces({} bytes in {})", self.len, self.pieces.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cuts_are_not_part_of_the_value() {
        let piece = |bytes: &[u8]| Arc::new(Piece::from(bytes.to_vec()));
        let cut = Pieces::from(vec![piece(b"ab"), piece(b""), piece(b"c")]);
        let whole = Pieces::from(b"abc".to_vec());
        assert_eq!(cut, whole);
        assert_eq!(cut.len(), 3);
        assert_eq!(*cut.whole(), *b"abc");
        assert_eq!(cut.iter().flat_map(|piece| piece.to_vec()).collect::<Vec<_>>(), b"abc");
        assert_ne!(cut, Pieces::from(b"abd".to_vec()));
        assert_ne!(cut, Pieces::default());
        assert!(Pieces::default().is_empty() && Pieces::default().whole().is_empty());
    }
}
