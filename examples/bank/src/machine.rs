//! What the bank does, one request after the other.

use std::collections::BTreeMap;

use rsm::StateMachine;
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

/// The balance of the account that was changed or asked for: of `from` in a transfer. `None` if the bank refused.
pub type Reply = Option<u64>;

/// What goes through the log: an operation, and which one of whose it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Whose.
    pub client: u64,
    /// Grows by one with each operation of the client. A request that is sent again keeps its number.
    pub number: u64,
    /// What is to be done.
    pub op: Op,
}

/// The state. A snapshot is all of it: what was answered, too.
#[derive(Default, Serialize, Deserialize)]
pub struct Bank {
    balances: BTreeMap<String, u64>,
    /// By client, the number of its last request and the reply.
    answered: BTreeMap<u64, (u64, Reply)>,
}

impl Bank {
    fn carry_out(&mut self, op: Op) -> Reply {
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

impl StateMachine for Bank {
    type Request = Request;
    type Reply = Reply;

    fn do_op(&mut self, Request { client, number, op }: Request) -> Reply {
        // Sent again because the first reply was lost: answer again, change nothing.
        if let Some((last, reply)) = self.answered.get(&client)
            && *last == number
        {
            return *reply;
        }
        let reply = self.carry_out(op);
        self.answered.insert(client, (number, reply));
        reply
    }
}
