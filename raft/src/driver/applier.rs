//! From the core to the service: committed commands and installed snapshots, in order.
//!
//! The queue between the two has no bound: the core must not wait for the service, which may be
//! waiting for the core.

use std::collections::VecDeque;

use labrt::Condvar;
use labrt::channel::Sender;

use super::Shared;
use crate::apply_msg::ApplyMsg;
use crate::consensus::Node;
use crate::types::{Index, Snapshot};

/// What was handed out and not yet taken by the applier.
pub(super) struct Queue {
    waiting: labrt::Mutex<Waiting>,
    filled: Condvar,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<ApplyMsg>,
    closed: bool,
}

impl Queue {
    pub(super) fn new() -> Queue {
        Queue { waiting: labrt::Mutex::new(Waiting::default()), filled: Condvar::new() }
    }

    /// Adds what one step handed out; called under the lock of the core, so in the order of the
    /// steps.
    pub(super) fn push(
        &self,
        node: &Node,
        install: Option<Snapshot>,
        committed: Option<(Index, Index)>,
    ) {
        let mut waiting = self.waiting.lock();
        if let Some(snapshot) = install {
            waiting.messages.push_back(snapshot.into());
        }
        if let Some((first, last)) = committed {
            let mut index = first;
            while index <= last {
                let entry = node.entry(index).expect("a committed entry is in the log");
                let command = entry.command.clone();
                waiting.messages.push_back(ApplyMsg::Command { index, term: entry.term, command });
                index = index.next();
            }
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// Nothing more will be delivered.
    pub(super) fn close(&self) {
        self.waiting.lock().closed = true;
        self.filled.notify_all();
    }

    /// Waits for something to deliver and takes all of it. `None` once closed.
    fn take(&self, taken: &mut VecDeque<ApplyMsg>) -> Option<()> {
        let mut waiting = self.waiting.lock();
        while waiting.messages.is_empty() && !waiting.closed {
            self.filled.wait(&mut waiting);
        }
        if waiting.closed {
            return None;
        }
        std::mem::swap(&mut waiting.messages, taken);
        Some(())
    }

    fn is_closed(&self) -> bool {
        self.waiting.lock().closed
    }
}

/// Delivers until the server is killed or the service goes away. The channel closes with the
/// return.
pub(super) fn run(shared: &Shared, apply: &Sender<ApplyMsg>) {
    let queue = &shared.queue;
    let mut batch = VecDeque::new();
    while queue.take(&mut batch).is_some() {
        let several = batch.len() > 1;
        let up_to = batch.back().map(ApplyMsg::index);
        for message in batch.drain(..) {
            if several && queue.is_closed() {
                return;
            }
            if apply.send(message).is_err() {
                return;
            }
        }
        if let Some(index) = up_to {
            crate::events::applied(&shared.home, shared.me, index);
        }
    }
}
