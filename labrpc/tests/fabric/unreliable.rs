//! The course's unreliable network, its long delays and its long reordering.

use std::time::Duration;

use labrt::{now, spawn};

use crate::junk::{Handler1, Lan, handler2};
use crate::{ms, on_both, simulated, slack};

/// TestUnreliable: of 300 calls some succeed, with the right reply, and some do not.
#[test]
fn unreliable() {
    on_both(|| {
        let lan = std::sync::Arc::new(Lan::new(1000));
        lan.network.set_reliable(false);
        let task = |i: i32| {
            let lan = std::sync::Arc::clone(&lan);
            spawn(move || match handler2(&lan.end(i), i * 100) {
                Ok(reply) => {
                    assert_eq!(reply, format!("handler2-{}", i * 100));
                    1
                }
                Err(_) => 0,
            })
        };
        let tasks: Vec<_> = (0..300).map(task).collect();
        let succeeded: i32 = tasks.into_iter().map(|task| task.join().unwrap()).sum();
        assert!((1..300).contains(&succeeded), "{succeeded} of 300 calls succeeded");
        // Far out in the tails of the distributions: 243 successes and 270 executions are expected,
        // deviations 7 and 5.
        assert!((190..=290).contains(&succeeded), "{succeeded} of 300 calls succeeded");
        let executed = lan.network.count(1000).unwrap();
        assert!((230..=298).contains(&executed), "{executed} of 300 calls were executed");
        assert!(executed as i32 > succeeded, "some replies are lost after the call was executed");
    });
}

/// An unreliable network holds requests up by up to 26 ms, and loses without further waiting.
#[test]
fn short_delays() {
    simulated(|| {
        let lan = Lan::new("server");
        let end = lan.end("end");
        lan.network.set_reliable(false);
        let took = |number| {
            let start = now();
            let _ = handler2(&end, number);
            start.elapsed()
        };
        let times: Vec<_> = (0..200).map(took).collect();
        let longest = *times.iter().max().unwrap();
        assert!(longest <= ms(27), "took {longest:?}");
        assert!(longest > ms(20), "took no longer than {longest:?}");
        let mean = times.iter().sum::<Duration>() / 200;
        assert!(mean > ms(10) && mean < ms(17), "took {mean:?} in the mean");
    });
}

/// TestLongDelayRace: flags change while calls are under way.
#[test]
fn long_delay_race() {
    on_both(|| {
        let lan = Lan::new("server99");
        let end = lan.end("end1-99");
        assert_eq!(end.call::<Handler1>(&"9099".into()).unwrap(), 9099);
        lan.network.set_long_delays(true);
        lan.network.delete_server("server99");
        let (done, finished) = labrt::channel::bounded(1);
        spawn(move || {
            let _ = end.call::<Handler1>(&"9099".into());
            let _ = done.send(());
        });
        lan.network.set_long_delays(true);
        let _ = finished.recv_timeout(ms(200));
        lan.network.set_long_delays(true);
    });
}

/// A call that nobody can answer takes up to 99 ms, or up to 6999 with long delays.
#[test]
fn unanswered_calls_wait() {
    simulated(|| {
        let lan = Lan::new("server");
        let end = lan.end_off("end");
        let longest = |count: i32| {
            let took = |number| {
                let start = now();
                assert!(handler2(&end, number).is_err());
                start.elapsed()
            };
            (0..count).map(took).max().unwrap()
        };
        let short = longest(100);
        assert!(short <= ms(99) && short > ms(80), "took {short:?}");
        lan.network.set_long_delays(true);
        assert!(lan.network.is_long_delays());
        let long = longest(15);
        assert!(long <= ms(6999) && long > ms(4000), "took {long:?}");
    });
}

/// Long reordering holds two replies in three back by 200 to 2199 ms; all arrive.
#[test]
fn long_reordering() {
    simulated(|| {
        let lan = Lan::new("server");
        let end = lan.end("end");
        lan.network.set_long_reordering(true);
        assert!(lan.network.is_reliable() && lan.network.is_long_reordering());
        let call = |number| {
            let end = end.clone();
            spawn(move || {
                let start = now();
                assert_eq!(handler2(&end, number).unwrap(), format!("handler2-{number}"));
                start.elapsed()
            })
        };
        let calls: Vec<_> = (0..300).map(call).collect();
        let times: Vec<_> = calls.into_iter().map(|call| call.join().unwrap()).collect();
        let held: Vec<_> = times.iter().filter(|time| **time > ms(1)).collect();
        assert!((160..=240).contains(&held.len()), "{} of 300 were held back", held.len());
        assert!(held.iter().all(|time| **time >= ms(200) && **time <= ms(2200)), "{held:?}");
        let mean = held.iter().copied().sum::<Duration>() / held.len() as u32;
        assert!(mean > ms(600) && mean < ms(800), "held back for {mean:?} in the mean");
    });
}

/// A reply that is held back has left its server: it arrives even if that is deleted meanwhile.
#[test]
fn a_held_reply_survives_its_server() {
    on_both(|| {
        let lan = Lan::new("server");
        let end = lan.end("end");
        lan.network.set_long_reordering(true);
        let call = |number| {
            let end = end.clone();
            spawn(move || handler2(&end, number).is_ok())
        };
        let calls: Vec<_> = (0..20).map(call).collect();
        labrt::sleep(ms(50) + slack());
        lan.network.delete_server("server");
        assert!(calls.into_iter().all(|call| call.join().unwrap()));
    });
}
