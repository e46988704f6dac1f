//! Raft as a pure state machine: the rules of Figure 2 and Section 7 of the paper, and nothing
//! else.
//!
//! Written from the extended version of Ongaro and Ousterhout's *In Search of an Understandable
//! Consensus Algorithm*; section and figure numbers in the comments are that paper's.
//!
//! [`consensus::Node`] is one server. An event goes in: a message, a tick, a command. One
//! [`consensus::Effects`] value comes out: what to save, what to send, what to apply. The core has
//! no clock, thread, I/O, lock or randomness, so it runs anywhere, and a copy of a node (`Clone`,
//! `Eq`, `Hash`) is a complete state that a search can keep.
//!
//! Start with [`consensus`]. The words it uses are [`types`], [`messages`] and [`timing`];
//! [`marks`] names the rare steps that tests should reach. The crate `raft` drives a node with
//! tasks, RPCs and a disk.

#![forbid(unsafe_code)]

pub mod consensus;
pub mod marks;
pub mod messages;
pub mod timing;
pub mod types;
