//! Figure 8: "A time sequence showing why a leader cannot determine commitment using log entries
//! from older terms" (§5.4.2), played with five servers, S1 to S5 of the paper being 0 to 4 here.
//!
//! ```text
//!        (a)        (b)        (c)          (d) if S1 crashes   (e) if it does not
//!   S1   1 2        1 2        1 2 4        1 3                  1 2 4
//!   S2   1 2        1 2        1 2          1 3                  1 2 4
//!   S3   1          1          1 2          1 3                  1 2 4
//!   S4   1          1          1            1 3                  1
//!   S5   1          1 3        1 3          1 3                  1 3
//! ```

use raft_core::consensus::{Event, Outgoing};
use raft_core::messages::Reply;

use crate::stage::*;

struct Five {
    servers: Vec<Actor>,
}

impl Five {
    /// Every server has the first entry, committed, of term 1.
    fn new() -> Five {
        Five { servers: (0..5).map(|number| Actor::start(number, 5, saved(&[1]))).collect() }
    }

    /// A call arrives, and its answer; returns what the caller sends then.
    fn deliver(&mut self, from: usize, call: &Outgoing) -> Vec<Outgoing> {
        let reply = self.servers[call.to.get()].ask(call.request.clone());
        self.servers[from].reply(call, reply).messages
    }

    /// Server `who` runs until it is in `of_term`, and wins with the votes of `voters`. What it
    /// sends on taking office is lost, except to those in `followers`.
    fn elect(&mut self, who: usize, of_term: u64, voters: &[usize], followers: &[usize]) {
        let mut asked = self.servers[who].time_out().messages;
        while self.servers[who].node.term() < term(of_term) {
            asked = self.servers[who].time_out().messages;
        }
        assert_eq!(self.servers[who].node.term(), term(of_term));
        let mut sent = Vec::new();
        for &voter in voters {
            let question = asked.iter().find(|call| call.to.get() == voter).expect("asked");
            sent.extend(self.deliver(who, question));
        }
        assert!(self.servers[who].node.is_leader(), "{who} should win in term {of_term}");
        self.exchange(who, sent, followers);
    }

    /// Delivers calls and what follows from their answers, to those in `followers` only.
    fn exchange(&mut self, from: usize, mut calls: Vec<Outgoing>, followers: &[usize]) {
        while let Some(call) = calls.pop() {
            if followers.contains(&call.to.get()) {
                calls.extend(self.deliver(from, &call));
            } else {
                calls.extend(self.servers[from].failed(&call).messages);
            }
        }
    }

    /// The leader takes a command, which reaches `followers`.
    fn propose(&mut self, leader: usize, followers: &[usize]) {
        let calls = self.servers[leader].propose("command").messages;
        self.exchange(leader, calls, followers);
        self.heartbeat(leader, followers);
    }

    fn heartbeat(&mut self, leader: usize, followers: &[usize]) {
        let calls = self.servers[leader].tick_after(HEARTBEAT).messages;
        self.exchange(leader, calls, followers);
    }

    /// Plays (a) to (c): S1's entry of term 2 is on a majority, S5 has one of term 3 instead.
    fn until_c() -> Five {
        let mut five = Five::new();
        // (a) S1 leads term 2; its entry reaches S2 only.
        five.elect(0, 2, &[1, 2, 3], &[]);
        five.propose(0, &[1]);
        assert_eq!(five.terms(1), [1, 2]);
        // (b) S1 crashes; S5 wins term 3 with S3 and S4, and takes another entry.
        five.servers[0].restart();
        five.elect(4, 3, &[2, 3], &[]);
        five.propose(4, &[]);
        assert_eq!(five.terms(4), [1, 3]);
        // (c) S5 crashes; S1 wins term 4 and goes on replicating its entry of term 2, to S3.
        five.servers[4].restart();
        five.elect(0, 4, &[1, 2, 3], &[1, 2]);
        assert_eq!(
            (five.terms(0), five.terms(1), five.terms(2)),
            (vec![1, 2], vec![1, 2], vec![1, 2])
        );
        five
    }

    fn terms(&self, server: usize) -> Vec<u64> {
        self.servers[server].terms()
    }

    fn commit(&self, server: usize) -> u64 {
        self.servers[server].node.commit().get()
    }
}

/// (c): the entry of term 2 is on a majority, and is not committed for all that.
#[test]
fn c_an_old_entry_on_a_majority_is_not_committed() {
    let mut five = Five::until_c();
    five.heartbeat(0, &[1, 2]);
    five.heartbeat(0, &[1, 2]);
    assert_eq!(five.commit(0), 0);
    assert!(five.servers.iter().all(|server| server.applied.is_empty()));
}

/// (d): S5 can still be elected, and its entry of term 3 replaces that of term 2 everywhere. Had
/// (c) committed it, this would lose a committed entry.
#[test]
fn d_the_old_entry_may_still_be_overwritten() {
    let mut five = Five::until_c();
    five.servers[0].restart();
    five.elect(4, 5, &[1, 2, 3], &[0, 1, 2, 3]);
    for server in 0..5 {
        assert_eq!(five.terms(server), [1, 3]);
        assert_eq!(five.commit(server), 0, "nor is that of term 3 committed by counting");
    }
    five.propose(4, &[0, 1, 2, 3]);
    assert_eq!(five.commit(4), 3);
}

/// (e): if S1 replicates an entry of its own term first, all before it is committed, and S5 can no
/// longer win.
#[test]
fn e_an_entry_of_the_leaders_own_term_settles_it() {
    let mut five = Five::until_c();
    five.propose(0, &[1, 2]);
    assert_eq!(five.commit(0), 3);
    assert_eq!(
        five.servers[0].applied,
        [Given::Entry(1, 1), Given::Entry(2, 2), Given::Entry(3, 4)]
    );
    // S1 crashes. S5 asks everybody, and gets S4's vote alone.
    five.servers[0].restart();
    let asked = loop {
        let asked = five.servers[4].step(Event::Tick).messages;
        if five.servers[4].node.term() > term(4) {
            break asked;
        }
        five.servers[4].wait(ELECTION);
    };
    let mut votes = Vec::new();
    for question in &asked {
        let reply = five.servers[question.to.get()].ask(question.request.clone());
        if let Reply::Vote(answer) = &reply
            && answer.granted
        {
            votes.push(question.to);
        }
        five.servers[4].reply(question, reply);
    }
    assert_eq!(votes, [id(3)]);
    assert!(!five.servers[4].node.is_leader());
}
