//! A channel between simulated tasks.
//!
//! The queue holds what was sent and not yet received. In a rendezvous channel its entries belong
//! to senders that still wait; a sender that is killed takes its entry back.

use std::collections::VecDeque;

use parking_lot::Mutex;

use super::{RecvTimeoutError, SendError, TryRecvError, TrySendError};
use crate::line::Line;
use crate::sim::{self, Waiter};
use crate::wait::Wait;

pub(super) struct Channel<T> {
    /// `None`: unbounded. `Some(0)`: rendezvous.
    capacity: Option<usize>,
    /// The simulation it belongs to.
    run: u64,
    state: Mutex<State<T>>,
}

struct State<T> {
    queue: VecDeque<(u64, T)>,
    /// Number of the next value sent.
    next: u64,
    senders: usize,
    receivers: usize,
    /// Receivers that wait for a value.
    receiving: Vec<Waiter>,
    /// Senders that wait for room, or for their value to be received.
    sending: Vec<Waiter>,
}

impl<T> State<T> {
    fn wake_receiver(&mut self) {
        if sim::context() == sim::Context::Threads {
            return; // carried out of its simulation: nobody waits there any more
        }
        sim::with(|world| world.wake_one(&mut self.receiving));
    }

    fn push(&mut self, value: T) -> u64 {
        let ticket = self.next;
        self.next += 1;
        self.queue.push_back((ticket, value));
        self.wake_receiver();
        ticket
    }

    fn holds(&self, ticket: u64) -> bool {
        // Values leave in order, except those taken back.
        self.queue.iter().any(|(number, _)| *number == ticket)
    }
}

impl<T> Channel<T> {
    pub(super) fn new(capacity: Option<usize>) -> Channel<T> {
        Channel {
            capacity,
            run: sim::current_run(),
            state: Mutex::new(State {
                queue: VecDeque::new(),
                next: 0,
                senders: 1,
                receivers: 1,
                receiving: Vec::new(),
                sending: Vec::new(),
            }),
        }
    }

    /// Fails the run that the channel belongs to if the calling thread does not.
    #[inline]
    fn check_thread(&self, at: Line) {
        if self.run != sim::current_run() {
            sim::foreign_use(self.run, "channel", at);
        }
    }

    pub(super) fn send(&self, value: T, at: Line) -> Result<(), SendError<T>> {
        self.check_thread(at);
        if self.capacity == Some(0) {
            return self.send_rendezvous(value, at);
        }
        loop {
            {
                let mut state = self.state.lock();
                if state.receivers == 0 {
                    drop(state);
                    return self.refused(value);
                }
                if self.capacity.is_none_or(|capacity| state.queue.len() < capacity) {
                    state.push(value);
                    return Ok(());
                }
            }
            if !sim::may_block() {
                return Ok(()); // a dying task's value is lost with it
            }
            self.wait_to_send(at);
        }
    }

    /// The result of a send without receivers: an error. A task that is being killed gets `Ok`,
    /// because its destructors may unwrap the result.
    fn refused(&self, value: T) -> Result<(), SendError<T>> {
        if sim::is_unwinding() {
            return Ok(());
        }
        Err(SendError(value))
    }

    fn wait_to_send(&self, at: Line) {
        let waiter = sim::with(|world| world.prepare());
        self.state.lock().sending.push(waiter);
        let pass_on = PassOn { channel: self, sends: true };
        sim::block(waiter, Wait::Send, at, None);
        std::mem::forget(pass_on);
    }

    /// Wakes a sender: there is room again, or (rendezvous) the value of a waiting sender was
    /// received.
    fn wake_sender(&self, state: &mut State<T>) {
        if state.sending.is_empty() || sim::context() == sim::Context::Threads {
            return;
        }
        sim::with(|world| {
            if self.capacity == Some(0) {
                world.wake_all(&mut state.sending);
            } else {
                world.wake_one(&mut state.sending);
            }
        });
    }

    fn send_rendezvous(&self, value: T, at: Line) -> Result<(), SendError<T>> {
        let mut state = self.state.lock();
        if state.receivers == 0 {
            drop(state);
            return self.refused(value);
        }
        if sim::is_unwinding() {
            return Ok(()); // a dying task cannot wait for its receiver
        }
        let ticket = state.push(value);
        drop(state);
        let taken_back = TakeBack { channel: self, ticket };
        loop {
            let mut state = self.state.lock();
            if !state.holds(ticket) {
                drop(state);
                std::mem::forget(taken_back);
                return Ok(());
            }
            if state.receivers == 0 {
                let value = take(&mut state.queue, ticket);
                drop(state);
                std::mem::forget(taken_back);
                return match value {
                    Some(value) => self.refused(value),
                    None => Ok(()),
                };
            }
            drop(state);
            if !sim::may_block() {
                return Ok(());
            }
            self.wait_to_send(at);
        }
    }

    pub(super) fn try_send(&self, value: T, at: Line) -> Result<(), TrySendError<T>> {
        self.check_thread(at);
        let mut state = self.state.lock();
        if state.receivers == 0 {
            drop(state);
            return match self.refused(value) {
                Ok(()) => Ok(()),
                Err(SendError(value)) => Err(TrySendError::Disconnected(value)),
            };
        }
        let room = match self.capacity {
            None => true,
            // The values in the queue have woken receivers already. Any receiver that still waits
            // is free.
            Some(0) => {
                sim::context() != sim::Context::Threads
                    && sim::with(|world| world.any_waiting(&state.receiving))
            }
            Some(capacity) => state.queue.len() < capacity,
        };
        if !room {
            drop(state);
            return Err(TrySendError::Full(value));
        }
        state.push(value);
        Ok(())
    }

    pub(super) fn try_recv(&self, at: Line) -> Result<T, TryRecvError> {
        self.check_thread(at);
        let mut state = self.state.lock();
        match state.queue.pop_front() {
            Some((_, value)) => {
                self.wake_sender(&mut state);
                Ok(value)
            }
            None if state.senders == 0 => Err(TryRecvError::Disconnected),
            None => Err(TryRecvError::Empty),
        }
    }

    pub(super) fn recv(&self, deadline: Option<u64>, at: Line) -> Result<T, RecvTimeoutError> {
        loop {
            match self.try_recv(at) {
                Ok(value) => return Ok(value),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => {}
            }
            if !sim::may_block() {
                return Err(RecvTimeoutError::Disconnected);
            }
            let waiter = sim::with(|world| world.prepare());
            self.state.lock().receiving.push(waiter);
            let pass_on = PassOn { channel: self, sends: false };
            let timed_out = sim::block(waiter, Wait::Receive, at, deadline);
            std::mem::forget(pass_on);
            if timed_out {
                self.state.lock().receiving.retain(|other| *other != waiter);
                return self.try_recv(at).map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                });
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        if self.capacity == Some(0) { 0 } else { self.state.lock().queue.len() }
    }

    pub(super) fn sender_added(&self) {
        self.state.lock().senders += 1;
    }

    pub(super) fn receiver_added(&self) {
        self.state.lock().receivers += 1;
    }

    pub(super) fn sender_gone(&self) {
        let mut state = self.state.lock();
        state.senders -= 1;
        if state.senders == 0 && sim::context() != sim::Context::Threads {
            sim::with(|world| world.wake_all(&mut state.receiving));
        }
    }

    pub(super) fn receiver_gone(&self) {
        let mut state = self.state.lock();
        state.receivers -= 1;
        if state.receivers == 0 {
            if sim::context() != sim::Context::Threads {
                sim::with(|world| world.wake_all(&mut state.sending));
            }
            if self.capacity != Some(0) {
                let lost = std::mem::take(&mut state.queue);
                drop(state);
                drop(lost); // outside the lock: destructors are somebody else's code
            }
        }
    }
}

fn take<T>(queue: &mut VecDeque<(u64, T)>, ticket: u64) -> Option<T> {
    let at = queue.iter().position(|(number, _)| *number == ticket)?;
    queue.remove(at).map(|(_, value)| value)
}

/// Removes the value of a killed rendezvous sender from the queue.
struct TakeBack<'a, T> {
    channel: &'a Channel<T>,
    ticket: u64,
}

impl<T> Drop for TakeBack<'_, T> {
    fn drop(&mut self) {
        let value = take(&mut self.channel.state.lock().queue, self.ticket);
        drop(value);
    }
}

/// A killed task may just have been woken for a value or for room. It wakes another task instead.
struct PassOn<'a, T> {
    channel: &'a Channel<T>,
    /// Whether it waited to send, not to receive.
    sends: bool,
}

impl<T> Drop for PassOn<'_, T> {
    fn drop(&mut self) {
        let mut state = self.channel.state.lock();
        if self.sends {
            self.channel.wake_sender(&mut state);
        } else if !state.queue.is_empty() {
            state.wake_receiver();
        }
    }
}
