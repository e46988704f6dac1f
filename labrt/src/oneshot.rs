//! A channel for one value: the cheapest way to wait for one answer.
//!
//! Sending never blocks, so it may be done in an [`after`](crate::after) callback.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

pub use crate::channel::{RecvError, RecvTimeoutError, TryRecvError};
use crate::line::Line;
use crate::sim::{self, Context, Waiter};
use crate::threads::{self, Blocked};
use crate::time::now;
use crate::wait::Wait;
use std::panic::Location;

/// The two ends of a new channel.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State::Empty(None)),
        sent: Condvar::new(),
        run: sim::current_run(),
    });
    let sender = Sender { shared: Some(Arc::clone(&shared)) };
    (sender, Receiver { shared, one_task: PhantomData })
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    /// Used on threads only.
    sent: Condvar,
    /// The simulation it was made in; 0 on threads.
    run: u64,
}

#[derive(Debug)]
enum State<T> {
    /// Nothing sent yet; the simulated task that waits, if one does.
    Empty(Option<Waiter>),
    Full(T),
    /// The value was taken, or one of the ends is gone.
    Closed,
}

/// The end that sends. Dropping it without sending ends the receiver's wait with an error.
#[derive(Debug)]
pub struct Sender<T> {
    /// Taken by `send`.
    shared: Option<Arc<Shared<T>>>,
}

/// The end that waits.
#[derive(Debug)]
#[must_use = "an answer nobody waits for is lost"]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// One answer, one waiter: a receiver can be given to another task but not shared (not `Sync`).
    one_task: PhantomData<Cell<()>>,
}

impl<T> Sender<T> {
    /// Sends the value and wakes the receiver.
    ///
    /// # Errors
    /// The value, when the receiver is gone.
    #[track_caller]
    pub fn send(mut self, value: T) -> Result<(), T> {
        let shared = self.shared.take().expect("a sender sends once");
        shared.check_thread(Location::caller());
        let mut state = shared.state.lock();
        let State::Empty(waiter) = *state else {
            drop(state);
            // A dying task gets no error: its destructors may unwrap it.
            return if sim::is_unwinding() { Ok(()) } else { Err(value) };
        };
        *state = State::Full(value);
        drop(state);
        shared.wake(waiter);
        Ok(())
    }

    /// Whether the receiver is gone.
    pub fn is_closed(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| matches!(*shared.state.lock(), State::Closed))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else { return };
        let mut state = shared.state.lock();
        if let State::Empty(waiter) = *state {
            *state = State::Closed;
            drop(state);
            shared.wake(waiter);
        }
    }
}

impl<T> Shared<T> {
    /// Fails the run that the channel belongs to if the calling thread does not.
    #[inline]
    fn check_thread(&self, at: Line) {
        if self.run != sim::current_run() {
            sim::foreign_use(self.run, "oneshot channel", at);
        }
    }

    #[inline]
    fn wake(&self, waiter: Option<Waiter>) {
        if sim::context() == Context::Threads {
            self.sent.notify_all();
        } else if let Some(waiter) = waiter {
            sim::with(|world| world.wake(waiter));
        }
    }
}

impl<T> Receiver<T> {
    /// Waits for the value.
    ///
    /// # Errors
    /// When the sender was dropped without sending.
    #[track_caller]
    pub fn recv(self) -> Result<T, RecvError> {
        self.wait(Wait::Answer, None, Location::caller()).map_err(|_| RecvError)
    }

    /// Waits for the value, at most for `timeout`.
    ///
    /// # Errors
    /// [`RecvTimeoutError::Timeout`], after which one may wait again; or
    /// [`RecvTimeoutError::Disconnected`], when no value will come.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.wait(Wait::Answer, Some(timeout), Location::caller())
    }

    /// The value, if it is there.
    ///
    /// # Errors
    /// When it is not, or will never be.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut state = self.shared.state.lock();
        match std::mem::replace(&mut *state, State::Closed) {
            State::Full(value) => Ok(value),
            State::Closed => Err(TryRecvError::Disconnected),
            empty @ State::Empty(_) => {
                *state = empty;
                Err(TryRecvError::Empty)
            }
        }
    }

    /// Whether a receive would not wait.
    pub(crate) fn is_settled(&self) -> bool {
        !matches!(*self.shared.state.lock(), State::Empty(_))
    }

    /// Waits for the value; `wait` is what reports show.
    pub(crate) fn wait(
        &self,
        wait: Wait,
        timeout: Option<Duration>,
        at: Line,
    ) -> Result<T, RecvTimeoutError> {
        self.shared.check_thread(at);
        let deadline = timeout.map(|timeout| now() + timeout);
        loop {
            match self.try_recv() {
                Ok(value) => return Ok(value),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => {}
            }
            if sim::context() == Context::Threads {
                let until = deadline.map(|deadline| Duration::from_nanos(deadline.as_nanos()));
                let _blocked = Blocked::on(wait, at, until);
                let mut state = self.shared.state.lock();
                if matches!(*state, State::Empty(_)) {
                    match until {
                        None => self.shared.sent.wait(&mut state),
                        Some(deadline) => {
                            let until = threads::instant_at(deadline);
                            let late = self.shared.sent.wait_until(&mut state, until).timed_out();
                            if late && matches!(*state, State::Empty(_)) {
                                return Err(RecvTimeoutError::Timeout);
                            }
                        }
                    }
                }
                continue;
            }
            if !sim::may_block() {
                return Err(RecvTimeoutError::Disconnected);
            }
            let waiter = sim::with(|world| world.prepare());
            if let State::Empty(slot) = &mut *self.shared.state.lock() {
                *slot = Some(waiter);
            }
            let deadline = deadline.map(crate::Instant::as_nanos);
            if sim::block(waiter, wait, at, deadline) {
                return self.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                });
            }
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut *self.shared.state.lock(), State::Closed);
        drop(state); // outside the lock: the value's destructor is somebody else's code
    }
}
