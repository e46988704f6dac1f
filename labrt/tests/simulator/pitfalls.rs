//! One test for each way in which coroutines bite: what a killed or panicking task does must not
//! hurt the others, let alone the process. (Numbers 16 and 19 are in `replay.rs` and `reports.rs`.)

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use labrt::sim::{self, Config, FailureKind, Run};
use labrt::{Condvar, Mutex, Node, channel, oneshot};

use crate::{child_argument, failure_of, in_child, ms, value_of};

/// Calls its function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Runs a task with `in_drop` in a destructor on a node that is crashed; gives the run. The count
/// is of destructors that ended.
fn crash_with(in_drop: impl FnMut() + Send + 'static) -> (Run<()>, u64) {
    let ended = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&ended);
    let run = sim::run(Config::new(1), move || {
        let node = Node::new("victim");
        let mut in_drop = in_drop;
        node.spawn_detached("victim", move || {
            let _guard = OnDrop(move || {
                in_drop();
                count.fetch_add(1, Ordering::Relaxed);
            });
            labrt::sleep(Duration::from_secs(9));
        });
        labrt::sleep(ms(1));
        node.crash().unwrap();
        assert_eq!(labrt::now().as_nanos(), 1_000_000, "a destructor lets no time pass");
        // The others are well.
        labrt::sleep(ms(1));
        let task = labrt::spawn(|| {
            assert!(!std::thread::panicking());
            labrt::sleep(ms(1));
            5
        });
        assert_eq!(task.join(), Ok(5));
    });
    (run, ended.load(Ordering::Relaxed))
}

#[track_caller]
fn survives(in_drop: impl FnMut() + Send + 'static) {
    let (run, ended) = crash_with(in_drop);
    if let Err(failure) = run.result {
        panic!("{failure}");
    }
    assert_eq!((run.report.leaked, ended), (Vec::new(), 1));
}

/// Pitfall 1: unwinding a killed task poisons std's locks; ours are released and usable, and no
/// panic hook is called.
#[test]
fn a_killed_tasks_lock_is_released_without_poison() {
    value_of(1, || {
        let lock = Arc::new(Mutex::new(vec![1]));
        let own = Arc::clone(&lock);
        let node = Node::new("victim");
        node.spawn_detached("holder", move || {
            let mut guard = own.lock();
            guard.push(2);
            labrt::sleep(Duration::from_secs(9));
            guard.push(3);
        });
        labrt::sleep(ms(1));
        let other = Arc::clone(&lock);
        let waiting = labrt::spawn(move || other.lock().clone());
        labrt::sleep(ms(1));
        node.crash().unwrap();
        assert_eq!(waiting.join().unwrap(), [1, 2]);
        assert_eq!(*lock.lock(), [1, 2]);
    });
}

/// Pitfall 2: suspending inside a destructor would throw the kill again, out of a cleanup, and
/// abort the process.
#[test]
fn blocking_calls_in_destructors_of_a_killed_task_return_at_once() {
    survives(|| labrt::sleep(Duration::from_secs(5)));
    survives(labrt::yield_now);
    survives(|| assert!(channel::unbounded::<()>().1.recv_timeout(ms(5)).is_err()));
    survives(|| {
        let (sender, receiver) = channel::bounded::<()>(0);
        assert!(receiver.recv().is_err());
        drop(sender);
    });
    survives(|| {
        let (_sender, receiver) = oneshot::channel::<()>();
        assert!(receiver.recv().is_err());
    });
    survives(|| {
        let lock = Mutex::new(());
        let condition = Condvar::new();
        condition.wait(&mut lock.lock());
        assert!(condition.wait_until(&mut lock.lock(), labrt::now() + ms(1)));
    });
    survives(|| assert!(labrt::spawn(|| 1).join().is_err()));
    survives(|| labrt::Persister::new().save(vec![1], None).unwrap());
    survives(|| Node::new("another").crash().unwrap());
}

/// Pitfall 3: `send(..).unwrap()` in a destructor would panic during the unwinding when the other
/// end is gone.
#[test]
fn sends_to_closed_and_full_channels_in_destructors_of_a_killed_task_succeed() {
    survives(|| channel::unbounded().0.send(1).unwrap());
    survives(|| channel::unbounded().0.try_send(1).unwrap());
    survives(|| oneshot::channel().0.send(1).unwrap());
    survives(|| {
        let (sender, _receiver) = channel::bounded(0);
        sender.send(1).unwrap();
    });
    survives(|| {
        let (sender, _receiver) = channel::bounded(1);
        sender.send(1).unwrap();
        sender.send(2).unwrap();
    });
}

/// Pitfall 3, where nothing can be done for the destructor: it panics by itself. Rust ends the
/// process for that; before it does, task, node, seed and line are named.
#[test]
fn a_destructor_that_panics_during_a_kill_is_named_before_the_process_ends() {
    if child_argument().is_some() {
        let _ = sim::run(Config::new(88), || {
            let node = Node::new("server-8");
            node.spawn_detached("fragile", || {
                let _guard = OnDrop(|| panic!("no answer"));
                labrt::sleep(Duration::from_secs(9));
            });
            labrt::sleep(ms(2));
            let _ = node.crash();
        });
        return;
    }
    let name = "pitfalls::a_destructor_that_panics_during_a_kill_is_named_before_the_process_ends";
    let child = in_child(name, "run");
    assert!(!child.status.success());
    let text = String::from_utf8_lossy(&child.stderr);
    for part in
        ["(seed 88) in task #1 server-8/fragile", "no answer at labrt/tests/simulator/pitfalls.rs"]
    {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

/// Pitfall 4: a loop around `catch_unwind` swallows every kill. After a hundred it is leaked, and
/// named.
#[test]
fn a_catch_unwind_loop_is_leaked_and_named() {
    let run = sim::run(Config::new(1), || {
        let node = Node::new("server-4");
        let (_sender, receiver) = channel::unbounded::<()>();
        let task = node.spawn("stubborn", move || {
            loop {
                let receiver = std::panic::AssertUnwindSafe(&receiver);
                let _ = std::panic::catch_unwind(|| receiver.recv());
            }
        });
        labrt::sleep(ms(1));
        node.crash().unwrap();
        assert_eq!(task.join().map(|_: ()| ()), Err(labrt::JoinError::Killed));
        labrt::sleep(ms(1));
    });
    assert!(run.result.is_ok(), "{:?}", run.result);
    let [leaked] = &run.report.leaked[..] else { panic!("{:?}", run.report.leaked) };
    assert!(leaked.contains("server-4/stubborn resisted") && leaked.contains("pitfalls.rs"));
}

/// A destructor that waits in a loop for what cannot come any more.
#[test]
fn an_endless_wait_in_a_destructor_is_leaked_and_named() {
    let (run, ended) = crash_with(|| {
        loop {
            labrt::sleep(ms(1));
        }
    });
    // The task was leaked in the middle of its unwinding, which `panicking` shows from then on:
    // that assertion fails the run.
    assert_eq!((run.report.leaked.len(), ended), (1, 0));
    assert!(run.report.leaked[0].contains("victim/victim resisted"));
}

/// After a leak in mid-unwinding `thread::panicking` is true on this OS thread for good. The others
/// must not be taken for dying: they wait, send through a rendezvous, hear of closed channels, and
/// their panics are reported.
#[test]
fn a_task_leaked_in_mid_unwinding_does_not_infect_the_others() {
    let body = |panics: bool| {
        move || {
            let lock = Arc::new(Mutex::new(0));
            let (node, own) = (Node::new("victim"), Arc::clone(&lock));
            node.spawn_detached("needs a lock", move || {
                let _guard = OnDrop(move || *own.lock() += 1);
                labrt::sleep(Duration::from_secs(9));
            });
            labrt::sleep(ms(1));
            let guard = lock.lock();
            node.crash().unwrap(); // it needs the lock that we hold
            drop(guard);
            assert!(std::thread::panicking(), "this is what the test is about");
            let (sender, receiver) = channel::bounded(0);
            let task = labrt::spawn(move || (receiver.recv(), labrt::now()));
            labrt::sleep(ms(1));
            sender.send(3).unwrap();
            assert_eq!(task.join(), Ok((Ok(3), labrt::now())));
            assert!(sender.send(4).is_err());
            assert!(sender.try_send(4).is_err());
            let (sender, receiver) = oneshot::channel();
            drop(receiver);
            assert_eq!(sender.send(5), Err(5));
            *lock.lock() += 1;
            if panics {
                let _guard = OnDrop(|| labrt::sleep(ms(5)));
                panic!("after all");
            }
            let start = labrt::now();
            labrt::sleep(ms(1));
            assert_eq!(start.elapsed(), ms(1));
        }
    };
    let run = sim::run(Config::new(1), body(false));
    assert!(run.result.is_ok(), "{:?}", run.result);
    assert!(run.report.leaked[0].contains("victim/needs a lock"), "{:?}", run.report.leaked);
    let failure = failure_of(Config::new(1), body(true));
    assert!(failure.message.starts_with("after all"), "{failure}");
    assert_eq!(failure.at, ms(2), "no time has passed in its destructors");
    // It ends with the OS thread of that run.
    value_of(1, || assert!(!std::thread::panicking()));
}

/// Pitfall 5: no switch while a task unwinds from a panic of its own, or another task would see
/// `panicking()`.
#[test]
fn nobody_else_runs_while_a_task_panics() {
    static SEEN: AtomicBool = AtomicBool::new(false);
    let failure = failure_of(Config::new(1), || {
        let lock = Arc::new(Mutex::new(0));
        for _ in 0..4 {
            let lock = Arc::clone(&lock);
            labrt::spawn(move || {
                loop {
                    *lock.lock() += 1;
                    if std::thread::panicking() {
                        SEEN.store(true, Ordering::Relaxed);
                    }
                    labrt::yield_now();
                }
            });
        }
        let _guard = OnDrop(move || {
            for _ in 0..50 {
                *lock.lock() += 1;
                labrt::yield_now();
                labrt::sleep(ms(1));
                channel::bounded(0).0.send(1).unwrap();
            }
        });
        labrt::yield_now();
        panic!("on its way out");
    });
    assert!(failure.message.starts_with("on its way out"), "{failure}");
    assert_eq!(failure.at, Duration::ZERO);
    assert!(!SEEN.load(Ordering::Relaxed));
}

/// Pitfall 7: a lock that is not ours, held across a switch, blocks the one OS thread. Only the
/// watchdog outside can tell.
#[test]
fn a_foreign_lock_held_across_a_switch_is_a_runaway_that_names_the_blocked_task() {
    static FOREIGN: parking_lot::Mutex<()> = parking_lot::Mutex::new(());
    let failure = failure_of(Config::new(1).runaway(ms(150)), || {
        let node = Node::new("server-5");
        let task = node.spawn("blocked", || {
            labrt::sleep(ms(1));
            drop(FOREIGN.lock());
        });
        let _guard = FOREIGN.lock();
        let _ = task.join();
    });
    assert_eq!((failure.kind, failure.at), (FailureKind::Runaway, ms(1)));
    let text = failure.to_string();
    assert!(text.contains("server-5/blocked"), "{text}");
    assert!(text.contains("a lock that is not labrt's held by another task"), "{text}");
}

/// Pitfall 10: the guard page gives a bare SIGSEGV. Ours names task, node, seed and size before the
/// process ends.
#[test]
fn a_stack_overflow_names_task_and_node() {
    if child_argument().is_some() {
        #[expect(unconditional_recursion, reason = "the overflow is the point")]
        fn deeper(depth: u64) -> u64 {
            let frame = std::hint::black_box([depth; 64]);
            deeper(depth + 1) + frame[depth as usize % 64]
        }
        let _ = sim::run(Config::new(77), || {
            labrt::sleep(ms(4));
            let task = Node::new("server-6").spawn("recursive", || deeper(0));
            let _ = task.join();
        });
        return;
    }
    let child = in_child("pitfalls::a_stack_overflow_names_task_and_node", "overflow");
    assert!(!child.status.success(), "no way to go on after that");
    let text = String::from_utf8_lossy(&child.stderr);
    assert!(
        text.contains("stack overflow: task recursive of node server-6 overflowed its 256 KiB")
            && text.contains("(seed 77, virtual time 4000000 ns)"),
        "{text}"
    );
}

/// Pitfall 12: where panics abort, killing a task would end the process; such a build is refused.
#[test]
fn a_build_that_aborts_on_panic_is_refused() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sim/unwind_check.rs");
    let out = std::env::temp_dir().join(format!("labrt-unwind-check-{}", std::process::id()));
    std::fs::create_dir_all(&out).unwrap();
    let compile = |panic: &str| {
        let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
        Command::new(rustc)
            .args(["--crate-type", "lib", "--emit=metadata", "--edition=2024", source])
            .args(["-C", &format!("panic={panic}"), "--out-dir"])
            .arg(&out)
            .output()
            .unwrap()
    };
    let (refused, accepted) = (compile("abort"), compile("unwind"));
    std::fs::remove_dir_all(&out).unwrap();
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && text.contains("build with panic = \"unwind\""), "{text}");
    assert!(accepted.status.success(), "{}", String::from_utf8_lossy(&accepted.stderr));
}

/// Deep enough stacks for ordinary work: formatting, a panic with its report, recursion of some
/// hundred frames.
#[test]
fn the_default_stack_is_deep_enough_for_ordinary_work() {
    fn sum(depth: u64) -> u64 {
        let text = std::hint::black_box(format!("{depth:>100}"));
        if depth == 0 { text.len() as u64 } else { text.len() as u64 + sum(depth - 1) }
    }
    assert_eq!(value_of(1, || sum(500)), 50_100);
}
