//! Histories that cannot be one: the error names the entry.

use porcupine::models::register::{Input, Output, Register};
use porcupine::{
    Event, EventKind, HistoryError, Operation, Options, Verdict, check_events, check_operations,
    operations_from_events,
};

type Op = Operation<Input, Output>;

fn check(history: &[Op]) -> Result<Verdict, HistoryError> {
    check_operations(&Register::new(), history, &Options::default()).map(|report| report.verdict())
}

fn write(client: i64, call: u64, time: u64) -> Op {
    Operation::new(client, call, Input::Write(1), time, Output::Done)
}

#[test]
fn an_empty_history_is_linearizable() {
    assert_eq!(check(&[]), Ok(Verdict::Ok));
}

#[test]
fn a_return_before_its_call_is_named() {
    let error = check(&[write(1, 0, 5), write(2, 9, 8)]).unwrap_err();
    assert_eq!(error, HistoryError::ReturnBeforeCall { entry: 1, call: 9, returned: 8 });
    assert_eq!(error.to_string(), "entry 1 returns at 8, before its call at 9");
    assert_eq!(error.entry(), Some(1));
}

#[test]
fn overlapping_operations_of_one_client_are_named() {
    let overlap = HistoryError::Overlap { entry: 2, earlier: 0, client: 1 };
    assert_eq!(check(&[write(1, 0, 5), write(2, 0, 9), write(1, 4, 8)]), Err(overlap));
    // In whatever order they are handed in.
    let overlap = HistoryError::Overlap { entry: 0, earlier: 1, client: -7 };
    assert_eq!(check(&[write(-7, 4, 8), write(-7, 0, 5)]), Err(overlap));
    // A call that never returned is open for good.
    let pending = Operation::pending(1, 0, Input::Read);
    let overlap = HistoryError::Overlap { entry: 1, earlier: 0, client: 1 };
    assert_eq!(check(&[pending, write(1, 100, 101)]), Err(overlap));
    // Touching is not overlapping: the next call may have the time of the last return.
    assert_eq!(check(&[write(1, 5, 5), write(1, 5, 9), write(1, 0, 5)]), Ok(Verdict::Ok));
}

/// Touching intervals of different clients do overlap: either may come first.
#[test]
fn intervals_are_closed() {
    let read = |call, time, value| Operation::new(2, call, Input::Read, time, Output::Value(value));
    assert_eq!(check(&[write(1, 0, 10), read(10, 20, None)]), Ok(Verdict::Ok));
    assert_eq!(check(&[write(1, 0, 10), read(10, 20, Some(1))]), Ok(Verdict::Ok));
    assert_eq!(check(&[write(1, 0, 10), read(11, 20, None)]), Ok(Verdict::Illegal));
    // Without duration, at one instant, in both orders.
    assert_eq!(check(&[write(1, 3, 3), read(3, 3, None)]), Ok(Verdict::Ok));
    assert_eq!(check(&[read(3, 3, Some(1)), write(1, 3, 3)]), Ok(Verdict::Ok));
    assert_eq!(check(&[write(1, u64::MAX, u64::MAX), read(0, u64::MAX, Some(1))]), Ok(Verdict::Ok));
}

/// The operations of one client keep their order at equal instants, whatever others do there.
#[test]
fn one_client_is_never_concurrent_with_itself() {
    let read = |client, call, time, value| {
        Operation::new(client, call, Input::Read, time, Output::Value(value))
    };
    let old = [write(1, 0, 10), read(1, 10, 20, None)];
    assert_eq!(check(&old), Ok(Verdict::Illegal));
    assert_eq!(check(&[write(1, 0, 10), read(1, 10, 20, Some(1))]), Ok(Verdict::Ok));
    // In whatever order they are handed in, without duration, and with others at that instant.
    assert_eq!(check(&[old[1].clone(), old[0].clone()]), Ok(Verdict::Illegal));
    assert_eq!(check(&[write(1, 10, 10), read(1, 10, 10, None)]), Ok(Verdict::Illegal));
    assert_eq!(check(&[read(1, 10, 10, None), write(1, 10, 10)]), Ok(Verdict::Ok));
    let [first, second] = old;
    let others = [read(2, 0, 10, None), read(2, 10, 20, Some(1)), read(3, 10, 10, None)];
    let mut history = vec![first, others[0].clone(), others[1].clone(), others[2].clone()];
    assert_eq!(check(&history), Ok(Verdict::Ok));
    history.push(second);
    assert_eq!(check(&history), Ok(Verdict::Illegal));
}

fn call(client: i64, id: u64) -> Event<Input, Output> {
    Event { client, id, kind: EventKind::Call(Input::Write(1)) }
}

fn answer(client: i64, id: u64) -> Event<Input, Output> {
    Event { client, id, kind: EventKind::Return(Output::Done) }
}

#[test]
fn events_are_paired() {
    let operations = operations_from_events([call(1, 7), call(2, 9), answer(1, 7)]).unwrap();
    assert_eq!(operations, [write(1, 0, 2), Operation::pending(2, 1, Input::Write(1))]);
    let events = [call(1, 7), call(2, 9), answer(1, 7), answer(2, 9)];
    let report = check_events(&Register::new(), events, &Options::default()).unwrap();
    assert_eq!(report.verdict(), Verdict::Ok);
}

#[test]
fn events_that_do_not_fit_are_named() {
    let error = |events: Vec<_>| operations_from_events(events).unwrap_err();
    assert_eq!(
        error(vec![call(1, 7), answer(1, 7), call(2, 7)]),
        HistoryError::DuplicateId { entry: 2, id: 7 }
    );
    assert_eq!(error(vec![answer(1, 7)]), HistoryError::UnmatchedReturn { entry: 0, id: 7 });
    assert_eq!(
        error(vec![call(1, 7), answer(1, 7), answer(1, 7)]),
        HistoryError::SecondReturn { entry: 2, id: 7 }
    );
    assert_eq!(
        error(vec![call(1, 7), answer(2, 7)]),
        HistoryError::OtherClient { entry: 1, client: 2, caller: 1 }
    );
}
