//! What must not change a verdict.

use porcupine::models::versioned_kv::{Input, Output, VersionedKv};
use porcupine::{Operation, Options, Report, Returned, check_operations, check_operations_verbose};
use proptest::prelude::*;

type History = Vec<Operation<Input, Output>>;

/// Histories of a few keys that are often linearizable: puts and gets whose versions are near.
fn any_history() -> impl Strategy<Value = History> {
    let operation = (0..4i64, 0..6u64, 0..20u64, 0..3usize, 0..6u8, 0..4u64, 0..3usize, 0..12u8);
    prop::collection::vec(operation, 0..14).prop_map(|drawn| {
        let mut free = [0u64; 4];
        let mut history = Vec::new();
        for (client, pause, length, key, kind, version, value, pending) in drawn {
            if free[client as usize] == u64::MAX {
                continue;
            }
            let (key, value) = (["a", "b", "c"][key], ["x", "y", "z"][value]);
            let (input, output) = match kind {
                0 => (Input::get(key), Output::NoKey),
                1 | 2 => (Input::get(key), Output::value(value, version)),
                3 => (Input::put(key, value, version), Output::Done),
                4 => (Input::put(key, value, version), Output::Version),
                _ => (Input::put(key, value, version), Output::Maybe),
            };
            let call = free[client as usize] + pause;
            if pending == 0 {
                free[client as usize] = u64::MAX;
                history.push(Operation::pending(client, call, input));
            } else {
                free[client as usize] = call + length;
                history.push(Operation::new(client, call, input, call + length, output));
            }
        }
        history
    })
}

fn check(history: &History) -> Report {
    check_operations(&VersionedKv, history, &Options::default()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..Default::default() })]

    #[test]
    fn names_of_clients_do_not_matter(history in any_history(), factor in -1000..1000i64) {
        prop_assume!(factor != 0);
        let mut renamed = history.clone();
        for operation in &mut renamed {
            operation.client = operation.client * factor + 5;
        }
        prop_assert_eq!(check(&history), check(&renamed));
    }

    #[test]
    fn the_unit_and_origin_of_time_do_not_matter(
        history in any_history(), factor in 1..1000u64, shift in 0..1_000_000_000u64,
    ) {
        let mut moved = history.clone();
        for operation in &mut moved {
            operation.call = operation.call * factor + shift;
            if let Some(Returned { time, .. }) = &mut operation.returned {
                *time = *time * factor + shift;
            }
        }
        prop_assert_eq!(check(&history).verdict(), check(&moved).verdict());
    }

    #[test]
    fn the_order_in_the_history_does_not_matter(
        (history, shuffled) in any_history().prop_flat_map(|history| {
            (Just(history.clone()), Just(history).prop_shuffle())
        })
    ) {
        // Two operations of one client at one instant are ordered by the history alone.
        let points = |client: i64| {
            let mut all: Vec<u64> = history
                .iter()
                .filter(|op| op.client == client && op.return_time() == Some(op.call))
                .map(|op| op.call)
                .collect();
            all.sort_unstable();
            all.windows(2).any(|pair| pair[0] == pair[1])
        };
        prop_assume!(!(0..4).any(points));
        prop_assert_eq!(check(&history).verdict(), check(&shuffled).verdict());
    }

    /// Each key alone, all illegal or not, gives what the whole gives.
    #[test]
    fn a_history_is_as_good_as_its_partitions(history in any_history()) {
        let legal = ["a", "b", "c"].iter().all(|key| {
            let of_key = |operation: &&Operation<_, _>| -> bool {
                let input: &Input = &operation.input;
                input.key() == *key
            };
            let part: History = history.iter().filter(of_key).cloned().collect();
            check(&part).verdict() == porcupine::Verdict::Ok
        });
        prop_assert_eq!(check(&history).verdict() == porcupine::Verdict::Ok, legal);
    }

    #[test]
    fn the_number_of_threads_does_not_matter(history in any_history()) {
        for threads in [2, 3, 8] {
            let options = Options { threads, ..Options::default() };
            prop_assert_eq!(&check(&history), &check_operations(&VersionedKv, &history, &options).unwrap());
            prop_assert_eq!(
                check_operations_verbose(&VersionedKv, &history, &Options::default()).unwrap(),
                check_operations_verbose(&VersionedKv, &history, &options).unwrap()
            );
        }
    }

    /// What is known less can only allow more.
    #[test]
    fn forgetting_an_answer_never_makes_a_history_illegal(history in any_history(), at in 0..14usize) {
        if !history.is_empty() && check(&history).verdict() == porcupine::Verdict::Ok {
            let mut less = history;
            for (client, operation) in less.iter_mut().enumerate() {
                operation.client = client as i64;
            }
            let at = at % less.len();
            less[at].returned = None;
            prop_assert_eq!(check(&less).verdict(), porcupine::Verdict::Ok);
        }
    }
}
