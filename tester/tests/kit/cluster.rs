//! The spec's two tests of the tester, and clients.

use std::sync::atomic::Ordering;

use labrpc::CallError;
use tester::{ServerName, lab_test};

use super::service::{Count, Seen, counter, counter_cluster};

/// One RPC through the client gives the server's count.
#[test]
fn basic() {
    lab_test!(|| {
        let (cluster, seen) = counter_cluster(1);
        let client = cluster.make_client();
        assert_eq!(client.call::<Count>(ServerName::new(0, 0), &()).unwrap(), 1);
        assert_eq!(seen.calls.load(Ordering::SeqCst), 1);
        cluster.cleanup();
    });
}

/// After a shutdown the services have been told, and nobody answers.
#[test]
fn shutdown_server() {
    lab_test!(|| {
        let (cluster, seen) = counter_cluster(1);
        let client = cluster.make_client();
        client.call::<Count>(ServerName::new(0, 0), &()).unwrap();
        assert!(!seen.killed.load(Ordering::SeqCst));
        cluster.group(0).shutdown();
        assert!(seen.killed.load(Ordering::SeqCst));
        assert_eq!(client.call::<Count>(ServerName::new(0, 0), &()), Err(CallError::NoReply));
        cluster.cleanup();
    });
}

/// The same two on threads, whatever the environment says.
#[test]
fn basic_and_shutdown_on_threads() {
    let outcome = tester::run(tester::Backend::Threads, 0, &tester::TestOptions::default(), || {
        let (cluster, seen) = counter_cluster(2);
        let client = cluster.make_client();
        assert_eq!(client.call::<Count>(ServerName::new(0, 1), &()).unwrap(), 1);
        cluster.group(0).shutdown_server(1);
        assert!(seen.killed.load(Ordering::SeqCst));
        assert_eq!(client.call::<Count>(ServerName::new(0, 1), &()), Err(CallError::NoReply));
        assert_eq!(client.call::<Count>(ServerName::new(0, 0), &()).unwrap(), 2);
    });
    assert!(outcome.verdict.is_pass(), "{:?}", outcome.verdict);
    assert_eq!(outcome.rpcs, 3);
}

/// What a client may reach, for ends that exist and for ends that are made later.
#[test]
fn clients_reach_what_they_are_allowed_to() {
    lab_test!(|| {
        let (cluster, _) = counter_cluster(3);
        let names = cluster.group(0).server_names();
        let client = cluster.make_client_to(&names[..1]);
        let reaches = || names.iter().map(|&name| client.call::<Count>(name, &()).is_ok());
        assert_eq!(reaches().collect::<Vec<_>>(), [true, false, false]);
        client.connect_to(&names[1..2]);
        // The end to the first server is in use already: it stays.
        assert_eq!(reaches().collect::<Vec<_>>(), [true, true, false]);
        client.disconnect(names[0]);
        assert_eq!(reaches().collect::<Vec<_>>(), [false, true, false]);
        client.connect_all();
        assert_eq!(reaches().collect::<Vec<_>>(), [true, true, true]);
        client.disconnect_all();
        assert_eq!(reaches().collect::<Vec<_>>(), [false, false, false]);
        let other = cluster.make_client_to(&[]);
        assert_eq!(other.call::<Count>(names[0], &()), Err(CallError::NoReply));
        other.connect_all();
        assert!(other.call::<Count>(names[0], &()).is_ok());
        cluster.delete_client(&other);
        cluster.delete_client(&other);
        assert_eq!(other.call::<Count>(names[0], &()), Err(CallError::NoReply));
    });
}

/// Groups beside group 0 have servers, names and numbers of their own.
#[test]
fn further_groups() {
    lab_test!(|| {
        let (cluster, _) = counter_cluster(1);
        let seen = std::sync::Arc::<Seen>::default();
        let theirs = seen.clone();
        let group = cluster.make_group_start(7, 2, move |_| counter(&theirs));
        assert_eq!(group.server_names(), [0, 1].map(|i| ServerName::new(7, i)));
        let client = cluster.make_client();
        assert!(client.call::<Count>(ServerName::new(7, 1), &()).is_ok());
        cluster.exit_group(7);
        assert!(cluster.find_group(7).is_none());
        assert!(client.call::<Count>(ServerName::new(7, 1), &()).is_err());
        assert!(seen.killed.load(Ordering::SeqCst));
    });
}

/// Misuse fails the test with a message that says what was wrong.
#[test]
fn misuse_is_reported() {
    let report = |body: fn()| {
        let run = tester::run(tester::Backend::Sim, 1, &tester::TestOptions::default(), body);
        run.verdict.report().to_owned()
    };
    let twice = report(|| counter_cluster(1).0.group(0).start_server(0));
    assert!(twice.contains("server-0-0 is running already: shut it down first"), "{twice}");
    let beyond = report(|| counter_cluster(2).0.group(0).shutdown_server(2));
    assert!(beyond.contains("group 0 has 2 servers, there is no server 2"), "{beyond}");
    let unknown = report(|| drop(counter_cluster(1).0.group(4)));
    assert!(unknown.contains("there is no group 4"), "{unknown}");
}
