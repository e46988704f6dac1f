//! Lab 2, memory. Alone in its process: it counts all memory that is allocated.

use std::time::Duration;

use cap::Cap;
use kvapi::{Clerk as _, Error, Version};
use kvsrv::{Clerk, KvServer};
use parking_lot::Mutex;
use tester::kv::{KvHarness, TestClerk, rand_value};
use tester::{Cluster, ClusterOptions, TestOptions, hosted, lab_test};

#[global_allocator]
static MEMORY: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

/// Held by one run at a time: a sweep runs several at once.
static ALONE: Mutex<()> = Mutex::new(());

const CLIENTS: u64 = 100_000;
/// Bytes that may be allocated for each client's Put.
const PER_CLIENT: usize = 200;
/// The course has 120 s of wall clock. Here a call takes about 0.6 ms of virtual time, which is 120
/// s for the calls alone.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// The server keeps neither a record of a client nor an old value: 100,000 clients with a Put of
/// 1000 letters each leave less than 200 bytes each.
#[test]
fn mem_put_many_clients_reliable_2() {
    lab_test!(TestOptions::default().time_limit(TIME_LIMIT), || {
        let _alone = ALONE.lock();
        let cluster = Cluster::new(ClusterOptions::new(1).time_limit(TIME_LIMIT), |_setup| {
            vec![hosted([KvServer::new().service()], || {})]
        });
        let h = KvHarness::new(
            cluster,
            |_: &tester::Client, servers: Vec<labrpc::ClientEnd>| Clerk::new(servers[0].clone()),
            false,
        );
        let value = rand_value(1000);
        let clerks: Vec<TestClerk> = (0..CLIENTS).map(|_| h.make_clerk()).collect();
        // Makes every client's end, which is not the server's memory.
        for ck in &clerks {
            assert_eq!(ck.put("k", "", Version::new(1)), Err(Error::NoKey));
        }
        h.cluster().begin("Test: memory use many put clients");
        labrt::sleep(Duration::from_secs(1));
        let before = MEMORY.allocated();
        for (i, ck) in clerks.iter().enumerate() {
            assert_eq!(ck.put("k", &value, Version::new(i as u64)), Ok(()), "Put number {i}");
        }
        labrt::sleep(Duration::from_secs(1));
        let after = MEMORY.allocated();
        let most = before + CLIENTS as usize * PER_CLIENT;
        assert!(after <= most, "{before} bytes before the Puts, {after} after: more than {most}");
        drop(clerks);
        h.cleanup();
    });
}
