//! Raft: a group of servers that agree on one sequence of commands while a majority of them lives.
//!
//! Written from the extended version of Ongaro and Ousterhout's *In Search of an Understandable
//! Consensus Algorithm*; section and figure numbers in the comments are that paper's.
//!
//! # The idea, in the paper's order
//!
//! - **Terms** (§5.1). Time is cut into numbered terms. A server that learns of a later term joins
//!   it and becomes a follower. Messages of an earlier term are rejected.
//! - **Election** (§5.2). A server that receives nothing from a leader for a random time starts a
//!   new term and asks for votes. Each server has one vote a term, saved before it is given, so a
//!   term has one leader at most.
//! - **Replication** (§5.3). Only the leader takes commands. It makes each follower's log equal to
//!   its own, entry by entry, checking that the entries before agree. An entry on a majority is
//!   committed.
//! - **Safety** (§5.4). A server votes only for a log that is as up to date as its own, so a leader
//!   has every committed entry. A leader counts copies only of entries of its own term; earlier
//!   entries commit with them.
//! - **Snapshots** (§7). The service's state replaces the beginning of the log. A follower that
//!   lags behind the snapshot receives the whole state.
//!
//! # The two halves
//!
//! ```text
//!   service above          rsm, or a test: propose(command), snapshot(index, bytes), apply channel
//!   ──────────────────────────────────────────────────────────────────────────────────────────────
//!   driver                 tasks, clock, RPCs, disk: turns what happens into events
//!        │ event  ▲ effects                          and carries the effects out, in order
//!        ▼        │
//!   consensus (raft-core)  every rule of the paper, pure: no clock, thread, I/O, lock, randomness
//!   ──────────────────────────────────────────────────────────────────────────────────────────────
//!   labrpc, labrt below    messages to other servers; tasks, time, disk
//! ```
//!
//! Read [`consensus`] to learn Raft, and `raft/core/tests/figure2` next to it: one small test for
//! every rule. Both halves share [`types`], [`messages`], [`timing`] and
//! [`apply_msg`].
//!
//! # What to know before use
//!
//! - An accepted command may still be lost: the leader may be deposed before a majority has it. The
//!   proposer must look for it on the apply channel, at its index and with its term.
//! - The group is fixed; servers are never added or removed (§6 is left out).
//! - Commands are bytes that Raft never reads.

#![forbid(unsafe_code)]

pub mod apply_msg;
mod driver;
mod events;
mod marks;
pub mod observer;

pub use apply_msg::ApplyMsg;
pub use driver::{
    AppendEntries, CorruptState, Error, InstallSnapshot, Options, ProposeError, Proposed, Raft,
    ReadError, RequestVote, SavedHeader, Tuning,
};
pub use raft_core::{consensus, messages, timing, types};
pub use types::{Command, Index, ServerId, Term};
