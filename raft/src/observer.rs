//! The hook through which a run observes the steps of its Raft servers.
//!
//! An observer sees each step before anything of it leaves the server. A step on a disk that takes
//! time is seen twice: when it is taken, and when its save is durable. The observer is called under
//! the server's lock, so it must neither wait nor call the server.
//!
//! Observers belong to a simulated run: [`register`] adds one, and it sees the steps of every
//! server that starts later in the run. There are no observers on threads. On both back ends, steps
//! are emitted as [events](labrt::events) if somebody listens.

use std::fmt;
use std::sync::Arc;

use labrt::Persister;
use parking_lot::Mutex;

use crate::consensus::{Effects, Event, Node, View};
use crate::events;
use crate::messages::{Request, VoteKind};
use crate::types::{Index, ServerId, Term};

/// Observes the steps of servers.
pub trait Observer: Send + Sync {
    /// A server starts, or has taken a step.
    fn step(&self, step: &Step<'_>);

    /// What a step with [`saved`](Step::saved) false shows leaves now: its save is durable.
    fn released(&self, released: &Released<'_>) {
        let _ = released;
    }
}

/// A step that was saved after it was shown to the observer.
#[derive(Debug)]
#[non_exhaustive]
pub struct Released<'a> {
    /// As [`Step::life`].
    pub life: u64,
    /// The numbers after the step. The server may have taken further steps since.
    pub view: &'a View,
    /// The last index that the step's answer acknowledges; 0 if it acknowledges none.
    pub acknowledged: Index,
    /// The server's disk.
    pub persister: &'a Persister,
}

/// One step of one server: saved, not sent yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct Step<'a> {
    /// Identifies one start of one server: the number of the call of
    /// [`Raft::start`](crate::Raft::start).
    pub life: u64,
    /// The node that the server runs on.
    pub home: &'a labrt::Node,
    /// The state after the step.
    pub node: &'a Node,
    /// The numbers before the step; `None` when the server starts.
    pub before: Option<&'a View>,
    /// The request that this step answers.
    pub request: Option<Received>,
    /// What the step does.
    pub effects: &'a Effects,
    /// Whether the disk holds everything that the step shows. If not, the step's answer and its
    /// requests leave later ([`Observer::released`]), except for a leader's AppendEntries.
    pub saved: bool,
    /// The server's disk.
    pub persister: &'a Persister,
}

/// The relevant fields of the request that a step answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    /// The sender.
    pub from: ServerId,
    /// The sender's term.
    pub term: Term,
    /// For AppendEntries: the last index that the request covers; 0 for other requests.
    pub last: Index,
    /// A pre-vote: its answer gives no vote.
    pub pre_vote: bool,
}

impl Received {
    fn of(event: &Event) -> Option<Received> {
        let Event::Request(request) = event else { return None };
        let last = match request {
            Request::Append(args) => args.prev.index + args.entries.len(),
            _ => Index::ZERO,
        };
        let pre_vote = matches!(request, Request::Vote(args) if args.kind == VoteKind::PreVote);
        Some(Received { from: request.from(), term: request.term(), last, pre_vote })
    }
}

/// The observers of a run.
#[derive(Default)]
struct Registered {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    observers: Vec<Arc<dyn Observer>>,
    lives: u64,
}

/// Registers `observer` for all steps of the servers that start from now on in this simulation. No
/// effect on threads.
pub fn register(observer: Arc<dyn Observer>) {
    if let Some(registered) = labrt::sim::local::<Registered>() {
        registered.state.lock().observers.push(observer);
    }
}

/// The observers of one server.
pub(crate) struct Observers {
    life: u64,
    observers: Vec<Arc<dyn Observer>>,
}

/// The state recorded before a step.
pub(crate) struct Before {
    view: View,
    request: Option<Received>,
}

impl Observers {
    /// Of a server that starts.
    pub(crate) fn of_run() -> Observers {
        let Some(registered) = labrt::sim::local::<Registered>() else {
            return Observers { life: 0, observers: Vec::new() };
        };
        let mut state = registered.state.lock();
        state.lives += 1;
        Observers { life: state.lives, observers: state.observers.clone() }
    }

    /// Called before a step. `None` if there is no observer.
    pub(crate) fn before(&self, node: &Node, event: &Event) -> Option<Before> {
        (!self.observers.is_empty() || events::listening())
            .then(|| Before { view: node.view(), request: Received::of(event) })
    }

    pub(crate) fn started(&self, home: &labrt::Node, node: &Node, persister: &Persister) {
        let effects = &Effects::default();
        self.show(&Step {
            life: self.life,
            home,
            node,
            before: None,
            request: None,
            effects,
            saved: true,
            persister,
        });
    }

    /// Shows a step. Returns the numbers after it, if somebody wants to compare them with the disk
    /// later.
    pub(crate) fn stepped(
        &self,
        before: Option<Before>,
        saved: bool,
        home: &labrt::Node,
        node: &Node,
        effects: &Effects,
        persister: &Persister,
    ) -> Option<View> {
        let Before { view, request } = before?;
        let before = Some(&view);
        let life = self.life;
        self.show(&Step { life, home, node, before, request, effects, saved, persister });
        (!saved).then(|| node.view())
    }

    pub(crate) fn released(&self, view: &View, acknowledged: Index, persister: &Persister) {
        for observer in &self.observers {
            observer.released(&Released { life: self.life, view, acknowledged, persister });
        }
    }

    fn show(&self, step: &Step<'_>) {
        // First, so that a trace has the step at which an observer stops the run.
        if events::listening() {
            events::Emitter.step(step);
        }
        for observer in &self.observers {
            observer.step(step);
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Observers({} of life {})", self.observers.len(), self.life)
    }
}
