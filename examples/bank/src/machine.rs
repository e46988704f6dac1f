//! What the bank does, one request after the other.

use std::collections::BTreeMap;

use rsm::StateMachine;
use rsm::exactly_once::Service;
use serde::{Deserialize, Serialize};

/// What a customer asks for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Op {
    /// Pay in. Opens the account if there is none.
    Deposit {
        /// The account.
        to: String,
        /// How much.
        amount: u64,
    },
    /// Move money. Refused if `from` has too little.
    Transfer {
        /// The account that pays.
        from: String,
        /// The account that is paid.
        to: String,
        /// How much.
        amount: u64,
    },
    /// Ask how much there is.
    Balance {
        /// The account.
        of: String,
    },
}

/// The balance of the account that was changed or asked for: of `from` in a transfer. `None` if the
/// bank refused.
pub type Reply = Option<u64>;

/// The state. A snapshot is what serde makes of it.
#[derive(Default, Serialize, Deserialize)]
pub struct Bank {
    balances: BTreeMap<String, u64>,
}

impl StateMachine for Bank {
    type Request = Op;
    type Reply = Reply;

    fn do_op(&mut self, op: Op) -> Reply {
        match op {
            Op::Deposit { to, amount } => {
                let balance = self.balances.get(&to).unwrap_or(&0).checked_add(amount)?;
                self.balances.insert(to, balance);
                Some(balance)
            }
            Op::Transfer { from, to, amount } => {
                let left = self.balances.get(&from)?.checked_sub(amount)?;
                let more = self.balances.get(&to).unwrap_or(&0).checked_add(amount)?;
                if from != to {
                    self.balances.insert(from, left);
                    self.balances.insert(to, more);
                }
                Some(left)
            }
            Op::Balance { of } => self.balances.get(&of).copied(),
        }
    }
}

/// The name under which servers and clerks find each other.
impl Service for Bank {
    const NAME: &'static str = "Bank";
}
