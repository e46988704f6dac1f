//! A key/value service in shards that move between replicated groups (2025 lab 5).
//!
//! ```text
//!               ┌────────────────────────────────┐        ┌───────────────┐
//!  ShardClerk ──┤ 1. which group has the shard?  ├───────▶│ kvsrv         │   one versioned value:
//!               │ 2. ask that group              │        │  current      │   all that controllers know
//!               └───────────────┬────────────────┘   ┌───▶│  next, garbage│
//!                               ▼                    │    └───────────────┘
//!              ┌───────┐   ┌───────┐   ┌───────┐     │
//!              │group 1│   │group 2│   │group 3│ ◀───┴── ShardController: a client, any number of them
//!              │ rsm   │   │ rsm   │   │ rsm   │
//!              └───────┘   └───────┘   └───────┘
//! ```
//!
//! # The life of a moving shard
//! Configuration *n* gives a shard of group 1 to group 2. At every moment at most one group serves
//! it:
//! ```text
//!              record in kvsrv            group 1                group 2
//!              current n-1                serves (num < n)       absent
//!   1. Put     … next n: asking           serves                 absent        a controller asks both
//!                                                                              groups: are you there?
//!   2. Put     … next n: freezing         serves                 absent
//!      Freeze  n                          frozen at n            absent
//!   3. Put     … next n: installing       frozen at n            absent        there is no way back
//!      Copy, Install n, in chunks         frozen                 serves (num n)
//!   4. Put     current n, garbage         frozen                 serves        clerks find group 2
//!   5. Delete  n                          absent                 serves
//!   6. Put     current n                  absent                 serves
//! ```
//! Freeze, Copy and Install are done for each shard that moves, Delete likewise. A controller that
//! dies anywhere leaves a record from which the next one goes on
//! ([`ShardController::init_controller`]): each step may be taken twice, or by two at once. One
//! that was cut off and comes back late finds its Puts refused for their version and its shard
//! requests for their number (the table in `group/shard_state.rs`). No lease and no clock is
//! needed.
//!
//! Until step 3 a change can be withdrawn ([`ShardController::withdraw`]). A group that was frozen
//! for it serves again under a number after *n*, so that late requests of the withdrawn change are
//! refused.
//!
//! A group serves what was installed, and nothing else: the first group, too, is given its shards
//! when the first configuration is stored. So a group that lost its disks serves nothing, and may
//! join again.
//!
//! Shards that stay where they are are not touched, so their groups serve them all the while.
//!
//! # What is where
//! | File | Holds |
//! |---|---|
//! | `shard`, `config`, `rebalance` | shards, configurations and how shards are shared out: pure |
//! | `group/` | one group: `shard_state` (the rules), `machine` (on `rsm`), `server`, `clerk` |
//! | `controller/` | `record` (what is stored, and its changes: pure), `mod` (the steps above) |
//! | `clerk` | what an application uses |
//!
//! # Left out on purpose
//! A replicated store for the configuration: the course keeps it on one server, and so do we.
//! Everything that asks for it goes through [`kvapi::Clerk`]'s two calls.
#![forbid(unsafe_code)]

mod clerk;
mod config;
mod controller;
pub mod group;
pub mod messages;
mod rebalance;
mod shard;

use std::sync::Arc;

use labrpc::ClientEnd;

pub use clerk::ShardClerk;
pub use config::{ConfigError, Groups, ParseConfigError, ShardConfig};
pub use controller::{Change, ControllerError, Progress, ShardController};
pub use shard::{ConfigNum, Gid, SHARDS, ShardId};

/// Gives an end to the server of this name. Configurations speak of servers by name.
pub type Connect = Arc<dyn Fn(&str) -> ClientEnd + Send + Sync>;
