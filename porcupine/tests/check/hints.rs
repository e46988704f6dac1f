//! A model that contradicts itself is an error that names the model and the operation.

use porcupine::{HistoryError, Model, Operation, Options, Outlook, Step, check_operations};

/// A counter that makes one wrong promise.
struct Counter {
    wrong: &'static str,
}

#[derive(Debug, PartialEq)]
enum Call {
    Add(i64),
    Double,
    Read,
}

impl Model for Counter {
    type State = i64;
    type Input = Call;
    type Output = i64;

    fn init(&self) -> i64 {
        1
    }

    fn step(&self, sum: &i64, input: &Call, output: Option<&i64>) -> Step<i64> {
        match (input, output) {
            (Call::Add(n), _) => Step::To(sum + n),
            (Call::Double, _) => Step::To(sum * 2),
            (Call::Read, Some(seen)) if seen != sum => Step::Illegal,
            (Call::Read, _) => Step::Unchanged,
        }
    }

    fn read_only(&self, input: &Call, _output: Option<&i64>) -> bool {
        matches!(input, Call::Read) || self.wrong == "read_only"
    }

    fn outlook(&self, _sum: &i64, input: &Call, _output: Option<&i64>) -> Outlook {
        match input {
            Call::Double if self.wrong == "outlook" => Outlook::Spent,
            _ => Outlook::Unsure,
        }
    }

    fn independent(&self, _one: &Call, _other: &Call) -> bool {
        self.wrong == "independent"
    }
}

fn history() -> Vec<Operation<Call, i64>> {
    vec![
        Operation::new(1, 0, Call::Read, 1, 1),
        Operation::new(1, 2, Call::Add(2), 10, 0),
        Operation::new(2, 3, Call::Double, 11, 0),
        Operation::new(1, 20, Call::Read, 21, 4),
    ]
}

fn check(wrong: &'static str) -> Result<(), HistoryError> {
    check_operations(&Counter { wrong }, &history(), &Options::default()).map(|_| ())
}

#[test]
fn a_model_that_keeps_its_promises_is_fine() {
    assert_eq!(check(""), Ok(()));
}

#[test]
fn a_wrong_hint_is_an_error() {
    for hint in ["read_only", "outlook", "independent"] {
        if !cfg!(debug_assertions) && hint != "read_only" {
            continue;
        }
        let error = check(hint).unwrap_err();
        let text = error.to_string();
        let HistoryError::WrongHint { entry, hint: named, .. } = error else {
            panic!("{hint}: {error:?}");
        };
        assert_eq!(named, hint);
        assert!([1, 2].contains(&entry), "{hint}: {entry}");
        assert!(text.contains("Counter") && text.contains("-> 0"), "{text}");
    }
}
