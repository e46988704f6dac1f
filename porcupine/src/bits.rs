//! A fixed-width set of slot numbers: which of the open operations a configuration still cares
//! about.
//!
//! The width counts *open* operations, not the length of the history. The search starts with one
//! word and moves to a wider type only when more than 64 operations overlap.

/// A set of numbers below `64 * N`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bits<const N: usize>([u64; N]);

impl<const N: usize> Bits<N> {
    pub(crate) const EMPTY: Self = Bits([0; N]);

    #[inline]
    pub(crate) fn contains(&self, slot: usize) -> bool {
        self.0[slot / 64] >> (slot % 64) & 1 != 0
    }

    #[inline]
    pub(crate) fn insert(&mut self, slot: usize) {
        self.0[slot / 64] |= 1 << (slot % 64);
    }

    #[inline]
    pub(crate) fn remove(&mut self, slot: usize) {
        self.0[slot / 64] &= !(1 << (slot % 64));
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    #[inline]
    fn zip(mut self, other: &Self, f: impl Fn(u64, u64) -> u64) -> Self {
        for (word, theirs) in self.0.iter_mut().zip(&other.0) {
            *word = f(*word, *theirs);
        }
        self
    }

    #[inline]
    pub(crate) fn and(self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    #[inline]
    pub(crate) fn or(self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    #[inline]
    pub(crate) fn without(self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    #[inline]
    pub(crate) fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    #[inline]
    pub(crate) fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & !b == 0)
    }

    /// The smallest number that is not in the set.
    #[inline]
    pub(crate) fn first_free(&self) -> Option<usize> {
        let word = self.0.iter().position(|word| *word != u64::MAX)?;
        Some(word * 64 + self.0[word].trailing_ones() as usize)
    }

    /// The numbers in the set, smallest first.
    #[inline]
    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        let mut words = self.0;
        let mut at = 0;
        std::iter::from_fn(move || {
            while at < N {
                let word = words[at];
                if word != 0 {
                    words[at] = word & (word - 1);
                    return Some(at * 64 + word.trailing_zeros() as usize);
                }
                at += 1;
            }
            None
        })
    }

    /// The words, for hashing.
    pub(crate) fn words(&self) -> &[u64; N] {
        &self.0
    }

    /// The same set in a wider type.
    pub(crate) fn widen<const K: usize>(&self) -> Bits<K> {
        debug_assert!(K >= N, "a set of {N} words does not fit into {K}");
        let mut wide = [0; K];
        wide[..N].copy_from_slice(&self.0);
        Bits(wide)
    }
}
