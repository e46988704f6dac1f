//! Errors of calls, and of connecting a network.

use crate::Name;

/// Why a call has no reply.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Nothing came back. The handler may have run, completely, partly or not at all, and may still
    /// run. Try again, or elsewhere, if running it twice does no harm.
    #[error("no reply: the request may have been carried out or not")]
    NoReply,
    /// The server has no service of this name. Nothing ran.
    #[error("the server has no service {service:?}, only {known:?}: add it, or correct the name")]
    UnknownService {
        /// What was asked for.
        service: &'static str,
        /// The services of the server, sorted.
        known: Vec<&'static str>,
    },
    /// The service has no method of this name. Nothing ran.
    #[error(
        "service {service:?} has no method {method:?}, only {known:?}: add it, or correct the name"
    )]
    UnknownMethod {
        /// The service asked.
        service: &'static str,
        /// What was asked for.
        method: &'static str,
        /// The methods of the service, sorted.
        known: Vec<&'static str>,
    },
    /// A value cannot be encoded: the arguments, and nothing was sent; or the reply, after the
    /// handler ran.
    #[error("cannot encode the {what}: {source}")]
    Encode {
        /// `"arguments"` or `"reply"`.
        what: &'static str,
        /// What the codec says.
        source: labgob::Error,
    },
    /// The bytes are not a value of the type expected: caller and handler differ on the type. With
    /// `"arguments"` nothing ran.
    #[error("cannot decode the {what}, use the same types on both sides: {source}")]
    Decode {
        /// `"arguments"` or `"reply"`.
        what: &'static str,
        /// What the codec says.
        source: labgob::Error,
    },
}

/// A mistake in wiring a [`Network`](crate::Network). Nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Names of ends are unique in a network.
    #[error("there is an end named {0} already: delete it first, or choose another name")]
    NameTaken(Name),
    /// No end of this name was made, or it was deleted.
    #[error("there is no end named {0}: make it first")]
    UnknownEnd(Name),
    /// No server of this name was added, or it was deleted.
    #[error("there is no server named {0}: add it first")]
    UnknownServer(Name),
}
