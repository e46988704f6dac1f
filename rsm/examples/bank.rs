//! A bank on a replicated state machine: three simulated servers, one of which is cut off half-way.
//!
//! `cargo run -p rsm --example bank` prints the balances, and the virtual time it took.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use labrt::sim;
use rsm::{Options, RestoreError, Rsm, StateMachine, SubmitError};
use serde::{Deserialize, Serialize};
use tester::{Cluster, ClusterOptions, ServerSetup, hosted};

/// What customers ask for.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Request {
    Deposit { to: String, amount: u64 },
    Transfer { from: String, to: String, amount: u64 },
    Balance { of: String },
}

/// The state: balances by account. The same requests in the same order give the same balances on every server.
#[derive(Default)]
struct Bank {
    balances: BTreeMap<String, u64>,
}

impl StateMachine for Bank {
    type Request = Request;
    /// The balance of the account that was changed or asked for; `None` if it had too little.
    type Reply = Option<u64>;

    fn do_op(&mut self, request: Request) -> Option<u64> {
        match request {
            Request::Deposit { to, amount } => {
                let balance = self.balances.entry(to).or_default();
                *balance += amount;
                Some(*balance)
            }
            Request::Transfer { from, to, amount } => {
                let left = self.balances.get(&from)?.checked_sub(amount)?;
                self.balances.insert(from, left);
                *self.balances.entry(to).or_default() += amount;
                Some(left)
            }
            Request::Balance { of } => self.balances.get(&of).copied(),
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        labgob::encode(&self.balances).expect("a map can be encoded")
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        self.balances = labgob::decode(snapshot)?;
        Ok(())
    }
}

type Servers = Arc<labrt::Mutex<BTreeMap<usize, Rsm<Bank>>>>;

/// Asks one server after the other until the leader answers. A transfer that was lost on the way is asked for again and may
/// then happen twice: real customers would number their requests (see the key/value service's versions).
fn ask(servers: &Servers, request: &Request) -> Option<u64> {
    loop {
        let all: Vec<Rsm<Bank>> = servers.lock().values().cloned().collect();
        for server in all {
            match server.submit(request.clone()) {
                Ok(reply) => return reply,
                Err(SubmitError::WrongLeader | SubmitError::ShutDown) => {}
                Err(error) => panic!("{error}"),
            }
        }
        labrt::sleep(Duration::from_millis(20));
    }
}

fn day_at_the_bank() -> Vec<Option<u64>> {
    let servers = Servers::default();
    let to_starter = Arc::clone(&servers);
    let cluster = Cluster::new(ClusterOptions::new(3), move |setup: ServerSetup| {
        let ServerSetup { ends, me, persister, gid, .. } = setup;
        let options =
            Options { peers: ends, me, persister, max_raft_state: Some(4096), group: gid };
        let rsm = Rsm::start(options, Bank::default()).expect("what was saved is sound");
        to_starter.lock().insert(me, rsm.clone());
        vec![hosted(Some(rsm.raft().service()), move || rsm.kill())]
    });
    let account = |name: &str| name.to_owned();
    ask(&servers, &Request::Deposit { to: account("ann"), amount: 100 });
    cluster.group(0).disconnect_all(2);
    servers.lock().remove(&2);
    let transfer = Request::Transfer { from: account("ann"), to: account("bob"), amount: 30 };
    ask(&servers, &transfer);
    let balances =
        ["ann", "bob", "cy"].map(|name| ask(&servers, &Request::Balance { of: account(name) }));
    cluster.cleanup();
    balances.into()
}

fn main() {
    let run = sim::run(sim::Config::new(1), day_at_the_bank);
    match run.result {
        Ok(balances) => println!(
            "ann {:?}, bob {:?}, cy {:?} after {:.2} s of virtual time",
            balances[0],
            balances[1],
            balances[2],
            run.report.virtual_time.as_secs_f64()
        ),
        Err(failure) => {
            eprintln!("{failure}");
            std::process::exit(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_neither_made_nor_lost() {
        for seed in 0..20 {
            let run = sim::run(sim::Config::new(seed), day_at_the_bank);
            let balances = run.result.unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!(balances, [Some(70), Some(30), None], "seed {seed}");
        }
    }
}
