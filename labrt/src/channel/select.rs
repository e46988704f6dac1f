//! Waiting for the first of several receivers.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use super::simulated::Channel;
use super::{Receiver, ReceiverKind};
use crate::sim::{self, Context, Place, Wait, Waiter};
use crate::threads::{self, Blocked};
use crate::time::now;

/// A wait for the first of several channels that has something to receive, or is disconnected.
///
/// All receivers must be of the back end that the code runs on.
///
/// ```
/// use labrt::channel::{self, Select};
///
/// let (to_work, work) = channel::unbounded();
/// let (_stop, stopped) = channel::bounded::<()>(1);
/// to_work.send(5).unwrap();
/// let mut select = Select::new();
/// let from_work = select.recv(&work);
/// let _from_stopped = select.recv(&stopped);
/// assert_eq!(select.ready(), from_work);
/// assert_eq!(work.try_recv(), Ok(5));
/// ```
#[derive(Default)]
pub struct Select<'a> {
    operations: usize,
    /// Made with the first receiver of the threads back end.
    threads: Option<crossbeam_channel::Select<'a>>,
    simulated: Vec<&'a dyn Selectable>,
}

/// A simulated channel of any type.
trait Selectable {
    fn is_ready(&self) -> bool;
    fn add(&self, waiter: Waiter);
    fn remove(&self, waiter: Waiter);
}

impl<T> Selectable for Channel<T> {
    fn is_ready(&self) -> bool {
        Channel::is_ready(self)
    }

    fn add(&self, waiter: Waiter) {
        self.add_selecting(waiter);
    }

    fn remove(&self, waiter: Waiter) {
        self.remove_selecting(waiter);
    }
}

impl<'a> Select<'a> {
    /// A select without receivers.
    pub fn new() -> Select<'a> {
        Select::default()
    }

    /// Adds a receiver; returns its index, counted from 0 in order of adding.
    pub fn recv<T>(&mut self, receiver: &'a Receiver<T>) -> usize {
        match &receiver.0 {
            ReceiverKind::Threads(receiver) => {
                self.threads.get_or_insert_default().recv(receiver);
            }
            ReceiverKind::Simulated(channel) => self.simulated.push(&**channel),
        }
        self.operations += 1;
        self.operations - 1
    }

    /// Waits until a receiver is ready and returns its index: now `try_recv` from it, which can still find it empty if others
    /// receive from it too. Of several, any one.
    ///
    /// # Panics
    /// Without receivers, since that wait could not end.
    #[track_caller]
    pub fn ready(&mut self) -> usize {
        assert!(self.operations > 0, "a select without receivers would wait for ever");
        match sim::context() {
            Context::Threads => {
                let select = self.threads.get_or_insert_default();
                if let Ok(ready) = select.try_ready() {
                    return ready;
                }
                let _blocked = Blocked::on(threads::Wait::Select, Location::caller(), None);
                select.ready()
            }
            // A dying task gets an answer at once: any.
            _ => self.ready_simulated(None, Location::caller()).unwrap_or(0),
        }
    }

    /// The same, waiting at most for `timeout`. `None` when no receiver was ready in time.
    #[track_caller]
    pub fn ready_timeout(&mut self, timeout: Duration) -> Option<usize> {
        match sim::context() {
            Context::Threads => {
                let select = self.threads.get_or_insert_default();
                if let Ok(ready) = select.try_ready() {
                    return Some(ready);
                }
                let (at, deadline) = (Location::caller(), threads::now().saturating_add(timeout));
                let _blocked = Blocked::on(threads::Wait::Select, at, Some(deadline));
                select.ready_timeout(timeout).ok()
            }
            _ => self.ready_simulated(Some((now() + timeout).as_nanos()), Location::caller()),
        }
    }

    fn ready_simulated(&self, deadline: Option<u64>, at: Place) -> Option<usize> {
        loop {
            let ready = self.simulated.iter().filter(|one| one.is_ready()).count();
            if ready > 0 {
                let choice = sim::with(|world| world.choose(ready));
                let all = self.simulated.iter().enumerate();
                return all.filter(|(_, one)| one.is_ready()).nth(choice).map(|(index, _)| index);
            }
            if !sim::may_block() {
                return None;
            }
            let waiter = sim::with(|world| world.prepare());
            let listed = Listed::on(&self.simulated, waiter);
            let timed_out = sim::block(waiter, Wait::Select, at, deadline);
            drop(listed);
            if timed_out && !self.simulated.iter().any(|one| one.is_ready()) {
                return None;
            }
        }
    }
}

/// A waiter on the lists of all channels of a select; taken off them however the wait ends.
struct Listed<'a, 'b>(&'b [&'a dyn Selectable], Waiter);

impl<'a, 'b> Listed<'a, 'b> {
    fn on(channels: &'b [&'a dyn Selectable], waiter: Waiter) -> Listed<'a, 'b> {
        for one in channels {
            one.add(waiter);
        }
        Listed(channels, waiter)
    }
}

impl Drop for Listed<'_, '_> {
    fn drop(&mut self) {
        for one in self.0 {
            one.remove(self.1);
        }
    }
}

impl fmt::Debug for Select<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Select({} receivers)", self.operations)
    }
}
