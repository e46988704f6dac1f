//! What went wrong, and at which byte.

use std::fmt;

use crate::Fingerprint;

/// Why a value could not be encoded or decoded.
///
/// Offsets count from the start of the decoder's input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The next value in the stream is of another type. Decode it as the type it was encoded as;
    /// if that seems to be the case, one side was built with another definition of the type.
    #[error(
        "byte {offset}: found a value of another type ({found}), expected {name} ({expected}); \
         decode values in the order and as the types they were encoded"
    )]
    WrongType {
        /// Where the value starts.
        offset: usize,
        /// The type asked for.
        expected: Fingerprint,
        /// The fingerprint in the input.
        found: Fingerprint,
        /// serde's name of the type asked for.
        name: String,
    },
    /// The input ends before the value does.
    #[error("byte {offset}: the input ends here, at least {missing} more bytes are needed")]
    Truncated {
        /// The length of the input.
        offset: usize,
        /// How many bytes are missing, as far as can be told.
        missing: u64,
    },
    /// The value is larger than the encoder accepts, so that no decoder would refuse it. Send less,
    /// or raise the limit on both sides ([`encode_with_limit`](crate::encode_with_limit),
    /// [`decode_with_limit`](crate::decode_with_limit)).
    #[error("the value takes more than {limit} bytes, the limit for encoded values; send less")]
    TooLarge {
        /// The limit, in encoded bytes.
        limit: usize,
    },
    /// The encoded value is larger than the decoder accepts. Raise the limit if such values are
    /// expected ([`decode_with_limit`](crate::decode_with_limit)).
    #[error(
        "byte {offset}: the value exceeds the decoder's limit of {limit} bytes; raise it or send less"
    )]
    OverLimit {
        /// Where the decoder stopped.
        offset: usize,
        /// The limit, in encoded bytes.
        limit: usize,
    },
    /// The bytes are not what a value of this type is encoded as.
    #[error("byte {offset}: corrupt value: {what}")]
    Corrupt {
        /// Where the decoder stopped: at or just behind the flaw.
        offset: usize,
        what: String,
    },
    /// Bytes are left after the one value that was expected. Use a
    /// [`Decoder`](crate::Decoder) for several values.
    #[error("byte {offset}: {left} bytes left after the value")]
    Trailing {
        /// Where the value ends.
        offset: usize,
        /// How many bytes follow.
        left: usize,
    },
    /// The value is nested deeper than its type allows ([`MAX_DEPTH`](crate::MAX_DEPTH)). A long
    /// linked list is better sent as a sequence.
    #[error("nested more than {limit} levels deep; send a flatter value")]
    TooDeep {
        /// How many levels the type allows.
        limit: usize,
    },
    /// Values of this type cannot travel: their serde implementation needs a format that describes
    /// itself.
    #[error("values of type {name} cannot be encoded: {what}")]
    Unsupported {
        /// serde's name of the type.
        name: String,
        /// What the format lacks.
        what: &'static str,
    },
    /// The type's own `Serialize` refused the value.
    #[error("the value cannot be encoded: {what}")]
    Refused {
        /// What `Serialize` said.
        what: String,
    },
}

/// The same inside the codec: one word wide, because every step returns it; without a position,
/// because only the caller knows it.
#[derive(Debug)]
pub(crate) struct Stop(Box<Cause>);

#[derive(Debug)]
pub(crate) enum Cause {
    /// serde's `custom` included: on encode that is a refusal.
    Corrupt(String),
    EndOfValue,
    OverLimit,
    TooDeep,
    Unsupported(&'static str),
}

impl Stop {
    #[cold]
    pub(crate) fn corrupt(what: impl Into<String>) -> Stop {
        Stop(Box::new(Cause::Corrupt(what.into())))
    }

    #[cold]
    pub(crate) fn end_of_value() -> Stop {
        Stop(Box::new(Cause::EndOfValue))
    }

    #[cold]
    pub(crate) fn over_limit() -> Stop {
        Stop(Box::new(Cause::OverLimit))
    }

    #[cold]
    pub(crate) fn too_deep() -> Stop {
        Stop(Box::new(Cause::TooDeep))
    }

    #[cold]
    pub(crate) fn unsupported(what: &'static str) -> Stop {
        Stop(Box::new(Cause::Unsupported(what)))
    }

    pub(crate) fn into_cause(self) -> Cause {
        *self.0
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Cause::Corrupt(what) => f.write_str(what),
            Cause::EndOfValue => f.write_str("runs past the end of the value"),
            Cause::OverLimit => f.write_str("over the limit"),
            Cause::TooDeep => f.write_str("nested too deep"),
            Cause::Unsupported(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Stop {}

impl serde::de::Error for Stop {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Stop {
        Stop::corrupt(message.to_string())
    }
}

impl serde::ser::Error for Stop {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Stop {
        Stop::corrupt(message.to_string())
    }
}
