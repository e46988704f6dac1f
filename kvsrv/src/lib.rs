//! One unreplicated key/value server, its clerk, and a lock made of nothing but that clerk (2025
//! lab 2).
//!
//! ```text
//!   Lock ──Get/Put──▶ Clerk ──RPC, again until answered──▶ KvServer ──▶ kvapi::VersionedStore
//!                       │                                    one lock: a request at a time
//!                       └ kvapi::clerk::put_outcome: a refusal of a repeated Put is a "maybe"
//! ```
//! The server remembers the latest value of each key and nothing else: no clients, no old values. A
//! Put is safe to repeat because it names the version it replaces ([`kvapi`] tells the whole
//! story).
//!
//! [`Lock`] is generic over [`kvapi::Clerk`]: it works on a replicated store as it does on this
//! one.
//!
//! # Left out on purpose
//! A disk. The server starts empty; who needs one that survives a restart takes `kvraft`.
#![forbid(unsafe_code)]

mod clerk;
mod lock;
mod server;

pub use clerk::Clerk;
pub use lock::{Lock, NotAcquired, NotHeld};
pub use server::KvServer;
