//! Clock, sleep and timers.

use std::time::Duration;

use labrt::{Instant, channel, oneshot};

use crate::{in_sim, ms, on_both};

#[test]
fn sleep_takes_at_least_its_time() {
    on_both(|| {
        let start = labrt::now();
        labrt::sleep(ms(3));
        assert!(start.elapsed() >= ms(3));
        assert!(start.elapsed() < Duration::from_secs(10));
    });
}

#[test]
fn simulated_sleep_takes_exactly_its_time() {
    in_sim(|| {
        let start = labrt::now();
        labrt::sleep(ms(3));
        assert_eq!(start.elapsed(), ms(3));
    });
}

#[test]
fn sleep_until_a_moment_that_has_passed_returns() {
    on_both(|| {
        labrt::sleep(ms(1));
        let start = labrt::now();
        labrt::sleep_until(Instant::from_nanos(0));
        labrt::sleep_until(start + ms(2));
        assert!(labrt::now() >= start + ms(2));
    });
}

#[test]
fn sleepers_wake_in_order_of_their_deadlines() {
    on_both(|| {
        let (sender, receiver) = channel::unbounded();
        for delay in [60_u64, 0, 30] {
            let sender = sender.clone();
            labrt::spawn(move || {
                labrt::sleep(ms(delay));
                sender.send(delay).unwrap();
            });
        }
        drop(sender);
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 30, 60]);
    });
}

#[test]
fn instants_saturate() {
    let early = Instant::from_nanos(5);
    let late = Instant::from_nanos(9);
    assert_eq!(late - early, Duration::from_nanos(4));
    assert_eq!(early - late, Duration::ZERO);
    assert_eq!(early + Duration::MAX, Instant::from_nanos(u64::MAX));
    assert_eq!(format!("{:?}", Instant::from_nanos(1_500_000_000)), "1.500000s");
}

#[test]
fn a_callback_comes_after_its_delay_and_may_send() {
    on_both(|| {
        let start = labrt::now();
        let (sender, receiver) = oneshot::channel();
        labrt::after(ms(3), move || sender.send(labrt::now()).unwrap());
        let called = receiver.recv().unwrap();
        assert!(called >= start + ms(3));
    });
}

#[test]
fn callbacks_come_in_order_and_may_spawn_and_call_again() {
    on_both(|| {
        let (sender, receiver) = channel::unbounded();
        let (third, second, first) = (sender.clone(), sender.clone(), sender);
        labrt::after(ms(40), move || {
            third.send(3).unwrap();
        });
        labrt::after(ms(2), move || {
            labrt::after(ms(15), move || second.send(2).unwrap());
            labrt::spawn(move || first.send(1).unwrap());
        });
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [1, 2, 3]);
    });
}

#[test]
fn a_callback_without_delay_is_called() {
    on_both(|| {
        let (sender, receiver) = oneshot::channel();
        labrt::after(Duration::ZERO, move || sender.send(1).unwrap());
        assert_eq!(receiver.recv(), Ok(1));
    });
}

/// A moment beyond the end of all clocks never comes, on either back end.
#[test]
fn a_callback_and_a_wait_without_end_are_not_a_panic() {
    on_both(|| {
        labrt::after(Duration::MAX, || unreachable!("it is never called"));
        labrt::after(ms(2), || ());
        let (sender, receiver) = oneshot::channel();
        labrt::after(ms(1), move || sender.send(1).unwrap());
        assert_eq!(receiver.recv_timeout(Duration::MAX), Ok(1));
        labrt::sleep(ms(3));
    });
}
