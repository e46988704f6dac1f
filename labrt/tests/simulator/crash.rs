//! Crashing a node: its tasks end where they stand, their destructors run, nothing else of theirs
//! does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use labrt::channel::{self, RecvError, TryRecvError};
use labrt::sim::{self, Config, FailureKind};
use labrt::{Condvar, JoinError, Mutex, Node, Persister, StoredSnapshot, Write, oneshot};

use crate::{failure_of, ms, value_of};

/// Sets its flag when it is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn flag() -> Arc<AtomicBool> {
    Arc::default()
}

/// Runs `wait` in a task of a node, crashes the node while the task stands there, and checks that
/// its destructors ran and the code behind the wait did not.
#[track_caller]
fn crashed_at(kind: &'static str, wait: impl FnOnce() + Send + Clone + 'static) {
    for seed in 0..10 {
        let wait = wait.clone();
        value_of(seed, move || {
            let (dropped, went_on, held) = (flag(), flag(), Arc::new(Mutex::new(0)));
            let node = Node::new("victim");
            let (guard, after, lock) =
                (Dropped(Arc::clone(&dropped)), Arc::clone(&went_on), Arc::clone(&held));
            let task = node.spawn("victim", move || {
                let _guard = guard;
                let _held = lock.lock();
                wait();
                after.store(true, Ordering::Relaxed);
            });
            labrt::sleep(ms(5));
            assert!(!task.is_finished() && held.try_lock().is_none(), "{kind}: it waits");
            node.crash().unwrap();
            assert!(dropped.load(Ordering::Relaxed), "{kind}: destructors have run");
            assert!(held.try_lock().is_some(), "{kind}: its lock is free");
            assert!(task.is_finished() && node.live_tasks() == 0);
            assert_eq!(task.join(), Err(JoinError::Killed), "{kind}");
            labrt::sleep(Duration::from_secs(100));
            assert!(!went_on.load(Ordering::Relaxed), "{kind}: nothing ran behind the wait");
        });
    }
}

#[test]
fn a_task_can_be_crashed_at_every_kind_of_wait() {
    crashed_at("sleep", || labrt::sleep(Duration::from_secs(50)));
    crashed_at("yield", || {
        while labrt::now().as_nanos() < 1_000_000_000_000 {
            labrt::yield_now();
            labrt::sleep(ms(1));
        }
    });
    crashed_at("receive", || {
        let (_sender, receiver) = channel::unbounded::<()>();
        let _ = receiver.recv_timeout(ms(60_000));
    });
    crashed_at("rendezvous", || {
        let (sender, _receiver) = channel::bounded(0);
        let _ = sender.send(1);
    });
    crashed_at("full channel", || {
        let (sender, _receiver) = channel::bounded(1);
        let _ = sender.send(1).and_then(|()| sender.send(2));
    });
    crashed_at("answer", || {
        let (_sender, receiver) = oneshot::channel::<()>();
        let _ = receiver.recv();
    });
    crashed_at("condition", || {
        let lock = Mutex::new(());
        Condvar::new().wait(&mut lock.lock());
    });
    crashed_at("join", || {
        let _ = Node::new("other").spawn("slow", || labrt::sleep(ms(60_000))).join();
    });
    crashed_at("lock", || {
        let lock = Arc::new(Mutex::new(()));
        let other = Arc::clone(&lock);
        Node::new("other").spawn_detached("holder", move || {
            let _guard = other.lock();
            labrt::sleep(ms(60_000));
        });
        labrt::sleep(ms(1));
        drop(lock.lock());
    });
}

/// At every switch of a run, not only where one would think of it: the crash comes after 1, 2, 3 …
/// switches.
#[test]
fn a_node_can_be_crashed_after_any_number_of_switches() {
    for switches in 1..150 {
        value_of(switches, move || {
            let total = Arc::new((Mutex::new(0_u64), Condvar::new()));
            let disk = Persister::new();
            let (sender, receiver) = channel::bounded(1);
            let node = Node::new("victim");
            for _ in 0..3 {
                let (total, disk, sender) = (Arc::clone(&total), disk.clone(), sender.clone());
                node.spawn_detached("worker", move || {
                    for n in 0..10_u8 {
                        *total.0.lock() += 1;
                        total.1.notify_all();
                        disk.save(vec![n], None).unwrap();
                        let _ = sender.send(n);
                        total.1.wait_until(&mut total.0.lock(), labrt::now() + ms(1));
                    }
                });
            }
            drop(sender);
            for _ in 0..switches {
                labrt::yield_now();
            }
            node.crash().unwrap();
            let before = *total.0.try_lock().expect("no lock is left taken");
            assert!(receiver.iter().count() <= 1, "only what was in the channel is left");
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
            labrt::sleep(ms(50));
            assert_eq!(*total.0.lock(), before);
        });
    }
}

#[test]
fn a_crash_closes_the_channel_ends_of_the_node() {
    value_of(1, || {
        let node = Node::new("victim");
        let (to_test, from_node) = channel::unbounded::<()>();
        let (to_node, from_test) = channel::bounded(1);
        let (answer, asked) = oneshot::channel::<()>();
        node.spawn_detached("victim", move || {
            let _ends = (to_test, answer);
            labrt::sleep(Duration::from_secs(9));
            drop(from_test);
        });
        let waiting = labrt::spawn(move || (from_node.recv(), asked.recv()));
        let sending = labrt::spawn(move || {
            (to_node.send(1).is_ok(), to_node.send(2).is_ok(), to_node.send(3).is_ok())
        });
        labrt::sleep(ms(1));
        node.crash().unwrap();
        assert_eq!(waiting.join().unwrap(), (Err(RecvError), Err(RecvError)));
        assert_eq!(sending.join().unwrap(), (true, false, false));
        assert_eq!(labrt::now().as_nanos(), 1_000_000);
    });
}

/// What a task captured is dropped even if it never ran.
#[test]
fn a_task_crashed_before_its_first_turn_drops_what_it_captured() {
    value_of(1, || {
        let (dropped, ran) = (flag(), flag());
        let node = Node::new("victim");
        let (guard, run) = (Dropped(Arc::clone(&dropped)), Arc::clone(&ran));
        node.spawn_detached("unborn", move || {
            let _guard = guard;
            run.store(true, Ordering::Relaxed);
        });
        node.crash().unwrap();
        assert!(dropped.load(Ordering::Relaxed) && !ran.load(Ordering::Relaxed));
        // And what is spawned on the crashed node later.
        let dropped = flag();
        let guard = Dropped(Arc::clone(&dropped));
        node.spawn_detached("too late", move || drop(guard));
        assert!(dropped.load(Ordering::Relaxed));
        assert_eq!(node.live_tasks(), 0);
    });
}

#[test]
fn a_task_that_crashes_its_own_node_ends_there() {
    value_of(1, || {
        let (went_on, dropped) = (flag(), flag());
        let node = Node::new("suicidal");
        let (own, after, guard) =
            (node.clone(), Arc::clone(&went_on), Dropped(Arc::clone(&dropped)));
        let task = node.spawn("suicidal", move || {
            let _guard = guard;
            let _ = own.crash();
            after.store(true, Ordering::Relaxed);
        });
        assert_eq!(task.join(), Err(JoinError::Killed));
        assert!(dropped.load(Ordering::Relaxed) && !went_on.load(Ordering::Relaxed));
    });
}

#[test]
fn a_callback_can_crash_a_node() {
    value_of(1, || {
        let node = Node::new("victim");
        let task = node.spawn("sleeper", || labrt::sleep(Duration::from_secs(9)));
        labrt::after(ms(3), move || node.crash().unwrap());
        assert_eq!(task.join(), Err(JoinError::Killed));
        assert_eq!(labrt::now().as_nanos(), 3_000_000);
    });
}

/// A destructor that crashes another node, which has one that crashes a third.
#[test]
fn crashes_may_cause_crashes() {
    struct Crashes(Node);
    impl Drop for Crashes {
        fn drop(&mut self) {
            self.0.crash().unwrap();
        }
    }
    value_of(1, || {
        let nodes: Vec<Node> = (0..3).map(|n| Node::new(format!("n{n}"))).collect();
        let tasks: Vec<_> = (0..3)
            .map(|n| {
                let next = Crashes(nodes[(n + 1) % 3].clone());
                nodes[n].spawn("linked", move || {
                    let _next = next;
                    labrt::sleep(Duration::from_secs(9));
                })
            })
            .collect();
        labrt::sleep(ms(1));
        nodes[0].crash().unwrap();
        for task in tasks {
            assert_eq!(task.join(), Err(JoinError::Killed));
        }
        assert_eq!(labrt::now().as_nanos(), 1_000_000);
    });
}

#[test]
fn crashing_the_node_of_the_root_task_ends_the_run() {
    let failure = failure_of(Config::new(1), || {
        Node::new("other").spawn_detached("endless", || {
            loop {
                labrt::sleep(ms(1));
            }
        });
        labrt::sleep(ms(2));
        let _ = Node::current().crash();
        unreachable!("the root task is dead");
    });
    assert_eq!((failure.kind, failure.at), (FailureKind::RootKilled, ms(2)));
}

/// A killed task that was just woken passes the wake-up on: for a lock, for a value, for room in a
/// channel.
#[test]
fn the_wake_up_of_a_killed_task_is_not_lost() {
    for seed in 0..60 {
        value_of(seed, || {
            let (sender, receiver) = channel::bounded(1);
            let lock = Arc::new(Mutex::new(0));
            let guard = lock.lock();
            sender.send(0).unwrap();
            let (victim, other) = (Node::new("victim"), Node::new("other"));
            let locking = |node: &Node| {
                let lock = Arc::clone(&lock);
                node.spawn("locks", move || *lock.lock() += 1)
            };
            let sending = |node: &Node| {
                let sender = sender.clone();
                node.spawn("sends", move || sender.send(1).is_ok())
            };
            drop((locking(&victim), sending(&victim)));
            let lock_task = locking(&other);
            let send_task = sending(&other);
            let (to_both, from_both) = channel::unbounded();
            let receiving = |node: &Node| {
                let from_both = from_both.clone();
                node.spawn("receives", move || from_both.recv().unwrap())
            };
            drop(receiving(&victim));
            let recv_task = receiving(&other);
            labrt::sleep(ms(1));
            // One of each two is woken, and the victim's are killed before anybody runs.
            drop(guard);
            assert_eq!(receiver.try_recv(), Ok(0));
            to_both.send(7).unwrap();
            victim.crash().unwrap();
            lock_task.join().unwrap();
            assert!(send_task.join().unwrap());
            assert_eq!(recv_task.join(), Ok(7));
        });
    }
}

/// The value of a rendezvous sender that is killed while it waits is not delivered later.
#[test]
fn a_killed_rendezvous_sender_takes_its_value_back() {
    value_of(1, || {
        let node = Node::new("victim");
        let (sender, receiver) = channel::bounded(0);
        let other = sender.clone();
        node.spawn_detached("sender", move || sender.send("from the dead").unwrap());
        labrt::sleep(ms(1));
        node.crash().unwrap();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        labrt::spawn(move || other.send("alive").unwrap());
        assert_eq!(receiver.recv(), Ok("alive"));
    });
}

/// The first seed that crashes a server between "snapshot saved" and "log trimmed" must be able to
/// happen; neither write tears.
#[test]
fn a_crash_can_come_before_between_and_after_two_writes() {
    let mut seen = [0; 3];
    for seed in 0..200 {
        let state = value_of(seed, || {
            let disk = Persister::new();
            let append = (0..4_u8).map(|n| vec![n; 8].into()).collect();
            disk.write(Write { header: Some(vec![1]), append, ..Write::default() }).unwrap();
            let node = Node::new("server");
            let own = disk.clone();
            node.spawn_detached("saver", move || {
                let snapshot = Some(StoredSnapshot { meta: vec![3], data: vec![9; 5].into() });
                own.write(Write { snapshot, ..Write::default() }).unwrap();
                own.write(Write { header: Some(vec![2]), drop_front: 3, ..Write::default() })
                    .unwrap();
            });
            for _ in 0..labrt::random_range(0..4) {
                labrt::yield_now();
            }
            node.crash().unwrap();
            let header = disk.header()[0];
            assert_eq!(disk.record_count(), if header == 1 { 4 } else { 1 }, "no write is torn");
            (header, disk.snapshot_size())
        });
        match state {
            (1, 0) => seen[0] += 1,
            (1, 5) => seen[1] += 1,
            (2, 5) => seen[2] += 1,
            other => panic!("seed {seed}: {other:?} cannot be"),
        }
    }
    assert!(seen.iter().all(|times| *times >= 5), "before, between, after: {seen:?}");
}

/// When the root task returns, the others are killed: locks released, destructors run, nothing
/// else.
#[test]
fn the_end_of_the_run_kills_the_rest() {
    static DROPPED: AtomicU64 = AtomicU64::new(0);
    struct Count(Arc<Mutex<u64>>);
    impl Drop for Count {
        fn drop(&mut self) {
            *self.0.lock() += 1;
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
    let run = sim::run(Config::new(1), || {
        let lock = Arc::new(Mutex::new(0));
        let holder = Arc::clone(&lock);
        for _ in 0..20 {
            let count = Count(Arc::clone(&lock));
            labrt::spawn(move || {
                let _count = count;
                labrt::sleep(Duration::from_secs(9));
            });
        }
        // The last of the tasks to be spawned holds the lock that all the destructors need.
        labrt::spawn(move || {
            let _guard = holder.lock();
            labrt::sleep(Duration::from_secs(9));
        });
        let count = Count(Arc::clone(&lock));
        labrt::after(ms(50), move || drop(count));
        labrt::sleep(ms(1));
    });
    assert!(run.result.is_ok());
    assert_eq!(run.report.leaked, Vec::<String>::new());
    assert_eq!(DROPPED.load(Ordering::Relaxed), 21);
    assert_eq!(run.report.virtual_time, ms(1));
}

/// Handles that the body returns outlive their world; they answer and do not hang.
#[test]
fn what_is_carried_out_of_a_run_answers() {
    let (task, sender, receiver, lock) = value_of(1, || {
        let (sender, receiver) = channel::bounded::<u8>(1);
        let other = receiver.clone();
        let task = labrt::spawn(move || other.recv().and_then(|_| other.recv()));
        (task, sender, receiver, Mutex::new(3))
    });
    assert!(task.is_finished());
    assert_eq!(task.join(), Err(JoinError::Killed));
    assert!(sender.send(1).is_ok());
    assert_eq!(receiver.recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    drop(sender);
    assert_eq!(receiver.recv(), Err(RecvError));
    assert_eq!(*lock.lock(), 3);
}
