//! One value that can be read, written, and replaced if it is the expected one.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use crate::decide::Partition;
use crate::hash::FoldBuilder;
use crate::model::{Model, Step};

/// The model. A register holds a `V`, or nothing before the first write unless
/// [`Register::starting_at`] gives it a value.
#[derive(Clone, Copy, Debug)]
pub struct Register<V = i64> {
    initial: Option<V>,
}

/// A register of strings.
pub type StringRegister = Register<Arc<str>>;

impl<V> Default for Register<V> {
    fn default() -> Self {
        Register { initial: None }
    }
}

impl<V> Register<V> {
    /// The model of a register that holds nothing.
    pub fn new() -> Self {
        Register::default()
    }

    /// The model of a register that holds `initial` before the first write.
    pub fn starting_at(initial: V) -> Self {
        Register { initial: Some(initial) }
    }
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<V = i64> {
    /// What does it hold?
    Read,
    /// Hold this.
    Write(V),
    /// If it holds the first, hold the second (compare-and-set).
    Cas(V, V),
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<V = i64> {
    /// A read found this, or nothing.
    Value(Option<V>),
    /// A write took effect, or a compare-and-set found what it expected.
    Done,
    /// A compare-and-set found something else and changed nothing.
    Differs,
}

impl<V: Clone + Eq + Hash + Debug + Send + Sync> Model for Register<V> {
    type State = Option<V>;
    type Input = Input<V>;
    type Output = Output<V>;

    fn init(&self) -> Option<V> {
        self.initial.clone()
    }

    fn step(
        &self,
        state: &Option<V>,
        input: &Input<V>,
        output: Option<&Output<V>>,
    ) -> Step<Option<V>> {
        match (input, output) {
            (Input::Read, None) => Step::Unchanged,
            (Input::Read, Some(Output::Value(seen))) if seen == state => Step::Unchanged,
            (Input::Write(new), None | Some(Output::Done)) => move_to(state, new),
            (Input::Cas(old, new), _) => match (state.as_ref() == Some(old), output) {
                (true, None | Some(Output::Done)) => move_to(state, new),
                (false, None | Some(Output::Differs)) => Step::Unchanged,
                _ => Step::Illegal,
            },
            _ => Step::Illegal,
        }
    }

    fn read_only(&self, input: &Input<V>, output: Option<&Output<V>>) -> bool {
        matches!((input, output), (Input::Read, _) | (_, Some(Output::Differs)))
    }

    /// Zones (Gibbons and Korach 1997), for histories of reads and writes in which all values written
    /// differ.
    ///
    /// A write and the reads of its value are a *cluster*: no other cluster's operation can come
    /// between two of it. Its zone reaches from its first return to its last call. If the return is
    /// the earlier of the two, the value is held all through the zone (a *forward* zone); if not, the
    /// whole cluster can happen at any one instant of the zone (a *backward* zone). An order exists if
    /// and only if
    ///
    /// 1. no read returns before the write of its value is called,
    /// 2. no two forward zones overlap, and
    /// 3. no backward zone lies inside a forward one.
    ///
    /// The empty register is a cluster whose write comes before everything. A write that never
    /// returned and that no read shows is left out.
    fn decide(&self, partition: &Partition<'_, Input<V>, Output<V>>) -> Option<bool> {
        if partition.inputs().any(|input| matches!(input, Input::Cas(..))) {
            return None;
        }
        let intervals = partition.intervals();
        let mut zones: Vec<Zone> =
            vec![Zone { written: -1, first_end: -1, last_call: -1, used: true }];
        let mut writer = ByValue::default();
        for interval in &intervals {
            let Input::Write(value) = interval.input else { continue };
            if self.initial.as_ref() == Some(value) {
                return None; // a read of this value has two possible writers
            }
            if !matches!(interval.output, None | Some(Output::Done))
                || writer.insert(value, zones.len()).is_some()
            {
                return None;
            }
            zones.push(Zone {
                written: interval.call.into(),
                first_end: interval.end.into(),
                last_call: interval.call.into(),
                used: interval.output.is_some(),
            });
        }
        for interval in &intervals {
            let seen = match (interval.input, interval.output) {
                (Input::Read, Some(Output::Value(seen))) => seen,
                (Input::Read, Some(_)) => return Some(false),
                _ => continue,
            };
            let zone = match seen {
                seen if *seen == self.initial => 0,
                None => return Some(false),
                Some(value) => match writer.get(value) {
                    Some(zone) => *zone,
                    None => return Some(false),
                },
            };
            let zone = &mut zones[zone];
            zone.used = true;
            zone.first_end = zone.first_end.min(interval.end.into());
            zone.last_call = zone.last_call.max(interval.call.into());
        }
        zones.retain(|zone| zone.used);
        if zones.iter().any(|zone| zone.first_end < zone.written) {
            return Some(false);
        }
        let (mut forward, backward): (Vec<Zone>, Vec<Zone>) =
            zones.into_iter().partition(|zone| zone.first_end < zone.last_call);
        forward.sort_unstable_by_key(|zone| zone.first_end);
        if forward.windows(2).any(|pair| pair[1].first_end < pair[0].last_call) {
            return Some(false);
        }
        Some(backward.iter().all(|inner| {
            let after = forward.partition_point(|outer| outer.first_end < inner.last_call);
            let outer = after.checked_sub(1).map(|at| &forward[at]);
            outer.is_none_or(|outer| outer.last_call < inner.first_end)
        }))
    }

    fn describe_operation(&self, input: &Input<V>, output: Option<&Output<V>>) -> String {
        let call = match input {
            Input::Read => "read".into(),
            Input::Write(value) => format!("write {value:?}"),
            Input::Cas(old, new) => format!("cas {old:?} to {new:?}"),
        };
        match output {
            None => format!("{call}: no answer"),
            Some(Output::Value(Some(value))) => format!("{call}: {value:?}"),
            Some(Output::Value(None)) => format!("{call}: nothing"),
            Some(Output::Done) => format!("{call}: ok"),
            Some(Output::Differs) => format!("{call}: differs"),
        }
    }

    fn describe_state(&self, state: &Option<V>) -> String {
        state.as_ref().map_or("nothing".into(), |value| format!("{value:?}"))
    }
}

/// A write and the reads of its value. Positions of calls and returns; -1 is before all of them.
struct Zone {
    /// The call of the write.
    written: i64,
    first_end: i64,
    last_call: i64,
    /// Whether the write must take effect.
    used: bool,
}

#[expect(clippy::disallowed_types, reason = "its order cannot show: it is never iterated over")]
type ByValue<'a, V> = std::collections::HashMap<&'a V, usize, FoldBuilder>;

fn move_to<V: Clone + PartialEq>(state: &Option<V>, new: &V) -> Step<Option<V>> {
    if state.as_ref() == Some(new) { Step::Unchanged } else { Step::To(Some(new.clone())) }
}
