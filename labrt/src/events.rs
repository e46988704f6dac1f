//! Delivers [`events`] to whoever listens to a run.
//!
//! A [`Sink`] listens either to one run ([`listen`]) or to the whole process
//! ([`listen_everywhere`]). A run's sink is inherited: in a simulation all tasks share one OS
//! thread and so one sink; on threads, tasks and timer callbacks inherit the sink of the task that
//! started them.
//!
//! Emitting takes no lock of labrt, draws no random number and is not part of the trace hash: a run
//! takes the same path whether anybody listens or not. While nobody listens, [`emit`] reads one
//! thread-local and one atomic, and the event is never made.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//!
//! use labrt::events::{self, Event, Log, Level, Record, Sink};
//!
//! #[derive(Default)]
//! struct Lines(Mutex<Vec<String>>);
//!
//! impl Sink for Lines {
//!     fn record(&self, record: &Record) {
//!         self.0.lock().unwrap().push(record.event.to_string());
//!     }
//! }
//!
//! let line = |text: &str| Log {
//!     level: Level::Info,
//!     target: "doc".into(),
//!     text: text.to_owned(),
//!     fields: Default::default(),
//! };
//! let lines = Arc::new(Lines::default());
//! events::emit(|| line("nobody listens"));
//! let listening = events::listen(lines.clone());
//! events::emit(|| line("somebody listens"));
//! drop(listening);
//! assert_eq!(*lines.0.lock().unwrap(), ["somebody listens"]);
//! ```

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::RwLock;

pub use ::events::{
    Cluster, Event, Fault, Kind, Level, Log, Mark, Member, Operation, Parts, Raft, Record, Rpc,
    Sink, Topic, raft, rpc,
};

use crate::node::Node;
use crate::sim;
pub use crate::sink::Listening;
use crate::sink::{self, WANTED, install};

/// What the sink of the process wants.
static WANTED_EVERYWHERE: AtomicU8 = AtomicU8::new(Parts::NONE.bits());
static EVERYWHERE: RwLock<Option<Arc<dyn Sink>>> = RwLock::new(None);

/// From now on `sink` gets the events of this OS thread, and of all tasks started from it: of the
/// whole run, if it is called at its beginning. It takes the place of the sink that was there.
pub fn listen(sink: Arc<dyn Sink>) -> Listening {
    Listening(install(Some(sink)))
}

/// From now on `sink` gets the events of all threads of the process, besides the sinks of the runs.
/// `None` ends that.
pub fn listen_everywhere(sink: Option<Arc<dyn Sink>>) {
    let wanted = sink.as_ref().map_or(Parts::NONE, |sink| sink.parts());
    *EVERYWHERE.write() = sink;
    WANTED_EVERYWHERE.store(wanted.bits(), Ordering::Release);
}

/// Whether somebody wants one of these events here.
#[inline]
pub fn listening(parts: Parts) -> bool {
    let everywhere = Parts::from_bits(WANTED_EVERYWHERE.load(Ordering::Relaxed));
    WANTED.get().union(everywhere).intersects(parts)
}

/// Emits an event, which is made only if somebody listens. It is about the node of the calling
/// task.
#[inline]
pub fn emit<E: Kind>(event: impl FnOnce() -> E) {
    if listening(E::PART) {
        deliver(None, event().into());
    }
}

/// The same, for an event about `node`, whatever task emits it.
#[inline]
pub fn emit_about<E: Kind>(node: &Node, event: impl FnOnce() -> E) {
    if listening(E::PART) {
        deliver(Some(node.shared_name()), event().into());
    }
}

/// Emits an event about `node`, if there is one. For [`raft::Reporter`], which needs every state.
#[inline]
pub fn emit_some<E: Kind>(node: &Node, event: impl FnOnce() -> Option<E>) {
    if listening(E::PART)
        && let Some(event) = event()
    {
        deliver(Some(node.shared_name()), event.into());
    }
}

#[cold]
fn deliver(about: Option<Arc<str>>, event: Event) {
    let part = event.part();
    let record = record(about, event);
    if WANTED.get().intersects(part)
        && let Some(sink) = sink::current()
    {
        sink.record(&record);
    }
    if Parts::from_bits(WANTED_EVERYWHERE.load(Ordering::Acquire)).intersects(part) {
        let sink = EVERYWHERE.read().clone();
        if let Some(sink) = sink {
            sink.record(&record);
        }
    }
}

fn record(about: Option<Arc<str>>, event: Event) -> Record {
    let (t, node, task, number) = match sim::task_context() {
        Some(at) => {
            let t = u64::try_from(at.time.as_nanos()).unwrap_or(u64::MAX);
            (t, at.node, Cow::Borrowed(at.task), at.number)
        }
        None => {
            let node = Node::current().shared_name();
            (crate::now().as_nanos(), node, Cow::Borrowed(""), crate::threads::task_number())
        }
    };
    let about = about.filter(|about| *about != node);
    Record { t, node, task, number, about, event }
}
