//! Nodes: groups of tasks that live and die together, as the processes of one machine do.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::line::Line;
use crate::sim::{self, Context};

/// A group of tasks, usually one server. Cheap to clone.
///
/// Tasks spawned by a task belong to its node. The first task of a simulation belongs to a node
/// called `test`; threads that no node has started, to one called `main`.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    /// Index among the nodes of the simulation.
    number: u32,
    /// The simulation it belongs to; 0 on threads.
    run: u64,
    /// Tasks that run on threads.
    live: AtomicUsize,
}

/// Why a node could not be crashed or paused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CrashError {
    /// OS threads cannot be stopped where they stand. Shut the node down politely instead.
    #[error("only simulated nodes can be crashed or paused: ask this one's services to shut down")]
    NotSimulated,
}

thread_local! {
    /// The node that [`Node::enter`], or the start of this thread's task, has set. Not used for
    /// simulated tasks except inside `enter`, which restores it before it returns or unwinds.
    static ENTERED: RefCell<Option<Node>> = const { RefCell::new(None) };
}

impl Node {
    /// A node without tasks.
    pub fn new(name: impl Into<Arc<str>>) -> Node {
        let name = name.into();
        let number = match sim::context() {
            Context::Threads => 0,
            _ => sim::with(|world| world.add_node(Arc::clone(&name))),
        };
        Node::of(name, number)
    }

    fn of(name: Arc<str>, number: u32) -> Node {
        let run = sim::current_run();
        Node { inner: Arc::new(Inner { name, number, run, live: AtomicUsize::new(0) }) }
    }

    /// The node of the calling task.
    pub fn current() -> Node {
        if sim::context() != Context::Threads {
            let (number, name) = sim::with(|world| {
                let number = world.node_of_running();
                (number, world.node_name(number))
            });
            return Node::of(name, number);
        }
        let entered = ENTERED.with(|cell| cell.borrow().clone());
        entered.unwrap_or_else(|| Node::new("main"))
    }

    /// The name it was given.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Its number among the nodes of the simulation: no two have the same. 0 on threads.
    pub fn id(&self) -> u64 {
        self.inner.number.into()
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.inner.name)
    }

    pub(crate) fn number(&self) -> u32 {
        self.inner.number
    }

    /// Fails the run that the node belongs to if the calling thread does not.
    #[inline]
    pub(crate) fn check_thread(&self, at: Line) {
        if self.inner.run != sim::current_run() {
            sim::foreign_use(self.inner.run, "node", at);
        }
    }

    /// Runs `body` here and now, with this node as the current one: tasks it spawns belong to the
    /// node.
    pub fn enter<R>(&self, body: impl FnOnce() -> R) -> R {
        let _restore = Restore::set(self);
        body()
    }

    /// Stops the node as a power cut would: its tasks end where they stand, between two switch
    /// points; their destructors run, nothing else of theirs does. Tasks spawned on it later never
    /// run. The calling task too ends here if it belongs to the node.
    ///
    /// # Errors
    /// [`CrashError::NotSimulated`] on threads, where nothing has happened.
    pub fn crash(&self) -> Result<(), CrashError> {
        self.simulated(|| sim::crash_node(self.inner.number))
    }

    /// Crashes the node at the `nth` switch point that its tasks come to from now on, counted from
    /// 1: in the middle of a write, while it holds a lock, anywhere. Replaces what was asked for
    /// before; 0 calls it off.
    ///
    /// # Errors
    /// [`CrashError::NotSimulated`] on threads, where nothing will happen.
    pub fn crash_at_switch_point(&self, nth: u64) -> Result<(), CrashError> {
        self.simulated(|| sim::with(|world| world.crash_at_switch_point(self.inner.number, nth)))
    }

    /// Stops the tasks of the node where they stand until [`resume`](Node::resume), as SIGSTOP
    /// stops a process or a hypervisor a machine. What reaches the node meanwhile waits: messages
    /// start tasks that do not run, deadlines pass unnoticed. The calling task, too, stops if it
    /// belongs to the node. Locks stay held. A paused node can be crashed.
    ///
    /// # Errors
    /// [`CrashError::NotSimulated`] on threads, where nothing has happened.
    pub fn pause(&self) -> Result<(), CrashError> {
        self.simulated(|| sim::pause_node(self.inner.number))
    }

    /// Lets the tasks of a paused node go on. Nothing happens on a node that is not paused.
    ///
    /// # Errors
    /// [`CrashError::NotSimulated`] on threads, where nothing has happened.
    pub fn resume(&self) -> Result<(), CrashError> {
        self.simulated(|| sim::with(|world| world.resume(self.inner.number)))
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        match sim::context() {
            Context::Threads => false,
            _ => sim::with(|world| world.is_paused(self.inner.number)),
        }
    }

    fn simulated(&self, act: impl FnOnce()) -> Result<(), CrashError> {
        match sim::context() {
            Context::Threads => Err(CrashError::NotSimulated),
            _ => {
                act();
                Ok(())
            }
        }
    }

    /// Sets the clock of the node forward by this much, as a machine's clock jumps that was
    /// suspended. What is waited for already ends when it would have. Does nothing on threads.
    ///
    /// Clocks never go backwards: [`now`](crate::now) is a monotonic clock.
    pub fn jump_clock(&self, forward: Duration) {
        if sim::context() != Context::Threads {
            let nanos = u64::try_from(forward.as_nanos()).unwrap_or(u64::MAX);
            sim::with(|world| world.jump_clock(self.inner.number, nanos));
        }
    }

    /// Lets the clock of the node run at `percent` of the true speed from now on: 50
    /// doubles how long its tasks sleep and wait. Waits that have begun keep their end. No effect
    /// on threads; 0 counts as 1.
    ///
    /// Its tasks see that clock, and what they compare with the time of another node may be off.
    /// Messages in flight and [`after`](crate::after) use true time.
    pub fn set_clock_rate(&self, percent: u32) {
        if sim::context() != Context::Threads {
            sim::with(|world| world.set_clock_rate(self.inner.number, percent.max(1)));
        }
    }

    /// Whether it was crashed.
    pub fn is_crashed(&self) -> bool {
        match sim::context() {
            Context::Threads => false,
            _ => sim::with(|world| world.is_crashed(self.inner.number)),
        }
    }

    /// How many of its tasks have not ended. On threads, those started through this handle or its
    /// clones.
    pub fn live_tasks(&self) -> usize {
        match sim::context() {
            Context::Threads => self.inner.live.load(Ordering::Acquire),
            _ => sim::with(|world| world.live_tasks(self.inner.number)),
        }
    }

    /// Counts one more task of this node on threads, until the result is dropped.
    pub(crate) fn count_thread_task(&self) -> Counted {
        self.inner.live.fetch_add(1, Ordering::AcqRel);
        Counted(Arc::clone(&self.inner))
    }

    /// Runs a task of this node on the present OS thread.
    pub(crate) fn run_thread_task<R>(self, counted: Counted, body: impl FnOnce() -> R) -> R {
        let _counted = counted;
        let _restore = Restore::set(&self);
        body()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.name())
    }
}

/// A task on threads that counts as one of its node's.
pub(crate) struct Counted(Arc<Inner>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Puts the current node back when it goes.
enum Restore {
    Thread(Option<Node>),
    Simulated(u32),
}

impl Restore {
    fn set(node: &Node) -> Restore {
        match sim::context() {
            Context::Threads => {
                Restore::Thread(ENTERED.with(|cell| cell.replace(Some(node.clone()))))
            }
            _ => Restore::Simulated(sim::with(|world| world.set_spawn_node(node.inner.number))),
        }
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        match self {
            Restore::Thread(previous) => {
                let previous = previous.take();
                drop(ENTERED.with(|cell| cell.replace(previous)));
            }
            Restore::Simulated(previous) => {
                let previous = *previous;
                sim::with(|world| world.set_spawn_node(previous));
            }
        }
    }
}
