//! Ready-made models.
//!
//! | model | operations | histories are split by |
//! |---|---|---|
//! | [`VersionedKv`] | get, put that names the version it replaces | key |
//! | [`AppendKv`] | get, put, append | key (or not: [`AppendKv::whole`]) |
//! | [`Register`] | read, write, compare-and-set | – |
//! | [`MultiRegister`] | transactions of reads and writes | – |
//! | [`Counter`] | add, add and get, read | – |
//! | [`Set`] | add, remove, contains, members | – |
//! | [`Queue`] | enqueue, dequeue (first in, first out) | – |
//! | [`PriorityQueue`] | insert, remove the smallest, look at the smallest | – |
//! | [`ListAppend`] | transactions of reads and appends | – (or list: [`ListAppend::one_list_each`]) |
//! | [`Bank`] | transfer, read all balances | – |
//! | [`Mutex`] | acquire, release, by anybody | – |
//! | [`Lock`] | acquire, release, by its owner | – |
//! | [`ReentrantLock`] | acquire, release, by its owner, several times | – |
//! | [`Lease`] | acquire, renew, release, with a token | – |
//! | [`Keyed`] | those of another model, of one object for each key | key |
//!
//! A model of your own implements [`Model`](crate::Model), which has an example, or, if the object
//! may answer in several ways, [`NondeterministicModel`](crate::NondeterministicModel), which has
//! another.

pub mod append_kv;
pub mod bank;
pub mod counter;
pub mod keyed;
pub mod lease;
pub mod list_append;
pub mod lock;
pub mod multi_register;
pub mod mutex;
pub mod priority_queue;
pub mod queue;
pub mod reentrant;
pub mod register;
pub mod set;
pub mod versioned_kv;

pub use append_kv::AppendKv;
pub use bank::Bank;
pub use counter::Counter;
pub use keyed::Keyed;
pub use lease::Lease;
pub use list_append::ListAppend;
pub use lock::Lock;
pub use multi_register::MultiRegister;
pub use mutex::Mutex;
pub use priority_queue::PriorityQueue;
pub use queue::Queue;
pub use reentrant::ReentrantLock;
pub use register::{Register, StringRegister};
pub use set::Set;
pub use versioned_kv::VersionedKv;
