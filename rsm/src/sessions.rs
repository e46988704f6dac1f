//! Exactly-once execution: which requests were executed already, and how long that is remembered.
//!
//! A client whose reply was lost sends its request again, and both copies may come into the log. So
//! every request carries the session of its client and a number that grows by one with each request
//! of the session. The replicated state keeps, for each session, the number of the last request
//! executed, and its reply:
//!
//! ```text
//!   clerk                          leader                     on every server, in log order
//!     │ request, session, 7          │ submit ──▶ log ──▶ ···    session: 6 → 7     execute
//!     │ ───────────────────────────▶ │
//!     │            reply lost  ╳ ◀── │
//!     │ the same again, to another   │ submit ──▶ log ──▶ ···    session: 7 ≥ 7     done already:
//!     │ ───────────────────────────▶ │                                          the same reply
//!     │ ◀─────────────────── reply   │
//! ```
//! A request is new if its number is *greater* than the last one. Comparing for equality alone
//! would execute an older request a second time, when a copy of it arrives late. One number for
//! each client is enough, because a client sends one request at a time.
//!
//! # When a session ends
//!
//! Clients do not say good-bye. Time is counted in requests that were applied, so every server has
//! the same time at the same entry of the log. It is cut into periods of [`SESSION_WINDOW`]
//! requests, and the sessions of the present and of the last period are kept:
//!
//! ```text
//!   requests 0 ───────── window ───────── 2·window ───────── 3·window ── now
//!            forgotten ─────────────────▶ │ `older`          │ `recent` ▶
//!                                         └ `known_since`
//! ```
//! A session moves to `recent` with every request, so it ends when its client was silent for at
//! least one and at most two windows. Time does not pass for a service that nobody writes to: its
//! memory does not grow either.
//!
//! Once a session has ended, a late copy of one of its requests must not be taken for the first
//! request of a new client. Each request carries the time at which its client opened its session. A
//! session that was active can only have been opened before its last request, so a session that has
//! ended was opened before `known_since`. An unknown session that was opened before that is
//! rejected.
//!
//! A client that is rejected cannot know whether another copy of its request was executed before
//! the session ended: the network may have doubled the message and lost the other reply. So a
//! client must not send in a session that may have ended. [`Client`] asks for the time when it
//! opens its session, and again after a pause; then a request is rejected only if a whole window of
//! others overtakes it, and the caller is told that its fate is unknown.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Length of a period, in requests. At most twice as many sessions are kept, of a few dozen bytes
/// and one reply each.
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

/// A moment: how many requests were applied before it, rejected and repeated ones included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct Stamp(u64);

impl Stamp {
    /// The beginning of time.
    pub const ZERO: Stamp = Stamp(0);

    /// Requests applied before it.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Names one request, however often it is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RequestId {
    /// The client's session.
    pub session: SessionId,
    /// The session was opened, or taken up again after a pause, at this moment or later. No copy of
    /// this request was sent before.
    pub opened: Stamp,
    /// From 1 on, one more with each request. The client waits for no earlier one any more.
    pub number: u64,
}

/// What to do with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "only an admitted request may be executed"]
pub enum Admission<R = ()> {
    /// The request is new.
    Execute,
    /// The request was executed before: change nothing. Its reply, if it is the last request of its
    /// client; nobody waits for the reply to an earlier one.
    Duplicate(Option<R>),
    /// The session has ended, or cannot be told from one that has: change nothing.
    Ended {
        /// Present time.
        now: Stamp,
    },
}

/// The sessions of a service, each with the reply to its last request: part of the replicated
/// state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Saved<R>")]
#[serde(bound(deserialize = "R: Deserialize<'de>"))]
pub struct Sessions<R = ()> {
    /// Length of a period, at least 1. The same on all servers.
    window: u64,
    /// Present time.
    now: Stamp,
    /// All sessions with a request since this moment are in one of the maps. Never decreases.
    known_since: Stamp,
    /// Beginning of the present period: `known_since <= period <= now < period + window`.
    period: Stamp,
    /// Sessions with a request in this period.
    recent: BTreeMap<SessionId, Last<R>>,
    /// Sessions with their last request in the period before. None of them is in `recent`.
    older: BTreeMap<SessionId, Last<R>>,
}

/// The last request of a session that was executed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Last<R> {
    /// At least 1.
    number: u64,
    /// `None` only while the request is being executed.
    reply: Option<R>,
}

/// [`Sessions`] as they were saved, before anybody has looked at them.
#[derive(Deserialize)]
struct Saved<R> {
    window: u64,
    now: Stamp,
    known_since: Stamp,
    period: Stamp,
    recent: BTreeMap<SessionId, Last<R>>,
    older: BTreeMap<SessionId, Last<R>>,
}

/// A saved state that no sequence of requests leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSessions {
    /// A period has at least one request.
    #[error("sessions with a window of 0")]
    NoWindow,
    /// The moments contradict each other.
    #[error("sessions whose period does not contain the present time")]
    Time,
    /// Requests are numbered from 1.
    #[error("a session whose last request has number 0")]
    Number,
    /// A session is in one period.
    #[error("a session that is in two periods at once")]
    TwoPeriods,
}

impl<R> TryFrom<Saved<R>> for Sessions<R> {
    type Error = InvalidSessions;

    fn try_from(saved: Saved<R>) -> Result<Sessions<R>, InvalidSessions> {
        let Saved { window, now, known_since, period, recent, older } = saved;
        if window == 0 {
            return Err(InvalidSessions::NoWindow);
        }
        if known_since > period || period > now || now.0 - period.0 >= window {
            return Err(InvalidSessions::Time);
        }
        if recent.values().chain(older.values()).any(|last| last.number == 0) {
            return Err(InvalidSessions::Number);
        }
        if older.keys().any(|session| recent.contains_key(session)) {
            return Err(InvalidSessions::TwoPeriods);
        }
        Ok(Sessions { window, now, known_since, period, recent, older })
    }
}

impl<R> Default for Sessions<R> {
    fn default() -> Sessions<R> {
        Sessions::new(SESSION_WINDOW)
    }
}

impl<R> Sessions<R> {
    /// No sessions; periods of this many requests, of one at least.
    pub fn new(window: u64) -> Sessions<R> {
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

    /// How many sessions are remembered.
    pub fn len(&self) -> usize {
        self.recent.len() + self.older.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Decides on a request. Called in log order, for every request. An admitted request must be
    /// executed next, and its reply handed to [`executed`](Sessions::executed).
    pub fn admit(&mut self, id: RequestId) -> Admission<R>
    where
        R: Clone,
    {
        self.advance();
        let RequestId { session, opened, number } = id;
        let last = self.recent.remove(&session).or_else(|| self.older.remove(&session));
        let (admission, last) = match last {
            None if opened < self.known_since || number == 0 => {
                return Admission::Ended { now: self.now };
            }
            Some(last) if number <= last.number => {
                let reply = if number == last.number { last.reply.clone() } else { None };
                (Admission::Duplicate(reply), last)
            }
            _ => (Admission::Execute, Last { number, reply: None }),
        };
        self.recent.insert(session, last);
        admission
    }

    /// Remembers the reply to the request that was admitted last in this session.
    pub fn executed(&mut self, session: SessionId, reply: R) {
        if let Some(last) = self.recent.get_mut(&session) {
            last.reply = Some(reply);
        }
    }

    /// One request further; at the end of a period, the sessions that were silent in it end.
    fn advance(&mut self) {
        self.now = Stamp(self.now.0.saturating_add(1));
        if self.now.0 - self.period.0 >= self.window {
            self.known_since = self.period;
            self.period = self.now;
            self.older = std::mem::take(&mut self.recent);
        }
    }
}

/// A client's side of its session: names its requests.
#[derive(Clone, Debug)]
pub struct Client {
    /// The name of the last request.
    last: RequestId,
    /// When the service was last heard to know the session.
    known: Option<labrt::Instant>,
}

/// A session that was silent for longer is taken up again, which costs a round trip. A guess at how
/// long a window of requests takes at least: guessed too long, requests come back with an unknown
/// fate.
const PAUSE: Duration = Duration::from_millis(100);

impl Client {
    /// A client with a session of its own.
    pub fn new() -> Client {
        // Two clients would have to draw the same number out of 2^64.
        let session = SessionId::new(labrt::random_u64());
        Client { last: RequestId { session, opened: Stamp::ZERO, number: 0 }, known: None }
    }

    /// Whether the session must be opened, or taken up again, before the next request.
    pub fn is_stale(&self) -> bool {
        self.known.is_none_or(|known| known.elapsed() > PAUSE)
    }

    /// The service has named this as its present time, or as a time past.
    pub fn open(&mut self, now: Stamp) {
        self.last.opened = self.last.opened.max(now);
    }

    /// The name of the next request. Earlier ones are not waited for any more.
    pub fn next_request(&mut self) -> RequestId {
        self.last.number += 1;
        self.last
    }

    /// Whether the last request was answered by a service that knows the session.
    pub fn answered(&mut self, known: bool) {
        self.known = known.then(labrt::now);
    }
}

impl Default for Client {
    fn default() -> Client {
        Client::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(session: u64, opened: Stamp, number: u64) -> RequestId {
        RequestId { session: SessionId::new(session), opened, number }
    }

    #[test]
    fn a_repeated_write_is_executed_once() {
        let mut sessions = Sessions::<()>::new(100);
        assert_eq!(sessions.admit(write(1, Stamp::ZERO, 1)), Admission::Execute);
        assert_eq!(sessions.admit(write(1, Stamp::ZERO, 1)), Admission::Duplicate(None));
        assert_eq!(sessions.admit(write(1, Stamp::ZERO, 2)), Admission::Execute);
        assert_eq!(sessions.admit(write(1, Stamp::ZERO, 1)), Admission::Duplicate(None));
        assert_eq!(sessions.admit(write(2, Stamp::ZERO, 1)), Admission::Execute);
        assert_eq!(sessions.len(), 2);
    }

    /// A session ends one to two windows after its last write; then its writes, new or late, are
    /// refused.
    #[test]
    fn a_silent_session_ends_and_is_refused() {
        const WINDOW: u64 = 10;
        for silent in 0..3 * WINDOW {
            let mut sessions = Sessions::<()>::new(WINDOW);
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
        let mut sessions = Sessions::<()>::new(4);
        for number in 1..=20 {
            let _ = sessions.admit(write(7, Stamp::ZERO, number));
        }
        let Admission::Ended { now } = sessions.admit(write(8, Stamp::ZERO, 1)) else {
            panic!("a stranger of unknown age was let in");
        };
        assert_eq!(sessions.admit(write(9, now, 1)), Admission::Execute);
        assert_eq!(sessions.admit(write(9, now, 1)), Admission::Duplicate(None));
    }

    /// Whatever copies come late: no write is executed twice. All orders of a small world, at
    /// random.
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
            let mut sessions = Sessions::<()>::new(window);
            let mut clients: Vec<RequestId> = (0..5).map(|id| write(id, Stamp::ZERO, 1)).collect();
            let mut fresh = 100;
            let mut sent: Vec<RequestId> = Vec::new();
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

    /// The reply to the last request is repeated; an older copy gets none, and is not executed.
    #[test]
    fn the_last_reply_is_repeated() {
        let mut sessions = Sessions::new(100);
        for number in 1..=2 {
            assert_eq!(sessions.admit(write(1, Stamp::ZERO, number)), Admission::Execute);
            sessions.executed(SessionId::new(1), format!("reply {number}"));
        }
        let repeated = Admission::Duplicate(Some("reply 2".to_owned()));
        assert_eq!(sessions.admit(write(1, Stamp::ZERO, 2)), repeated);
        assert_eq!(sessions.admit(write(1, Stamp::ZERO, 1)), Admission::Duplicate(None));
    }

    /// What no sequence of requests leads to is rejected when it is read back, by name.
    #[test]
    fn impossible_sessions_are_not_restored() {
        let mut sessions = Sessions::<()>::new(4);
        for number in 1..=10 {
            let _ = sessions.admit(write(1, Stamp::ZERO, number));
        }
        let _ = sessions.admit(write(2, sessions.now, 1));
        let read = |sessions: &Sessions<()>| {
            let bytes = labgob::encode(sessions).expect("numbers can be encoded");
            labgob::decode::<Sessions<()>>(&bytes).map_err(|error| error.to_string())
        };
        assert_eq!(read(&sessions).as_ref(), Ok(&sessions));
        type Break = fn(&mut Sessions<()>);
        let broken: [(&str, Break); 6] = [
            ("a window of 0", |sessions| sessions.window = 0),
            ("the present time", |sessions| sessions.now = Stamp(sessions.period.0 - 1)),
            ("the present time", |sessions| sessions.now = Stamp(sessions.period.0 + 4)),
            ("the present time", |sessions| sessions.known_since = sessions.now),
            ("number 0", |sessions| {
                sessions.older.insert(SessionId::new(9), Last { number: 0, reply: None });
            }),
            ("two periods", |sessions| {
                sessions.older = sessions.recent.clone();
            }),
        ];
        for (why, breaks) in broken {
            let mut sessions = sessions.clone();
            breaks(&mut sessions);
            let error = read(&sessions).expect_err(why);
            assert!(error.contains(why), "{error}");
        }
    }
}
