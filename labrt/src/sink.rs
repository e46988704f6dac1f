//! The sink of the run that an OS thread works for. Tasks and timer callbacks inherit it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

use events::{Parts, Sink};

thread_local! {
    /// What the sink of this thread's run wants. Without a destructor, for the speed of
    /// `listening`.
    pub(crate) static WANTED: Cell<Parts> = const { Cell::new(Parts::NONE) };
    static SINK: RefCell<Option<Arc<dyn Sink>>> = const { RefCell::new(None) };
}

/// Listens until dropped; then the sink that was there before is back.
#[must_use = "listening ends when this is dropped"]
pub struct Listening(pub(crate) Option<Arc<dyn Sink>>);

impl Listening {
    /// Listens until the calling OS thread ends.
    pub fn until_the_thread_ends(self) {
        std::mem::forget(self);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        drop(install(self.0.take()));
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").finish_non_exhaustive()
    }
}

pub(crate) fn install(sink: Option<Arc<dyn Sink>>) -> Option<Arc<dyn Sink>> {
    let wanted = sink.as_ref().map_or(Parts::NONE, |sink| sink.parts());
    // Fails while the thread ends: then nobody listens any more.
    let before = SINK.try_with(|cell| cell.replace(sink));
    WANTED.set(if before.is_ok() { wanted } else { Parts::NONE });
    before.ok().flatten()
}

/// The sink of the calling thread's run.
pub(crate) fn current() -> Option<Arc<dyn Sink>> {
    SINK.try_with(|cell| cell.borrow().clone()).ok().flatten()
}

/// The sink of the run that the calling thread works for, to be taken along to another thread.
pub(crate) struct Inherited(Option<Arc<dyn Sink>>);

impl Inherited {
    #[inline]
    pub(crate) fn capture() -> Inherited {
        if WANTED.get() == Parts::NONE {
            return Inherited(None);
        }
        Inherited(current())
    }

    /// Listens on the calling thread, which is a pooled one: also ends the sink of an earlier task.
    #[inline]
    pub(crate) fn enter(self) -> Option<Listening> {
        if self.0.is_none() && WANTED.get() == Parts::NONE {
            return None;
        }
        Some(Listening(install(self.0)))
    }
}
