//! Sends the core a tick at each of its deadlines.

use std::sync::Arc;

use super::Shared;
use crate::consensus::Event;
use crate::timing::Time;

/// Runs until the server is killed. Sleeps until the core's next deadline, and is woken when a step
/// moves the deadline forward.
pub(super) fn run(shared: &Arc<Shared>) {
    let mut state = shared.state.lock();
    while !state.killed {
        let due = state.node.wake_at();
        if due <= shared.time() {
            let outcome = shared.step_locked(&mut state, Event::Tick);
            if !outcome.ended.is_empty() {
                drop(state);
                outcome.ended.tell();
                state = shared.state.lock();
            }
            continue;
        }
        state.ticker_wakes = due;
        match shared.moment(due) {
            Some(moment) => {
                shared.tick_earlier.wait_until(&mut state, moment);
            }
            None => shared.tick_earlier.wait(&mut state),
        }
        state.ticker_wakes = Time::ZERO;
    }
}
