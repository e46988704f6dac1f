//! Waiting for one of several channels.

use labrt::channel::{self, Receiver, Select, TryRecvError};

use crate::{ms, on_both};

fn select_two<A, B>(first: &Receiver<A>, second: &Receiver<B>) -> usize {
    let mut select = Select::new();
    select.recv(first);
    select.recv(second);
    select.ready()
}

#[test]
fn the_ready_receiver_is_named() {
    on_both(|| {
        let (to_first, first) = channel::unbounded();
        let (to_second, second) = channel::bounded(1);
        to_second.send("b").unwrap();
        assert_eq!(select_two(&first, &second), 1);
        second.recv().unwrap();
        to_first.send('a').unwrap();
        assert_eq!(select_two(&first, &second), 0);
    });
}

/// A value sent during the wait ends it, through a channel of every kind.
#[test]
fn a_value_sent_during_the_wait_ends_it() {
    on_both(|| {
        for capacity in [0, 1] {
            let (to_first, first) = channel::bounded::<u8>(capacity);
            let (to_second, second) = channel::bounded::<u8>(capacity);
            let task = labrt::spawn(move || {
                labrt::sleep(ms(2));
                to_second.send(9).unwrap();
                to_first // kept, since a channel without senders would be ready as well
            });
            assert_eq!(select_two(&first, &second), 1);
            assert_eq!(second.recv(), Ok(9));
            drop(task.join().unwrap());
        }
    });
}

#[test]
fn a_disconnected_receiver_is_ready() {
    on_both(|| {
        let (to_first, first) = channel::unbounded::<()>();
        let (to_second, second) = channel::unbounded::<()>();
        drop(to_second);
        assert_eq!(select_two(&first, &second), 1);
        assert_eq!(second.try_recv(), Err(TryRecvError::Disconnected));
        let task = labrt::spawn(move || {
            labrt::sleep(ms(2));
            drop(to_first);
        });
        let mut select = Select::new();
        select.recv(&first);
        assert_eq!(select.ready(), 0);
        assert_eq!(first.try_recv(), Err(TryRecvError::Disconnected));
        task.join().unwrap();
    });
}

#[test]
fn ready_timeout_ends_in_time() {
    on_both(|| {
        let (sender, receiver) = channel::unbounded();
        let start = labrt::now();
        let mut select = Select::new();
        select.recv(&receiver);
        assert_eq!(select.ready_timeout(ms(3)), None);
        assert!(start.elapsed() >= ms(3));
        sender.send(1).unwrap();
        assert_eq!(select.ready_timeout(ms(0)), Some(0));
        assert_eq!(Select::new().ready_timeout(ms(1)), None);
    });
}

/// Of several that are ready each gets its turn; a fixed order would starve the last.
#[test]
fn no_ready_receiver_starves() {
    on_both(|| {
        let channels: Vec<_> = (0..3).map(|_| channel::unbounded()).collect();
        for (sender, _) in &channels {
            (0..200).for_each(|n| sender.send(n).unwrap());
        }
        let mut counts = [0; 3];
        for _ in 0..200 {
            let mut select = Select::new();
            for (_, receiver) in &channels {
                select.recv(receiver);
            }
            let index = select.ready();
            channels[index].1.try_recv().unwrap();
            counts[index] += 1;
        }
        assert!(counts.iter().all(|count| *count >= 20), "{counts:?}");
    });
}

/// Two tasks select on the same channels: each value is received by one of them.
#[test]
fn several_selecting_tasks_share_the_values() {
    on_both(|| {
        let (to_work, work) = channel::unbounded::<u64>();
        let (stop, stopped) = channel::bounded::<()>(0);
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let (work, stopped) = (work.clone(), stopped.clone());
                labrt::spawn(move || {
                    let mut sum = 0;
                    loop {
                        if select_two(&work, &stopped) == 1 && work.is_empty() {
                            return sum;
                        }
                        if let Ok(value) = work.try_recv() {
                            sum += value;
                        }
                    }
                })
            })
            .collect();
        for value in 1..=60 {
            to_work.send(value).unwrap();
            if value % 7 == 0 {
                labrt::yield_now();
            }
        }
        drop(stop);
        let total: u64 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
        assert_eq!(total, 1830);
    });
}
