//! Histories of many families are answered, and right, with few steps.

use porcupine::models::{AppendKv, Queue, Register, Set};
use porcupine::{Budget, Model, Operation, Options, Verdict, check_operations};

use crate::families::{Shape, append, queue, register, set};

/// Histories looked at, and those that got no verdict.
#[derive(Default)]
struct Count {
    all: usize,
    unknown: usize,
}

/// The verdict is right, if it comes within two thousand steps for each operation.
fn answered<M: Model>(
    count: &mut Count,
    model: &M,
    shape: &Shape,
    history: Option<Vec<Operation<M::Input, M::Output>>>,
) {
    let Some(history) = history else { return };
    let budget = Budget { steps: Some(4_000_000), ..Budget::default() };
    let options = Options { budget, ..Options::default() };
    let verdict = check_operations(model, &history, &options).unwrap().verdict();
    let expected = if shape.violated { Verdict::Illegal } else { Verdict::Ok };
    count.all += 1;
    if verdict == Verdict::Unknown {
        count.unknown += 1;
    } else {
        assert_eq!(verdict, expected, "{shape:?}");
    }
}

#[test]
fn nineteen_of_twenty_are_answered_in_few_steps() {
    let mut count = Count::default();
    for (clients, crashed) in [(5, 0.0), (5, 0.2), (20, 0.05), (100, 0.0), (100, 0.2)] {
        for (violated, seed) in [(false, 1), (false, 2), (true, 1), (true, 2)] {
            let shape = Shape { clients, operations: 2000, crashed, violated, seed };
            answered(&mut count, &Queue::new(), &shape, queue(&shape));
            answered(&mut count, &Set::new(), &shape, set(&shape, false));
            answered(&mut count, &Set::new(), &shape, set(&shape, true));
            answered(&mut count, &Register::new(), &shape, register(&shape, false));
            answered(&mut count, &AppendKv::new(), &shape, append(&shape, true));
            answered(&mut count, &AppendKv::new(), &shape, append(&shape, false));
        }
    }
    assert!(count.unknown * 20 <= count.all, "{} of {} unknown", count.unknown, count.all);
}

/// Few values, written again and again: nothing but a search decides.
#[test]
fn a_register_with_few_values_is_answered() {
    let mut count = Count::default();
    for (clients, seed) in [(5, 1), (5, 2), (20, 1)] {
        let shape = Shape { clients, operations: 2000, crashed: 0.0, violated: false, seed };
        answered(&mut count, &Register::new(), &shape, register(&shape, true));
    }
    assert_eq!(count.unknown, 0, "of {}", count.all);
}
