//! Checking event by event comes to the verdict of the check of the whole.

use std::fmt::Debug;

use porcupine::models::queue::{self, Queue};
use porcupine::models::register::{self, Register};
use porcupine::models::versioned_kv::{self, VersionedKv};
use porcupine::{
    Event, EventKind, HistoryError, Model, Online, Operation, Options, Recorder, Verdict,
    check_operations, operations_from_events,
};
use rand::RngExt;

use crate::random::{Dice, History, dice, history};
use crate::reference::cases;

/// The calls and returns of a history, one after the other. At equal times calls come first, but
/// never before the last return of the same client.
fn events<I: Clone, O: Clone>(history: &[Operation<I, O>]) -> Vec<Event<I, O>> {
    let mut order: Vec<usize> = (0..history.len()).collect();
    order.sort_by_key(|at| (history[*at].call, history[*at].return_time().unwrap_or(u64::MAX)));
    let mut open: Vec<usize> = Vec::new();
    let mut events = Vec::new();
    let end = |at: usize| history[at].return_time().unwrap_or(u64::MAX);
    let give_back = |events: &mut Vec<Event<I, O>>, at: usize| {
        if let Some(output) = history[at].output() {
            let kind = EventKind::Return(output.clone());
            events.push(Event { client: history[at].client, id: at as u64, kind });
        }
    };
    for at in order {
        let (client, call) = (history[at].client, history[at].call);
        open.sort_by_key(|at| end(*at));
        let (done, rest): (Vec<usize>, Vec<usize>) =
            open.into_iter().partition(|at| end(*at) < call || (history[*at].client == client));
        for at in done {
            give_back(&mut events, at);
        }
        open = rest;
        let kind = EventKind::Call(history[at].input.clone());
        events.push(Event { client, id: at as u64, kind });
        open.push(at);
    }
    open.sort_by_key(|at| end(*at));
    for at in open {
        give_back(&mut events, at);
    }
    events
}

fn compare<M: Model + Clone>(model: &M, mut make: impl FnMut(&mut Dice) -> History<M>)
where
    M::Input: Clone,
    M::Output: Clone,
{
    let mut illegal = 0;
    for seed in 0..cases() / 4 {
        let events = events(&make(&mut dice(seed)));
        let whole = operations_from_events(events.clone()).unwrap();
        let expected = check_operations(model, &whole, &Options::default()).unwrap().verdict();
        let mut online = Online::new(model.clone());
        let mut last = Verdict::Ok;
        for (at, event) in events.iter().enumerate() {
            last = online.event(event.clone()).unwrap();
            if last == Verdict::Illegal {
                // Certain already: whatever came after what was fed.
                let so_far = operations_from_events(events[..=at].to_vec()).unwrap();
                let report = check_operations(model, &so_far, &Options::default()).unwrap();
                assert_eq!(report.verdict(), Verdict::Illegal, "seed {seed}: {so_far:#?}");
                break;
            }
        }
        let verdict = if last == Verdict::Illegal { last } else { online.finish() };
        assert_eq!(verdict, expected, "seed {seed}: {events:#?}");
        illegal += u64::from(verdict == Verdict::Illegal);

        // A small window never sees a violation where there is none.
        let mut narrow = Online::new(model.clone()).with_window(2);
        for event in events.clone() {
            narrow.event(event).unwrap();
        }
        if narrow.finish() == Verdict::Illegal {
            assert_eq!(expected, Verdict::Illegal, "seed {seed}, narrow: {events:#?}");
        }
    }
    assert!(illegal > cases() / 40, "{illegal} illegal");
}

#[test]
fn registers_agree() {
    use register::{Input, Output};
    let model = Register::new();
    compare(&model, |dice| {
        history(
            &model,
            dice,
            8,
            &mut |dice| match dice.random_range(0..3) {
                0 => Input::Read,
                1 => Input::Cas(dice.random_range(0..3), dice.random_range(0..3)),
                _ => Input::Write(dice.random_range(0..3)),
            },
            &mut |state, input, _| match input {
                Input::Read => Output::Value(*state),
                Input::Cas(old, _) if state.as_ref() != Some(old) => Output::Differs,
                Input::Write(_) | Input::Cas(..) => Output::Done,
            },
            &mut |_, dice| Output::Value(Some(dice.random_range(0..3))),
        )
    });
}

#[test]
fn queues_agree() {
    use queue::{Input, Output};
    let model = Queue::new();
    compare(&model, |dice| {
        history(
            &model,
            dice,
            8,
            &mut |dice| match dice.random_range(0..2) {
                0 => Input::Enqueue(dice.random_range(0..3)),
                _ => Input::Dequeue,
            },
            &mut |state, input, _| match (input, state.front()) {
                (Input::Enqueue(_), _) => Output::Done,
                (Input::Dequeue, Some(value)) => Output::Value(*value),
                (Input::Dequeue, None) => Output::Empty,
            },
            &mut |input, dice| match input {
                Input::Dequeue => Output::Value(dice.random_range(0..3)),
                Input::Enqueue(_) => Output::Done,
            },
        )
    });
}

#[test]
fn stores_agree() {
    use versioned_kv::{Input, Output};
    compare(&VersionedKv, |dice| {
        history(
            &VersionedKv,
            dice,
            8,
            &mut |dice| {
                let key = ["a", "b"][dice.random_range(0..2)];
                match dice.random_range(0..3) {
                    0 => Input::get(key),
                    _ => Input::put(
                        key,
                        ["x", "y"][dice.random_range(0..2)],
                        dice.random_range(0..3),
                    ),
                }
            },
            &mut |state, input, dice| match input {
                Input::Get { .. } if state.version == 0 => Output::NoKey,
                Input::Get { .. } => Output::value(&state.value, state.version),
                Input::Put { .. } if dice.random_bool(0.2) => Output::Maybe,
                Input::Put { version, .. } if *version == state.version => Output::Done,
                Input::Put { .. } => Output::Version,
            },
            &mut |input, dice| match input {
                Input::Get { .. } => Output::value("x", dice.random_range(0..4)),
                Input::Put { .. } => Output::Version,
            },
        )
    });
}

fn fail<T: Debug>(result: Result<T, HistoryError>) -> HistoryError {
    result.expect_err("it does not fit")
}

#[test]
fn events_that_do_not_fit_are_named() {
    use register::{Input, Output};
    let mut online = Online::new(Register::new());
    online.call(1, 7, Input::Write(1)).unwrap();
    let error = fail(online.call(2, 7, Input::Read));
    assert_eq!(error, HistoryError::DuplicateId { entry: 1, id: 7 });
    let error = fail(online.call(1, 8, Input::Read));
    assert_eq!(error, HistoryError::Overlap { entry: 2, earlier: 0, client: 1 });
    let error = fail(online.returned(1, 9, Output::Done));
    assert_eq!(error, HistoryError::UnmatchedReturn { entry: 3, id: 9 });
    let error = fail(online.returned(2, 7, Output::Done));
    assert_eq!(error, HistoryError::OtherClient { entry: 4, client: 2, caller: 1 });
    assert_eq!(online.returned(1, 7, Output::Done).unwrap(), Verdict::Ok);
}

/// What did not happen leaves nothing behind; what is unknown may still come.
#[test]
fn outcomes_that_are_no_answers() {
    use register::{Input, Output};
    let read = |online: &mut Online<Register>, id, value| {
        online.call(2, id, Input::Read).unwrap();
        online.returned(2, id, Output::Value(value)).unwrap()
    };
    let mut online = Online::new(Register::new());
    online.call(1, 1, Input::Write(1)).unwrap();
    online.unknown(1, 1).unwrap();
    assert_eq!(read(&mut online, 10, None), Verdict::Ok);
    assert_eq!(read(&mut online, 11, Some(1)), Verdict::Ok);
    assert_eq!(read(&mut online, 12, None), Verdict::Illegal);
    let violation = online.violation().unwrap();
    assert_eq!((violation.client, violation.id), (2, 12));
    assert_eq!(violation.operation, "read: nothing");

    let mut online = Online::new(Register::new());
    online.call(1, 1, Input::Write(1)).unwrap();
    online.did_not_happen(1, 1).unwrap();
    assert_eq!(read(&mut online, 10, None), Verdict::Ok);
    assert_eq!(read(&mut online, 11, Some(1)), Verdict::Illegal);
}

/// A million operations, and no more is kept than those that are open.
#[test]
fn memory_does_not_grow_with_the_history() {
    use register::{Input, Output};
    let mut online = Online::new(Register::new());
    for round in 0..100_000 {
        let id = 3 * round as u64;
        online.call(1, id, Input::Write(round)).unwrap();
        online.call(2, id + 1, Input::Read).unwrap();
        online.call(3, id + 2, Input::Cas(round, round)).unwrap();
        online.returned(2, id + 1, Output::Value(Some(round))).unwrap();
        online.returned(1, id, Output::Done).unwrap();
        online.returned(3, id + 2, Output::Done).unwrap();
        assert!(online.size() < 20, "{} kept after {round} rounds", online.size());
    }
    assert_eq!(online.finish(), Verdict::Ok);
}

/// Ten enqueues at once have more orders than are allowed here: given up, and said.
#[test]
fn too_many_configurations_are_unknown() {
    use queue::{Input, Output};
    let mut online = Online::new(Queue::new()).with_configurations(1_000);
    for value in 0..10 {
        online.call(value, value as u64, Input::Enqueue(value)).unwrap();
    }
    for value in 0..10 {
        online.returned(value, value as u64, Output::Done).unwrap();
    }
    assert_eq!(online.verdict(), Verdict::Unknown);
    assert_eq!(online.size(), 0);
}

/// A call that takes long does not hold the others back for ever.
#[test]
fn a_window_bounds_what_waits() {
    use register::{Input, Output};
    let mut online = Online::new(Register::new()).with_window(100);
    online.call(1, 0, Input::Write(7)).unwrap();
    for id in 1..1_000 {
        online.call(2, id, Input::Write(1)).unwrap();
        online.returned(2, id, Output::Done).unwrap();
        assert!(online.size() < 200, "{}", online.size());
    }
    // It has counted as pending since; its return says nothing new.
    online.returned(1, 0, Output::Done).unwrap();
    assert_eq!(online.finish(), Verdict::Ok);
}

/// Threads, a recorder, and the check beside it: a register that forgets is found while it runs.
#[test]
#[expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a recorder is for real threads"
)]
fn a_recorder_feeds_the_check() {
    use porcupine::Heard;
    use register::{Input, Output};
    use std::sync::{Arc, Mutex};

    for forgets in [false, true] {
        let recorder: Recorder<Input, Output> = Recorder::new();
        let online = Arc::new(Mutex::new(Online::new(Register::starting_at(0))));
        let check = online.clone();
        recorder.listen(move |heard| {
            let mut online = check.lock().unwrap();
            let fits = match heard {
                Heard::Event(Event { client, id, kind: EventKind::Call(input) }) => {
                    online.call(client, id, input.clone())
                }
                Heard::Event(Event { client, id, kind: EventKind::Return(output) }) => {
                    online.returned(client, id, output.clone())
                }
                Heard::Unknown { client, id } => online.unknown(client, id),
                Heard::DidNotHappen { client, id } => online.did_not_happen(client, id),
            };
            fits.unwrap();
        });
        let object = Arc::new(Mutex::new(0i64));
        let threads: Vec<_> = (1..=4)
            .map(|number| {
                let (mut client, object) = (recorder.client(), object.clone());
                std::thread::spawn(move || {
                    for round in 0..200 {
                        let value = number * 1_000 + round;
                        let call = client.call(Input::Write(value));
                        *object.lock().unwrap() = value;
                        match round % 10 {
                            8 => call.unknown(),
                            _ => call.returned(Output::Done),
                        }
                        let call = client.call(Input::Read);
                        let seen = *object.lock().unwrap();
                        call.returned(Output::Value(Some(seen)));
                        let call = client.call(Input::Write(-1));
                        call.did_not_happen();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        if forgets {
            let mut client = recorder.client();
            client.call(Input::Write(5)).returned(Output::Done);
            client.call(Input::Read).returned(Output::Value(Some(6)));
        }
        let expected = if forgets { Verdict::Illegal } else { Verdict::Ok };
        assert_eq!(online.lock().unwrap().verdict(), expected);
        let history = recorder.history();
        assert_eq!(history.len(), 4 * 400 + if forgets { 2 } else { 0 });
        let report = check_operations(&Register::starting_at(0), &history, &Options::default());
        assert_eq!(report.unwrap().verdict(), expected);
    }
}
