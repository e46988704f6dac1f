//! Lives of a server: disks, the order of a shutdown, crashes, and what is left behind.

use std::sync::Arc;
use std::time::Duration;

use labrpc::{Method, Service};
use labrt::{Mutex, Persister};
use tester::{
    Backend, Cluster, ClusterOptions, Hosted, ServerName, ServerSetup, TestOptions, hosted,
    lab_test,
};

enum Save {}
impl Method for Save {
    const SERVICE: &'static str = "Disk";
    const METHOD: &'static str = "Save";
    type Args = String;
    type Reply = ();
}

fn disk_server(setup: ServerSetup) -> Vec<Box<dyn Hosted>> {
    let disk = setup.persister.clone();
    let save = Service::new("Disk").method::<Save>(move |text: String| {
        disk.save(text.into_bytes(), Some(b"snap".to_vec())).unwrap()
    });
    // What it writes when it is killed comes after its disk was set aside.
    let disk = setup.persister;
    vec![hosted([save], move || disk.save(b"written while dying".to_vec(), None).unwrap())]
}

fn state(disk: &Persister) -> String {
    String::from_utf8(disk.read_raft_state()).unwrap()
}

#[test]
fn a_restart_finds_what_was_saved_before_the_shutdown() {
    lab_test!(|| {
        let cluster = Cluster::new(ClusterOptions::new(2), disk_server);
        let group = cluster.group(0);
        assert_eq!((group.log_size(), group.snapshot_size()), (0, 0));
        let client = cluster.make_client();
        client.call::<Save>(ServerName::new(0, 1), &"first life".to_owned()).unwrap();
        assert_eq!((group.log_size(), group.snapshot_size()), (10, 4));
        let old = group.persister(1);
        group.shutdown_server(1);
        assert_eq!(state(&old), "written while dying");
        assert_eq!(state(&group.persister(1)), "first life");
        assert_eq!(group.log_size(), 10);
        group.start_server(1);
        assert_eq!(state(&group.persister(1)), "first life");
        client.call::<Save>(ServerName::new(0, 1), &"second".to_owned()).unwrap();
        assert_eq!(state(&group.persister(1)), "second");
        assert_eq!(state(&group.persister(0)), "");
    });
}

/// A crash says nothing to the services: what they would write when killed is not written at all.
#[test]
fn a_crash_kills_without_telling() {
    let outcome = tester::run(Backend::Sim, 1, &TestOptions::default(), || {
        let cluster = Cluster::new(ClusterOptions::new(1), disk_server);
        let group = cluster.group(0);
        let client = cluster.make_client();
        client.call::<Save>(ServerName::new(0, 0), &"kept".to_owned()).unwrap();
        let old = group.persister(0);
        group.crash_server(0).unwrap();
        assert_eq!(state(&old), "kept");
        assert!(client.call::<Save>(ServerName::new(0, 0), &"lost".to_owned()).is_err());
        assert!(!group.is_running(0));
        group.start_server(0);
        assert_eq!(state(&group.persister(0)), "kept");
        client.call::<Save>(ServerName::new(0, 0), &"again".to_owned()).unwrap();
    });
    assert!(outcome.verdict.is_pass(), "{}", outcome.verdict.report());
}

#[test]
fn threads_cannot_crash() {
    let outcome = tester::run(Backend::Threads, 1, &TestOptions::default(), || {
        let cluster = Cluster::new(ClusterOptions::new(1), disk_server);
        assert_eq!(cluster.group(0).crash_server(0), Err(labrt::CrashError::NotSimulated));
        assert!(cluster.group(0).is_running(0));
    });
    assert!(outcome.verdict.is_pass(), "{}", outcome.verdict.report());
}

/// No call that is under way at the shutdown succeeds after it, although the handler finishes.
#[test]
fn no_positive_reply_once_the_kill_begins() {
    enum Slow {}
    impl Method for Slow {
        const SERVICE: &'static str = "Slow";
        const METHOD: &'static str = "Wait";
        type Args = ();
        type Reply = ();
    }
    lab_test!(|| {
        let order = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&order);
        let cluster = Cluster::new(ClusterOptions::new(1), move |_| {
            let (one, two) = (Arc::clone(&theirs), Arc::clone(&theirs));
            let slow =
                Service::new("Slow").method::<Slow>(|()| labrt::sleep(Duration::from_millis(30)));
            vec![
                hosted([slow], move || {
                    one.lock().push("first");
                    labrt::sleep(Duration::from_millis(200));
                }),
                hosted([], move || two.lock().push("second")),
            ]
        });
        let client = cluster.make_client();
        let call = tester::spawn(move || client.call::<Slow>(ServerName::new(0, 0), &()));
        labrt::sleep(Duration::from_millis(10));
        cluster.group(0).shutdown_server(0);
        assert!(call.join().unwrap().is_err());
        assert_eq!(*order.lock(), ["first", "second"]);
    });
}

/// A task that does not notice that its server was killed is found and named.
#[test]
fn a_task_that_outlives_its_server_is_a_leak() {
    fn body() {
        Cluster::new(ClusterOptions::new(2), |setup| {
            if setup.me == 1 {
                labrt::spawn(|| {
                    loop {
                        labrt::sleep(Duration::from_millis(50));
                    }
                });
            }
            vec![hosted([], || {})]
        });
    }
    let outcome = tester::run(Backend::Sim, 1, &TestOptions::default(), body);
    let report = outcome.verdict.report();
    assert!(
        report.contains("servers with tasks that go on 10 s after their kill: server-0-1 (1)"),
        "{report}"
    );
}

/// Tasks of a life that has ended are looked for as well.
#[test]
fn a_leak_of_an_earlier_life_is_found() {
    fn body() {
        let cluster = Cluster::new(ClusterOptions::new(1), |_| {
            labrt::spawn(|| labrt::sleep(Duration::from_secs(60)));
            vec![hosted([], || {})]
        });
        cluster.group(0).shutdown();
        cluster.group(0).start_server(0);
    }
    let outcome = tester::run(Backend::Sim, 1, &TestOptions::default(), body);
    let report = outcome.verdict.report();
    assert!(report.contains("server-0-0 (1), server-0-0 (1)"), "{report}");
}
