//! Who gets which shard. Pure.

use std::collections::BTreeMap;

use crate::shard::{Gid, SHARDS};

/// Shares the shards out among `groups` so that no group has two more than another, moving as few
/// as possible.
///
/// 1. Shards whose group is gone go, in order, to the group with the fewest at that moment.
/// 2. While the fullest group has two more than the emptiest, its lowest shard moves there.
///
/// Of groups with equally many, the lowest number counts as fullest and as emptiest. Without groups
/// nobody gets anything.
pub(crate) fn rebalance(shards: &mut [Gid; SHARDS], groups: impl Iterator<Item = Gid>) {
    let mut loads: BTreeMap<Gid, usize> = groups.map(|gid| (gid, 0)).collect();
    if loads.is_empty() {
        *shards = [Gid::NONE; SHARDS];
        return;
    }
    for gid in shards.iter() {
        if let Some(load) = loads.get_mut(gid) {
            *load += 1;
        }
    }
    for shard in shards.iter_mut() {
        if !loads.contains_key(shard) {
            *shard = emptiest(&loads).0;
            change(&mut loads, *shard, 1);
        }
    }
    loop {
        let ((from, most), (to, least)) = (fullest(&loads), emptiest(&loads));
        if most - least <= 1 {
            return;
        }
        let lowest = shards.iter_mut().find(|gid| **gid == from);
        *lowest.expect("a group with shards has a lowest one") = to;
        change(&mut loads, from, -1);
        change(&mut loads, to, 1);
    }
}

fn change(loads: &mut BTreeMap<Gid, usize>, gid: Gid, by: isize) {
    let load = loads.get_mut(&gid).expect("only groups with a load are chosen");
    *load = load.checked_add_signed(by).expect("a group gives away only what it has");
}

/// The group with the fewest shards, and how many; of several the lowest number.
fn emptiest(loads: &BTreeMap<Gid, usize>) -> (Gid, usize) {
    let least = loads.iter().min_by_key(|(_, load)| **load);
    least.map(|(gid, load)| (*gid, *load)).expect("there is a group")
}

/// The group with the most shards, and how many; of several the lowest number.
fn fullest(loads: &BTreeMap<Gid, usize>) -> (Gid, usize) {
    // max_by_key takes the last of equals: look from the end.
    let most = loads.iter().rev().max_by_key(|(_, load)| **load);
    most.map(|(gid, load)| (*gid, *load)).expect("there is a group")
}
