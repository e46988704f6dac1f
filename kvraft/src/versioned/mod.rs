//! Get and Put with versions, at most once (2025 labs 4B and 4C).
//!
//! A Put takes effect only if the key has the version it names, and raises that version; a second
//! execution of the same Put therefore finds the version gone and changes nothing. That is all the
//! protection against duplicates the service needs: no table of clients, nothing but the data in a
//! snapshot. The price is that a clerk which had to send a Put twice cannot tell its own first
//! execution from somebody else's, and says `ErrMaybe`.

mod clerk;
mod machine;
mod server;

pub use clerk::Clerk;
pub use kvapi::{Get, Put};
pub use labrpc::NoServers;
pub use machine::{Machine, Reply, Request};
pub use server::{KvServer, Options};
