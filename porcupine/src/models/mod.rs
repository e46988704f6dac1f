//! Ready-made models.

pub mod versioned_kv;

pub use versioned_kv::VersionedKv;
