//! The lock.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use labrt::{Mutex, channel};

use crate::{ms, on_both};

/// A read, a switch, a write: without the lock, increments would be lost.
#[test]
fn only_one_task_has_the_lock() {
    on_both(|| {
        let counter = Arc::new(Mutex::new(0));
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let counter = Arc::clone(&counter);
                labrt::spawn(move || {
                    for _ in 0..20 {
                        let mut value = counter.lock();
                        let seen = *value;
                        labrt::yield_now();
                        *value = seen + 1;
                    }
                })
            })
            .collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        assert_eq!(*counter.lock(), 120);
    });
}

#[test]
fn try_lock_fails_while_another_task_holds_it() {
    on_both(|| {
        let lock = Arc::new(Mutex::new(1));
        let (release, released) = channel::bounded::<()>(0);
        let (taken, is_taken) = channel::bounded::<()>(0);
        let held = Arc::clone(&lock);
        let task = labrt::spawn(move || {
            let _guard = held.lock();
            taken.send(()).unwrap();
            released.recv().unwrap();
        });
        is_taken.recv().unwrap();
        assert!(lock.try_lock().is_none());
        assert_eq!(format!("{lock:?}"), "Mutex(<locked>)");
        release.send(()).unwrap();
        task.join().unwrap();
        assert_eq!(lock.try_lock().map(|value| *value), Some(1));
    });
}

/// Every task that waits gets the lock in the end, however long the queue.
#[test]
fn every_waiter_gets_its_turn() {
    on_both(|| {
        let lock = Arc::new(Mutex::new(Vec::new()));
        let guard = lock.lock();
        let tasks: Vec<_> = (0..10)
            .map(|n| {
                let lock = Arc::clone(&lock);
                labrt::spawn(move || lock.lock().push(n))
            })
            .collect();
        labrt::sleep(ms(3));
        drop(guard);
        tasks.into_iter().for_each(|task| task.join().unwrap());
        let mut order = lock.lock().clone();
        order.sort_unstable();
        assert_eq!(order, (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn a_lock_whose_holder_unwinds_is_free_and_usable() {
    on_both(|| {
        let lock = Mutex::new(1);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _guard = lock.lock();
            resume_unwind(Box::new("out"));
        }));
        assert!(caught.is_err());
        *lock.lock() += 1;
        assert_eq!(*lock.lock(), 2);
    });
}

#[test]
fn a_lock_can_be_static_and_hold_unsized_values() {
    on_both(|| {
        let mut boxed: Box<Mutex<[u8]>> = Box::new(Mutex::new([1, 2, 3]));
        boxed.get_mut()[0] = 9;
        assert_eq!(boxed.lock().iter().sum::<u8>(), 14);
        assert_eq!(format!("{:?}", Mutex::new(5)), "Mutex(5)");
        assert_eq!(*Mutex::<u32>::default().lock(), 0);
    });
}
