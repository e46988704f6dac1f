//! More open operations than fit into one word, and long histories.

use porcupine::models::register;
use porcupine::models::versioned_kv::{Input, Output, VersionedKv};
use porcupine::{
    Limit, Method, Operation, Options, Verdict, check_operations, check_operations_verbose,
};

/// The same verdicts behind any number of writes that never returned.
#[test]
fn calls_that_never_returned_do_not_change_the_verdict() {
    use register::{Input, Output, Register};
    for open in [0, 1, 63, 64, 65, 130, 300, 1100] {
        let mut history: Vec<_> =
            (0..open).map(|client| Operation::pending(client, 0, Input::Write(client))).collect();
        history.push(Operation::new(-1, 1, Input::Write(-1), 2, Output::Done));
        history.push(Operation::new(-1, 3, Input::Read, 4, Output::Value(Some(-1))));
        let check = |history: &[_]| {
            let report =
                check_operations_verbose(&Register::new(), history, &Options::default()).unwrap();
            report.verdict()
        };
        assert_eq!(check(&history), Verdict::Ok, "{open}");
        if open > 0 {
            history.push(Operation::new(-1, 5, Input::Read, 6, Output::Value(Some(open - 1))));
            assert_eq!(check(&history), Verdict::Ok, "{open}");
        }
        history.push(Operation::new(-1, 7, Input::Read, 8, Output::Value(Some(-2))));
        assert_eq!(check(&history), Verdict::Illegal, "{open}");
    }
}

#[test]
fn too_many_open_operations_are_unknown() {
    let history: Vec<_> = (0..5000)
        .map(|client| Operation::pending(client, 0, register::Input::Write(client)))
        .collect();
    let check = |method| {
        let options = Options { method, ..Options::default() };
        check_operations(&register::Register::new(), &history, &options).unwrap()
    };
    assert_eq!(check(Method::BreadthFirst).limit(), Some(Limit::TooManyOpen));
    assert_eq!(check(Method::DepthFirst).limit(), Some(Limit::TooManyOpen));
    // The values differ, so no search is needed.
    assert_eq!(check(Method::Auto).verdict(), Verdict::Ok);
}

/// A put that never returned is forgotten once its version has passed.
#[test]
fn spent_calls_leave_the_window() {
    let mut history = Vec::new();
    for version in 0..20_000u64 {
        let time = version * 10;
        history.push(Operation::pending(
            version as i64 + 1,
            time,
            Input::put("k", "lost", version),
        ));
        history.push(Operation::new(
            0,
            time,
            Input::put("k", "x", version),
            time + 5,
            Output::Done,
        ));
    }
    let check = |history: &[_]| {
        check_operations(&VersionedKv, history, &Options::default()).unwrap().verdict()
    };
    assert_eq!(check(&history), Verdict::Ok);
    history.push(Operation::new(
        0,
        300_000,
        Input::get("k"),
        300_001,
        Output::value("lost", 20_000),
    ));
    assert_eq!(check(&history), Verdict::Illegal);
}

/// A million operations on one key.
#[test]
fn a_long_history_is_no_problem() {
    let clients = 10;
    let mut history = Vec::new();
    let mut version = 0;
    for round in 0..100_000u64 {
        let time = round * 100;
        for client in 0..clients {
            let (input, output) = match client {
                0 => (Input::put("k", "x", version), Output::Done),
                1 => (Input::put("k", "y", version), Output::Maybe),
                2 => (Input::put("k", "z", version), Output::Version),
                _ => (Input::get("k"), Output::value("x", version + 1)),
            };
            let at = time + client as u64;
            history.push(Operation::new(client, at, input, at + 80, output));
        }
        version += 1;
    }
    let check =
        |history: &[_]| check_operations(&VersionedKv, history, &Options::default()).unwrap();
    assert_eq!(check(&history).verdict(), Verdict::Ok);
    let middle = history.len() / 2 + 5;
    let returned = history[middle].returned.as_mut().unwrap();
    returned.output = Output::value("y", version / 2 + 1);
    let report = check(&history);
    assert_eq!(report.verdict(), Verdict::Illegal);
    let stuck = report.first_illegal().unwrap().stuck.unwrap();
    assert!(stuck.operation.abs_diff(middle) < 20, "{stuck:?}");
}

/// Simulated tasks have small stacks. Nothing here recurses, however wide or long a history is.
#[test]
fn a_small_stack_is_enough() {
    use register::{Input, Output, Register};
    let check = || {
        let mut history: Vec<_> = (0..1100)
            .map(|client| Operation::pending(client, 0, Input::Write(client % 7)))
            .collect();
        for time in 0..20 {
            history.push(Operation::new(
                -1,
                2 * time + 1,
                Input::Write(-1),
                2 * time + 2,
                Output::Done,
            ));
        }
        history.push(Operation::new(-1, 5000, Input::Read, 5001, Output::Value(Some(-2))));
        check_operations_verbose(&Register::new(), &history, &Options::default()).unwrap().verdict()
    };
    let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(check).unwrap();
    assert_eq!(thread.join().unwrap(), Verdict::Illegal);
}
