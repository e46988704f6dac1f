//! Accounts, transfers between them, and reads of all balances.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use crate::model::{Model, Step};

/// The model: the balances at first, and whether an account may be overdrawn.
#[derive(Clone, Debug, Default)]
pub struct Bank<A = i64> {
    initial: BTreeMap<A, i64>,
    overdraft: bool,
}

impl<A> Bank<A> {
    /// Accounts with these balances, none of which may fall below 0.
    pub fn new(initial: BTreeMap<A, i64>) -> Self {
        Bank { initial, overdraft: false }
    }

    /// The same, with balances that may fall below 0.
    #[must_use]
    pub fn with_overdraft(mut self) -> Self {
        self.overdraft = true;
        self
    }
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<A = i64> {
    /// Moves an amount from one account to another.
    Transfer {
        /// Where it is taken from.
        from: A,
        /// Where it is paid in.
        to: A,
        /// How much; not negative.
        amount: i64,
    },
    /// Answers all balances.
    Read,
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<A = i64> {
    /// The amount was moved.
    Done,
    /// The balance does not suffice, or there is no such account. Nothing happened.
    Refused,
    /// All balances.
    Balances(BTreeMap<A, i64>),
}

impl<A: Clone + Ord + Hash + Debug + Send + Sync> Bank<A> {
    /// The balances after a transfer, if it is possible.
    fn transfer(
        &self,
        state: &BTreeMap<A, i64>,
        from: &A,
        to: &A,
        amount: i64,
    ) -> Option<BTreeMap<A, i64>> {
        let left = state.get(from)?.checked_sub(amount)?;
        state.get(to)?;
        if amount < 0 || (left < 0 && !self.overdraft) {
            return None;
        }
        let mut after = state.clone();
        after.insert(from.clone(), left);
        let balance = after.get_mut(to)?;
        *balance = balance.checked_add(amount)?;
        Some(after)
    }
}

impl<A: Clone + Ord + Hash + Debug + Send + Sync> Model for Bank<A> {
    type State = BTreeMap<A, i64>;
    type Input = Input<A>;
    type Output = Output<A>;

    fn init(&self) -> BTreeMap<A, i64> {
        self.initial.clone()
    }

    fn step(
        &self,
        state: &BTreeMap<A, i64>,
        input: &Input<A>,
        output: Option<&Output<A>>,
    ) -> Step<BTreeMap<A, i64>> {
        match (input, output) {
            (Input::Read, None) => Step::Unchanged,
            (Input::Read, Some(Output::Balances(seen))) if seen == state => Step::Unchanged,
            (Input::Transfer { from, to, amount }, _) => {
                match (self.transfer(state, from, to, *amount), output) {
                    (Some(after), None | Some(Output::Done)) if after == *state => Step::Unchanged,
                    (Some(after), None | Some(Output::Done)) => Step::To(after),
                    (None, None | Some(Output::Refused)) => Step::Unchanged,
                    _ => Step::Illegal,
                }
            }
            _ => Step::Illegal,
        }
    }

    fn read_only(&self, input: &Input<A>, output: Option<&Output<A>>) -> bool {
        matches!(input, Input::Read) || matches!(output, Some(Output::Refused))
    }

    /// Transfers between four different accounts do not meet.
    fn independent(&self, one: &Input<A>, other: &Input<A>) -> bool {
        match (one, other) {
            (Input::Read, Input::Read) => true,
            (
                Input::Transfer { from, to, .. },
                Input::Transfer { from: other_from, to: other_to, .. },
            ) => ![other_from, other_to].iter().any(|account| *account == from || *account == to),
            _ => false,
        }
    }

    fn describe_operation(&self, input: &Input<A>, output: Option<&Output<A>>) -> String {
        let call = match input {
            Input::Transfer { from, to, amount } => {
                format!("move {amount} from {from:?} to {to:?}")
            }
            Input::Read => "read".into(),
        };
        match output {
            None => format!("{call}: no answer"),
            Some(Output::Done) => format!("{call}: ok"),
            Some(Output::Refused) => format!("{call}: refused"),
            Some(Output::Balances(seen)) => format!("{call}: {seen:?}"),
        }
    }
}
