//! Which writes were executed already, and how long that is remembered.
//!
//! Time is counted in writes that were applied, so every server has the same time at the same entry of the log. It is cut into
//! periods of [`SESSION_WINDOW`] writes, and the sessions of the present and of the last period are kept:
//!
//! ```text
//!   writes   0 ───────── window ───────── 2·window ───────── 3·window ── now
//!            forgotten ─────────────────▶ │ `older`          │ `recent` ▶
//!                                         └ `known_since`
//! ```
//! A session moves to `recent` with every write, so it ends when its client was silent for at least one and at most two windows.
//! Time does not pass for a service that nobody writes to: its memory does not grow either.
//!
//! Once a session has ended, a late copy of one of its writes must not be taken for the first write of a new client. What tells them
//! apart is the time at which the client opened its session, which every write carries: a session that was active can only have
//! been opened before its last write, so one that has ended was opened before `known_since`. Whoever is unknown and was opened
//! before that is refused.
//!
//! Who is refused cannot know whether another copy of the write was executed before the session ended: the network may have doubled
//! the message and lost the other reply. So a client must not write in a session that may have ended. It asks for the time when it
//! opens its session, and again when it takes it up after a pause; then a write is refused only if a whole window of others
//! overtakes it, and the caller is told that its fate is unknown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Length of a period, in writes. At most twice as many sessions are kept, of a few dozen bytes each.
pub const SESSION_WINDOW: u64 = 1 << 16;

/// Names a session: drawn at random by the client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct SessionId(u64);

impl SessionId {
    /// From a random number.
    pub const fn new(number: u64) -> SessionId {
        SessionId(number)
    }
}

/// A moment: how many writes were applied before it, the refused and repeated ones included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct Stamp(u64);

impl Stamp {
    /// The beginning of time.
    pub const ZERO: Stamp = Stamp(0);

    /// Writes applied before it.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Names one write, however often it is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Write {
    /// The client's session.
    pub session: SessionId,
    /// The session was opened, or taken up again after a pause, at this moment or later. No copy of this write was sent before.
    pub opened: Stamp,
    /// From 1 on, one more with each write. That it is sent says that the one before was answered.
    pub number: u64,
}

/// What to do with a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "only an admitted write may be executed"]
pub enum Admission {
    /// It is new.
    Execute,
    /// It was executed before: say so, and change nothing.
    Duplicate,
    /// The session has ended, or cannot be told from one that has: change nothing.
    Ended {
        /// Present time.
        now: Stamp,
    },
}

/// The sessions of a service: part of the replicated state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sessions {
    /// Length of a period. The same on all servers.
    window: u64,
    /// Present time.
    now: Stamp,
    /// All sessions with a write since this moment are in one of the maps. Never falls.
    known_since: Stamp,
    /// Beginning of the present period: `known_since <= period <= now`.
    period: Stamp,
    /// Sessions with a write in this period, and the number of the last one executed.
    recent: BTreeMap<SessionId, u64>,
    /// Those with their last write in the period before.
    older: BTreeMap<SessionId, u64>,
}

impl Default for Sessions {
    fn default() -> Sessions {
        Sessions::new(SESSION_WINDOW)
    }
}

impl Sessions {
    /// No sessions; periods of this many writes, of one at least.
    pub fn new(window: u64) -> Sessions {
        Sessions {
            window: window.max(1),
            now: Stamp::ZERO,
            known_since: Stamp::ZERO,
            period: Stamp::ZERO,
            recent: BTreeMap::new(),
            older: BTreeMap::new(),
        }
    }

    /// Present time.
    pub fn now(&self) -> Stamp {
        self.now
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.recent.len() + self.older.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Decides on a write, and counts on its being executed if that is the answer. Called in log order, for every write.
    pub fn admit(&mut self, write: Write) -> Admission {
        self.advance();
        let Write { session, opened, number } = write;
        let last = self.recent.get(&session).copied().or_else(|| self.older.remove(&session));
        if last.is_none() && opened < self.known_since {
            return Admission::Ended { now: self.now };
        }
        let new = last.is_none_or(|last| number > last);
        self.recent.insert(session, last.map_or(number, |last| last.max(number)));
        if new { Admission::Execute } else { Admission::Duplicate }
    }

    /// One write further; at the end of a period, the sessions that were silent in it end.
    fn advance(&mut self) {
        self.now = Stamp(self.now.0 + 1);
        if self.now.0 - self.period.0 >= self.window {
            self.known_since = self.period;
            self.period = self.now;
            self.older = std::mem::take(&mut self.recent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(session: u64, opened: Stamp, number: u64) -> Write {
        Write { session: SessionId::new(session), opened, number }
    }

    #[test]
    fn a_repeated_write_is_executed_once() {
        let mut sessions = Sessions::new(100);
        assert_eq!(sessions.admit(write(1, Stamp::ZERO, 1)), Admission::Execute);
        assert_eq!(sessions.admit(write(1, Stamp::ZERO, 1)), Admission::Duplicate);
        assert_eq!(sessions.admit(write(1, Stamp::ZERO, 2)), Admission::Execute);
        assert_eq!(sessions.admit(write(1, Stamp::ZERO, 1)), Admission::Duplicate);
        assert_eq!(sessions.admit(write(2, Stamp::ZERO, 1)), Admission::Execute);
        assert_eq!(sessions.len(), 2);
    }

    /// A session ends one to two windows after its last write; then its writes, new or late, are refused.
    #[test]
    fn a_silent_session_ends_and_is_refused() {
        const WINDOW: u64 = 10;
        for silent in 0..3 * WINDOW {
            let mut sessions = Sessions::new(WINDOW);
            assert_eq!(sessions.admit(write(1, Stamp::ZERO, 1)), Admission::Execute);
            for number in 1..=silent {
                // Opened late enough to be known at any time.
                let _ = sessions.admit(write(2, sessions.now, number));
            }
            let late = sessions.clone().admit(write(1, Stamp::ZERO, 1));
            let next = sessions.admit(write(1, Stamp::ZERO, 2));
            let ended = matches!(late, Admission::Ended { .. });
            assert_eq!(ended, matches!(next, Admission::Ended { .. }), "silent for {silent}");
            assert!(silent >= WINDOW || !ended, "ended after only {silent}");
            assert!(silent < 2 * WINDOW || ended, "still there after {silent}");
            assert_ne!(late, Admission::Execute, "executed twice");
        }
    }

    /// Who was refused opens a session at the time it was told, and is let in.
    #[test]
    fn a_refused_client_comes_back_with_the_time() {
        let mut sessions = Sessions::new(4);
        for number in 1..=20 {
            let _ = sessions.admit(write(7, Stamp::ZERO, number));
        }
        let Admission::Ended { now } = sessions.admit(write(8, Stamp::ZERO, 1)) else {
            panic!("a stranger of unknown age was let in");
        };
        assert_eq!(sessions.admit(write(9, now, 1)), Admission::Execute);
        assert_eq!(sessions.admit(write(9, now, 1)), Admission::Duplicate);
    }

    /// Whatever copies come late: no write is executed twice. All orders of a small world, at random.
    #[test]
    fn no_copy_is_executed_twice_however_late() {
        let mut state = 1_u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for window in 1..8 {
            let mut sessions = Sessions::new(window);
            let mut clients: Vec<Write> = (0..5).map(|id| write(id, Stamp::ZERO, 1)).collect();
            let mut fresh = 100;
            let mut sent: Vec<Write> = Vec::new();
            let mut executed = std::collections::BTreeSet::new();
            for _ in 0..3_000 {
                let own = random(2) == 0 || sent.is_empty();
                let who = random(5) as usize;
                let now = if own { clients[who] } else { sent[random(sent.len() as u64) as usize] };
                let admission = sessions.admit(now);
                if admission == Admission::Execute {
                    assert!(executed.insert((now.session, now.number)), "{now:?} twice");
                }
                if own {
                    sent.push(now);
                    match admission {
                        // Another session, or the same one taken up again.
                        Admission::Ended { now } if random(2) == 0 => {
                            fresh += 1;
                            clients[who] = write(fresh, now, 1);
                        }
                        admission => {
                            clients[who].number += 1;
                            if matches!(admission, Admission::Ended { .. }) || random(4) == 0 {
                                // A time that was asked for some writes ago.
                                let past = random(window).min(sessions.now.0);
                                let asked = Stamp(sessions.now.0 - past);
                                clients[who].opened = clients[who].opened.max(asked);
                            }
                        }
                    }
                }
            }
        }
    }
}
