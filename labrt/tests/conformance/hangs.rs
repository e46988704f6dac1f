//! Hangs on threads. The simulator's own are in its tests of reports.

use std::sync::Arc;
use std::time::Duration;

use labrt::Mutex;
use labrt::hang::{Hang, HangKind, Limits, watched};

fn impatient() -> Limits {
    Limits::new(Duration::from_secs(30)).patience(Duration::from_millis(300))
}

/// The line of a report about the task of this name.
fn line(hang: &Hang, name: &str) -> String {
    let task = hang.tasks.iter().find(|task| task.name == name);
    task.unwrap_or_else(|| panic!("no {name}: {hang}")).to_string()
}

#[test]
fn two_locks_taken_in_two_orders() {
    let hang = watched(impatient(), || {
        let (left, right) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(())));
        let (his_left, his_right) = (Arc::clone(&left), Arc::clone(&right));
        let (to_him, from_her) = labrt::channel::bounded(0);
        let node = labrt::Node::new("bar");
        let lefty = node.spawn("lefty", move || {
            let _left = his_left.lock();
            from_her.recv().unwrap();
            let _right = his_right.lock();
        });
        let righty = node.spawn("righty", move || {
            let _right = right.lock();
            to_him.send(()).unwrap();
            let _left = left.lock();
        });
        lefty.join().unwrap();
        righty.join().unwrap();
    })
    .unwrap_err();
    assert_eq!(hang.kind, HangKind::Deadlock);
    assert_eq!(hang.reason, "2 tasks wait for each other's locks in a ring", "{hang}");
    let number = |name: &str| hang.tasks.iter().find(|task| task.name == name).unwrap().number;
    for (name, other) in [("lefty", "righty"), ("righty", "lefty")] {
        let line = line(&hang, name);
        assert!(line.contains(&format!(" bar/{name}: waits for the lock of ")), "{line}");
        assert!(line.contains(&format!("held by task #{}", number(other))), "{line}");
        assert_eq!(line.matches("hangs.rs:").count(), 3, "created, waits, spawned: {line}");
    }
    assert!(line(&hang, "test").contains("waits for a task to end at "), "{hang}");
}

#[test]
fn a_lock_that_is_never_released() {
    let hang = watched(impatient(), || {
        let lock = Arc::new(Mutex::new(()));
        let his = Arc::clone(&lock);
        let held = lock.lock();
        labrt::spawn_named("waiting", move || drop(his.lock()));
        // Others go on, and the holder too: it is the one lock that tells.
        loop {
            labrt::sleep(Duration::from_millis(10));
            std::hint::black_box(&held);
        }
    })
    .unwrap_err();
    assert!(hang.reason.contains("has waited for a lock for 0.3 s"), "{hang}");
    assert!(line(&hang, "waiting").contains("held by task #"), "{hang}");
}

#[test]
fn a_run_that_takes_too_long() {
    let hang = watched(Limits::new(Duration::from_millis(300)), || {
        let (_sender, receiver) = labrt::channel::unbounded::<()>();
        while receiver.recv_timeout(Duration::from_millis(5)).is_err() {}
    })
    .unwrap_err();
    assert_eq!(hang.kind, HangKind::TimeLimit);
    assert!(line(&hang, "test").contains(" main/test: "), "{hang}");
}

#[test]
fn what_ends_is_no_hang() {
    let value = watched(impatient(), || {
        // Longer than patience, with a deadline.
        labrt::sleep(Duration::from_millis(500));
        labrt::spawn(|| 3).join().unwrap()
    });
    assert_eq!(value.unwrap(), 3);
    let panicked = std::panic::catch_unwind(|| watched(impatient(), || panic!("as it was")));
    assert_eq!(*panicked.unwrap_err().downcast::<&str>().unwrap(), "as it was");
}
