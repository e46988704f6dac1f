//! The end of a network.

use std::sync::Arc;

use labrpc::CallError;
use labrt::{now, spawn};

use crate::junk::{Handler3, JunkServer, Lan, handler2};
use crate::{eventually, ms, on_both, slack};

/// What "at once" may take in a simulation, where no call is free.
fn at_once() -> std::time::Duration {
    ms(1) + slack()
}

/// Later calls return at once and are not counted; a second cleanup changes nothing; the totals
/// stay.
#[test]
fn calls_on_a_cleaned_up_network_return_at_once() {
    on_both(|| {
        let lan = Lan::new("server");
        lan.network.set_long_delays(true);
        let (on, off) = (lan.end("on"), lan.end_off("off"));
        handler2(&on, 1).unwrap();
        let totals = (lan.network.total_count(), lan.network.total_bytes());
        lan.network.cleanup();
        lan.network.cleanup();
        for end in [on, off] {
            let start = now();
            assert_eq!(handler2(&end, 2), Err(CallError::NoReply));
            assert!(start.elapsed() <= at_once(), "took {:?}", start.elapsed());
        }
        assert_eq!(lan.junk.log2(), [1]);
        assert_eq!((lan.network.total_count(), lan.network.total_bytes()), totals);
    });
}

/// Calls under way end at once, whatever they wait for.
#[test]
fn cleanup_ends_calls_under_way() {
    on_both(|| {
        let lan = Lan::new("server");
        lan.network.set_long_delays(true);
        let (on, off) = (lan.end("on"), lan.end_off("off"));
        let handled = spawn(move || on.call::<Handler3>(&1));
        let unanswered = spawn(move || handler2(&off, 1));
        labrt::sleep(ms(20));
        let start = now();
        lan.network.cleanup();
        assert_eq!(handled.join().unwrap(), Err(CallError::NoReply));
        assert_eq!(unanswered.join().unwrap(), Err(CallError::NoReply));
        assert!(start.elapsed() <= at_once(), "took {:?}", start.elapsed());
    });
}

/// A network whose last handle goes is cleaned up, and lets its handlers go, even if they own ends
/// of it.
#[test]
fn the_last_handle_cleans_up() {
    on_both(|| {
        let lan = Lan::new("server");
        let end = lan.end("end");
        let other = lan.network.clone();
        let junk: Arc<JunkServer> = Arc::clone(&lan.junk);
        let held_by_handlers = Arc::new(());
        let peers = (lan.end("peer"), Arc::clone(&held_by_handlers));
        let service = labrpc::Service::new("Peer").method::<crate::junk::Handler2>(move |number| {
            let (end, _) = &peers;
            handler2(end, number).unwrap_or_default()
        });
        lan.network.add_server("peer", labrpc::Server::new().add(service));
        drop(lan);
        assert!(handler2(&end, 1).is_ok(), "one handle is left");
        drop(other);
        assert_eq!(handler2(&end, 2), Err(CallError::NoReply));
        // On threads a handler's task ends a moment after its call.
        eventually(|| Arc::strong_count(&held_by_handlers) == 1);
        eventually(|| Arc::strong_count(&junk) == 1);
    });
}

/// A client that tries again and again on a network that is gone does not stop the clock of a
/// simulation.
#[test]
fn spinning_callers_do_not_stop_time() {
    crate::simulated(|| {
        let lan = Lan::new("server");
        let end = lan.end("end");
        lan.network.cleanup();
        spawn(move || while handler2(&end, 1).is_err() {});
        labrt::sleep(ms(1000));
    });
}
