//! Nodes as groups of tasks. Crashes are the simulator's alone: `tests/simulator/crash.rs`.

use labrt::{CrashError, Node, channel};

use crate::{in_sim, ms, on_both};

fn name_here() -> String {
    Node::current().name().to_owned()
}

#[test]
fn tasks_belong_to_the_node_that_spawned_them() {
    on_both(|| {
        let node = Node::new("server-1");
        let names = node.spawn("outer", || {
            let inner = labrt::spawn(name_here).join().unwrap();
            (name_here(), inner)
        });
        assert_eq!(names.join().unwrap(), ("server-1".into(), "server-1".into()));
        assert_ne!(name_here(), "server-1");
    });
}

#[test]
fn enter_sets_the_node_and_puts_the_old_one_back() {
    on_both(|| {
        let (a, b) = (Node::new("a"), Node::new("b"));
        let before = name_here();
        let task = a.enter(|| {
            assert_eq!(name_here(), "a");
            b.enter(|| assert_eq!(name_here(), "b"));
            assert_eq!(name_here(), "a");
            labrt::spawn(|| {
                labrt::sleep(ms(1));
                name_here()
            })
        });
        assert_eq!(name_here(), before);
        assert_eq!(task.join().unwrap(), "a");
        let unwound = std::panic::catch_unwind(|| {
            a.enter(|| std::panic::resume_unwind(Box::new("out")));
        });
        assert!(unwound.is_err());
        assert_eq!(name_here(), before);
    });
}

/// In a timer callback too, which has no task to set the node of.
#[test]
fn enter_works_in_a_callback() {
    on_both(|| {
        let node = Node::new("later");
        let (sender, receiver) = channel::unbounded();
        labrt::after(ms(1), move || {
            node.enter(|| labrt::spawn(move || sender.send(name_here()).unwrap()));
            assert_ne!(name_here(), "later");
        });
        assert_eq!(receiver.recv().unwrap(), "later");
    });
}

#[test]
fn live_tasks_are_counted() {
    on_both(|| {
        let node = Node::new("n");
        assert_eq!(node.live_tasks(), 0);
        let (release, released) = channel::bounded::<()>(0);
        let other = released.clone();
        let first = node.spawn("first", move || released.recv());
        node.spawn_detached("second", move || {
            let _ = other.recv();
        });
        assert_eq!(node.live_tasks(), 2);
        drop(release);
        assert_eq!(first.join().unwrap(), Err(channel::RecvError));
        while node.live_tasks() > 0 {
            labrt::sleep(ms(1));
        }
    });
}

#[test]
fn threads_cannot_be_crashed_and_say_so() {
    let node = Node::new("n");
    assert_eq!(node.crash(), Err(CrashError::NotSimulated));
    assert!(!node.is_crashed());
    in_sim(|| {
        let node = Node::new("n");
        assert_eq!(node.crash(), Ok(()));
        assert!(node.is_crashed());
        assert_eq!(node.spawn("never", || 1).join(), Err(labrt::JoinError::Killed));
    });
}
