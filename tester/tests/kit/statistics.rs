//! The course's lines, to the byte.

use std::time::Duration;

use tester::{Backend, Cluster, ClusterOptions, Figures, ServerName, TestOptions, passed_line};

use super::service::{Count, counter_cluster, reach_server};

#[test]
fn the_line_of_the_course() {
    let figures =
        Figures { time: Duration::from_millis(2_300), peers: 3, rpcs: 252, ops: 63, wall: None };
    let line = "  ... Passed --  time  2.3s #peers 3 #RPCs   252 #Ops   63";
    assert_eq!(passed_line(&figures), line);
    let wall = Some(Duration::from_millis(12));
    let line = format!("{line} (virtual; 0.012s wall)");
    assert_eq!(passed_line(&Figures { wall, ..figures }), line);
    let figures = Figures {
        time: Duration::from_secs(123),
        peers: 15,
        rpcs: 1_234_567,
        ops: 12_345,
        wall: None,
    };
    let line = "  ... Passed --  time 123.0s #peers 15 #RPCs 1234567 #Ops 12345";
    assert_eq!(passed_line(&figures), line);
}

fn lines(body: fn()) -> Vec<String> {
    let outcome = tester::run(Backend::Sim, 3, &TestOptions::default(), body);
    assert!(outcome.verdict.is_pass(), "{}", outcome.verdict.report());
    // The wall clock is nobody's to predict.
    let cut = |line: &str| line.split(" (virtual; ").next().unwrap().to_owned();
    outcome.output.lines().map(cut).collect()
}

#[test]
fn parts_are_counted_each_on_its_own() {
    let got = lines(|| {
        let (cluster, _) = counter_cluster(3);
        let client = cluster.make_client();
        client.call::<Count>(ServerName::new(0, 0), &()).unwrap();
        cluster.begin("Test: one");
        for _ in 0..5 {
            client.call::<Count>(ServerName::new(0, 0), &()).unwrap();
            cluster.op();
        }
        labrt::sleep(Duration::from_millis(1_234));
        cluster.end();
        cluster.set_reliable(false);
        cluster.begin("Test: two");
        labrt::sleep(Duration::from_secs(11));
        cluster.end();
        cluster.begin("Test: three");
        cluster.begin("Test: four");
        cluster.end();
        assert_eq!(cluster.rpc_total(), 6);
        assert!(cluster.bytes_total() > 0);
    });
    let expected = [
        "Test: one (reliable network)...",
        "  ... Passed --  time  1.2s #peers 3 #RPCs     5 #Ops    5",
        "Test: two (unreliable network)...",
        "  ... Passed --  time 11.0s #peers 3 #RPCs     0 #Ops    0",
        "Test: three (unreliable network)...",
        "Test: four (unreliable network)...",
        "  ... Passed --  time  0.0s #peers 3 #RPCs     0 #Ops    0",
    ];
    assert_eq!(got, expected);
}

#[test]
fn totals_of_a_run_count_all_its_clusters() {
    let outcome = tester::run(Backend::Sim, 3, &TestOptions::default(), || {
        for _ in 0..2 {
            let (cluster, _) = counter_cluster(1);
            let client = cluster.make_client();
            for _ in 0..3 {
                client.call::<Count>(ServerName::new(0, 0), &()).unwrap();
            }
            cluster.op();
            cluster.end();
            client.call::<Count>(ServerName::new(0, 0), &()).unwrap();
            cluster.cleanup();
        }
    });
    assert_eq!((outcome.rpcs, outcome.ops), (8, 2));
    assert!(outcome.bytes > 0 && outcome.cpu.is_some());
}

#[test]
fn incoming_calls_are_counted_for_each_life() {
    lines(|| {
        let (cluster, _) = counter_cluster(2);
        let group = cluster.group(0);
        let client = cluster.make_client();
        for _ in 0..3 {
            client.call::<Count>(ServerName::new(0, 1), &()).unwrap();
        }
        assert_eq!((group.rpc_count(0), group.rpc_count(1)), (0, 3));
        group.shutdown_server(1);
        assert_eq!(group.rpc_count(1), 0);
        group.start_server(1);
        client.call::<Count>(ServerName::new(0, 1), &()).unwrap();
        assert_eq!(group.rpc_count(1), 1);
    });
}

#[test]
fn a_cluster_that_lives_too_long_fails_its_test() {
    let late = |seconds: u64| {
        let body = move || {
            let cluster = Cluster::new(ClusterOptions::new(1), reach_server);
            cluster.begin("Test: late");
            labrt::sleep(Duration::from_secs(seconds));
            cluster.end();
        };
        tester::run(Backend::Sim, 1, &TestOptions::default(), body).verdict
    };
    assert!(late(119).is_pass());
    assert!(late(121).report().contains("test took longer than 120 seconds"));
    // A test that hangs is stopped a little later.
    assert!(late(1000).report().contains("time limit at 135"), "{:?}", late(1000));
}
