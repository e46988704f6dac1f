//! Delays and losses of one request and its reply: a pure function of settings and random numbers.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Upper limit of the delay of a request on an unreliable network, in whole milliseconds.
const SHORT_DELAY_MS: u64 = 27;
/// Probability that an unreliable network loses a request; the same again for a reply.
const UNRELIABLE_LOSS: f64 = 0.1;
/// Probability that long reordering holds a reply back.
const REORDERED: f64 = 600.0 / 900.0;
/// A reply that is held back waits this long, and up to `REORDER_SPREAD_MS` more. Short waits are
/// more likely.
const REORDER_FLOOR_MS: u64 = 200;
const REORDER_SPREAD_MS: u64 = 2000;
/// A call that nobody can answer ends within this time, in whole milliseconds …
const UNANSWERED_MS: u64 = 100;
/// … or this, with long delays.
const UNANSWERED_LONG_MS: u64 = 7000;
/// A call to a server that died ends within this time: the phase of a poll of this period.
const POLL: Duration = Duration::from_millis(100);

/// Faults of one link, that is, of one end. They add to the faults of the network; the default is
/// none.
///
/// A link has a direction for requests (from the caller) and one for replies. Cuts act on messages
/// that pass while the cut is active. All other settings are read when the call is made.
#[derive(Clone, PartialEq, Debug)]
pub struct LinkFaults {
    /// No request arrives: new calls behave as on a disabled end, but calls in flight keep their
    /// replies.
    pub cut_requests: bool,
    /// No reply arrives: handlers run, and callers get `NoReply` after the delay of a call that
    /// nobody answers.
    pub cut_replies: bool,
    /// Added to every message, in each direction.
    pub latency: Duration,
    /// Probability that a request is lost; the same again for its reply.
    pub loss: f64,
    /// Probability that a request arrives twice, the second copy up to 26 ms after the first. Both
    /// run; the first reply counts.
    pub duplicate: f64,
    /// Probability that a request (each copy of it) is delayed by a random time from
    /// [`held_up`](LinkFaults::held_up).
    pub long_delay: f64,
    /// How long, when it is. Start value: 200 ms to 2.2 s.
    pub held_up: RangeInclusive<Duration>,
    /// A call without an answer by then ends with `NoReply`, while its request or reply may still
    /// be in flight. Together with `long_delay` or a long `latency`, handlers run for callers that
    /// gave up long ago. Start value: `None`, wait on.
    pub patience: Option<Duration>,
}

impl Default for LinkFaults {
    fn default() -> LinkFaults {
        LinkFaults {
            cut_requests: false,
            cut_replies: false,
            latency: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
            long_delay: 0.0,
            held_up: Duration::from_millis(200)..=Duration::from_millis(2200),
            patience: None,
        }
    }
}

/// The settings of a network that decide how a message is delivered.
#[derive(Clone, Debug)]
pub(crate) struct Conditions {
    pub(crate) reliable: bool,
    pub(crate) long_reordering: bool,
    /// Bounds of the time a message takes, in nanoseconds.
    pub(crate) latency: (u64, u64),
}

/// How one call is delivered, decided when it is made.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Delivery {
    /// From the caller to the server.
    pub(crate) request_takes: Duration,
    /// The message does not arrive; the caller gets `NoReply` after the same time.
    pub(crate) request_lost: bool,
    /// A second copy arrives after this time.
    pub(crate) copy_takes: Option<Duration>,
    /// From the server to the caller.
    pub(crate) reply_takes: Duration,
    pub(crate) reply_lost: bool,
    /// The reply, once back, is held for this long.
    pub(crate) reply_held: Option<Duration>,
}

impl Delivery {
    /// Draws a delivery. `slowness` is the server's, for each direction; `rng` gives 64 random bits
    /// a time.
    pub(crate) fn draw(
        conditions: &Conditions,
        faults: Option<&LinkFaults>,
        slowness: Duration,
        mut rng: impl FnMut() -> u64,
    ) -> Delivery {
        let (there, back) = latencies(conditions.latency, &mut rng);
        let mut delivery = Delivery {
            request_takes: there.saturating_add(slowness),
            request_lost: false,
            copy_takes: None,
            reply_takes: back.saturating_add(slowness),
            reply_lost: false,
            reply_held: None,
        };
        if !conditions.reliable {
            delivery.delay_request(millis_below(SHORT_DELAY_MS, rng()));
            delivery.request_lost = chance(UNRELIABLE_LOSS, rng());
            delivery.reply_lost = chance(UNRELIABLE_LOSS, rng());
        }
        if conditions.long_reordering && chance(REORDERED, rng()) {
            // A uniform number below a uniform number: most waits are short.
            let bound = 1 + below(REORDER_SPREAD_MS, rng());
            let wait = REORDER_FLOOR_MS + below(bound, rng());
            delivery.reply_held = Some(Duration::from_millis(wait));
        }
        if let Some(faults) = faults {
            delivery.add(faults, &mut rng);
        }
        delivery
    }

    fn delay_request(&mut self, by: Duration) {
        self.request_takes = self.request_takes.saturating_add(by);
    }

    /// Adds the faults of the link.
    fn add(&mut self, faults: &LinkFaults, rng: &mut impl FnMut() -> u64) {
        self.delay_request(faults.latency);
        self.reply_takes = self.reply_takes.saturating_add(faults.latency);
        if faults.loss > 0.0 {
            self.request_lost |= chance(faults.loss, rng());
            self.reply_lost |= chance(faults.loss, rng());
        }
        if faults.duplicate > 0.0 && chance(faults.duplicate, rng()) {
            let later = millis_below(SHORT_DELAY_MS, rng());
            self.copy_takes = Some(self.request_takes.saturating_add(later));
        }
        if faults.long_delay > 0.0 {
            for takes in std::iter::once(&mut self.request_takes).chain(&mut self.copy_takes) {
                if chance(faults.long_delay, rng()) {
                    *takes = takes.saturating_add(between(&faults.held_up, rng()));
                }
            }
        }
    }
}

/// How long a call waits that nobody can answer.
pub(crate) fn unanswered(long_delays: bool, word: u64) -> Duration {
    millis_below(if long_delays { UNANSWERED_LONG_MS } else { UNANSWERED_MS }, word)
}

/// When a caller notices that its server is dead.
pub(crate) fn next_poll(word: u64) -> Duration {
    Duration::from_nanos(below(POLL.as_nanos() as u64, word))
}

/// The time one message takes.
pub(crate) fn latency(bounds: (u64, u64), mut rng: impl FnMut() -> u64) -> Duration {
    latencies(bounds, &mut rng).0
}

/// The latencies there and back, from one random number.
fn latencies((low, high): (u64, u64), rng: &mut impl FnMut() -> u64) -> (Duration, Duration) {
    if low >= high {
        return (Duration::from_nanos(low), Duration::from_nanos(low));
    }
    let word = rng();
    // The halves of the word, each moved to the top of one.
    let there = low + below(high - low + 1, word & 0xffff_ffff_0000_0000);
    let back = low + below(high - low + 1, word << 32);
    (Duration::from_nanos(there), Duration::from_nanos(back))
}

/// A number below `bound`, all equally likely, from 64 random bits.
fn below(bound: u64, word: u64) -> u64 {
    ((u128::from(word) * u128::from(bound)) >> 64) as u64
}

fn millis_below(bound: u64, word: u64) -> Duration {
    Duration::from_millis(below(bound, word))
}

/// A time from `range`; its start if it is empty.
fn between(range: &RangeInclusive<Duration>, word: u64) -> Duration {
    let span = range.end().saturating_sub(*range.start());
    let span = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX).min(u64::MAX - 1);
    range.start().saturating_add(Duration::from_nanos(below(span + 1, word)))
}

/// Whether something of probability `p` happens.
fn chance(p: f64, word: u64) -> bool {
    ((word >> 11) as f64) < p * (1_u64 << 53) as f64 // 53 bits fit a float exactly
}
