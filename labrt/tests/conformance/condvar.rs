//! Condition variables.

use std::sync::Arc;
use std::time::Duration;

use labrt::{Condvar, Mutex};

use crate::{ms, on_both};

type Shared = Arc<(Mutex<u32>, Condvar)>;

fn shared() -> Shared {
    Arc::new((Mutex::new(0), Condvar::new()))
}

#[test]
fn a_notified_task_goes_on_with_the_lock() {
    on_both(|| {
        let pair = shared();
        let other = Arc::clone(&pair);
        let task = labrt::spawn(move || {
            let mut value = other.0.lock();
            while *value == 0 {
                other.1.wait(&mut value);
            }
            *value += 1;
        });
        labrt::sleep(ms(2));
        *pair.0.lock() = 5;
        pair.1.notify_one();
        task.join().unwrap();
        assert_eq!(*pair.0.lock(), 6);
    });
}

/// `notify_one` wakes one waiter: three permits let three of three through, one at a time.
#[test]
fn notify_one_wakes_one_each() {
    on_both(|| {
        let pair = shared();
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let pair = Arc::clone(&pair);
                labrt::spawn(move || {
                    let mut permits = pair.0.lock();
                    while *permits == 0 {
                        pair.1.wait(&mut permits);
                    }
                    *permits -= 1;
                })
            })
            .collect();
        for _ in 0..3 {
            labrt::sleep(ms(2));
            *pair.0.lock() += 1;
            pair.1.notify_one();
        }
        tasks.into_iter().for_each(|task| task.join().unwrap());
        assert_eq!(*pair.0.lock(), 0);
    });
}

#[test]
fn notify_all_wakes_all() {
    on_both(|| {
        let pair = shared();
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let pair = Arc::clone(&pair);
                labrt::spawn(move || {
                    let mut open = pair.0.lock();
                    while *open == 0 {
                        pair.1.wait(&mut open);
                    }
                })
            })
            .collect();
        labrt::sleep(ms(2));
        *pair.0.lock() = 1;
        pair.1.notify_all();
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[test]
fn wait_until_says_whether_the_time_was_up_and_has_the_lock_again() {
    on_both(|| {
        let pair = shared();
        let start = labrt::now();
        let mut value = pair.0.lock();
        while !pair.1.wait_until(&mut value, labrt::now() + ms(3)) {}
        assert!(start.elapsed() >= ms(3));
        assert!(pair.0.try_lock().is_none());
        let other = Arc::clone(&pair);
        let task = labrt::spawn(move || {
            *other.0.lock() = 1;
            other.1.notify_all();
        });
        while *value == 0 {
            assert!(!pair.1.wait_until(&mut value, labrt::now() + Duration::from_secs(60)));
        }
        assert!(pair.1.wait_until(&mut value, start));
        drop(value);
        task.join().unwrap();
    });
}

/// A notification goes to a task that waits, not to one that has just given up.
#[test]
fn a_timed_out_waiter_takes_no_notification_with_it() {
    on_both(|| {
        let pair = shared();
        let other = Arc::clone(&pair);
        let patient = labrt::spawn(move || {
            let mut permits = other.0.lock();
            while *permits == 0 {
                other.1.wait(&mut permits);
            }
            *permits -= 1;
        });
        let other = Arc::clone(&pair);
        let impatient = labrt::spawn(move || {
            let mut permits = other.0.lock();
            while *permits == 0 {
                if other.1.wait_until(&mut permits, labrt::now() + ms(2)) {
                    return false;
                }
            }
            *permits -= 1;
            true
        });
        labrt::sleep(ms(2));
        *pair.0.lock() += 1;
        pair.1.notify_one();
        if impatient.join().unwrap() {
            *pair.0.lock() += 1;
            pair.1.notify_one();
        }
        patient.join().unwrap();
    });
}
