//! RPC over a simulated network that loses, delays, reorders and cuts.
//!
//! A [`Network`] is a LAN inside one process. A [`ClientEnd`] is a caller's handle to exactly one
//! [`Server`]; a server offers [`Service`]s, a service has typed [`Method`]s. Connections, disabled
//! ends and the treatment of messages can change at any time; the tester changes them.
//!
//! # The contract of `call`
//!
//! 1. [`ClientEnd::call`] blocks until it has an answer; it needs no timeout of its own. The one
//!    exception is a handler that never answers while its server stays registered and the end stays
//!    enabled.
//! 2. `Ok(reply)`: the handler ran, once or (only with [`LinkFaults::duplicate`]) twice, and this
//!    is its reply.
//! 3. `Err(CallError::NoReply)`: nothing came back. The handler may have run, may still run, or may
//!    never run: the caller cannot know.
//! 4. No positive reply comes from a server that has been deleted, replaced, crashed or cut off
//!    while the handler ran: the call ends with `NoReply` within 100 ms of that moment, whatever
//!    the handler does. (A reply that [long reordering](Network::set_long_reordering) holds back
//!    has left its server already and does arrive.)
//! 5. Any number of calls may be in flight on one end; they reach the server in any order.
//! 6. Arguments and replies travel as bytes: caller and handler never share memory.
//! 7. Every other error is a mistake in the program, and its text says what is known.
//! 8. After [`Network::cleanup`], and when the last [`Network`] handle is gone, calls in flight end
//!    and new calls return at once.
//!
//! # The path of one call
//!
//! ```text
//!   caller's task                      the network                          server's node
//!   ─────────────                      ───────────                          ─────────────
//!   encode ───────────▶ accept: count it, sample end, server, flags
//!                         │
//!                         ├─ end off, not connected, no server ─▶ wait 0..99 ms ──▶ NoReply
//!                         │                          (0..6999 ms with long delays)
//!                         ▼
//!                       latency; unreliable: 0..26 ms more
//!                         ├─ unreliable, 1 in 10: request lost ─▶ NoReply
//!                         └─────────────────────────────────────▶ a task of its own:
//!                                                                 decode, handler, encode
//!                       latency ◀───────────────────────────────────┘
//!                         │
//!                         ├─ server dead by now ────────────────▶ NoReply
//!                         ├─ unreliable, 1 in 10: reply lost ───▶ NoReply
//!                         ├─ long reordering, 2 in 3: 200..2199 ms later
//!   decode ◀──────────────┘
//! ```
//!
//! "Dead" is: the end is disabled or deleted, or what is registered under the server's name is no
//! longer the object that the request was sent to. A call whose handler is still running then does
//! not wait for it.
//!
//! The latency is 0.1 to 0.5 ms in a simulation, since virtual time would otherwise stand still
//! while callers spin, and nothing on threads ([`Network::set_latency`]). It is all a reliable
//! network adds. More faults than the course has: [`LinkFaults`].
//!
//! # Where things are
//! `in_flight` is one call from acceptance to answer; `fault` draws its delays and losses;
//! `network` holds the ends, the servers, their connections and the counts; `calls` is the list of
//! calls in flight; `servers` is the retry loop of a client that may ask several servers.
//!
//! # Example
//! ```
//! use labrpc::{Method, Network, Server, Service};
//!
//! struct Shout;
//! impl Method for Shout {
//!     const SERVICE: &'static str = "Echo";
//!     const METHOD: &'static str = "Shout";
//!     type Args = String;
//!     type Reply = String;
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let network = Network::new();
//! let echo = Service::new("Echo").method::<Shout>(|word| word.to_uppercase());
//! network.add_server("server", Server::new().add(echo));
//!
//! let end = network.make_end("client")?;
//! network.connect("client", "server")?;
//! network.enable("client", true)?;
//! assert_eq!(end.call::<Shout>(&"hello".to_owned())?, "HELLO");
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod calls;
mod client_end;
mod error;
mod fault;
mod in_flight;
mod name;
mod network;
mod server;
pub mod servers;
mod service;

/// How large the encoded arguments or the encoded reply of a call may be, in bytes: 1 GiB.
///
/// Messages carry values of others (log entries, snapshots, shards), so the limit is larger than
/// [`labgob::LIMIT`], which holds for a single value.
pub const MESSAGE_LIMIT: usize = 1 << 30;

pub use client_end::{Answer, ClientEnd, Request, Transport};
pub use error::{CallError, NetworkError};
pub use fault::LinkFaults;
pub use name::Name;
pub use network::Network;
pub use server::Server;
pub use servers::{Answered, NEVER, NoServers, Servers, Unanswered};
pub use service::{Method, Responder, Service};
