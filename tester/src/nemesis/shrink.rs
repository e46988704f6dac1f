//! Shrinks a failing schedule to a smaller schedule that fails in the same way.
//!
//! Faults are removed first: halves, then quarters, down to single faults. Then clients, operations
//! and the duration are reduced. Both steps are repeated until nothing more can be removed.
//!
//! The caller decides whether a schedule fails in the same way and how many runs may be tried. A
//! smaller schedule makes a run take another path, so the caller may try several seeds.

use super::schedule::{Fault, Schedule};

/// Shrinks `schedule` as long as `fails` returns a failing schedule, which may differ from its
/// argument in the seed. `fails` returns `None` if the schedule does not fail in the same way, or
/// if the budget is exhausted.
pub(crate) fn shrink(
    schedule: Schedule,
    mut fails: impl FnMut(&Schedule) -> Option<Schedule>,
) -> Schedule {
    let mut best = schedule;
    loop {
        let before = best.clone();
        fewer_faults(&mut best, &mut fails);
        smaller(&mut best, &mut fails);
        if best.size() == before.size() {
            return best;
        }
    }
}

impl Schedule {
    fn size(&self) -> (usize, usize, u64, u64) {
        (self.faults.len(), self.clients, self.operations, self.duration_ms)
    }

    /// The end of its last fault.
    fn end_ms(&self) -> u64 {
        let ends = self.faults.iter().map(|fault| fault.at_ms.saturating_add(fault.lasts_ms));
        ends.max().unwrap_or(0).min(self.duration_ms)
    }
}

/// Removes groups of faults that are adjacent in time, large groups first.
fn fewer_faults(best: &mut Schedule, fails: &mut impl FnMut(&Schedule) -> Option<Schedule>) {
    best.faults.sort_by_key(|fault| fault.at_ms);
    let mut length = best.faults.len();
    while length > 0 {
        let mut at = 0;
        while at < best.faults.len() {
            let keep = |number: usize| number < at || number >= at + length;
            let kept = best.faults.iter().enumerate().filter(|(number, _)| keep(*number));
            let faults: Vec<Fault> = kept.map(|(_, fault)| fault.clone()).collect();
            match fails(&Schedule { faults, ..best.clone() }) {
                Some(smaller) => *best = smaller, // the faults after the group now start at `at`
                None => at += length,
            }
        }
        length /= 2;
    }
}

/// Tries smaller numbers, the smallest first.
fn smaller(best: &mut Schedule, fails: &mut impl FnMut(&Schedule) -> Option<Schedule>) {
    for clients in 1..best.clients {
        if let Some(smaller) = fails(&Schedule { clients, ..best.clone() }) {
            *best = smaller;
            break;
        }
    }
    while best.operations > 1 {
        let operations = best.operations / 2;
        let Some(smaller) = fails(&Schedule { operations, ..best.clone() }) else { break };
        *best = smaller;
    }
    // Up to the last fault, then shorter.
    let end = best.end_ms();
    for duration_ms in [end / 2, end * 3 / 4, end] {
        if duration_ms < best.duration_ms
            && let Some(smaller) = fails(&Schedule { duration_ms, ..best.clone() })
        {
            *best = smaller;
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FaultKind, Limits, Target};
    use super::*;

    /// A bug that needs two faults, two clients, and time up to the second of them.
    #[test]
    fn what_does_not_matter_is_removed() {
        let mut schedule = Schedule::generate(3, &Limits::default());
        let needed = |at_ms, server| Fault {
            at_ms,
            lasts_ms: 100,
            kind: FaultKind::Crash { who: Target::Server(server) },
        };
        schedule.clients = 4;
        schedule.faults.insert(1, needed(900, 1));
        schedule.faults.push(needed(400, 2));
        let fails = |tried: &Schedule| {
            let has = |at, server| tried.faults.contains(&needed(at, server));
            let fails = has(900, 1) && has(400, 2) && tried.clients >= 2 && tried.duration_ms > 950;
            fails.then(|| tried.clone())
        };
        let small = shrink(schedule.clone(), fails);
        assert_eq!(small.faults, [needed(400, 2), needed(900, 1)]);
        assert_eq!((small.clients, small.operations, small.duration_ms), (2, 1, 1000));
        // When the budget is exhausted, the smallest schedule so far remains.
        let mut tries = 0;
        let patient = |tried: &Schedule| {
            tries += 1;
            (tries <= 2).then(|| tried.clone())
        };
        let small = shrink(schedule.clone(), patient);
        assert!(small.faults.len() < schedule.faults.len());
    }
}
