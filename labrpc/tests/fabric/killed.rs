//! A server that goes while its handler runs.

use std::time::Duration;

use labrpc::{CallError, ClientEnd, Network, Server};
use labrt::channel::Receiver;
use labrt::{now, spawn};

use crate::junk::{Handler3, Lan, handler2};
use crate::{ms, on_both, simulated, slack};

type Reply = Result<i32, CallError>;

fn call_in_background(end: ClientEnd) -> Receiver<Reply> {
    let (done, finished) = labrt::channel::bounded(1);
    spawn(move || {
        let _ = done.send(end.call::<Handler3>(&99));
    });
    finished
}

/// Calls a handler that takes 20 s, lets `kill` act after one, and sees the call end in time.
fn killed_by(kill: impl FnOnce(&Lan)) {
    let lan = Lan::new("server99");
    let finished = call_in_background(lan.end("end1-99"));
    labrt::sleep(ms(1000));
    assert!(finished.recv_timeout(ms(100)).is_err(), "the call returned while its handler runs");
    let start = now();
    kill(&lan);
    let reply = finished.recv_timeout(ms(100) + slack());
    assert_eq!(reply, Ok(Err(CallError::NoReply)), "after {:?}", start.elapsed());
}

/// TestKilled: the server is deleted.
#[test]
fn deleted_server() {
    on_both(|| killed_by(|lan| lan.network.delete_server("server99")));
}

/// The server is replaced.
#[test]
fn replaced_server() {
    on_both(|| killed_by(|lan| lan.network.add_server("server99", Server::new())));
}

/// The end is disabled.
#[test]
fn disabled_end() {
    on_both(|| killed_by(|lan| lan.network.enable("end1-99", false).unwrap()));
}

/// The end is deleted.
#[test]
fn deleted_end() {
    on_both(|| killed_by(|lan| lan.network.delete_end("end1-99").unwrap()));
}

/// An end that is on again when the caller looks, and the same server registered again, make no
/// difference.
#[test]
fn a_short_interruption_goes_unnoticed() {
    on_both(|| {
        let lan = Lan::new("server99");
        let end = lan.end("end1-99");
        let finished = call_in_background(end.clone());
        labrt::sleep(ms(50));
        lan.network.enable("end1-99", false).unwrap();
        lan.network.enable("end1-99", true).unwrap();
        assert!(finished.recv_timeout(ms(300)).is_err());
        // … and the next interruption is noticed again.
        lan.network.enable("end1-99", false).unwrap();
        assert_eq!(finished.recv_timeout(ms(100) + slack()), Ok(Err(CallError::NoReply)));
    });
}

/// A handler that finishes on a dead server answers nothing.
#[test]
fn the_reply_of_a_dead_server_is_refused() {
    on_both(|| {
        let network = Network::new();
        let (go, going) = labrt::channel::bounded::<()>(0);
        let slow = labrpc::Service::new("JunkServer").method::<Handler3>(move |number| {
            let _ = going.recv();
            -number
        });
        network.add_server("server", Server::new().add(slow));
        let end = network.make_end("end").unwrap();
        network.connect("end", "server").unwrap();
        network.enable("end", true).unwrap();
        let finished = call_in_background(end);
        labrt::sleep(ms(20));
        network.delete_server("server");
        go.send(()).unwrap();
        assert_eq!(finished.recv(), Ok(Err(CallError::NoReply)));
        let counted = network.total_bytes();
        labrt::sleep(ms(20));
        assert_eq!(network.total_bytes(), counted, "a reply that is not delivered is not counted");
    });
}

/// A caller that looks after its server while the reply is being held back goes on waiting for it.
#[test]
fn a_poll_leaves_held_replies_alone() {
    simulated(|| {
        let lan = Lan::new("server99");
        lan.network.set_long_reordering(true);
        let end = lan.end("end1-99");
        let call = |number| {
            let end = end.clone();
            spawn(move || handler2(&end, number).is_ok())
        };
        let calls: Vec<_> = (0..20).map(call).collect();
        // Off and on again while the requests travel: polls are due within 100 ms, when all replies
        // are out.
        labrt::sleep(Duration::from_micros(50));
        lan.network.enable("end1-99", false).unwrap();
        lan.network.enable("end1-99", true).unwrap();
        labrt::sleep(ms(1));
        lan.network.delete_server("server99");
        let succeeded = calls.into_iter().map(|call| call.join().unwrap());
        assert_eq!(succeeded.filter(|succeeded| *succeeded).count(), 20);
    });
}
