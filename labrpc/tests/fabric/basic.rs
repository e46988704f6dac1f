//! One caller, one server.

use labrpc::CallError;

use crate::junk::{Handler1, Handler4, Handler5, JunkArgs, Lan, handler2};
use crate::{on_both, simulated};

/// TestBasic: two methods of one service.
#[test]
fn basic() {
    on_both(|| {
        let lan = Lan::new("server99");
        let end = lan.end("end1-99");
        assert_eq!(handler2(&end, 111).unwrap(), "handler2-111");
        assert_eq!(end.call::<Handler1>(&"9099".into()).unwrap(), 9099);
    });
}

/// TestTypes: arguments behind a pointer, and by value.
#[test]
fn types() {
    on_both(|| {
        let lan = Lan::new("server99");
        let end = lan.end("end1-99");
        assert_eq!(end.call::<Handler4>(&Box::default()).unwrap().x, "pointer");
        assert_eq!(end.call::<Handler5>(&JunkArgs::default()).unwrap().x, "no pointer");
    });
}

/// TestDisconnect: an end hears nothing until it is enabled.
#[test]
fn disconnect() {
    on_both(|| {
        let lan = Lan::new("server99");
        let end = lan.end_off("end1-99");
        let start = labrt::now();
        assert_eq!(handler2(&end, 111), Err(CallError::NoReply));
        assert!(start.elapsed() < crate::ms(100) + crate::slack(), "took {:?}", start.elapsed());
        lan.network.enable("end1-99", true).unwrap();
        assert_eq!(end.call::<Handler1>(&"9099".into()).unwrap(), 9099);
        assert_eq!(lan.junk.log2(), [], "the first call must not have run");
    });
}

/// A reliable simulated call takes 0.1 to 0.5 ms in each direction, not always the same.
#[test]
fn a_simulated_call_takes_time() {
    simulated(|| {
        let lan = Lan::new("server");
        let end = lan.end("end");
        let mut times = std::collections::BTreeSet::new();
        for number in 0..100 {
            let start = labrt::now();
            handler2(&end, number).unwrap();
            let took = start.elapsed();
            assert!(took >= 2 * us(100) && took <= 2 * us(500), "took {took:?}");
            times.insert(took);
        }
        assert!(times.len() > 50, "{} different times", times.len());
        assert!(*times.first().unwrap() < us(500) && *times.last().unwrap() > us(700));
    });
}

/// TestBenchmark: many calls, one after another. No bound; every reply right.
#[test]
fn benchmark() {
    let calls = |count: i32| {
        let lan = Lan::new("server99");
        let end = lan.end("end1-99");
        let start = labrt::now();
        for _ in 0..count {
            assert_eq!(handler2(&end, 111).unwrap(), "handler2-111");
        }
        println!("{:?} for {count} calls", start.elapsed());
    };
    calls(10_000);
    labrt::sim::run(labrt::sim::Config::new(1), move || calls(100_000)).result.unwrap();
}

fn us(micros: u64) -> std::time::Duration {
    std::time::Duration::from_micros(micros)
}
