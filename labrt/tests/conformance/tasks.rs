//! Spawning and joining.

use labrt::{JoinError, channel};

use crate::{ms, on_both};

#[test]
fn join_gives_what_the_task_returned() {
    on_both(|| {
        let tasks: Vec<_> = (0..8_u64).map(|n| labrt::spawn(move || n * n)).collect();
        let squares: Vec<u64> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
        assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36, 49]);
    });
}

#[test]
fn is_finished_turns_true_when_the_task_ends() {
    on_both(|| {
        let (go, wait) = channel::bounded::<()>(0);
        let task = labrt::spawn_named("waiter", move || wait.recv());
        labrt::yield_now();
        assert!(!task.is_finished());
        go.send(()).unwrap();
        while !task.is_finished() {
            labrt::sleep(ms(1));
        }
        assert_eq!(task.join(), Ok(Ok(())));
    });
}

/// A dropped handle detaches: the task goes on.
#[test]
fn a_task_without_a_handle_goes_on() {
    on_both(|| {
        let (sender, receiver) = channel::unbounded();
        drop(labrt::spawn(move || {
            labrt::sleep(ms(2));
            sender.send(7).unwrap();
        }));
        assert_eq!(receiver.recv(), Ok(7));
    });
}

#[test]
fn a_task_joined_long_after_its_end_still_gives_its_result() {
    on_both(|| {
        let task = labrt::spawn(|| "done".to_owned());
        // On a busy machine a thread may take its time to start.
        while !task.is_finished() {
            labrt::sleep(ms(5));
        }
        labrt::sleep(ms(5));
        assert_eq!(task.join().unwrap(), "done");
    });
}

/// Only on threads does a panic end at the handle; a simulated run stops there
/// (`simulator/reports.rs`).
#[test]
fn on_threads_a_panic_ends_at_the_handle() {
    let task = labrt::spawn(|| -> u32 { std::panic::resume_unwind(Box::new("at the wheel")) });
    assert_eq!(task.join(), Err(JoinError::Panicked("at the wheel".into())));
    let task = labrt::spawn(|| -> u32 { std::panic::resume_unwind(Box::new("twice".to_owned())) });
    assert_eq!(task.join(), Err(JoinError::Panicked("twice".into())));
    // The pool's thread survived it.
    assert_eq!(labrt::spawn(|| 5).join(), Ok(5));
}

#[test]
fn tasks_spawn_tasks() {
    on_both(|| {
        fn tree(depth: u32) -> u64 {
            if depth == 0 {
                return 1;
            }
            let left = labrt::spawn(move || tree(depth - 1));
            let right = labrt::spawn(move || tree(depth - 1));
            left.join().unwrap() + right.join().unwrap()
        }
        assert_eq!(tree(5), 32);
    });
}

/// Brief tasks are tasks: they run on their node, count there while they live, and a panic of one
/// is its own affair.
#[test]
fn brief_tasks_run_on_their_node() {
    on_both(|| {
        let node = labrt::Node::new("shop");
        let (done, results) = channel::unbounded();
        for n in 0..100_u64 {
            let done = done.clone();
            node.spawn_brief("errand", move || {
                done.send((n, labrt::Node::current().name().to_owned())).unwrap();
            });
        }
        drop(done);
        let mut ran: Vec<_> = results.iter().collect();
        ran.sort_unstable();
        assert_eq!(ran.len(), 100);
        assert!(ran.iter().zip(0..).all(|((n, node), i)| *n == i && node == "shop"), "{ran:?}");
        while node.live_tasks() > 0 {
            labrt::sleep(ms(1));
        }
    });
}

/// However many brief tasks wait, others run: the ones at the end let the ones at the beginning go
/// on.
#[test]
fn brief_tasks_that_wait_keep_nobody_from_running() {
    on_both(|| {
        let node = labrt::Node::current();
        let (ring, bell) = channel::bounded::<()>(0);
        let (done, finished) = channel::unbounded();
        for n in 0..50 {
            let (bell, done) = (bell.clone(), done.clone());
            node.spawn_brief("waiter", move || {
                let rung = bell.recv();
                done.send((n, rung.is_ok())).unwrap();
            });
        }
        let lock = std::sync::Arc::new(labrt::Mutex::new(()));
        let held = lock.lock();
        for n in 50..60 {
            let (lock, done) = (lock.clone(), done.clone());
            node.spawn_brief("waiter", move || {
                let _held = lock.lock();
                done.send((n, true)).unwrap();
            });
        }
        node.spawn_brief("ringer", move || {
            for _ in 0..50 {
                ring.send(()).unwrap();
            }
        });
        for _ in 0..50 {
            assert!(finished.recv_timeout(ms(5000)).unwrap().1, "the ringer ran");
        }
        drop(held);
        for _ in 0..10 {
            assert!(finished.recv_timeout(ms(5000)).unwrap().0 >= 50);
        }
    });
}

/// Each task gets its turn even if another only yields.
#[test]
fn yield_now_lets_others_run() {
    on_both(|| {
        let other = labrt::spawn(|| ());
        let mut turns = 0_u64;
        while !other.is_finished() {
            labrt::yield_now();
            turns += 1;
            assert!(turns < 100_000_000, "the other task starves");
        }
    });
}

#[test]
fn random_numbers_stay_in_their_range_and_differ() {
    on_both(|| {
        let draws: Vec<u64> = (0..64).map(|_| labrt::random_u64()).collect();
        let mut distinct = draws.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), draws.len());
        assert!((0..1000).all(|_| (10..20).contains(&labrt::random_range(10..20))));
        assert!((0..100).all(|_| labrt::random_bool(1.0) && !labrt::random_bool(0.0)));
        let heads = (0..1000).filter(|_| labrt::random_bool(0.5)).count();
        assert!((350..650).contains(&heads), "{heads} of 1000");
    });
}
