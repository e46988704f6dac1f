//! The client's side: asking one server of a group after the other until one decides.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use labrt::Instant;

use crate::{CallError, ClientEnd, Method};

/// The servers of one group, as a clerk sees them. Several tasks may use it at once.
///
/// A call begins with the server that answered last. A server that does not lead, or does not
/// answer, is followed by the next one. After each full round there is a pause, which doubles with
/// each round up to [`LONGEST_PAUSE`] and is random by half, so that clients do not stay in step.
#[derive(Debug)]
pub struct Servers {
    ends: Vec<ClientEnd>,
    /// The server to begin with: the last one that answered, or the one after the last one asked.
    first: AtomicUsize,
}

/// Pause after the first round without an answer. An election may be under way; asking faster does
/// not end it.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Longest pause between two rounds.
pub const LONGEST_PAUSE: Duration = Duration::from_millis(80);

/// How long one server is waited for. Servers answer within a second, be it with "ask another one";
/// a server that is silent for longer hangs, and must not keep a client that can reach others.
pub const TRY_TIME: Duration = Duration::from_secs(2);

/// A deadline that does not pass.
pub const NEVER: Instant = Instant::from_nanos(u64::MAX);

/// A list of servers without servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a clerk needs at least one server")]
pub struct NoServers;

/// A decisive answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answered<R> {
    /// What was decided.
    pub answer: R,
    /// Whether this is the answer to the first request sent, so that no other copy of it can have
    /// been executed.
    pub first_try: bool,
}

/// Why a request has no decisive answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unanswered {
    /// No server decided in time. The request may have been executed, or may yet be, once.
    #[error("no server answered in time: the request may or may not take effect")]
    TimedOut,
    /// The request or its reply cannot be encoded or decoded, such as one that is too large: asking
    /// again will not help. With a request that cannot be decoded, nothing happened.
    #[error("no server can answer such a request: {0}")]
    Rejected(CallError),
}

impl Servers {
    /// The servers at these ends, in any order.
    ///
    /// # Errors
    /// [`NoServers`] when the list is empty.
    pub fn new(ends: Vec<ClientEnd>) -> Result<Servers, NoServers> {
        if ends.is_empty() {
            return Err(NoServers);
        }
        Ok(Servers { ends, first: AtomicUsize::new(0) })
    }

    /// Calls the method `G` on one server after the other until one gives an answer that `decide`
    /// accepts, or until `deadline`; `None` is a server that cannot decide. At least one server is
    /// asked.
    ///
    /// # Errors
    /// [`Unanswered`]; not [`TimedOut`](Unanswered::TimedOut) if the deadline is [`NEVER`].
    pub fn ask_until<G: Method, R>(
        &self,
        deadline: Instant,
        args: &G::Args,
        decide: impl FnMut(G::Reply) -> Option<R>,
    ) -> Result<Answered<R>, Unanswered> {
        self.ask_within::<G, R>(deadline, deadline, args, decide)
    }

    /// The same for a caller that has something else to look at after `until`: no request is sent
    /// later, but the answer to the last one is waited for until `deadline`. A slow answer is then
    /// not asked for twice.
    ///
    /// # Errors
    /// [`Unanswered`] when nobody has decided.
    pub fn ask_within<G: Method, R>(
        &self,
        until: Instant,
        deadline: Instant,
        args: &G::Args,
        mut decide: impl FnMut(G::Reply) -> Option<R>,
    ) -> Result<Answered<R>, Unanswered> {
        let mut server = self.first.load(Ordering::Relaxed) % self.ends.len();
        let mut asked = 0;
        let mut pause = FIRST_PAUSE;
        let mut first_try = true;
        loop {
            let left = deadline - labrt::now();
            let patience = left.clamp(Duration::from_millis(1), TRY_TIME);
            match self.ends[server].call_within::<G>(patience, args) {
                Ok(reply) => {
                    if let Some(answer) = decide(reply) {
                        self.first.store(server, Ordering::Relaxed);
                        return Ok(Answered { answer, first_try });
                    }
                }
                Err(CallError::NoReply) => {}
                Err(error @ (CallError::Encode { .. } | CallError::Decode { .. })) => {
                    return Err(Unanswered::Rejected(error));
                }
                // A mistake in the wiring, which may yet be mended; an answer may not be made up.
                Err(error) => log::error!(target: "rpc", "{}: {error}", G::METHOD),
            }
            // Whatever came back: the server may have put the request into the log.
            first_try = false;
            server = (server + 1) % self.ends.len();
            asked += 1;
            let left = until - labrt::now();
            if left.is_zero() {
                // Later calls begin with the next server: with little time for each call, the same
                // silent server would be asked again and again.
                self.first.store(server, Ordering::Relaxed);
                return Err(Unanswered::TimedOut);
            }
            if asked % self.ends.len() == 0 {
                let half = pause / 2;
                let random = labrt::random_range(0..=half.as_micros() as u64);
                labrt::sleep((half + Duration::from_micros(random)).min(left));
                pause = (2 * pause).min(LONGEST_PAUSE);
            }
        }
    }
}
