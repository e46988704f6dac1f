//! A cluster of one server with a harness over it.

use kvsrv::{Clerk, KvServer};
use labrpc::ClientEnd;
use tester::kv::KvHarness;
use tester::{Client, Cluster, ClusterOptions, hosted};

fn clerk(_: &Client, servers: Vec<ClientEnd>) -> Clerk {
    Clerk::new(servers[0].clone())
}

/// Sets a test up and prints its first line.
pub fn set_up(title: &str, reliable: bool) -> KvHarness {
    let cluster = Cluster::new(ClusterOptions::new(1).reliable(reliable), |_setup| {
        vec![hosted([KvServer::new().service()], || {})]
    });
    cluster.begin(title);
    KvHarness::new(cluster, clerk, false)
}
