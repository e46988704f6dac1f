//! Crashes at places of one's choice, disks that are slow or torn, clocks that go wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use labrt::sim::{self, Config};
use labrt::{Mutex, Node, Persister, TornWrite, Write, now, sleep};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn sim<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    sim::run(Config::new(1), body).result.unwrap_or_else(|failure| panic!("{failure}"))
}

fn append(records: &[&str]) -> Write {
    let append = records.iter().map(|record| Arc::from(record.as_bytes())).collect();
    Write { append, ..Write::default() }
}

/// A node that counts its steps and takes a lock, writes and sleeps between them. Returns how far
/// it came.
fn crashed_at_switch_point(nth: u64) -> (u64, bool) {
    sim(move || {
        let steps = Arc::new(AtomicU64::new(0));
        let lock = Arc::new(Mutex::new(()));
        let node = Node::new("worker");
        let (count, held) = (Arc::clone(&steps), Arc::clone(&lock));
        node.spawn_detached("work", move || {
            let disk = Persister::new();
            for _ in 0..10 {
                let guard = held.lock();
                count.fetch_add(1, Ordering::SeqCst);
                disk.write(append(&["x"])).unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                drop(guard);
                sleep(ms(1));
            }
        });
        node.crash_at_switch_point(nth).unwrap();
        sleep(ms(100));
        drop(lock.lock()); // was released, however it ended
        (steps.load(Ordering::SeqCst), node.is_crashed())
    })
}

/// The points are the lock, before and after the write, and the sleep: four a round.
#[test]
fn a_node_crashes_at_the_switch_point_it_was_told() {
    let steps: Vec<u64> = (1..=8)
        .map(|nth| {
            let (steps, crashed) = crashed_at_switch_point(nth);
            assert!(crashed, "switch point {nth}");
            steps
        })
        .collect();
    assert_eq!(steps, [0, 1, 1, 2, 2, 3, 3, 4]);
    assert_eq!(crashed_at_switch_point(0), (20, false));
    assert_eq!(crashed_at_switch_point(1000), (20, false));
}

#[test]
fn a_crash_that_is_called_off_does_not_happen() {
    sim(|| {
        let node = Node::new("worker");
        let done = node.spawn("work", || sleep(ms(5)));
        node.crash_at_switch_point(2).unwrap();
        node.crash_at_switch_point(0).unwrap();
        done.join().unwrap();
        let other = Node::new("other");
        let done = other.spawn("work", || sleep(ms(5)));
        other.crash_at_switch_point(1).unwrap();
        assert!(done.join().is_err());
        other.crash_at_switch_point(7).unwrap();
        assert!(other.is_crashed());
    });
}

/// Writes a header, then three records over one that is cut, and crashes in the second write.
fn crashed_in_write(left: TornWrite) -> (Vec<u8>, Vec<String>) {
    sim(move || {
        let disk = Persister::new();
        let theirs = disk.clone();
        let node = Node::new("writer");
        disk.crash_in_write(2, left);
        let task = node.spawn("write", move || {
            theirs.write(Write { header: Some(b"H1".to_vec()), ..append(&["old"]) }).unwrap();
            let second = append(&["abcd", "efgh", "ij"]);
            theirs
                .write(Write { header: Some(b"H2".to_vec()), keep_records: Some(0), ..second })
                .unwrap();
            unreachable!("the write does not return");
        });
        assert!(task.join().is_err());
        assert!(node.is_crashed());
        let disk = disk.copy();
        let text = |record: &Arc<[u8]>| String::from_utf8(record.to_vec()).unwrap();
        (disk.header(), disk.records().iter().map(text).collect())
    })
}

#[test]
fn a_write_is_there_in_part_after_a_crash_in_it() {
    let (header, records) = crashed_in_write(TornWrite::Nothing);
    assert_eq!((header.as_slice(), records), (&b"H1"[..], vec!["old".to_owned()]));
    let parts = [(0, ""), (100, "a"), (499, "abcd"), (500, "abcd e"), (900, "abcd efgh i")];
    for (thousandths, expected) in parts {
        let (header, records) = crashed_in_write(TornWrite::Part(thousandths));
        assert_eq!((header.as_slice(), records.join(" ").as_str()), (&b"H2"[..], expected));
    }
    for left in [TornWrite::Part(1000), TornWrite::Part(9999), TornWrite::Everything] {
        assert_eq!(crashed_in_write(left).1, ["abcd", "efgh", "ij"]);
    }
}

/// A crash in the middle of a slow write leaves nothing of it; a copy of the disk is as fast as
/// any.
#[test]
fn a_slow_write_that_is_cut_off_is_lost() {
    sim(|| {
        let disk = Persister::new();
        disk.set_write_time(ms(10));
        let begun = now();
        disk.write(append(&["a"])).unwrap();
        assert_eq!(begun.elapsed(), ms(10));
        let (theirs, node) = (disk.clone(), Node::new("writer"));
        node.spawn_detached("write", move || theirs.write(append(&["b"])).unwrap());
        sleep(ms(5));
        node.crash().unwrap();
        sleep(ms(50));
        assert_eq!(disk.record_count(), 1);
        let copy = disk.copy();
        let begun = now();
        copy.write(append(&["b"])).unwrap();
        disk.set_write_time(Duration::ZERO);
        disk.write(append(&["b"])).unwrap();
        assert_eq!((begun.elapsed(), disk.record_count()), (Duration::ZERO, 2));
    });
}

/// A clock at half speed: what the node takes for 100 ms takes 200, and its own time agrees with
/// it. Faster ones likewise.
#[test]
fn a_node_lives_by_its_own_clock() {
    sim(|| {
        for (percent, takes) in [(50, 200), (200, 50), (100, 100), (33, 304)] {
            let node = Node::new("node");
            node.set_clock_rate(percent);
            let begun = now();
            let told = node.spawn("sleeper", || {
                let begun = now();
                sleep(ms(100));
                begun.elapsed()
            });
            let told = told.join().unwrap();
            assert!((ms(100)..ms(101)).contains(&told), "{percent}%: {told:?}");
            let took = begun.elapsed();
            assert!((ms(takes - 1)..=ms(takes)).contains(&took), "{percent}%: {took:?}");
        }
    });
}

/// A clock that changes its speed goes on from what it showed, and a sleep lasts what it must by
/// the clock in the end.
#[test]
fn a_clock_that_slows_down_makes_sleepers_wait() {
    sim(|| {
        let node = Node::new("node");
        let begun = now();
        let sleeper = node.spawn("sleeper", || {
            sleep(ms(100));
            now()
        });
        sleep(ms(60));
        node.set_clock_rate(50);
        let woken = sleeper.join().unwrap();
        assert_eq!(begun.elapsed(), ms(140), "40 ms at half speed were left");
        assert_eq!(woken.duration_since(begun), ms(100));
        node.set_clock_rate(100);
        let shown = node.spawn("look", now).join().unwrap();
        assert_eq!(shown, woken, "it never jumps");
        // Messages go by the world's time.
        let (send, receive) = labrt::oneshot::channel();
        node.set_clock_rate(1);
        node.spawn_detached("sender", move || {
            labrt::after(ms(10), move || {
                let _ = send.send(());
            });
        });
        let sent = now();
        receive.recv().unwrap();
        assert_eq!(sent.elapsed(), ms(10));
    });
}

/// A paused node stands still, whatever reaches it, and then goes on.
#[test]
fn a_paused_node_stands_still_until_it_goes_on() {
    sim(|| {
        let steps = Arc::new(AtomicU64::new(0));
        let node = Node::new("worker");
        let count = Arc::clone(&steps);
        node.spawn_detached("work", move || {
            loop {
                sleep(ms(1));
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        sleep(ms(10) + ms(1) / 2);
        assert!(!node.is_paused());
        node.pause().unwrap();
        assert!(node.is_paused());
        let late = Arc::clone(&steps);
        let spawned = node.spawn("spawned meanwhile", move || late.load(Ordering::SeqCst));
        sleep(ms(100));
        assert_eq!(steps.load(Ordering::SeqCst), 10, "nothing of the node runs");
        assert!(!spawned.is_finished());
        node.pause().unwrap(); // a second time nothing happens
        node.resume().unwrap();
        assert!(spawned.join().unwrap() >= 10);
        sleep(ms(10));
        // The step that was due, and those since.
        assert_eq!(steps.load(Ordering::SeqCst), 10 + 1 + 9);
        node.resume().unwrap(); // nothing happens
        node.pause().unwrap();
        node.crash().unwrap();
        assert_eq!(node.live_tasks(), 0, "a paused node can be crashed");
    });
}

/// A task that pauses its own node stops there.
#[test]
fn a_node_that_pauses_itself_waits_for_another_to_resume_it() {
    sim(|| {
        let node = Node::new("worker");
        let own = node.clone();
        let paused = node.spawn("work", move || {
            own.pause().unwrap();
            now()
        });
        labrt::after(ms(20), move || node.resume().unwrap());
        assert_eq!(paused.join().unwrap().as_nanos(), 20_000_000);
    });
}

/// Locks of a paused node stay held; others wait, and the report of the deadlock says why.
#[test]
fn a_deadlock_on_a_paused_node_is_reported_as_such() {
    let run = sim::run(Config::new(1), || {
        let node = Node::new("worker");
        let work = node.spawn("work", || sleep(ms(1)));
        node.pause().unwrap();
        work.join().unwrap();
    });
    let failure = run.result.unwrap_err();
    assert_eq!(failure.kind, sim::FailureKind::Deadlock);
    assert!(failure.to_string().contains("ready to run, on a paused node"), "{failure}");
}

#[test]
fn a_clock_jumps_forward_for_its_node_alone() {
    sim(|| {
        let node = Node::new("worker");
        let asleep = node.spawn("asleep", || {
            sleep(ms(20));
            now()
        });
        sleep(ms(5));
        node.jump_clock(ms(1000));
        assert_eq!(node.spawn("looks", now).join().unwrap(), now() + ms(1000));
        assert_eq!(asleep.join().unwrap().as_nanos(), 1_020_000_000, "it slept as long as ever");
        assert_eq!(now().as_nanos(), 20_000_000);
        let slept = node.spawn("sleeps", || sleep(ms(7)));
        slept.join().unwrap();
        assert_eq!(now().as_nanos(), 27_000_000, "the rate has not changed");
        node.set_clock_rate(200);
        node.jump_clock(ms(500));
        node.spawn("sleeps", || sleep(ms(10))).join().unwrap();
        assert_eq!(now().as_nanos(), 32_000_000, "a jump keeps the rate");
    });
}

/// Writes to a disk that hangs return when it no longer does, and not before. Others are not held
/// up.
#[test]
fn a_disk_that_hangs_holds_its_writers_up() {
    sim(|| {
        let (disk, node) = (Persister::new(), Node::new("writer"));
        disk.set_hanging(true);
        let theirs = disk.clone();
        let written = node.spawn("write", move || {
            theirs.write(append(&["a"])).unwrap();
            now()
        });
        sleep(ms(5000));
        assert!(!written.is_finished() && disk.record_count() == 0);
        Persister::new().write(append(&["b"])).unwrap();
        disk.set_hanging(false);
        let back = written.join().unwrap();
        assert!((5000..=5001).contains(&(back.as_nanos() / 1_000_000)), "{back:?}");
        assert_eq!(disk.record_count(), 1);
        // A server that crashes while its disk hangs has written nothing.
        disk.set_hanging(true);
        let theirs = disk.clone();
        node.spawn_detached("write", move || theirs.write(append(&["c"])).unwrap());
        sleep(ms(5));
        node.crash().unwrap();
        disk.set_hanging(false);
        sleep(ms(5));
        assert_eq!(disk.record_count(), 1);
    });
}

#[test]
fn writes_take_times_from_the_whole_range() {
    let run = sim::run(Config::new(1).time_limit(Duration::from_secs(3600)), || {
        let disk = Persister::new();
        disk.set_write_times(ms(5)..=ms(5000));
        let takes: Vec<Duration> = (0..200)
            .map(|_| {
                let begun = now();
                disk.write(append(&["a"])).unwrap();
                begun.elapsed()
            })
            .collect();
        assert!(takes.iter().all(|takes| (ms(5)..=ms(5000)).contains(takes)));
        assert!(takes.iter().any(|takes| *takes < ms(300)));
        assert!(takes.iter().any(|takes| *takes > ms(4700)));
    });
    run.result.unwrap_or_else(|failure| panic!("{failure}"));
}
