//! Requests of several kinds, each with the type of its reply.
//!
//! A log entry has one type, so a machine with several kinds of requests needs an enum of them, and
//! one of their replies. Written by hand, every caller must then say what it does when the reply is
//! of another kind, which cannot happen. [`requests!`](crate::requests) writes both enums and pairs
//! them, so that a caller gets the reply type of its own request.

use crate::state_machine::StateMachine;

/// One kind of request to the machine `M`.
pub trait Request<M>: Send + 'static {
    /// The answer to it.
    type Reply: Send + 'static;

    /// Executes the request. The rules of [`StateMachine::do_op`] hold.
    fn execute(self, machine: &mut M) -> Self::Reply;
}

/// A request that changes nothing, so that it may also be answered without a log entry.
pub trait Query<M>: Request<M> {
    /// The same reply as [`execute`](Request::execute) gives.
    fn look(&self, machine: &M) -> Self::Reply;
}

/// Says that requests of type `Q` are one kind of the machine's requests. Written by
/// [`requests!`](crate::requests).
pub trait Accepts<Q: Request<Self>>: StateMachine + Sized {
    /// The log entry for the request.
    fn request(request: Q) -> Self::Request;
    /// The reply to such a request.
    fn reply(reply: Self::Reply) -> Q::Reply;
}

/// Makes the [`StateMachine`] of a type from its kinds of requests.
///
/// ```
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Counter(u64);
///
/// #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
/// struct Add(u64);
///
/// impl rsm::Request<Counter> for Add {
///     type Reply = u64;
///     fn execute(self, counter: &mut Counter) -> u64 {
///         counter.0 += self.0;
///         counter.0
///     }
/// }
///
/// #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
/// struct IsZero;
///
/// impl rsm::Request<Counter> for IsZero {
///     type Reply = bool;
///     fn execute(self, counter: &mut Counter) -> bool {
///         counter.0 == 0
///     }
/// }
///
/// rsm::requests! {
///     /// The log entries.
///     enum Request for Counter => Reply {
///         /// Adds to the counter.
///         Add(Add),
///         /// Reads it.
///         IsZero(IsZero),
///     }
/// }
///
/// use rsm::StateMachine as _;
/// let mut counter = Counter::default();
/// assert_eq!(counter.do_op(Request::Add(Add(2))), Reply::Add(2));
/// assert_eq!(counter.do_op(Request::IsZero(IsZero)), Reply::IsZero(false));
/// ```
#[macro_export]
macro_rules! requests {
    (
        $(#[$meta:meta])*
        $vis:vis enum $request:ident for $machine:ty => $reply:ident {
            $($(#[$doc:meta])* $kind:ident($args:ty)),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Debug, ::serde::Serialize, ::serde::Deserialize)]
        $vis enum $request {
            $($(#[$doc])* $kind($args)),+
        }

        /// The replies to the requests, each under the name of its request.
        #[derive(Clone, PartialEq, Debug)]
        $vis enum $reply {
            $($(#[$doc])* $kind(<$args as $crate::Request<$machine>>::Reply)),+
        }

        impl $crate::StateMachine for $machine {
            type Request = $request;
            type Reply = $reply;

            fn do_op(&mut self, request: $request) -> $reply {
                match request {
                    $($request::$kind(args) => {
                        $reply::$kind($crate::Request::execute(args, self))
                    })+
                }
            }
        }

        $(
            impl $crate::Accepts<$args> for $machine {
                fn request(request: $args) -> $request {
                    $request::$kind(request)
                }

                #[allow(unreachable_patterns)]
                fn reply(reply: $reply) -> <$args as $crate::Request<$machine>>::Reply {
                    match reply {
                        $reply::$kind(reply) => reply,
                        _ => unreachable!("do_op gives each request the reply of its kind"),
                    }
                }
            }
        )+
    };
}
