//! The time line of a cluster.

use std::time::Duration;

use tester::{Annotation, Annotations, Backend, Cluster, ClusterOptions, Kind, TestOptions};

use super::service::reach_server;

fn simulated(body: impl Fn() + Clone + Send + Sync + 'static) {
    let outcome = tester::run(Backend::Sim, 1, &TestOptions::default(), body);
    assert!(outcome.verdict.is_pass(), "{}", outcome.verdict.report());
}

/// `start..end text`, in ms.
fn show(item: &Annotation) -> String {
    let end = item.end.map_or_else(|| "?".to_owned(), |end| (end / 1_000_000).to_string());
    format!("{}..{end} {}", item.start / 1_000_000, item.text)
}

fn row(annotations: &Annotations, tag: &str) -> Vec<String> {
    annotations.items().iter().filter(|item| item.tag == tag).map(show).collect()
}

fn pause() {
    labrt::sleep(Duration::from_millis(10));
}

#[test]
fn faults_are_noted_by_the_cluster_itself() {
    simulated(|| {
        let cluster = Cluster::new(ClusterOptions::new(5), reach_server);
        let group = cluster.group(0);
        pause();
        group.disconnect_all(2);
        pause();
        group.shutdown_server(3);
        group.shutdown_server(4);
        pause();
        group.start_server(3);
        group.start_server(4);
        group.connect_all();
        pause();
        group.partition(&[0, 2], &[1, 3, 4]);
        pause();
        group.partition(&[0, 1, 2, 3, 4], &[]);
        pause();
        cluster.cleanup();
        let expected = [
            "10..20 partition = [2] [0 1 3 4]",
            "20..20 partition = [2] [0 1 4] / crash = [3]",
            "20..30 partition = [2] [0 1] / crash = [3 4]",
            "30..30 partition = [2] [3] [0 1] / crash = [4]",
            "30..30 partition = [2] [3] [4] [0 1]",
            "40..50 partition = [0 2] [1 3 4]",
        ];
        let got = row(cluster.annotations(), tester::FAULT_ROW);
        // Restarts and connects at one instant leave slivers in between, which are not the point.
        let got: Vec<&String> =
            got.iter().filter(|line| expected.contains(&line.as_str())).collect();
        assert_eq!(got, expected);
        let test_row = row(cluster.annotations(), tester::TEST_ROW);
        assert_eq!(test_row, ["60..60 test passed"]);
    });
}

#[test]
fn a_cluster_without_faults_has_an_empty_fault_row() {
    simulated(|| {
        let cluster = Cluster::new(ClusterOptions::new(3), reach_server);
        cluster.group(0).connect_all();
        assert_eq!(cluster.annotations().items(), []);
    });
}

#[test]
fn kinds_of_items() {
    simulated(|| {
        let notes = Annotations::new();
        notes.test("some test", 3);
        notes.continuous_end("nothing runs here");
        let start = labrt::now();
        notes.continuous(Kind::User, "row", "one", "");
        pause();
        notes.continuous(Kind::User, "row", "two", "");
        notes.point("points", "here", "details");
        notes.interval("intervals", start, "there", "");
        notes.checker_begin("a check");
        pause();
        notes.checker_success("fine", "really");
        notes.checker_failure("not begun", "");
        notes.two_partitions(1, &[0, 2], &[1]);
        notes.clear_failure(1);
        notes.finalize("the end");
        notes.finalize("twice");
        let got: Vec<(String, String)> =
            notes.items().iter().map(|item| (item.tag.clone(), show(item))).collect();
        let expected = [
            ("$ Test Info", "0..? some test (3 servers)"),
            ("row", "0..10 one"),
            ("points", "10..? here"),
            ("intervals", "0..10 there"),
            ("$ Checker", "10..20 fine"),
            ("$ Checker", "20..? not begun"),
            ("$ Failure 1", "20..20 partition = [0 2] [1]"),
            ("row", "10..20 two"),
            ("$ Test Info", "20..20 the end"),
        ];
        let expected: Vec<(String, String)> =
            expected.iter().map(|(tag, text)| ((*tag).to_owned(), (*text).to_owned())).collect();
        assert_eq!(got, expected);
        let items = notes.items();
        assert_eq!(items[4].details, "a check: really");
        // The second continuous item begins a little after the first one's end.
        assert_eq!(items[7].start - items[1].end.unwrap(), 1000);
        assert_eq!(items[1].kind.colour(), "#FFF176");
    });
}

#[test]
fn json_lines_can_be_read_back() {
    simulated(|| {
        let notes = Annotations::new();
        notes.info("title", "");
        notes.point_of(Kind::Failure, "row \"x\"", "line\nbreak", "more");
        let path = std::env::temp_dir().join(format!("notes-{}.jsonl", std::process::id()));
        notes.write_json_lines(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let read: Vec<Annotation> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, notes.items());
    });
}
