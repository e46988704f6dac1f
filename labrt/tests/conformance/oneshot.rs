//! The channel for one value.

use labrt::oneshot::{self, RecvError, RecvTimeoutError, TryRecvError};

use crate::{ms, on_both};

#[test]
fn the_value_arrives_sent_before_or_after_the_wait() {
    on_both(|| {
        let (sender, receiver) = oneshot::channel();
        sender.send(1).unwrap();
        assert_eq!(receiver.recv(), Ok(1));
        let (sender, receiver) = oneshot::channel();
        labrt::spawn(move || {
            labrt::sleep(ms(2));
            sender.send(2).unwrap();
        });
        assert_eq!(receiver.recv(), Ok(2));
    });
}

#[test]
fn a_sender_dropped_before_or_during_the_wait_ends_it() {
    on_both(|| {
        let (sender, receiver) = oneshot::channel::<()>();
        drop(sender);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(receiver.recv(), Err(RecvError));
        let (sender, receiver) = oneshot::channel::<()>();
        labrt::spawn(move || {
            labrt::sleep(ms(2));
            drop(sender);
        });
        assert_eq!(receiver.recv(), Err(RecvError));
    });
}

#[test]
fn a_receiver_dropped_first_gives_the_value_back() {
    on_both(|| {
        let (sender, receiver) = oneshot::channel();
        assert!(!sender.is_closed());
        drop(receiver);
        assert!(sender.is_closed());
        assert_eq!(sender.send(3), Err(3));
    });
}

/// After a timeout one may wait again, and the value is not lost.
#[test]
fn recv_timeout_can_be_repeated() {
    on_both(|| {
        let (sender, receiver) = oneshot::channel();
        let start = labrt::now();
        assert_eq!(receiver.recv_timeout(ms(3)), Err(RecvTimeoutError::Timeout));
        assert!(start.elapsed() >= ms(3));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        labrt::after(ms(2), move || sender.send(4).unwrap());
        assert_eq!(receiver.recv_timeout(ms(60_000)), Ok(4));
        assert_eq!(receiver.recv_timeout(ms(1)), Err(RecvTimeoutError::Disconnected));
    });
}

/// A value that was sent and never taken is dropped with the last end, whichever goes last.
#[test]
fn an_untaken_value_is_dropped_with_the_receiver() {
    on_both(|| {
        let (probe, gone) = oneshot::channel::<()>();
        let (sender, receiver) = oneshot::channel();
        sender.send(probe).unwrap();
        drop(receiver);
        assert_eq!(gone.recv(), Err(RecvError));
    });
}
