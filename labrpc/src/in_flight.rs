//! One call in flight, from acceptance to answer. All waiting is done here, by timers: no task
//! polls.
//!
//! ```text
//!   accept ──▶ InFlight::arrive ──▶ handle (a task) ──▶ deliver ──▶ answer
//!      │              │                   │               │
//!      └──────────────┴─ every way out ───┴───────────────┴──▶ Fabric::end_call(NoReply)
//! ```
//!
//! The code that removes a call from the [list](crate::calls) answers it; all other code finds it
//! gone and does nothing. So a call may be ended by a poll, by a timer or by `cleanup` while its
//! handler still runs.

use std::sync::Arc;
use std::time::Duration;

use labrt::events::{self, Parts, Rpc, rpc};

use crate::calls::{Call, CallId, Recipient};
use crate::client_end::{Answer, Request};
use crate::fault::{self, Delivery};
use crate::network::{Fabric, State};
use crate::{CallError, Server};

type Outcome = Result<Vec<u8>, CallError>;

impl Fabric {
    /// Takes a request from a caller: counts it, decides its delivery and sends it off. Never
    /// blocks.
    pub(crate) fn accept(self: &Arc<Fabric>, end: usize, request: Request, answer: Answer) {
        labrt::sim::message(request.method, &request.args);
        let mut state = self.state.lock();
        if state.finished {
            let latency = fault::latency(state.conditions.latency, labrt::random_u64);
            drop(state);
            return wait(latency, move || answer.give(Err(CallError::NoReply)));
        }
        state.accepted += 1;
        state.bytes += request.args.len() as u64;
        let number = state.accepted;
        let Some((index, server)) = state.route(end) else {
            let delay = fault::unanswered(state.long_delays, labrt::random_u64());
            let to = Recipient::Nobody;
            let call = state.calls.insert(Call { answer, number, end, to, poll_due: false });
            let names = state.names(end);
            drop(state);
            emit_sent(number, names, &request, rpc::Fate::Unreachable);
            return self.end_call_later(delay, call);
        };
        let delivery = state.delivery(end, index);
        let patience = state.ends[end].faults.as_ref().and_then(|faults| faults.patience);
        let to = Recipient::Server { index, id: server.id() };
        let call = state.calls.insert(Call { answer, number, end, to, poll_due: false });
        let names = state.names(end);
        drop(state);
        let outcome = if delivery.request_lost { rpc::Fate::Lost } else { rpc::Fate::Delivered };
        emit_sent(number, names, &request, outcome);
        if let Some(patience) = patience {
            self.end_call_later(patience, call);
        }
        if let Some(takes) = delivery.copy_takes {
            let args = request.args.clone();
            let request = Request { args, ..request };
            let copy =
                InFlight::new(self, (call, number), Arc::clone(&server), request, delivery.clone());
            wait(takes, move || copy.arrive());
        }
        if delivery.request_lost {
            if delivery.copy_takes.is_none() {
                self.end_call_later(delivery.request_takes, call);
            }
            return;
        }
        let takes = delivery.request_takes;
        let in_flight = InFlight::new(self, (call, number), server, request, delivery);
        wait(takes, move || in_flight.arrive());
    }

    /// Answers the call if it has no answer yet.
    fn end_call(&self, id: CallId, outcome: Outcome) {
        Fabric::end_call_locked(self.state.lock(), id, outcome);
    }

    /// The same with the lock held. The lock is released before the caller is woken.
    fn end_call_locked(
        mut state: parking_lot::MutexGuard<'_, State>,
        id: CallId,
        outcome: Outcome,
    ) {
        let Some(call) = state.calls.remove(id) else { return };
        if let Ok(reply) = &outcome {
            state.bytes += reply.len() as u64;
        }
        drop(state);
        match &outcome {
            Ok(reply) => {
                labrt::sim::message("reply", reply);
                emit(call.number, || rpc::What::Answered { bytes: reply.len() as u64 });
            }
            Err(error) => {
                emit(call.number, || rpc::What::Failed { error: error.to_string() });
            }
        }
        call.answer.give(outcome);
    }

    fn end_call_later(self: &Arc<Fabric>, delay: Duration, id: CallId) {
        let fabric = Arc::clone(self);
        wait(delay, move || fabric.end_call(id, Err(CallError::NoReply)));
    }

    /// The caller checks its server and gives up if the server is dead.
    pub(crate) fn poll(&self, id: CallId) {
        let mut state = self.state.lock();
        let Some(call) = state.calls.get_mut(id) else { return };
        call.poll_due = false;
        let (end, to) = (call.end, call.to);
        // No receiver to check: the reply has been sent and will arrive.
        if to != Recipient::Nobody && state.is_dead(end, to) {
            Fabric::end_call_locked(state, id, Err(CallError::NoReply));
        }
    }
}

/// Who calls, and which server.
type Names = (Arc<str>, Option<Arc<str>>);

/// `names` are those of [`State::names`]: none if nobody listens.
fn emit_sent(call: u64, names: Option<Names>, request: &Request, fate: rpc::Fate) {
    let Some((from, to)) = names else { return };
    let (service, method) = (request.service.into(), request.method.into());
    let bytes = request.args.len() as u64;
    emit(call, || rpc::What::Sent { from, to, service, method, bytes, fate });
}

#[inline]
fn emit(call: u64, what: impl FnOnce() -> rpc::What) {
    events::emit(|| Rpc { call, what: what() });
}

impl State {
    /// Who calls through this end, and which server, if somebody listens.
    #[inline]
    fn names(&self, end: usize) -> Option<Names> {
        if !events::listening(Parts::RPC) {
            return None;
        }
        let end = &self.ends[end];
        let to = end.server.map(|index| self.servers[index].name.to_shared());
        Some((Arc::clone(&end.owner), to))
    }

    /// The server that a request from this end gets to, if one does.
    fn route(&self, end: usize) -> Option<(usize, Arc<Server>)> {
        let end = &self.ends[end];
        if !end.enabled || end.faults.as_ref().is_some_and(|faults| faults.cut_requests) {
            return None;
        }
        let index = end.server?;
        Some((index, Arc::clone(self.servers[index].object.as_ref()?)))
    }

    fn delivery(&self, end: usize, server: usize) -> Delivery {
        let faults = self.ends[end].faults.as_deref();
        Delivery::draw(&self.conditions, faults, self.servers[server].slowness, labrt::random_u64)
    }

    /// From now on only a timer ends this call.
    fn release(&mut self, id: CallId) {
        if let Some(call) = self.calls.get_mut(id) {
            call.to = Recipient::Nobody;
        }
    }
}

/// A request in flight, then being handled, then its reply in flight. When it is dropped, its call
/// is answered.
pub(crate) struct InFlight {
    fabric: Arc<Fabric>,
    call: CallId,
    /// Number of the call, for events.
    number: u64,
    /// Until the request has reached it. A server may keep calls that it answers later, and would
    /// otherwise own itself.
    server: Option<Arc<Server>>,
    request: Request,
    delivery: Delivery,
    /// The handler has returned; `outcome` is the reply.
    handled: bool,
    outcome: Outcome,
}

impl InFlight {
    /// Boxed, because it passes through several callbacks and tasks.
    fn new(
        fabric: &Arc<Fabric>,
        (call, number): (CallId, u64),
        server: Arc<Server>,
        request: Request,
        delivery: Delivery,
    ) -> Box<InFlight> {
        let fabric = Arc::clone(fabric);
        let (server, outcome) = (Some(server), Err(CallError::NoReply));
        Box::new(InFlight {
            fabric,
            call,
            number,
            server,
            request,
            delivery,
            handled: false,
            outcome,
        })
    }

    /// The request has reached its server: the handler runs in its own task on the server's node.
    ///
    /// The server is the one the request was sent to, even if another has its name by now. Its
    /// reply will then be lost.
    fn arrive(mut self: Box<InFlight>) {
        let Some(server) = self.server.take() else { return };
        server.count_request();
        emit(self.number, || rpc::What::Delivered);
        let node = server.node();
        let Request { service, method, args } = &mut self.request;
        let (service, method, args) = (*service, *method, std::mem::take(args));
        match server.handler(service, method) {
            Ok(handler) => {
                let run = Arc::clone(&handler.run);
                let handle = move || run(&args, self);
                if handler.deferred {
                    node.spawn_brief(method, handle);
                } else {
                    node.spawn_detached(method, handle);
                }
            }
            Err(error) => node.spawn_detached(method, move || self.reply(Err(error))),
        }
    }

    /// Whether the caller still waits.
    pub(crate) fn is_awaited(&self) -> bool {
        let mut state = self.fabric.state.lock();
        state.calls.get_mut(self.call).is_some_and(|call| !call.answer.is_unwanted())
    }

    /// Sends the reply back.
    pub(crate) fn reply(mut self: Box<InFlight>, outcome: Outcome) {
        self.outcome = outcome;
        self.handled = true;
        emit(self.number, || rpc::What::Handled);
        wait(self.delivery.reply_takes, move || self.deliver());
    }

    /// The reply has come back. Whether the caller gets it depends on the present state of the
    /// server (a dead one's reply is lost) and on the delivery.
    fn deliver(mut self: Box<InFlight>) {
        let id = self.call;
        let mut state = self.fabric.state.lock();
        let Some(call) = state.calls.get_mut(id) else {
            return emit(self.number, || rpc::What::ReplyLate);
        };
        let (end, to) = (call.end, call.to);
        if to == Recipient::Nobody {
            return; // an earlier copy's reply is being held back
        }
        if self.delivery.reply_lost || state.is_dead(end, to) {
            emit(self.number, || rpc::What::ReplyLost { cut: false });
            return Fabric::end_call_locked(state, id, Err(CallError::NoReply));
        }
        if state.ends[end].faults.as_ref().is_some_and(|faults| faults.cut_replies) {
            let delay = fault::unanswered(state.long_delays, labrt::random_u64());
            state.release(id);
            drop(state);
            emit(self.number, || rpc::What::ReplyLost { cut: true });
            return self.fabric.end_call_later(delay, id);
        }
        let outcome = std::mem::replace(&mut self.outcome, Err(CallError::NoReply));
        if let Some(held) = self.delivery.reply_held {
            state.release(id);
            drop(state);
            emit(self.number, || rpc::What::ReplyHeld);
            let fabric = Arc::clone(&self.fabric);
            return wait(held, move || fabric.end_call(id, outcome));
        }
        Fabric::end_call_locked(state, id, outcome);
    }
}

impl Drop for InFlight {
    /// The handler was killed or never ran, because its node has crashed. The caller notices at its
    /// next check.
    fn drop(&mut self) {
        if !self.handled {
            self.fabric.end_call_later(fault::next_poll(labrt::random_u64()), self.call);
        }
    }
}

/// Calls `then` after `delay`, or at once if the delay is zero.
fn wait(delay: Duration, then: impl FnOnce() + Send + 'static) {
    /// Longer than any run, and small enough for sums not to overflow.
    const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    if delay.is_zero() { then() } else { labrt::after(delay.min(FOR_EVER), then) }
}
