//! Ready-made models.
//!
//! | model | operations | histories are split by |
//! |---|---|---|
//! | [`VersionedKv`] | get, put that names the version it replaces | key |
//! | [`AppendKv`] | get, put, append | key (or not: [`AppendKv::whole`]) |
//! | [`Register`] | read, write, compare-and-set | – |
//! | [`Set`] | add, remove, contains, members | – |
//! | [`Queue`] | enqueue, dequeue (first in, first out) | – |
//! | [`Lock`] | acquire, release | – |

pub mod append_kv;
pub mod lock;
pub mod queue;
pub mod register;
pub mod set;
pub mod versioned_kv;

pub use append_kv::AppendKv;
pub use lock::Lock;
pub use queue::Queue;
pub use register::Register;
pub use set::Set;
pub use versioned_kv::VersionedKv;
