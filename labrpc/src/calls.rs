//! The calls in flight, so that taking a server away can end the calls that wait for it.

use slab::Slab;

use crate::client_end::Answer;

/// Identifies one call. It has no effect once the call has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CallId {
    slot: usize,
    number: u64,
}

/// A call that waits for its answer.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) answer: Answer,
    /// Number of the call in its network.
    pub(crate) number: u64,
    /// Index of its end.
    pub(crate) end: usize,
    /// The server that the request was sent to.
    pub(crate) to: Recipient,
    /// Whether a check of the server is already scheduled.
    pub(crate) poll_due: bool,
}

/// The server whose death ends a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Recipient {
    /// The object with this id, registered under the server of this index.
    Server { index: usize, id: u64 },
    /// None: there was no server, or its reply is out already. A timer will end the call.
    Nobody,
}

/// The calls of a network, by slot. Slots are used again; the numbers of calls are not.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    slots: Slab<Call>,
}

impl Calls {
    #[inline]
    pub(crate) fn insert(&mut self, call: Call) -> CallId {
        let number = call.number;
        CallId { slot: self.slots.insert(call), number }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: CallId) -> Option<&mut Call> {
        self.slots.get_mut(id.slot).filter(|call| call.number == id.number)
    }

    #[inline]
    pub(crate) fn remove(&mut self, id: CallId) -> Option<Call> {
        self.get_mut(id)?;
        self.slots.try_remove(id.slot)
    }

    /// All calls, in the order of their slots.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (CallId, &mut Call)> {
        self.slots.iter_mut().map(|(slot, call)| (CallId { slot, number: call.number }, call))
    }

    /// Takes all calls out.
    pub(crate) fn drain(&mut self) -> Vec<Call> {
        self.slots.drain().collect()
    }
}
