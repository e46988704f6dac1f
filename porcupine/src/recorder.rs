//! Writing a history down while clients call an object, from any number of threads.

use std::fmt;
use std::sync::{Arc, PoisonError};

use crate::history::{Event, EventKind, Operation, Returned};

#[expect(
    clippy::disallowed_types,
    reason = "held for a few instructions, never across a wait; simulated clients take turns"
)]
type Mutex<T> = std::sync::Mutex<T>;

/// Records the operations of many clients.
///
/// Cloning gives another handle on the same recording. Each client has a [`Client`] of its own,
/// which makes one call at a time.
///
/// ```
/// use porcupine::models::register::{Input, Output, Register};
/// use porcupine::{Options, Recorder, Verdict, check_operations};
/// use std::sync::atomic::{AtomicI64, Ordering};
///
/// let object = AtomicI64::new(0);
/// let recorder = Recorder::new();
/// std::thread::scope(|scope| {
///     for number in 1..=3 {
///         let (mut client, object) = (recorder.client(), &object);
///         scope.spawn(move || {
///             let call = client.call(Input::Write(number));
///             object.store(number, Ordering::SeqCst);
///             call.returned(Output::Done);
///
///             let call = client.call(Input::Read);
///             let seen = object.load(Ordering::SeqCst);
///             call.returned(Output::Value(Some(seen)));
///         });
///     }
/// });
/// let history = recorder.history();
/// assert_eq!(history.len(), 6);
/// let report = check_operations(&Register::new(), &history, &Options::default())?;
/// assert_eq!(report.verdict(), Verdict::Ok);
/// # Ok::<(), porcupine::HistoryError>(())
/// ```
pub struct Recorder<I, O> {
    shared: Arc<Shared<I, O>>,
}

struct Shared<I, O> {
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
    recording: Mutex<Recording<I, O>>,
}

struct Recording<I, O> {
    /// In the order of the calls. What did not happen is `None`.
    operations: Vec<Option<Operation<I, O>>>,
    /// The id of the first of them.
    first: u64,
    next_client: i64,
    listener: Option<Listener<I, O>>,
}

type Listener<I, O> = Box<dyn FnMut(Heard<'_, I, O>) + Send>;

/// What a listener is told, in an order in which it may have happened.
#[derive(Debug)]
pub enum Heard<'a, I, O> {
    /// A call or a return.
    Event(Event<&'a I, &'a O>),
    /// The outcome of a call will not be known.
    Unknown { client: i64, id: u64 },
    /// A call did not happen.
    DidNotHappen { client: i64, id: u64 },
}

impl<I, O> Clone for Recorder<I, O> {
    fn clone(&self) -> Self {
        Recorder { shared: self.shared.clone() }
    }
}

impl<I, O> fmt::Debug for Recorder<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("operations", &self.len()).finish()
    }
}

impl<I, O> Default for Recorder<I, O> {
    fn default() -> Self {
        Recorder::new()
    }
}

impl<I, O> Recorder<I, O> {
    /// A recorder with the clock of the machine: nanoseconds since now. It never goes back.
    #[expect(
        clippy::disallowed_methods,
        reason = "a recorder of real clients reads the real clock"
    )]
    pub fn new() -> Self {
        let begin = std::time::Instant::now();
        Recorder::with_clock(move || u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// A recorder with a clock of the caller's, such as that of a simulation. The clock must be the
    /// same for all clients and never go back.
    pub fn with_clock(clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let recording =
            Recording { operations: Vec::new(), first: 0, next_client: 0, listener: None };
        let shared = Shared { clock: Box::new(clock), recording: Mutex::new(recording) };
        Recorder { shared: Arc::new(shared) }
    }

    /// Calls `listener` at each call and return, for [`Online`](crate::Online) checking. A call is
    /// told before it is made and a return after it was received, so each operation lies within its
    /// events. The listener runs under the lock of the recorder: it should be fast and must not
    /// call the recorder.
    pub fn listen(&self, listener: impl FnMut(Heard<'_, I, O>) + Send + 'static) {
        self.recording().listener = Some(Box::new(listener));
    }

    /// A new client, with a number that no other has.
    pub fn client(&self) -> Client<I, O> {
        let number = self.recording().new_client();
        Client { recorder: self.clone(), number }
    }

    /// How many calls were made so far.
    pub fn len(&self) -> usize {
        self.recording().operations.len()
    }

    /// Whether no call was made so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The history so far, in the order of the calls. What is open never returned.
    pub fn history(&self) -> Vec<Operation<I, O>>
    where
        I: Clone,
        O: Clone,
    {
        self.recording().operations.iter().flatten().cloned().collect()
    }

    /// The history so far; the recording begins anew. Operations that are open are in it as never
    /// returned, and what becomes of them is not recorded.
    pub fn take(&self) -> Vec<Operation<I, O>> {
        let mut recording = self.recording();
        let operations = std::mem::take(&mut recording.operations);
        recording.first += operations.len() as u64;
        operations.into_iter().flatten().collect()
    }

    fn recording(&self) -> impl std::ops::DerefMut<Target = Recording<I, O>> + '_ {
        // A listener that panicked has left the recording whole.
        self.shared.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I, O> Recording<I, O> {
    fn new_client(&mut self) -> i64 {
        let number = self.next_client;
        self.next_client += 1;
        number
    }

    fn tell(&mut self, heard: Heard<'_, I, O>) {
        if let Some(listener) = &mut self.listener {
            listener(heard);
        }
    }

    /// The operation with this id. Not there any more after [`Recorder::take`].
    fn operation(&mut self, id: u64) -> Option<&mut Option<Operation<I, O>>> {
        self.operations.get_mut(usize::try_from(id.checked_sub(self.first)?).ok()?)
    }
}

/// One client of a [`Recorder`]. Its calls follow each other.
pub struct Client<I, O> {
    recorder: Recorder<I, O>,
    number: i64,
}

impl<I, O> fmt::Debug for Client<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("number", &self.number).finish()
    }
}

impl<I, O> Client<I, O> {
    /// The number in the history. It changes when the outcome of a call stays unknown: that call
    /// may still take effect, so what follows it is another client's.
    pub fn number(&self) -> i64 {
        self.number
    }

    /// Records that a call is about to be made. Say at its end what came of it; a call that is
    /// dropped has an unknown outcome.
    pub fn call(&mut self, input: I) -> Call<'_, I, O> {
        let number = self.number;
        let shared = &*self.recorder.shared;
        let mut recording = shared.recording.lock().unwrap_or_else(PoisonError::into_inner);
        let id = recording.first + recording.operations.len() as u64;
        let kind = EventKind::Call(&input);
        recording.tell(Heard::Event(Event { client: number, id, kind }));
        // Last, so that what the listener takes is not counted as time of the operation.
        let time = (shared.clock)();
        recording.operations.push(Some(Operation::pending(number, time, input)));
        drop(recording);
        Call { client: self, id, open: true }
    }
}

/// A call of a [`Client`] that was made.
#[must_use = "a call that is dropped at once has an unknown outcome"]
pub struct Call<'c, I, O> {
    client: &'c mut Client<I, O>,
    id: u64,
    open: bool,
}

impl<I, O> fmt::Debug for Call<'_, I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("client", &self.client.number).field("id", &self.id).finish()
    }
}

impl<I, O> Call<'_, I, O> {
    /// It returned, with this answer. Call it as soon as the answer is there.
    pub fn returned(mut self, output: O) {
        let time = (self.client.recorder.shared.clock)();
        self.open = false;
        let mut recording = self.client.recorder.recording();
        let kind = EventKind::Return(&output);
        recording.tell(Heard::Event(Event { client: self.client.number, id: self.id, kind }));
        if let Some(Some(operation)) = recording.operation(self.id) {
            operation.returned = Some(Returned { time, output });
        }
    }

    /// It is certain that it did not happen and never will: it is not part of the history.
    pub fn did_not_happen(mut self) {
        self.open = false;
        let mut recording = self.client.recorder.recording();
        recording.tell(Heard::DidNotHappen { client: self.client.number, id: self.id });
        if let Some(operation) = recording.operation(self.id) {
            *operation = None;
        }
    }

    /// Nobody knows whether it happened, or will: a lost connection, a time-out.
    pub fn unknown(self) {}
}

impl<I, O> Drop for Call<'_, I, O> {
    fn drop(&mut self) {
        if self.open {
            let mut recording = self.client.recorder.recording();
            recording.tell(Heard::Unknown { client: self.client.number, id: self.id });
            let number = recording.new_client();
            drop(recording);
            self.client.number = number;
        }
    }
}
