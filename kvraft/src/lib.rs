//! Replicated key/value services on [`rsm`].
//!
//! [`versioned`] is the service of the 2025 labs: every key has a version, a Put names the version
//! it expects, and a Put whose fate is unknown is reported as such (`ErrMaybe`). [`append`] is that
//! of the editions before: Put, Append and Get, each write executed once, because the service
//! remembers what it last did for each client.
//!
//! ```text
//!   Clerk ──Get/Put──▶ KvServer ──submit──▶ rsm ──propose──▶ raft ──▶ the disks of a majority
//!     ▲                                                        │
//!     └──────────── reply ◀── the store ◀────── apply ────────┘
//! ```
//! Gets travel through the log like Puts: a server that has lost touch with the majority cannot
//! answer one from old data. With [`Reads::ReadIndex`], a leader answers them from its own state
//! once a majority has confirmed that it leads (§8 of the paper).
//!
//! The API types and rules of keys and values are in [`kvapi`]; this crate replicates them.
#![forbid(unsafe_code)]

pub mod append;
mod marks;
mod replica;
pub mod versioned;

pub use replica::Replica;
pub use rsm::Reads;
