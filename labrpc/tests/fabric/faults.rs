//! Faults of single links and servers, beyond the course's.

use std::time::Duration;

use labrpc::{CallError, LinkFaults};
use labrt::{now, spawn};

use crate::junk::{Handler3, Lan, handler2};
use crate::{ms, on_both, simulated, slack};

/// Cut requests: nothing runs, the other end is not concerned, and healing heals.
#[test]
fn cut_requests() {
    on_both(|| {
        let lan = Lan::new("server");
        let (cut, whole) = (lan.end("cut"), lan.end("whole"));
        let faults = LinkFaults { cut_requests: true, ..LinkFaults::default() };
        lan.network.set_link("cut", faults).unwrap();
        let start = now();
        assert_eq!(handler2(&cut, 1), Err(CallError::NoReply));
        assert!(start.elapsed() <= ms(100) + slack(), "took {:?}", start.elapsed());
        assert!(handler2(&whole, 2).is_ok());
        lan.network.set_link("cut", LinkFaults::default()).unwrap();
        assert!(handler2(&cut, 3).is_ok());
        assert_eq!(lan.junk.log2(), [2, 3]);
    });
}

/// Cut replies: handlers run, callers hear nothing.
#[test]
fn cut_replies() {
    on_both(|| {
        let lan = Lan::new("server");
        let end = lan.end("end");
        let faults = LinkFaults { cut_replies: true, ..LinkFaults::default() };
        lan.network.set_link("end", faults).unwrap();
        let start = now();
        assert_eq!(handler2(&end, 1), Err(CallError::NoReply));
        assert!(start.elapsed() <= ms(101) + slack(), "took {:?}", start.elapsed());
        assert_eq!((lan.junk.log2(), lan.network.count("server")), (vec![1], Ok(1)));
    });
}

/// A cut of requests leaves calls under way alone: their replies pass.
#[test]
fn a_cut_of_requests_lets_replies_pass() {
    simulated(|| {
        let lan = Lan::new("server");
        let end = lan.end("end");
        let call = spawn(move || end.call::<Handler3>(&1));
        labrt::sleep(ms(50));
        let faults = LinkFaults { cut_requests: true, ..LinkFaults::default() };
        lan.network.set_link("end", faults).unwrap();
        assert_eq!(call.join().unwrap(), Ok(-1));
    });
}

/// Extra latency, in both directions; and a slow server, for all its ends.
#[test]
fn latency_and_a_slow_server() {
    on_both(|| {
        let lan = Lan::new("server");
        let (far, near) = (lan.end("far"), lan.end("near"));
        let took = |end| {
            let start = now();
            handler2(end, 1).unwrap();
            start.elapsed()
        };
        let faults = LinkFaults { latency: ms(30), ..LinkFaults::default() };
        lan.network.set_link("far", faults).unwrap();
        let within = |took: Duration, expected: Duration| {
            assert!(took >= expected, "took {took:?}, less than {expected:?}");
            assert!(took <= expected + ms(1) + slack(), "took {took:?}, not {expected:?}");
        };
        within(took(&far), ms(60));
        within(took(&near), ms(0));
        lan.network.set_server_delay("server", ms(20));
        within(took(&far), ms(100));
        within(took(&near), ms(40));
        lan.network.set_server_delay("server", Duration::ZERO);
        within(took(&near), ms(0));
        lan.network.set_latency(ms(5)..=ms(5));
        within(took(&near), ms(10));
    });
}

/// Loss: each message is lost with the probability given.
#[test]
fn loss() {
    on_both(|| {
        let lan = Lan::new("server");
        let end = lan.end("end");
        let faults = LinkFaults { loss: 0.5, ..LinkFaults::default() };
        lan.network.set_link("end", faults).unwrap();
        let succeeded = (0..400).filter(|number| handler2(&end, *number).is_ok()).count();
        let ran = lan.junk.log2().len();
        assert!((60..=140).contains(&succeeded), "{succeeded} of 400 succeeded, 100 expected");
        assert!((150..=250).contains(&ran), "{ran} of 400 ran, 200 expected");
        let faults = LinkFaults { loss: 1.0, ..LinkFaults::default() };
        lan.network.set_link("end", faults).unwrap();
        assert!((0..20).all(|number| handler2(&end, number).is_err()));
        assert_eq!(lan.junk.log2().len(), ran);
    });
}

/// Duplication: the handler runs twice, the caller gets one reply, the totals count one request.
#[test]
fn duplicates() {
    on_both(|| {
        let lan = Lan::new("server");
        let end = lan.end("end");
        let faults = LinkFaults { duplicate: 1.0, ..LinkFaults::default() };
        lan.network.set_link("end", faults).unwrap();
        for number in 0..10 {
            assert_eq!(handler2(&end, number).unwrap(), format!("handler2-{number}"));
        }
        labrt::sleep(ms(30) + slack());
        let mut log = lan.junk.log2();
        log.sort_unstable();
        assert_eq!(log, (0..10).flat_map(|number| [number, number]).collect::<Vec<_>>());
        assert_eq!((lan.network.count("server"), lan.network.total_count()), (Ok(20), 10));
    });
}

/// A copy can arrive where the original was lost, and can be lost in the reply.
#[test]
fn duplicates_and_loss() {
    simulated(|| {
        let lan = Lan::new("server");
        let end = lan.end("end");
        let faults = LinkFaults { duplicate: 1.0, loss: 0.5, ..LinkFaults::default() };
        lan.network.set_link("end", faults).unwrap();
        let succeeded = (0..400).filter(|number| handler2(&end, *number).is_ok()).count();
        assert!((150..=250).contains(&succeeded), "{succeeded} of 400 succeeded, 200 expected");
        labrt::sleep(ms(30));
        let ran = lan.junk.log2().len();
        assert!((540..=660).contains(&ran), "400 calls ran {ran} times, 600 expected");
    });
}

/// A request that is held up for long reaches the handler after its caller has lost patience.
#[test]
fn late_requests() {
    on_both(|| {
        let lan = Lan::new("server");
        let end = lan.end("end");
        let faults = LinkFaults {
            long_delay: 1.0,
            held_up: ms(400)..=ms(500),
            patience: Some(ms(100)),
            ..LinkFaults::default()
        };
        lan.network.set_link("end", faults).unwrap();
        let start = now();
        assert_eq!(handler2(&end, 1), Err(CallError::NoReply));
        assert!(start.elapsed() >= ms(100), "took {:?}", start.elapsed());
        assert!(start.elapsed() <= ms(100) + slack(), "took {:?}", start.elapsed());
        assert_eq!(lan.junk.log2(), []);
        labrt::sleep(ms(450) + slack());
        assert_eq!(lan.junk.log2(), [1]);
    });
}

/// Strange settings are no reason to panic.
#[test]
fn settings_out_of_range() {
    simulated(|| {
        let lan = Lan::new("server");
        let end = lan.end("end");
        let faults = LinkFaults {
            loss: -1.0,
            duplicate: f64::NAN,
            long_delay: 7.0,
            held_up: ms(20)..=ms(10),
            latency: ms(1),
            ..LinkFaults::default()
        };
        lan.network.set_link("end", faults).unwrap();
        lan.network.set_latency(ms(3)..=ms(2));
        let start = now();
        assert_eq!(handler2(&end, 1).unwrap(), "handler2-1");
        assert_eq!(start.elapsed(), ms(3 + 1 + 20) + ms(3 + 1));
        // Messages that take for ever; patience ends the call.
        let faults = LinkFaults {
            latency: Duration::MAX,
            long_delay: 1.0,
            held_up: Duration::ZERO..=Duration::MAX,
            duplicate: 1.0,
            patience: Some(ms(10)),
            ..LinkFaults::default()
        };
        lan.network.set_link("end", faults).unwrap();
        lan.network.set_server_delay("server", Duration::MAX);
        lan.network.set_latency(Duration::ZERO..=Duration::MAX);
        lan.network.set_reliable(false);
        assert_eq!(handler2(&end, 1), Err(CallError::NoReply));
    });
}
