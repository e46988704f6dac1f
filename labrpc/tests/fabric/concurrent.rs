//! Many calls at once.

use labrt::spawn;

use crate::junk::{Lan, handler2};
use crate::{ms, on_both, slack};

/// TestConcurrentMany: 20 tasks, each with an end of its own.
#[test]
fn concurrent_many() {
    on_both(|| {
        let lan = std::sync::Arc::new(Lan::new(1000));
        let task = |i: i32| {
            let lan = std::sync::Arc::clone(&lan);
            spawn(move || {
                let end = lan.end(i);
                for j in 0..10 {
                    let number = i * 100 + j;
                    assert_eq!(handler2(&end, number).unwrap(), format!("handler2-{number}"));
                }
                10
            })
        };
        let tasks: Vec<_> = (0..20).map(task).collect();
        let completed: i32 = tasks.into_iter().map(|task| task.join().unwrap()).sum();
        assert_eq!(completed, 200);
        assert_eq!(lan.network.count(1000), Ok(200));
    });
}

/// TestConcurrentOne: 20 tasks on one end.
#[test]
fn concurrent_one() {
    on_both(|| {
        let lan = Lan::new(1000);
        let end = lan.end("c");
        let task = |i: i32| {
            let end = end.clone();
            spawn(move || {
                let number = 100 + i;
                assert_eq!(handler2(&end, number).unwrap(), format!("handler2-{number}"));
            })
        };
        let tasks: Vec<_> = (0..20).map(task).collect();
        for task in tasks {
            task.join().unwrap();
        }
        assert_eq!(lan.junk.log2().len(), 20);
        assert_eq!(lan.network.count(1000), Ok(20));
    });
}

/// TestRegression1: calls stuck on a disabled end neither delay later ones nor are delivered later.
#[test]
fn calls_on_a_disabled_end_leave_no_trace() {
    on_both(|| {
        let lan = Lan::new(1000);
        let end = lan.end_off("c");
        let task = |i: i32| {
            let end = end.clone();
            spawn(move || handler2(&end, 100 + i).is_ok())
        };
        let tasks: Vec<_> = (0..20).map(task).collect();
        labrt::sleep(ms(100));
        let start = labrt::now();
        lan.network.enable("c", true).unwrap();
        assert_eq!(handler2(&end, 99).unwrap(), "handler2-99");
        assert!(start.elapsed() <= ms(30) + slack(), "took {:?}", start.elapsed());
        for task in tasks {
            task.join().unwrap();
        }
        assert_eq!(lan.junk.log2().len(), 1);
        assert_eq!(lan.network.count(1000), Ok(1));
    });
}
