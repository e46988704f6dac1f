//! A group's side: the replicated shards, the server around them, and the clerk that talks to one group.

mod clerk;
mod machine;
mod server;
mod shard_state;

pub use clerk::{GroupClerk, Unanswered};
pub use machine::{Machine, Reply, Request};
pub use server::{Options, ShardServer};
