//! The calls under way, so that whoever takes a server away can end the calls that wait for it.

use crate::client_end::Answer;

/// Names one call. Stale, and then without effect, once the call has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CallId {
    slot: u32,
    /// How often the slot had been used before.
    round: u32,
}

/// A call that waits for its answer.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) answer: Answer,
    /// Number of the call in its network, for events.
    pub(crate) number: u64,
    /// Index of its end.
    pub(crate) end: usize,
    /// Whom the request was sent to.
    pub(crate) to: Recipient,
    /// A poll will look at it soon; no need for another.
    pub(crate) poll_due: bool,
}

/// Whose death ends a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Recipient {
    /// The object with this id, registered under the server of this index.
    Server { index: usize, id: u64 },
    /// Nobody's: there was no server, or its reply is out already. A timer will end the call.
    Nobody,
}

/// A list with holes, which are filled first.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    round: u32,
    call: Option<Call>,
}

impl Calls {
    #[inline]
    pub(crate) fn insert(&mut self, call: Call) -> CallId {
        if let Some(slot) = self.free.pop() {
            let place = &mut self.slots[slot as usize];
            place.call = Some(call);
            return CallId { slot, round: place.round };
        }
        let slot = u32::try_from(self.slots.len()).expect("memory ends before four billion calls");
        self.slots.push(Slot { round: 0, call: Some(call) });
        CallId { slot, round: 0 }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: CallId) -> Option<&mut Call> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.round == id.round { slot.call.as_mut() } else { None }
    }

    #[inline]
    pub(crate) fn remove(&mut self, id: CallId) -> Option<Call> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.round != id.round {
            return None;
        }
        let call = slot.call.take()?;
        slot.round = slot.round.wrapping_add(1);
        self.free.push(id.slot);
        Some(call)
    }

    /// All calls, in the order of their slots.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (CallId, &mut Call)> {
        self.slots.iter_mut().enumerate().filter_map(|(slot, place)| {
            let id = CallId { slot: slot as u32, round: place.round };
            place.call.as_mut().map(|call| (id, call))
        })
    }

    /// Takes all calls out.
    pub(crate) fn drain(&mut self) -> Vec<Call> {
        let ids: Vec<_> = self.iter_mut().map(|(id, _)| id).collect();
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }
}
