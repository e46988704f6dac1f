//! The fingerprint of a type, and what else is remembered about types that were met before.

use std::any::TypeId;
use std::cell::RefCell;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use serde::de::DeserializeOwned;

use crate::trace::trace;

/// Four bytes that stand for a type: its name, fields and variants, and theirs in turn, as serde
/// shows them. Equal in every process and build that has the same definition of the type.
///
/// Two different types have the same fingerprint with a chance of 1 in 4 thousand million.
///
/// ```
/// use labgob::Fingerprint;
///
/// assert_ne!(Fingerprint::of::<u32>(), Fingerprint::of::<u64>());
/// assert_eq!(Fingerprint::of::<Vec<u32>>(), Fingerprint::of::<Box<[u32]>>());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u32);

impl Fingerprint {
    /// How many bytes a fingerprint takes in front of each value.
    pub(crate) const BYTES: usize = 4;

    /// The fingerprint of `T`.
    ///
    /// Found by asking `T`'s `Deserialize` for what it expects. That takes microseconds once in
    /// each thread, and a look-up from then on.
    pub fn of<T: DeserializeOwned + 'static>() -> Fingerprint {
        known::<T>().fingerprint
    }

    pub(crate) fn to_bytes(self) -> [u8; Fingerprint::BYTES] {
        self.0.to_le_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; Fingerprint::BYTES]) -> Fingerprint {
        Fingerprint(u32::from_le_bytes(bytes))
    }
}

/// Eight hexadecimal digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// What is remembered about a type.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub(crate) fingerprint: Fingerprint,
    /// Why values of this type cannot travel, if they cannot.
    pub(crate) unsupported: Option<&'static str>,
    /// How deep values of the type may nest.
    pub(crate) depth_max: usize,
    /// The body length of the last value encoded in this thread. Only ever a guess at the next
    /// one's: it decides how much room is set aside, never what is written.
    pub(crate) last_length: usize,
}

#[expect(clippy::disallowed_types, reason = "looked up by key only; its order is never seen")]
type KnownTypes = std::collections::HashMap<TypeId, Known, BuildHasherDefault<TypeIdHasher>>;

thread_local! {
    static KNOWN: RefCell<KnownTypes> = RefCell::default();
}

/// What is known about `T`; found out on the first call in each thread.
#[inline]
pub(crate) fn known<T: DeserializeOwned + 'static>() -> Known {
    let remembered = KNOWN.try_with(|types| types.borrow().get(&TypeId::of::<T>()).copied());
    match remembered {
        Ok(Some(known)) => known,
        _ => find_out::<T>(),
    }
}

#[cold]
fn find_out<T: DeserializeOwned + 'static>() -> Known {
    // The map is not borrowed meanwhile: a Deserialize may itself use labgob.
    let traced = trace::<T>();
    let known = Known {
        fingerprint: Fingerprint(traced.hash),
        unsupported: traced.unsupported,
        depth_max: traced.depth_max,
        last_length: 0,
    };
    // In a thread that is about to end the map may be gone; then nothing is remembered.
    let _ = KNOWN.try_with(|types| types.borrow_mut().insert(TypeId::of::<T>(), known));
    known
}

pub(crate) fn remember_length<T: 'static>(length: usize) {
    let _ = KNOWN.try_with(|types| {
        if let Some(known) = types.borrow_mut().get_mut(&TypeId::of::<T>()) {
            known.last_length = length;
        }
    });
}

/// serde's name of `T`, for messages.
#[cold]
pub(crate) fn name_of<T: DeserializeOwned>() -> String {
    trace::<T>().name
}

/// A `TypeId` is a hash already.
#[derive(Default)]
struct TypeIdHasher(u64);

impl Hasher for TypeIdHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_ne_bytes(word));
        }
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
