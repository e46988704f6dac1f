//! A budget that ends is its own verdict, at the same place every time.

use std::sync::atomic::{AtomicU32, Ordering};

use porcupine::models::queue::{Input, Output, Queue};
use porcupine::{
    Budget, Limit, Method, Model, Operation, Options, Step, Verdict, check_operations,
};

/// Nine concurrent enqueues, then one dequeue of something else: 9! orders to refute.
fn hard() -> Vec<Operation<Input, Output>> {
    let mut history: Vec<_> = (0..9)
        .map(|value| Operation::new(value, 0, Input::Enqueue(value), 10, Output::Done))
        .collect();
    history.push(Operation::new(9, 20, Input::Dequeue, 30, Output::Value(99)));
    history
}

/// The search breadth first alone: the queue has a procedure that decides it at once.
fn limit(budget: Budget<'_>) -> (Verdict, Option<Limit>, u64) {
    let options = Options { budget, method: Method::BreadthFirst, ..Options::default() };
    let report = check_operations(&Queue::new(), &hard(), &options).unwrap();
    (report.verdict(), report.limit(), report.steps())
}

#[test]
fn without_a_budget_there_is_an_answer() {
    assert_eq!(limit(Budget::default()).0, Verdict::Illegal);
}

#[test]
fn steps_end_it_at_the_same_place() {
    let budget = Budget { steps: Some(5_000), ..Budget::default() };
    assert_eq!(limit(budget), (Verdict::Unknown, Some(Limit::Steps), 5_000));
    assert_eq!(limit(budget), (Verdict::Unknown, Some(Limit::Steps), 5_000));
}

#[test]
fn memory_ends_it() {
    let budget = Budget { memory: Some(100_000), ..Budget::default() };
    let first = limit(budget);
    assert_eq!((first.0, first.1), (Verdict::Unknown, Some(Limit::Memory)));
    assert_eq!(limit(budget), first);
}

#[test]
fn the_caller_ends_it() {
    let asked = AtomicU32::new(0);
    let stop = || asked.fetch_add(1, Ordering::Relaxed) == 2;
    let (verdict, limit, steps) = limit(Budget { stop: Some(&stop), ..Budget::default() });
    assert_eq!((verdict, limit), (Verdict::Unknown, Some(Limit::Stopped)));
    assert!(steps < 20_000, "asked too seldom: {steps} steps");
}

/// A model whose steps are long asks for itself.
#[test]
fn a_long_step_can_be_interrupted() {
    struct Slow<'a>(&'a (dyn Fn() -> bool + Sync));
    impl Model for Slow<'_> {
        type State = u64;
        type Input = u64;
        type Output = ();
        fn init(&self) -> u64 {
            0
        }
        fn step(&self, state: &u64, input: &u64, _: Option<&()>) -> Step<u64> {
            for _ in 0..1_000_000 {
                if (self.0)() {
                    return Step::Interrupted;
                }
            }
            Step::To(state + input)
        }
    }
    let asked = AtomicU32::new(0);
    let stop = || asked.fetch_add(1, Ordering::Relaxed) > 1_500_000;
    let history = [Operation::new(1, 0, 1, 1, ()), Operation::new(1, 2, 1, 3, ())];
    let report = check_operations(&Slow(&stop), &history, &Options::default()).unwrap();
    assert_eq!(report.verdict(), Verdict::Unknown);
    assert_eq!(report.limit(), Some(Limit::Interrupted));
}

/// One illegal partition is enough, even if others are unknown.
#[test]
fn illegal_counts_more_than_unknown() {
    use porcupine::models::append_kv::{AppendKv, Input, Output};
    let mut history: Vec<_> = (0..9)
        .map(|n| {
            Operation::new(n, 0, Input::append("a", ["x", "xy"][n as usize % 2]), 9, Output::Done)
        })
        .collect();
    history.push(Operation::new(20, 20, Input::get("a"), 30, Output::value("y")));
    let budget = Budget { steps: Some(20), ..Budget::default() };
    let verdict = |history: &[_]| {
        let options = Options { budget, ..Options::default() };
        check_operations(&AppendKv::new(), history, &options).unwrap().verdict()
    };
    assert_eq!(verdict(&history), Verdict::Unknown);
    history.push(Operation::new(21, 0, Input::get("b"), 30, Output::value("y")));
    assert_eq!(verdict(&history), Verdict::Illegal);
}
