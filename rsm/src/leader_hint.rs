//! Which server of a group a clerk asks next.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The server to begin with, remembered between calls, and the order in which to try the others.
#[derive(Debug)]
pub struct LeaderHint {
    servers: usize,
    /// The one that answered last, or that is next after a call was given up.
    first: AtomicUsize,
}

/// The way of one call through the servers.
#[derive(Debug)]
pub struct Attempt<'a> {
    hint: &'a LeaderHint,
    server: usize,
    /// Servers asked since the last pause.
    asked: usize,
}

/// Pause after a round in which no server would answer: an election may be under way, and asking faster will not end it.
const PAUSE: Duration = Duration::from_millis(10);

impl LeaderHint {
    /// For this many servers, numbered from 0. None counts as one.
    pub fn new(servers: usize) -> LeaderHint {
        LeaderHint { servers: servers.max(1), first: AtomicUsize::new(0) }
    }

    /// Begins a call: with the server that answered last, or that was next when the last call was given up.
    pub fn attempt(&self) -> Attempt<'_> {
        Attempt { hint: self, server: self.first.load(Ordering::Relaxed), asked: 0 }
    }
}

impl Attempt<'_> {
    /// The server to ask now.
    pub fn server(&self) -> usize {
        self.server
    }

    /// It answered: later calls begin with it.
    pub fn answered(&self) {
        self.hint.first.store(self.server, Ordering::Relaxed);
    }

    /// Nobody has answered, and the caller waits no longer: later calls begin with the server that is next. Without this, a call
    /// whose time is over after one server would ask that server again and again.
    pub fn given_up(&self) {
        self.hint.first.store(self.server, Ordering::Relaxed);
    }

    /// It did not answer, or does not lead: on to the next, with a pause after each full round.
    pub fn failed(&mut self) {
        self.server = (self.server + 1) % self.hint.servers;
        self.asked += 1;
        if self.asked == self.hint.servers {
            self.asked = 0;
            labrt::sleep(PAUSE);
        }
    }
}
