//! Crashes of a server's node. Only simulated nodes can crash.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use labrpc::{CallError, Server};
use labrt::{Node, now, spawn};

use crate::junk::{Handler3, JunkServer, Lan, handler2};
use crate::{eventually, ms, on_both, simulated};

/// A network whose server runs on a node of its own.
fn lan_with_node() -> (Lan, Node) {
    let lan = Lan::new("server");
    let node = Node::new("server-node");
    let server = node.enter(|| Server::new().add(lan.junk.service()));
    lan.network.add_server("server", server);
    (lan, node)
}

/// Handlers run on the node that was current when their server was made.
#[test]
fn handlers_run_on_the_servers_node() {
    on_both(|| {
        let (lan, node) = lan_with_node();
        let end = lan.end("end");
        assert_eq!(node.live_tasks(), 0);
        let call = spawn(move || end.call::<Handler3>(&1));
        eventually(|| node.live_tasks() == 1);
        lan.network.cleanup();
        assert_eq!(call.join().unwrap(), Err(CallError::NoReply));
    });
}

/// The caller of a handler that dies with its node hears nothing, within 100 ms; and so do later
/// callers.
#[test]
fn a_crash_in_a_handler_ends_the_call() {
    simulated(|| {
        let (lan, node) = lan_with_node();
        let end = lan.end("end");
        let call = spawn({
            let end = end.clone();
            move || (end.call::<Handler3>(&1), now())
        });
        labrt::sleep(ms(50));
        let crash = now();
        node.crash().unwrap();
        let (reply, ended) = call.join().unwrap();
        assert_eq!(reply, Err(CallError::NoReply));
        assert!(ended - crash < ms(100), "took {:?}", ended - crash);
        for number in 0..20 {
            let start = now();
            assert_eq!(handler2(&end, number), Err(CallError::NoReply));
            assert!(start.elapsed() < ms(101), "took {:?}", start.elapsed());
        }
        assert_eq!(lan.junk.log2(), []);
        // A new life under the same name.
        let reborn = Arc::new(JunkServer::default());
        let node = Node::new("server-node again");
        lan.network.add_server("server", Server::on(node).add(reborn.service()));
        assert_eq!(handler2(&end, 7).unwrap(), "handler2-7");
    });
}

/// Crashes at random moments under load: every call ends, and what succeeded had run.
#[test]
fn crashes_under_load() {
    simulated(|| {
        let (lan, node) = lan_with_node();
        let succeeded = Arc::new(AtomicU64::new(0));
        let caller = |i: i32| {
            let (end, succeeded) = (lan.end(i), Arc::clone(&succeeded));
            spawn(move || {
                for number in 0..50 {
                    if handler2(&end, 100 * i + number).is_ok() {
                        succeeded.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        };
        let callers: Vec<_> = (0..10).map(caller).collect();
        labrt::sleep(labrt::random_range(ms(1)..ms(20)));
        node.crash().unwrap();
        for caller in callers {
            caller.join().unwrap();
        }
        let ran = lan.junk.log2().len() as u64;
        let succeeded = succeeded.load(Ordering::Relaxed);
        assert!(succeeded > 0 && succeeded <= ran && ran < 500, "{succeeded} of {ran}");
    });
}

/// A handler that panics on threads answers nothing. (In a simulation it ends the run.)
#[test]
fn a_panicking_handler_answers_nothing() {
    let lan = Lan::new("server");
    let service = labrpc::Service::new("JunkServer")
        .method::<Handler3>(|number| panic!("{number} is on purpose"));
    lan.network.add_server("server", Server::new().add(service));
    assert_eq!(lan.end("end").call::<Handler3>(&1), Err(CallError::NoReply));
}
