//! Who reaches whom after connects, disconnects and partitions.

use tester::{Cluster, ClusterOptions, lab_test};

use super::service::{Reach, reach_server};

/// For each server, the servers it reaches, as text.
fn reach(cluster: &Cluster) -> String {
    let client = cluster.make_client();
    let group = cluster.group(0);
    let rows = group.server_names().into_iter().map(|name| {
        let reached = client.call::<Reach>(name, &()).unwrap();
        reached.iter().map(|yes| if *yes { '1' } else { '0' }).collect::<String>()
    });
    let rows: Vec<String> = rows.collect();
    cluster.delete_client(&client);
    rows.join(" ")
}

#[test]
fn connections_need_both_sides() {
    lab_test!(|| {
        let cluster = Cluster::new(ClusterOptions::new(3), reach_server);
        let group = cluster.group(0);
        assert_eq!(reach(&cluster), "111 111 111");
        group.disconnect_all(0);
        assert_eq!(group.connected(), [false, true, true]);
        assert_eq!(reach(&cluster), "000 011 011");
        group.disconnect_all(1);
        assert_eq!(reach(&cluster), "000 000 001");
        // 0 comes back to those who are connected: to 2 and, for a server counts among them, to
        // itself.
        group.connect_one(0);
        assert_eq!(reach(&cluster), "101 000 101");
        group.connect_one(1);
        assert_eq!(reach(&cluster), "111 111 111");
    });
}

#[test]
fn a_restarted_server_is_cut_off_until_connected() {
    lab_test!(|| {
        let cluster = Cluster::new(ClusterOptions::new(3), reach_server);
        let group = cluster.group(0);
        group.shutdown_server(1);
        assert!(!group.is_running(1) && !group.is_connected(1));
        group.start_server(1);
        assert_eq!(reach(&cluster), "101 000 101");
        group.connect_one(1);
        assert_eq!(reach(&cluster), "111 111 111");
    });
}

#[test]
fn partitions() {
    lab_test!(|| {
        let cluster = Cluster::new(ClusterOptions::new(5), reach_server);
        let group = cluster.group(0);
        group.partition(&[0, 3], &[1, 2, 4]);
        assert_eq!(reach(&cluster), "10010 01101 01101 10010 01101");
        assert_eq!(group.connected(), [true; 5]);
        group.partition(&[0, 1, 2, 3, 4], &[]);
        assert_eq!(reach(&cluster), "11111 11111 11111 11111 11111");
    });
}

#[test]
fn sides_of_a_partition() {
    lab_test!(|| {
        let sides = |n, leader| {
            let cluster = Cluster::new(ClusterOptions::new(n), reach_server);
            cluster.group(0).make_partition(leader)
        };
        assert_eq!(sides(3, 1), (vec![0, 2], vec![1]));
        assert_eq!(sides(5, 0), (vec![1, 2, 3], vec![4, 0]));
        assert_eq!(sides(7, 6), (vec![0, 1, 2, 3], vec![4, 5, 6]));
        // The course's code leaves a stray 0 in the second list when n is even.
        assert_eq!(sides(4, 2), (vec![0, 1, 3], vec![2]));
        assert_eq!(sides(2, 0), (vec![1], vec![0]));
        assert_eq!(sides(1, 0), (vec![], vec![0]));
    });
}

/// Long partitions at random leave a state from which everything heals.
#[test]
fn the_partitioner_can_be_stopped_and_healed() {
    lab_test!(|| {
        let cluster = Cluster::new(ClusterOptions::new(4), reach_server);
        let partitioner = tester::kv::Partitioner::start(cluster.group(0));
        labrt::sleep(std::time::Duration::from_secs(3));
        partitioner.stop();
        cluster.group(0).connect_all();
        assert_eq!(reach(&cluster), "1111 1111 1111 1111");
    });
}
