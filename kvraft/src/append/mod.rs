//! Put, Append and Get, each write exactly once (labs 3A and 3B of 2018 to 2021).
//!
//! Executing an Append twice shows: so the service itself must know a request that it has executed.
//! Every write carries the client's session and a number that grows by one with each write; the
//! replicated state holds, for each session, the number of the last write executed.
//!
//! ```text
//!   clerk                          leader                     on every server, in log order
//!     │ Append(k, v), session, 7     │ submit ──▶ log ──▶ ···    session: 6 → 7     execute
//!     │ ───────────────────────────▶ │                           value := value ++ v
//!     │            reply lost  ╳ ◀── │
//!     │ the same again, to another   │ submit ──▶ log ──▶ ···    session: 7 ≥ 7     already done
//!     │ ───────────────────────────▶ │
//!     │ ◀──────────────────── done   │
//! ```
//! The decision is made where the entry is applied, so it is the same on all servers, in whatever
//! terms the copies got into the log; and the sessions are part of every snapshot. One number a
//! client is enough, because the next write says that the answer to the one before has arrived.
//! [`rsm::sessions`] says when a client's number may be forgotten, and why a late copy is refused
//! then.
//!
//! A Get changes nothing and may be executed as often as it likes. By default it travels through
//! the log like a write, so that a server that has lost touch with the majority cannot answer it
//! from old data; [`Reads::ReadIndex`](crate::Reads::ReadIndex) spares it the way.
//!
//! # Left out on purpose
//! Several writes at once by one clerk: they queue up in the clerk. Whoever wants them to overlap
//! makes more clerks.

mod clerk;
mod machine;
mod messages;
mod server;

pub use clerk::Clerk;
pub use labrpc::NoServers;
pub use machine::{Machine, Reply, Request, Sessions};
pub use messages::{
    Change, GetArgs, GetReply, PutAppendArgs, PutAppendError, PutAppendReply, TimeArgs, TimeReply,
};
pub use rsm::sessions::{RequestId, SESSION_WINDOW, SessionId, Stamp};
pub use server::{Get, KvServer, Options, PutAppend, Time};
