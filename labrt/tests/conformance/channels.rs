//! Rendezvous, bounded and unbounded channels.

use std::time::Duration;

use labrt::channel::{self, RecvError, RecvTimeoutError, TryRecvError, TrySendError};

use crate::{ms, on_both};

#[test]
fn values_arrive_in_order_through_every_capacity() {
    on_both(|| {
        for capacity in [Some(0), Some(1), Some(3), None] {
            let (sender, receiver) = match capacity {
                Some(capacity) => channel::bounded(capacity),
                None => channel::unbounded(),
            };
            let producer = labrt::spawn(move || {
                for n in 0..50 {
                    sender.send(n).unwrap();
                }
            });
            assert_eq!(receiver.iter().collect::<Vec<_>>(), (0..50).collect::<Vec<_>>());
            producer.join().unwrap();
        }
    });
}

#[test]
fn many_senders_and_receivers_lose_and_double_nothing() {
    on_both(|| {
        for capacity in [0, 1, 4] {
            let (sender, receiver) = channel::bounded(capacity);
            let senders: Vec<_> = (0..4_u64)
                .map(|task| {
                    let sender = sender.clone();
                    labrt::spawn(move || (0..25).for_each(|n| sender.send(task * 25 + n).unwrap()))
                })
                .collect();
            drop(sender);
            let receivers: Vec<_> = (0..3)
                .map(|_| {
                    let receiver = receiver.clone();
                    labrt::spawn(move || receiver.iter().collect::<Vec<u64>>())
                })
                .collect();
            senders.into_iter().for_each(|task| task.join().unwrap());
            let mut all: Vec<u64> =
                receivers.into_iter().flat_map(|task| task.join().unwrap()).collect();
            all.sort_unstable();
            assert_eq!(all, (0..100).collect::<Vec<_>>());
        }
    });
}

/// A rendezvous: `send` returns only when the value was received.
#[test]
fn a_rendezvous_send_waits_for_its_receiver() {
    on_both(|| {
        let (sender, receiver) = channel::bounded(0);
        let start = labrt::now();
        let task = labrt::spawn(move || {
            labrt::sleep(ms(5));
            receiver.recv()
        });
        sender.send(1).unwrap();
        assert!(start.elapsed() >= ms(5));
        assert_eq!(task.join().unwrap(), Ok(1));
    });
}

#[test]
fn a_full_channel_makes_its_sender_wait() {
    on_both(|| {
        let (sender, receiver) = channel::bounded(2);
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)));
        assert_eq!(receiver.len(), 2);
        let start = labrt::now();
        let task = labrt::spawn(move || {
            labrt::sleep(ms(5));
            receiver.iter().collect::<Vec<_>>()
        });
        sender.send(3).unwrap();
        assert!(start.elapsed() >= ms(5));
        drop(sender);
        assert_eq!(task.join().unwrap(), [1, 2, 3]);
    });
}

#[test]
fn try_send_on_a_rendezvous_needs_a_receiver_that_waits() {
    on_both(|| {
        let (sender, receiver) = channel::bounded(0);
        assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let receiver = receiver.clone();
                labrt::spawn(move || receiver.recv().unwrap())
            })
            .collect();
        labrt::sleep(ms(20));
        // Two wait, so two go through without a switch in between; the third does not.
        assert_eq!(sender.try_send(1), Ok(()));
        assert_eq!(sender.try_send(2), Ok(()));
        assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)));
        let sum: i32 = tasks.into_iter().map(|task| task.join().unwrap()).sum();
        assert_eq!(sum, 3);
    });
}

#[test]
fn without_senders_a_receiver_drains_the_channel_and_then_sees_the_end() {
    on_both(|| {
        let (sender, receiver) = channel::unbounded();
        let again = sender.clone();
        sender.send(1).unwrap();
        drop(sender);
        assert_eq!(receiver.try_recv(), Ok(1));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        again.send(2).unwrap();
        drop(again);
        assert_eq!(receiver.recv(), Ok(2));
        assert_eq!(receiver.recv(), Err(RecvError));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(receiver.recv_timeout(ms(1)), Err(RecvTimeoutError::Disconnected));
    });
}

#[test]
fn a_waiting_receiver_hears_that_the_last_sender_has_gone() {
    on_both(|| {
        let (sender, receiver) = channel::bounded::<()>(0);
        let task = labrt::spawn(move || receiver.recv());
        labrt::sleep(ms(2));
        drop(sender);
        assert_eq!(task.join().unwrap(), Err(RecvError));
    });
}

#[test]
fn a_waiting_sender_hears_that_the_last_receiver_has_gone_and_keeps_its_value() {
    on_both(|| {
        for capacity in [0, 1] {
            let (sender, receiver) = channel::bounded(capacity);
            for n in 0..capacity {
                sender.send(n).unwrap();
            }
            let task = labrt::spawn(move || sender.send(77).map_err(|error| error.0));
            labrt::sleep(ms(2));
            drop(receiver);
            assert_eq!(task.join().unwrap(), Err(77));
        }
    });
}

#[test]
fn sending_to_nobody_gives_the_value_back() {
    on_both(|| {
        let (sender, receiver) = channel::unbounded();
        drop(receiver);
        assert_eq!(sender.send("lost").map_err(|error| error.0), Err("lost"));
        assert_eq!(sender.try_send("lost"), Err(TrySendError::Disconnected("lost")));
    });
}

#[test]
fn recv_timeout_ends_in_time_and_the_channel_goes_on() {
    on_both(|| {
        let (sender, receiver) = channel::unbounded();
        let start = labrt::now();
        assert_eq!(receiver.recv_timeout(ms(3)), Err(RecvTimeoutError::Timeout));
        assert!(start.elapsed() >= ms(3));
        assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        sender.send(1).unwrap();
        assert_eq!(receiver.recv_timeout(Duration::ZERO), Ok(1));
        let task = labrt::spawn(move || {
            labrt::sleep(ms(2));
            sender.send(2).unwrap();
        });
        assert_eq!(receiver.recv_timeout(Duration::from_secs(60)), Ok(2));
        task.join().unwrap();
    });
}

/// A value whose receiver has just given up must reach another one.
#[test]
fn a_receiver_that_times_out_takes_no_value_with_it() {
    on_both(|| {
        let (sender, receiver) = channel::unbounded();
        let impatient = receiver.clone();
        let patient = labrt::spawn(move || receiver.recv().unwrap());
        let quick = labrt::spawn(move || impatient.recv_timeout(ms(2)));
        labrt::sleep(ms(2));
        sender.send(1).unwrap();
        match quick.join().unwrap() {
            Ok(value) => {
                assert_eq!(value, 1);
                sender.send(2).unwrap();
                assert_eq!(patient.join().unwrap(), 2);
            }
            Err(_) => assert_eq!(patient.join().unwrap(), 1),
        }
    });
}

/// What nobody received is dropped with the channel, values of senders that still wait included.
#[test]
fn undelivered_values_are_dropped() {
    on_both(|| {
        let (alive, gone) = channel::unbounded::<()>();
        let (sender, receiver) = channel::unbounded();
        sender.send(alive.clone()).unwrap();
        drop(alive);
        assert_eq!(gone.try_recv(), Err(TryRecvError::Empty));
        drop(receiver);
        assert_eq!(gone.try_recv(), Err(TryRecvError::Disconnected));
        drop(sender);
    });
}
