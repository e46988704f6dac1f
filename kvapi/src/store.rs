//! What Get and Put do to the data: the versioned map that every server applies requests to.
//!
//! ```text
//!   request        key is …                    answer           afterwards
//!   ─────────────  ──────────────────────────  ───────────────  ───────────────────────
//!   Get(k)         present                     value, version   unchanged
//!   Get(k)         absent                      ErrNoKey         unchanged
//!   Put(k, v, 0)   absent                      done             k = v with version 1
//!   Put(k, v, n)   absent, n ≠ 0               ErrNoKey         unchanged
//!   Put(k, v, n)   present with version n      done             k = v with version n + 1
//!   Put(k, v, n)   present with another one    ErrVersion       unchanged
//! ```
//!
//! Pure: no clock, no lock, no log. Servers that apply the same requests in the same order hold
//! equal stores, and equal stores have equal bytes (the map is ordered).

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::{Error, Version};

/// A map from keys to values that counts the writes of each key. Keys are never removed.
///
/// Memory: keys, their latest values, and nothing for clients or old values.
///
/// A store is only restored from bytes if every key in it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct VersionedStore {
    entries: BTreeMap<String, Stored>,
}

/// A [`VersionedStore`] as it was saved, before anybody has looked at it.
#[derive(Deserialize)]
struct Saved {
    entries: BTreeMap<String, Stored>,
}

impl TryFrom<Saved> for VersionedStore {
    type Error = &'static str;

    fn try_from(saved: Saved) -> Result<VersionedStore, &'static str> {
        if saved.entries.values().any(|stored| stored.version == Version::ZERO) {
            return Err("a store with a key of version 0");
        }
        Ok(VersionedStore { entries: saved.entries })
    }
}

/// Adds entries of another store, as they are. Keys that are there already are replaced.
impl Extend<(String, String, Version)> for VersionedStore {
    fn extend<I: IntoIterator<Item = (String, String, Version)>>(&mut self, entries: I) {
        let stored = |(key, value, version)| (key, Stored { value, version });
        self.entries.extend(entries.into_iter().map(stored));
    }
}

/// A key's latest value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    value: String,
    /// Never `Version::ZERO`; never decreases.
    version: Version,
}

impl VersionedStore {
    /// A store without keys.
    pub fn new() -> VersionedStore {
        VersionedStore::default()
    }

    /// The key's value and version.
    ///
    /// # Errors
    ///
    /// [`Error::NoKey`] if the key is absent.
    pub fn get(&self, key: &str) -> Result<(String, Version), Error> {
        let stored = self.entries.get(key).ok_or(Error::NoKey)?;
        Ok((stored.value.clone(), stored.version))
    }

    /// Stores `value` if the key's version is `version` ([`Version::ZERO`]: if it is absent).
    ///
    /// # Errors
    ///
    /// [`Error::NoKey`] or [`Error::Version`] as the module's table says; the store is then
    /// unchanged.
    pub fn put(&mut self, key: String, value: String, version: Version) -> Result<(), Error> {
        match self.entries.get_mut(&key) {
            Some(stored) if stored.version == version => {
                *stored = Stored { value, version: version.next() };
                Ok(())
            }
            Some(_) => Err(Error::Version),
            None if version == Version::ZERO => {
                self.entries.insert(key, Stored { value, version: version.next() });
                Ok(())
            }
            None => Err(Error::NoKey),
        }
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys, values and versions in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, Version)> {
        self.iter_after(None)
    }

    /// The same, of the keys after this one.
    pub fn iter_after(&self, key: Option<&str>) -> impl Iterator<Item = (&str, &str, Version)> {
        let after = key.map_or(Bound::Unbounded, Bound::Excluded);
        self.entries
            .range::<str, _>((after, Bound::Unbounded))
            .map(|(key, stored)| (key.as_str(), stored.value.as_str(), stored.version))
    }
}
