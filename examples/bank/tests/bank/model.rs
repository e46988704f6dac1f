//! What a correct bank answers when nobody else is using it. Shares no code with the service: a mistake in one shows.

use std::collections::BTreeMap;

use bank::machine::{Op, Reply};
use porcupine::{Model, Step};

pub struct BankModel;

/// The accounts that an operation looks at or changes.
fn accounts(op: &Op) -> Vec<&String> {
    match op {
        Op::Deposit { to: account, .. } | Op::Balance { of: account } => vec![account],
        Op::Transfer { from, to, .. } => vec![from, to],
    }
}

impl Model for BankModel {
    type State = BTreeMap<String, u64>;
    type Input = Op;
    type Output = Reply;

    fn init(&self) -> Self::State {
        BTreeMap::new()
    }

    /// Whether the bank may answer `answer` in this state, and what the state is then. No answer, of a call that never
    /// returned: only the effect counts.
    fn step(&self, state: &Self::State, op: &Op, answer: Option<&Reply>) -> Step<Self::State> {
        let mut after = state.clone();
        let right = match op {
            Op::Balance { of } => state.get(of).copied(),
            Op::Deposit { to, amount } => {
                let balance = after.entry(to.clone()).or_insert(0);
                *balance += amount;
                Some(*balance)
            }
            Op::Transfer { from, to, amount } => match state.get(from) {
                Some(has) if has >= amount => {
                    *after.entry(from.clone()).or_insert(0) -= amount;
                    *after.entry(to.clone()).or_insert(0) += amount;
                    Some(has - amount)
                }
                _ => None,
            },
        };
        match answer {
            Some(answer) if *answer != right => Step::Illegal,
            _ if after == *state => Step::Unchanged,
            _ => Step::To(after),
        }
    }

    /// A hint that saves time: these never change anything.
    fn read_only(&self, op: &Op, answer: Option<&Reply>) -> bool {
        matches!(op, Op::Balance { .. }) || answer == Some(&None)
    }

    /// Another hint: operations on different accounts may come in either order. (Were there no transfers, each account
    /// could be judged on its own: see `partition`.)
    fn independent(&self, one: &Op, other: &Op) -> bool {
        accounts(one).iter().all(|account| !accounts(other).contains(account))
    }
}

/// A model that never says no would pass everything.
#[test]
fn the_model_says_no() {
    use porcupine::{Operation, Options, Verdict, check_operations};

    let deposit = || Op::Deposit { to: "ann".to_owned(), amount: 5 };
    let twice = [
        Operation::new(0, 0, deposit(), 10, Some(5)),
        Operation::new(1, 20, deposit(), 30, Some(15)), // the second is counted twice
    ];
    let report = check_operations(&BankModel, &twice, &Options::default()).unwrap();
    assert_eq!(report.verdict(), Verdict::Illegal);
}
