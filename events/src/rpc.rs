//! A remote procedure call, from its departure to its answer.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A station of one call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rpc {
    /// The number of the call in its network, from 1.
    pub call: u64,
    /// Which station.
    pub what: What,
}

/// The stations of a call, in the order of a call that succeeds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// The request leaves. The first event of every call.
    Sent {
        /// The node that calls.
        from: Arc<str>,
        /// The server that is called; `None` where the end is connected to none.
        to: Option<Arc<str>>,
        /// The service of the server.
        service: Cow<'static, str>,
        /// The method of the service.
        method: Cow<'static, str>,
        /// Size of the encoded arguments.
        bytes: u64,
        /// What the network will do with the request.
        fate: Fate,
    },
    /// The request has arrived. A duplicated request arrives twice.
    Delivered,
    /// The handler is done; the reply leaves.
    Handled,
    /// The reply is lost.
    ReplyLost {
        /// It was lost because the way back is cut.
        cut: bool,
    },
    /// The reply is held back, to overtake others.
    ReplyHeld,
    /// The reply has come back after the call had ended.
    ReplyLate,
    /// The caller has its answer: the call has ended.
    Answered {
        /// Size of the encoded reply.
        bytes: u64,
    },
    /// The call has ended without an answer.
    Failed {
        /// The error that the caller gets.
        error: String,
    },
}

/// What the network does with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It will be delivered.
    Delivered,
    /// It is lost on its way.
    Lost,
    /// There is no such server, or the way to it is cut.
    Unreachable,
}

impl fmt::Display for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}: {}", self.call, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Sent { from, to, service, method, bytes, fate } => {
                let to = to.as_deref().unwrap_or("?");
                let fate = match fate {
                    Fate::Delivered => "sent",
                    Fate::Lost => "lost",
                    Fate::Unreachable => "unreachable",
                };
                write!(f, "{from} -> {to} {service}.{method}, {bytes} bytes, {fate}")
            }
            What::Delivered => f.write_str("arrives"),
            What::Handled => f.write_str("the reply leaves"),
            What::ReplyLost { cut: false } => f.write_str("the reply is lost"),
            What::ReplyLost { cut: true } => f.write_str("the reply is lost: the way back is cut"),
            What::ReplyHeld => f.write_str("the reply is held back"),
            What::ReplyLate => f.write_str("the reply comes too late"),
            What::Answered { bytes } => write!(f, "answered, {bytes} bytes"),
            What::Failed { error } => f.write_str(error),
        }
    }
}
