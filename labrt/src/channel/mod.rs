//! Channels between tasks: many senders, many receivers, each value received once.
//!
//! A channel belongs to the back end it was made on. On threads it is crossbeam's; in a simulation,
//! one of our own (`simulated.rs`).

mod simulated;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::line::Line;
use crate::sim::{self, Context};
use crate::threads::{self, Blocked};
use crate::time::now;
use crate::wait::Wait;
use simulated::Channel;
use std::panic::Location;

/// A channel that holds at most `capacity` values; with 0, a send waits until its value has been
/// received (a rendezvous).
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    match sim::context() {
        Context::Threads => from_crossbeam(crossbeam_channel::bounded(capacity)),
        _ => simulated_pair(Some(capacity)),
    }
}

/// A channel that holds any number of values: sending never waits.
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    match sim::context() {
        Context::Threads => from_crossbeam(crossbeam_channel::unbounded()),
        _ => simulated_pair(None),
    }
}

fn from_crossbeam<T>(
    (sender, receiver): (crossbeam_channel::Sender<T>, crossbeam_channel::Receiver<T>),
) -> (Sender<T>, Receiver<T>) {
    (Sender(SenderKind::Threads(sender)), Receiver(ReceiverKind::Threads(receiver)))
}

fn simulated_pair<T>(capacity: Option<usize>) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel::new(capacity));
    let sender = Sender(SenderKind::Simulated(Arc::clone(&channel)));
    (sender, Receiver(ReceiverKind::Simulated(channel)))
}

/// The value could not be sent: no receiver is left.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody is left to receive")]
pub struct SendError<T>(pub T);

/// Why a value was not sent without waiting.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrySendError<T> {
    /// The channel is full (or, for a rendezvous, nobody waits to receive).
    #[error("the channel is full")]
    Full(T),
    /// No receiver is left.
    #[error("nobody is left to receive")]
    Disconnected(T),
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendError(..)")
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrySendError::Full(_) => f.write_str("Full(..)"),
            TrySendError::Disconnected(_) => f.write_str("Disconnected(..)"),
        }
    }
}

/// Nothing will come: the channel is empty and no sender is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the channel is empty and nobody is left to send")]
pub struct RecvError;

/// Why nothing was received without waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TryRecvError {
    /// Nothing is there at the moment.
    #[error("the channel is empty")]
    Empty,
    /// Nothing is there and no sender is left.
    #[error("the channel is empty and nobody is left to send")]
    Disconnected,
}

/// Why nothing was received in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecvTimeoutError {
    /// The time was up.
    #[error("nothing came in time")]
    Timeout,
    /// Nothing is there and no sender is left.
    #[error("the channel is empty and nobody is left to send")]
    Disconnected,
}

/// The end that sends. The receivers see the channel as disconnected when the last clone is gone.
pub struct Sender<T>(SenderKind<T>);

enum SenderKind<T> {
    Threads(crossbeam_channel::Sender<T>),
    Simulated(Arc<Channel<T>>),
}

/// The end that receives. The senders see the channel as disconnected when the last clone is gone.
pub struct Receiver<T>(ReceiverKind<T>);

enum ReceiverKind<T> {
    Threads(crossbeam_channel::Receiver<T>),
    Simulated(Arc<Channel<T>>),
}

/// Whether the calling code may wait on a channel of the threads back end. In a simulation, where
/// that wait would block all tasks, the run fails.
fn may_wait(at: Line) -> bool {
    if sim::context() == Context::Threads {
        return true;
    }
    if sim::may_block() {
        sim::blocks_the_run("channel", at);
    }
    false
}

impl<T> Sender<T> {
    /// Sends a value, waiting while the channel is full.
    ///
    /// # Errors
    /// The value, when no receiver is left. (A task that is being killed gets no error: its
    /// destructors may `unwrap`.)
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        match &self.0 {
            SenderKind::Threads(sender) => match sender.try_send(value) {
                Ok(()) => Ok(()),
                Err(crossbeam_channel::TrySendError::Disconnected(value)) => Err(SendError(value)),
                Err(crossbeam_channel::TrySendError::Full(value)) => {
                    let at = Location::caller();
                    if !may_wait(at) {
                        return Ok(());
                    }
                    let _blocked = Blocked::on(Wait::Send, at, None);
                    sender.send(value).map_err(|error| SendError(error.0))
                }
            },
            SenderKind::Simulated(channel) => channel.send(value, Location::caller()),
        }
    }

    /// Sends a value if that is possible without waiting.
    ///
    /// # Errors
    /// The value, with the reason.
    #[track_caller]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match &self.0 {
            SenderKind::Threads(sender) => sender.try_send(value).map_err(|error| match error {
                crossbeam_channel::TrySendError::Full(value) => TrySendError::Full(value),
                crossbeam_channel::TrySendError::Disconnected(value) => {
                    TrySendError::Disconnected(value)
                }
            }),
            SenderKind::Simulated(channel) => channel.try_send(value, Location::caller()),
        }
    }
}

impl<T> Receiver<T> {
    /// Waits for a value.
    ///
    /// # Errors
    /// When none will come.
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        match &self.0 {
            ReceiverKind::Threads(receiver) => match receiver.try_recv() {
                Ok(value) => Ok(value),
                Err(crossbeam_channel::TryRecvError::Disconnected) => Err(RecvError),
                Err(crossbeam_channel::TryRecvError::Empty) => {
                    let at = Location::caller();
                    if !may_wait(at) {
                        return Err(RecvError);
                    }
                    let _blocked = Blocked::on(Wait::Receive, at, None);
                    receiver.recv().map_err(|_| RecvError)
                }
            },
            ReceiverKind::Simulated(channel) => {
                channel.recv(None, Location::caller()).map_err(|_| RecvError)
            }
        }
    }

    /// A value, if one is there.
    ///
    /// # Errors
    /// Why there is none.
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        match &self.0 {
            ReceiverKind::Threads(receiver) => receiver.try_recv().map_err(|error| match error {
                crossbeam_channel::TryRecvError::Empty => TryRecvError::Empty,
                crossbeam_channel::TryRecvError::Disconnected => TryRecvError::Disconnected,
            }),
            ReceiverKind::Simulated(channel) => channel.try_recv(Location::caller()),
        }
    }

    /// Waits for a value, at most for `timeout`.
    ///
    /// # Errors
    /// When none came in time, or none will come.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        match &self.0 {
            ReceiverKind::Threads(receiver) => {
                if let Ok(value) = receiver.try_recv() {
                    return Ok(value);
                }
                let at = Location::caller();
                if !may_wait(at) {
                    return Err(RecvTimeoutError::Disconnected);
                }
                let deadline = threads::now().saturating_add(timeout);
                let _blocked = Blocked::on(Wait::Receive, at, Some(deadline));
                receiver.recv_timeout(timeout).map_err(|error| match error {
                    crossbeam_channel::RecvTimeoutError::Timeout => RecvTimeoutError::Timeout,
                    crossbeam_channel::RecvTimeoutError::Disconnected => {
                        RecvTimeoutError::Disconnected
                    }
                })
            }
            ReceiverKind::Simulated(channel) => {
                channel.recv(Some((now() + timeout).as_nanos()), Location::caller())
            }
        }
    }

    /// The values as they come, until the channel is disconnected.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// How many values are waiting to be received.
    pub fn len(&self) -> usize {
        match &self.0 {
            ReceiverKind::Threads(receiver) => receiver.len(),
            ReceiverKind::Simulated(channel) => channel.len(),
        }
    }

    /// Whether no value is waiting to be received.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The values of a [`Receiver`] as they come.
#[derive(Debug)]
pub struct Iter<'a, T> {
    receiver: &'a Receiver<T>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender(match &self.0 {
            SenderKind::Threads(sender) => SenderKind::Threads(sender.clone()),
            SenderKind::Simulated(channel) => {
                channel.sender_added();
                SenderKind::Simulated(Arc::clone(channel))
            }
        })
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        Receiver(match &self.0 {
            ReceiverKind::Threads(receiver) => ReceiverKind::Threads(receiver.clone()),
            ReceiverKind::Simulated(channel) => {
                channel.receiver_added();
                ReceiverKind::Simulated(Arc::clone(channel))
            }
        })
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if let SenderKind::Simulated(channel) = &self.0 {
            channel.sender_gone();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if let ReceiverKind::Simulated(channel) = &self.0 {
            channel.receiver_gone();
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender(..)")
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver({} waiting)", self.len())
    }
}
