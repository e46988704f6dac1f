//! Sessions end, in log order, and what they sent is refused afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kvapi::Error;
use kvapi::append::Clerk as _;
use kvraft::append::{
    Change, Clerk, PutAppend, PutAppendArgs, PutAppendError, PutAppendReply, RequestId, SessionId,
    Stamp, Time, TimeReply,
};
use labrpc::{Network, Server, Service};
use tester::kv::ELECTION_TIMEOUT;
use tester::kv::append::{AppendHarness, element};
use tester::lab_test;

use crate::harness::Servers;

fn append(session: u64, opened: Stamp, number: u64, key: &str, value: &str) -> PutAppendArgs {
    let write = RequestId { session: SessionId::new(session), opened, number };
    PutAppendArgs { write, key: key.to_owned(), change: Change::Append(value.to_owned()) }
}

/// A request that was executed comes again when its session has ended: it is refused by every
/// leader, with and without snapshots, and all servers remember the same sessions. Clients that
/// live on notice nothing.
#[test]
fn a_late_duplicate_of_an_ended_session_is_refused() {
    for max_raft_state in [None, Some(1)] {
        lab_test!(move || {
            const WINDOW: u64 = 20;
            let (h, running) =
                Servers { max_raft_state, session_window: WINDOW, ..Servers::new(3) }.set_up();
            let group = h.cluster().group(0);
            h.cluster().begin("Test: a late duplicate of an ended session");
            let ck = h.make_clerk();
            let idle = h.make_clerk();
            h.append(&idle, "idle", "a");
            h.append(&ck, "k", "");
            let send = |args: &PutAppendArgs| {
                // To all of them: one leads.
                let client = h.cluster().make_client();
                let answers = (0..3).map(|i| client.call::<PutAppend>(group.server_name(i), args));
                let outcome =
                    |reply: Result<kvraft::append::PutAppendReply, _>| Some(reply.ok()?.outcome);
                let decided: Vec<_> = answers
                    .filter_map(outcome)
                    .filter(|outcome| *outcome != Err(PutAppendError::WrongLeader))
                    .collect();
                assert_eq!(decided.len(), 1, "{decided:?}");
                decided[0]
            };
            let late = append(77, Stamp::ZERO, 1, "late", "once");
            assert_eq!(send(&late), Ok(()));
            assert_eq!(send(&late), Ok(()), "a repetition while the session lives");
            for number in 0..2 * WINDOW {
                h.append(&ck, "k", &number.to_string());
            }
            assert!(matches!(send(&late), Err(PutAppendError::SessionEnded { .. })));
            // After a restart the rule is still the same.
            group.shutdown();
            group.start_servers();
            h.append(&ck, "k", "!");
            assert!(matches!(send(&late), Err(PutAppendError::SessionEnded { .. })));
            // Not recorded, as what was sent by hand is not.
            assert_eq!(ck.bare().get("late"), "once");
            // A client that was silent for as long opens another session, and its caller notices
            // nothing.
            h.check(&idle, "idle", "a"); // finds the leader, so that the append is sent once
            h.append(&idle, "idle", "b");
            h.check(&idle, "idle", "ab");
            labrt::sleep(ELECTION_TIMEOUT);
            let sessions =
                |i| running.server(i).rsm().with_machine(|machine| machine.sessions().clone());
            assert_eq!(sessions(0), sessions(1));
            assert_eq!(sessions(0), sessions(2));
            assert!(sessions(0).len() as u64 <= 2 * WINDOW);
            h.cleanup();
        });
    }
}

/// Clients come and go all the time, over a lossy network with restarts, and sessions end among
/// them: each append is executed once, or, when the clerk cannot tell, at most once.
#[test]
fn appends_are_executed_once_while_sessions_end() {
    lab_test!(|| {
        const CLIENTS: usize = 5;
        let (h, _) = Servers {
            reliable: false,
            max_raft_state: Some(500),
            session_window: 3,
            ..Servers::new(3)
        }
        .set_up();
        let group = h.cluster().group(0);
        h.cluster().begin("Test: sessions end while clients append");
        // Not recorded: the check below is exact, while a history with so many uncertain writes
        // explains too much.
        let clients = h.spawn_clients(CLIENTS, move |me, ck| {
            let mut maybe = Vec::new();
            for number in 0..20 {
                if ck.bare().append(&me.to_string(), &element(me, number)).is_err() {
                    maybe.push(number);
                }
                labrt::sleep(Duration::from_millis(labrt::random_range(0..200)));
            }
            maybe
        });
        labrt::sleep(Duration::from_secs(1));
        group.shutdown();
        group.start_servers();
        let ck = h.make_clerk();
        for (me, client) in clients.into_iter().enumerate() {
            let maybe = AppendHarness::join(client);
            let value = ck.bare().get(&me.to_string());
            for number in 0..20 {
                let times = value.matches(&element(me, number)).count();
                let fine = times == 1 || (times == 0 && maybe.contains(&number));
                assert!(fine, "{} is there {times} times in {value}", element(me, number));
            }
        }
        h.cleanup();
    });
}

/// The network doubled a message; one copy was executed and its answer lost; the other came so late
/// that the session had ended, and its refusal is all that the clerk hears. Or a server that does
/// not lead was asked first. Either way the clerk may not take the refusal for a promise that
/// nothing was done, and must not write again.
#[test]
fn a_refusal_is_not_taken_for_a_promise() {
    for leader_first in [true, false] {
        lab_test!(move || {
            let network = Network::new();
            let executed = Arc::new(AtomicUsize::new(0));
            let follower = Service::new("KVServer")
                .method::<Time>(|_| TimeReply { outcome: Err(Error::WrongLeader) })
                .method::<PutAppend>(|_| PutAppendReply {
                    outcome: Err(PutAppendError::WrongLeader),
                });
            let count = Arc::clone(&executed);
            let leader = Service::new("KVServer")
                .method::<Time>(|_| TimeReply { outcome: Ok(Stamp::ZERO) })
                .method::<PutAppend>(move |_| {
                    // The first copy is executed, the second refused: this is the answer to the
                    // second.
                    count.fetch_add(1, Ordering::SeqCst);
                    let outcome = Err(PutAppendError::SessionEnded { now: Stamp::ZERO });
                    PutAppendReply { outcome }
                });
            network.add_server("follower", Server::new().add(follower));
            network.add_server("leader", Server::new().add(leader));
            let end = |server: &'static str| {
                let end = network.make_end(server).unwrap();
                network.connect(server, server).unwrap();
                network.enable(server, true).unwrap();
                end
            };
            let mut ends = vec![end("leader"), end("follower")];
            if !leader_first {
                ends.reverse();
            }
            let clerk = Clerk::new(ends).unwrap();
            assert_eq!(clerk.append("k", "v"), Err(Error::Maybe));
            assert_eq!(executed.load(Ordering::SeqCst), 1, "the clerk wrote again");
        });
    }
}

/// A client that was silent for long, in a group that has changed its leader meanwhile: its write
/// goes to the wrong server first, and is none the less certain.
#[test]
fn a_client_that_was_idle_writes_with_certainty() {
    lab_test!(|| {
        const WINDOW: u64 = 5;
        let (h, running) = Servers { session_window: WINDOW, ..Servers::new(3) }.set_up();
        let group = h.cluster().group(0);
        h.cluster().begin("Test: a client that was idle");
        let (ck, idle) = (h.make_clerk(), h.make_clerk());
        for round in 0..3 {
            h.append(&idle, "idle", &element(0, round));
            let old = running.leader();
            group.disconnect_all(old);
            running.leader_besides(old);
            group.connect_one(old);
            for number in 0..3 * WINDOW {
                h.append(&ck, "k", &number.to_string());
            }
            labrt::sleep(Duration::from_millis(200));
        }
        h.check(&idle, "idle", &(0..3).map(|round| element(0, round)).collect::<String>());
        h.cleanup();
    });
}
